/** Which declarations of a package its entry reaches, across modules: what is left after the cuts. */
import { references, resolveImport, walk } from "./source.mjs";

/**
 * @returns `{ modules, names }`: files, and for each file the names (of its top level, imports included) that are reached; what it
 *   passes on from other modules is among them as `export NAME` and `export * FILE`
 */
export function findReached(modules, entry) {
  const tables = new Map([...modules.values()].map((module) => [module.file, readTable(module)]));
  const names = new Map([...modules.keys()].map((file) => [file, new Set()]));
  const reachedModules = new Set();
  const queue = [];

  /** Marks a name of a module's top level, or (as `export name`, or `export *`) what it passes on from another module. */
  const reach = (file, name) => {
    reachedModules.add(file);
    if (names.get(file).has(name)) return;
    names.get(file).add(name);
    queue.push([file, name]);
  };
  /** Marks what a module exports under a name; gives whether it does. */
  const reachExport = (file, name) => {
    const { exports, reexports } = tables.get(file);
    if (exports.has(name)) {
      reach(file, exports.get(name));
      return true;
    }
    return reexports.some(({ from, imported, exported }) => {
      if (exported && exported !== name) return false;
      const found = reachExport(from, exported ? imported : name);
      if (found) reach(file, exported ? `export ${exported}` : `export * ${from}`);
      return found;
    });
  };
  const reachAll = (file) => {
    const { exports, reexports } = tables.get(file);
    for (const local of exports.values()) reach(file, local);
    for (const { from, imported, exported } of reexports) {
      reach(file, exported ? `export ${exported}` : `export * ${from}`);
      if (exported) reachExport(from, imported);
      else reachAll(from);
    }
  };

  reachAll(entry);
  for (const [file, name] of queue) {
    const { declarations, imports } = tables.get(file);
    for (const used of declarations.get(name) ?? []) reach(file, used);
    const { from, imported } = imports.get(name) ?? {};
    if (from === undefined) continue;
    if (imported === "*") reachAll(from);
    else if (!reachExport(from, imported))
      throw new Error(`${file} imports ${imported}, which ${from} does not export.`);
  }
  return { modules: reachedModules, names };
}

/** What a module declares (name → names of its own top level that it uses), imports and exports. */
function readTable({ file, tree, cuts }) {
  const table = { declarations: new Map(), imports: new Map(), exports: new Map(), reexports: [] };
  const uses = new Map();
  for (const statement of tree.body) {
    const from = statement.source && resolveImport(file, statement.source.value);
    if (statement.type === "ImportDeclaration") {
      for (const { type, local, imported } of statement.specifiers)
        table.imports.set(local.name, { from, imported: type === "ImportSpecifier" ? imported.name : "*" });
    } else if (statement.type === "ExportAllDeclaration" && !statement.exported) {
      table.reexports.push({ from });
    } else if (statement.type === "ExportNamedDeclaration" && !statement.declaration) {
      for (const { local, exported } of statement.specifiers) {
        if (from) table.reexports.push({ from, imported: local.name, exported: exported.name });
        else table.exports.set(exported.name, local.name);
      }
    } else {
      const names = declaredNames(statement);
      // The package says that its modules have no effects; with one of them, cutting would change what it does.
      if (!names.length)
        throw new Error(`${file}: a statement outside of functions declares nothing: it would be lost.`);
      for (const name of names) {
        uses.set(name, statement);
        if (statement.type === "ExportNamedDeclaration") table.exports.set(name, name);
      }
    }
  }
  const known = (name) => uses.has(name) || table.imports.has(name);
  for (const [name, statement] of uses)
    table.declarations.set(name, [...references(statement, cuts)].map((node) => node.name).filter(known));
  return table;
}

/** The names that a statement of the top level declares. */
export function declaredNames(statement) {
  const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
  if (/^(Function|Class)Declaration$/.test(declaration?.type)) return [declaration.id.name];
  if (declaration?.type !== "VariableDeclaration") return [];
  return declaration.declarations.flatMap(({ id }) =>
    [...walk(id, [])].filter(isBound).map(({ name }) => name),
  );
}

const isBound = ({ type }) => type === "Identifier";
