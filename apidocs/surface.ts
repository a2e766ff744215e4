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

/** Members of a class or interface that readers see and nothing describes: neither here nor where they are inherited from. */
function bareMembers(checker: ts.TypeChecker, symbol: ts.Symbol): string[] {
  const own = (symbol.declarations ?? []).filter(
    (one) => ts.isClassDeclaration(one) || ts.isInterfaceDeclaration(one),
  );
  return own
    .flatMap((one) => [...one.members])
    .filter((member) => !(ts.getCombinedModifierFlags(member) & hidden))
    .flatMap((member) => (ts.isConstructorDeclaration(member) ? partsOf(member) : namedMember(member)))
    .filter(({ of }) => !isDescribed(checker, of))
    .map(({ name }) => name);
}

const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected | ts.ModifierFlags.Override;

interface Part {
  readonly name: string;
  /** What carries the docstring: the name of a member, or a constructor. */
  readonly of: ts.Node;
}

function namedMember({ name }: ts.Node & { readonly name?: ts.PropertyName }): Part[] {
  return name && (ts.isIdentifier(name) || ts.isComputedPropertyName(name))
    ? [{ name: name.getText(), of: name }]
    : [];
}

/** A constructor that takes something, and the properties that its parameters make. */
function partsOf(constructor: ts.ConstructorDeclaration): Part[] {
  const { parameters } = constructor;
  const properties = parameters.filter(
    (one) => ts.getCombinedModifierFlags(one) & ts.ModifierFlags.ParameterPropertyModifier,
  );
  const seen = properties.filter((one) => !(ts.getCombinedModifierFlags(one) & hidden));
  return [
    ...(parameters.length ? [{ name: "constructor", of: constructor }] : []),
    ...seen.map(({ name }) => ({ name: name.getText(), of: name })),
  ];
}

/** Whether there are words: a description, or tags that describe parameters and results. Internal members need none. */
function isDescribed(checker: ts.TypeChecker, node: ts.Node): boolean {
  if (ts.isConstructorDeclaration(node)) return ts.getJSDocCommentsAndTags(node).length > 0;
  const symbol = checker.getSymbolAtLocation(node)!;
  return symbol.getDocumentationComment(checker).length > 0 || symbol.getJsDocTags(checker).length > 0;
}
