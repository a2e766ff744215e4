/** A module's text without what was cut or is not reached, and with its WGSL squeezed. */
import MagicString from "magic-string";
import { declaredNames } from "./reach.mjs";
import { isCut, piecesOf, resolveImport, walk } from "./source.mjs";

/** @param names what of the module is reached. @returns its text for bundles. Its lines differ from the full build's. */
export function editModule({ file, text, tree, comments, cuts }, names) {
  const gone = [...cuts];
  const marks = [];
  let end = 0;
  for (const statement of tree.body) {
    const piece = [end, statement.end]; // with the comments before it
    end = statement.end;
    if (statement.type === "ExportAllDeclaration") {
      if (!names.has(`export * ${resolveImport(file, statement.source.value)}`)) gone.push(piece);
    } else if (statement.specifiers && !statement.declaration) {
      const goes = (one) => !names.has(nameOf(statement, one));
      gone.push(...(statement.specifiers.every(goes) ? [piece] : piecesOf(statement.specifiers, goes)));
    } else if (!declaredNames(statement).some((name) => names.has(name))) gone.push(piece);
    else marks.push(...topLevelCalls(statement));
  }
  for (const { start, end: last, value } of comments)
    if (value.startsWith("# sourceMappingURL")) gone.push([start, last]);

  const result = new MagicString(text);
  const outermost = gone.filter(
    ([from, to]) => !gone.some(([a, b]) => (a < from && b >= to) || (a <= from && b > to)),
  );
  for (const [from, to] of outermost) if (from < to) result.remove(from, to);
  for (const start of marks)
    if (!isCut({ start, end: start }, gone)) result.appendLeft(start, "/* @__PURE__ */ ");
  for (const node of walk(tree, gone)) {
    if (node.type !== "TemplateElement") continue;
    const squeezed = squeeze(node.value.raw);
    // The parser's positions, because a carriage return in the text is not in the value.
    if (squeezed !== text.slice(node.start, node.end)) result.update(node.start, node.end, squeezed);
  }
  return `${result.toString().trim()}\n`;
}

/** Under which name `reach.mjs` notes what a specifier of an import or export brings. */
const nameOf = ({ source, type }, { local, exported }) =>
  source && type === "ExportNamedDeclaration" ? `export ${exported.name}` : local.name;

/** Where the calls stand that give a constant its value: bundlers drop those marked as pure where nobody uses the constant. */
function topLevelCalls(statement) {
  const declaration = statement.declaration ?? statement;
  return (declaration.declarations ?? [])
    .filter(({ init }) => /^(Call|New)Expression$/.test(init?.type))
    .map(({ init }) => init.start);
}

/** A piece of WGSL without indentation, empty lines and comments to the end of a line. */
function squeeze(wgsl) {
  return wgsl.replace(/[ \t]*\/\/[^\n]*(?=\n)/g, "").replace(/\s*\n\s*/g, "\n");
}
