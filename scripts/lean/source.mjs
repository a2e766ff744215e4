/** The modules of a build as syntax trees, and which parts of them are cut. */
import { dirname, posix } from "node:path";
import { parse } from "acorn";

/** The properties of a kernel that a page never reads. */
export const parts = ["cases", "refusals", "reference"];

/**
 * Parses a module and all that it imports.
 * @param entry its file, relative to the folder that `read` knows
 * @returns modules by file: { file, text, tree, comments, cuts }
 */
export function readModules(entry, read) {
  const modules = new Map();
  const files = new Set([entry]); // grows while it is walked
  for (const file of files) {
    const text = read(file);
    const comments = [];
    const tree = parse(text, { ecmaVersion: "latest", sourceType: "module", onComment: comments });
    modules.set(file, { file, text, tree, comments, cuts: [] });
    for (const { source } of tree.body) if (source) files.add(resolveImport(file, source.value));
  }
  return modules;
}

/** The file that a module means by an import. */
export function resolveImport(file, to) {
  if (!to.startsWith(".")) throw new Error(`${file} imports ${to}, but kernels depend on nothing else.`);
  return posix.join(dirname(file), to);
}

/**
 * Finds the functions that make kernels (`defineKernel`, and whatever calls it for its callers) and notes in every module's
 * `cuts` which pieces of their calls go: the properties in `parts`, and last arguments that were read by those alone.
 */
export function cutKernels(modules) {
  const functions = [...modules.values()].flatMap((module) => topLevelFunctions(module));
  const makers = new Set(["defineKernel"]);
  for (let before = 0; before < makers.size; ) {
    before = makers.size;
    for (const { name, node } of functions) if ([...callsOf(node.body, makers)].length) makers.add(name);
  }
  let kernels = 0;
  for (const module of modules.values()) {
    for (const call of callsOf(module.tree, makers)) {
      const given = call.arguments.filter(({ type }) => type === "ObjectExpression");
      if (call.callee.name === "defineKernel") {
        if (given.length !== 1)
          throw new Error(
            `${module.file}: defineKernel takes the kernel as an object literal, or nothing can be cut from it.`,
          );
        kernels += 1;
      }
      for (const object of given)
        module.cuts.push(
          ...piecesOf(object.properties, ({ key }) => parts.includes(key?.name), object.end - 1),
        );
    }
  }
  if (!kernels) throw new Error("no kernel was found: does defineKernel still make them?");
  cutArguments(modules, functions, makers);
}

/** Last parameters of makers that only the cut properties read: their arguments go, too. */
function cutArguments(modules, functions, makers) {
  const counts = new Map();
  for (const { name, node, module } of functions) {
    if (!makers.has(name)) continue;
    const read = new Set();
    for (const { name: used } of references(node.body, module.cuts)) read.add(used);
    const unread = [...node.params]
      .reverse()
      .findIndex(({ type, name: own }) => type !== "Identifier" || read.has(own));
    counts.set(name, unread < 0 ? 0 : node.params.length - unread);
  }
  for (const module of modules.values()) {
    for (const call of callsOf(module.tree, makers)) {
      const count = counts.get(call.callee.name) ?? Infinity;
      module.cuts.push(
        ...piecesOf(call.arguments, (one) => call.arguments.indexOf(one) >= count, call.end - 1),
      );
    }
  }
}

/** The pieces of a list in braces or brackets, with their commas, that hold the members that go. @param closing where it closes */
export function piecesOf(members, goes, closing) {
  const kept = members.filter((one) => !goes(one));
  if (!members.some(goes)) return [];
  if (!kept.length) return [[members[0].start, closing]];
  return members.filter(goes).map((one) => {
    const before = kept.findLast(({ end }) => end <= one.start);
    return before ? [before.end, one.end] : [one.start, kept[0].start];
  });
}

function topLevelFunctions(module) {
  return module.tree.body.flatMap((statement) => {
    const declaration = statement.declaration ?? statement;
    if (declaration.type === "FunctionDeclaration")
      return [{ name: declaration.id.name, node: declaration, module }];
    return (declaration.declarations ?? [])
      .filter(({ id, init }) => id.type === "Identifier" && /Function/.test(init?.type))
      .map(({ id, init }) => ({ name: id.name, node: init, module }));
  });
}

function* callsOf(node, names) {
  for (const found of walk(node, []))
    if (found.type === "CallExpression" && found.callee.type === "Identifier" && names.has(found.callee.name))
      yield found;
}

/** Every node that is not within a piece that is cut. */
export function* walk(node, cuts) {
  if (!node || typeof node !== "object") return;
  if (Array.isArray(node)) {
    for (const one of node) yield* walk(one, cuts);
    return;
  }
  if (typeof node.type !== "string") return;
  if (isCut(node, cuts)) return;
  yield node;
  for (const child of Object.values(node)) yield* walk(child, cuts);
}

export const isCut = ({ start, end }, cuts) => cuts.some(([from, to]) => start >= from && end <= to);

/** The identifiers that name a value: not the names of properties. Those of inner scopes are among them, which keeps too much at worst. */
export function* references(root, cuts) {
  const names = new Set();
  for (const node of walk(root, cuts)) {
    if (node.type === "MemberExpression" && !node.computed) names.add(node.property);
    if (
      /^(Property|MethodDefinition|PropertyDefinition)$/.test(node.type) &&
      !node.computed &&
      !node.shorthand
    )
      names.add(node.key);
    if (node.type === "Identifier" && !names.has(node)) yield node;
  }
}
