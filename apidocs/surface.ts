/** What the packages export, read by the TypeScript compiler: names, one-line signatures and docstrings. */
import { join, relative } from "node:path";
import ts from "typescript";

const root = join(import.meta.dirname, "..");

/** One exported name. */
export interface Exported {
  readonly name: string;
  readonly kind: "function" | "class" | "value" | "type";
  /** Path from `packages` on of the file that declares it. */
  readonly file: string;
  /** Its docstring as plain text, "" where it has none. */
  readonly doc: string;
  /** Of a function, on one line: `sum(x, axes?, { keepDims? })`. */
  readonly signature: string;
  /** Public members without a docstring (own ones; a method that is an operation's is described there). */
  readonly bareMembers: readonly string[];
}

/**
 * Exports of each entry. All entries are read by one program, which takes some seconds.
 *
 * @param entries paths from `packages` on, for example "tensor/src/index.ts"
 */
export function readSurface(entries: readonly string[]): Map<string, Exported[]> {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(import.meta.dirname, "tsconfig.json"),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: ({ messageText }) => fail(String(messageText)) },
  )!;
  const paths = entries.map((entry) => join(root, "packages", entry));
  const program = ts.createProgram(paths, config.options);
  const checker = program.getTypeChecker();
  return new Map(
    entries.map((entry, index) => {
      const source = program.getSourceFile(paths[index]!) ?? fail(`${entry} does not exist`);
      const module = checker.getSymbolAtLocation(source) ?? fail(`${entry} exports nothing`);
      return [entry, checker.getExportsOfModule(module).map((symbol) => describe(checker, symbol))];
    }),
  );
}

function fail(sentence: string): never {
  throw new Error(sentence);
}

function describe(checker: ts.TypeChecker, exported: ts.Symbol): Exported {
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const declaration = symbol.declarations![0]!;
  const isValue = (symbol.flags & ts.SymbolFlags.Value) !== 0;
  const isClass = (symbol.flags & ts.SymbolFlags.Class) !== 0;
  const signatures = isValue && !isClass ? checker.getTypeOfSymbol(symbol).getCallSignatures() : [];
  const longest = signatures.reduce<ts.Signature | undefined>(
    (best, one) => (best && best.parameters.length > one.parameters.length ? best : one),
    undefined,
  );
  return {
    name: exported.name,
    kind: longest ? "function" : isClass ? "class" : isValue ? "value" : "type",
    file: relative(join(root, "packages"), declaration.getSourceFile().fileName).replaceAll("\\", "/"),
    doc: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
    signature: longest ? `${exported.name}(${parametersOf(checker, longest)})` : "",
    bareMembers: bareMembers(checker, symbol),
  };
}

function parametersOf(checker: ts.TypeChecker, signature: ts.Signature): string {
  return signature.parameters.map((parameter) => parameterText(checker, parameter)).join(", ");
}

function parameterText(checker: ts.TypeChecker, parameter: ts.Symbol): string {
  const declaration = parameter.valueDeclaration;
  if (!declaration || !ts.isParameter(declaration)) return parameter.name;
  const type = checker.getTypeOfSymbol(parameter);
  const given = checker.getNonNullableType(type);
  const options = parameter.name === "options" || ts.isObjectBindingPattern(declaration.name);
  if (options) {
    const names = given
      .getProperties()
      .map((property) => (property.flags & ts.SymbolFlags.Optional ? `${property.name}?` : property.name));
    if (names.length) return `{ ${names.join(", ")} }`;
  }
  if (declaration.dotDotDotToken) return `...${parameter.name}`;
  const { initializer } = declaration;
  if (initializer && ts.isObjectLiteralExpression(initializer)) return `${parameter.name}?`;
  if (initializer) return `${parameter.name} = ${initializer.getText()}`;
  return checker.isOptionalParameter(declaration) ? `${parameter.name}?` : parameter.name;
}

/** Members of a class or interface that readers see and nothing describes. */
function bareMembers(checker: ts.TypeChecker, symbol: ts.Symbol): string[] {
  const own = (symbol.declarations ?? []).filter(
    (one) => ts.isClassDeclaration(one) || ts.isInterfaceDeclaration(one),
  );
  return own
    .flatMap((one) => [...one.members])
    .filter((member) => {
      if (!member.name || !ts.isIdentifier(member.name)) return false;
      const flags = ts.getCombinedModifierFlags(member);
      if (flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected | ts.ModifierFlags.Override))
        return false;
      const found = checker.getSymbolAtLocation(member.name);
      if (!found || found.getJsDocTags(checker).some(({ name }) => name === "internal")) return false;
      return !ts.displayPartsToString(found.getDocumentationComment(checker));
    })
    .map((member) => (member.name as ts.Identifier).text);
}
