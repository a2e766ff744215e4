/** What TypeDoc does not do by itself: families, functions that are made by functions, and comments of tensor methods. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Comment, CommentTag, Converter, ReflectionKind } from "typedoc";
import { familyOf } from "./families.mjs";

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_BEGIN, (context) => showAsFunctions(context));
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const entry of project.children ?? []) nameEntry(entry);
    for (const page of project.documents ?? []) page.name = titles[page.name] ?? page.name;
    const functions = new Map();
    for (const reflection of topLevel(project)) {
      assignFamily(app, project, reflection);
      if (reflection.kind === ReflectionKind.Function)
        functions.set(reflection.name, reflection.signatures?.[0]);
    }
    for (const reflection of topLevel(project))
      if (reflection.name === "Tensor") describeMethods(reflection, functions);
  });
  // Only now are comments at their parameters.
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const signature of project.getReflectionsByKind(ReflectionKind.SomeSignature))
      showOptions(signature);
  });
}

/** Files of `docs` → what the sidebar calls them. */
const titles = { ops: "All operations", "for-pytorch-users": "Coming from PyTorch" };

/** "nn/src" → "@ddad/nn", with the description of its package. */
function nameEntry(entry) {
  const folder = entry.name.replace("/src", "");
  const { name, description } = JSON.parse(
    readFileSync(join(import.meta.dirname, "..", "packages", folder, "package.json"), "utf8"),
  );
  entry.name = name;
  entry.comment = new Comment([{ kind: "text", text: `${description}.` }]);
}

const topLevel = (project) => (project.children ?? []).flatMap((entry) => entry.children ?? []);

/** Most elementwise operations are constants that hold a function (`const neg = unary("neg")`); readers call them. */
function showAsFunctions(context) {
  const prototype = Object.getPrototypeOf(context);
  const original = prototype.getComment;
  prototype.getComment = function (symbol, kind) {
    const comment = original.call(this, symbol, kind);
    if (
      comment &&
      kind === ReflectionKind.Variable &&
      this.checker.getTypeOfSymbol(symbol).getCallSignatures().length
    )
      comment.modifierTags.add("@function");
    return comment;
  };
}

/** Adds the @category that the table of families names for the file of a declaration. */
function assignFamily(app, project, reflection) {
  if (reflection.kind === ReflectionKind.Reference) return;
  const symbol = project.getSymbolIdFromReflection(reflection);
  const file = `${symbol?.packageName?.replace("@ddad/", "")}/${symbol?.packagePath}`;
  const family = familyOf(file, reflection.name);
  if (!family) {
    app.logger.error(`${reflection.name} of ${file} has no family: add its file to apidocs/families.json.`);
    return;
  }
  const carriers = reflection.signatures?.length ? reflection.signatures : [reflection];
  for (const carrier of carriers) {
    carrier.comment ??= new Comment();
    carrier.comment.blockTags.push(new CommentTag("@category", [{ kind: "text", text: family }]));
  }
}

/** A method that is not described itself does what the function of its name does. */
function describeMethods(tensor, functions) {
  for (const method of tensor.children ?? []) {
    const like = functions.get({ var: "variance" }[method.name] ?? method.name);
    if (!like?.comment) continue;
    for (const signature of method.signatures ?? []) {
      if (signature.comment?.summary.length) continue;
      signature.comment = new Comment(like.comment.summary.map((part) => ({ ...part })));
    }
  }
}

/** Names objects that the source takes apart, and lists the properties of options where they are passed. */
function showOptions(signature) {
  const parameters = signature.parameters ?? [];
  for (const parameter of parameters) {
    if (parameter.name === unnamed) parameter.name = nameOf(parameter, parameters);
    for (const type of [parameter.type, ...(parameter.type?.types ?? [])]) {
      if (type?.type === "reference") showPart(type);
      const target = type?.type === "reference" ? type.reflection : undefined;
      if (!target || !isOptions(target)) continue;
      parameter.comment ??= new Comment();
      parameter.comment.blockTags.push(new CommentTag("@expandType", [{ kind: "text", text: target.name }]));
    }
  }
}

/** The same for a part of them: Pick<Options, …>, Omit<Options, …> or Partial<Options>. */
function showPart(type) {
  const [whole, keys] = type.typeArguments ?? [];
  const target = whole?.type === "reference" ? whole.reflection : undefined;
  if (!target || !isOptions(target) || !["Pick", "Omit", "Partial"].includes(type.name)) return;
  const listed = (keys?.types ?? [keys]).map((key) => key?.value);
  const shown = (target.children ?? []).filter(
    ({ name }) => type.name === "Partial" || listed.includes(name) === (type.name === "Pick"),
  );
  type.highlightedProperties = new Map(shown.map(({ name, comment }) => [name, comment?.summary ?? []]));
}

const unnamed = "__namedParameters";

/** Types of records that callers write down for one call. */
const isOptions = ({ kind, name }) =>
  (kind === ReflectionKind.Interface || kind === ReflectionKind.TypeAlias) &&
  /(?:Options|Settings|Inputs|Schedule|WarmupCosine|OneCycle)$/.test(name);

/** "options", or what its type says where that is another record: `inputs` of `GuidedStepInputs`. */
function nameOf(parameter, siblings) {
  const type = parameter.type?.typeArguments?.[0]?.name ?? parameter.type?.name ?? "";
  const word = type.match(/[A-Z][a-z]+$/)?.[0].toLowerCase() ?? "options";
  const name = ["schedule", "cosine"].includes(word) ? "options" : word;
  return siblings.some((other) => other !== parameter && other.name === name) ? `${name}2` : name;
}
