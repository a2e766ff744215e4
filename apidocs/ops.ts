/** The page `docs/ops.md`: every operation with its signature, types and gradient, learned from the sources and from recording it. */
import * as nn from "@ddad/nn";
import { families, familyOf } from "./families.mjs";
import { binary, calls, type Operands } from "./opCalls.ts";
import type { Exported } from "./surface.ts";

const dtypes = ["f32", "f16", "i32", "u32", "bool"] as const;
type Recorded = ReturnType<(typeof calls)[string]>;

/** Functions of the entry "tensor/src/index.ts" that make tensors or compute with them. */
export const operationsOf = (surface: readonly Exported[]): Exported[] =>
  surface.filter(
    ({ kind, file }) => kind === "function" && (makes(file) || file.startsWith("tensor/src/ops/")),
  );

const makes = (file: string): boolean => file === "tensor/src/create.ts";

function call(name: string, operands: Operands): Recorded {
  const known = calls[name];
  if (known) return known(operands);
  const op = (nn as unknown as Record<string, (...tensors: nn.Tensor[]) => nn.AnyTensor>)[name]!;
  return binary.includes(name) ? op(operands.x(2, 3), operands.x(2, 3)) : op(operands.x(2, 3));
}

/** Tensors of a call, with those of the tried type kept. */
function operandsOf(dtype: nn.DType): { readonly made: nn.AnyTensor[]; readonly operands: Operands } {
  const made: nn.AnyTensor[] = [];
  // Recorded casts, which never run: an adapter without f16 learns of it only when something is evaluated.
  const make =
    (type: nn.DType) =>
    (...shape: number[]): nn.AnyTensor =>
      nn.cast(nn.full(shape, 1), type);
  const x = (...shape: number[]): nn.Tensor => {
    made.push(make(dtype)(...shape));
    return made.at(-1)! as nn.Tensor;
  };
  const operands = { x, f32: make("f32"), bool: make("bool"), i32: make("i32"), u32: make("u32") };
  return { made, operands: operands as unknown as Operands };
}

const tensorsOf = (result: Recorded): nn.AnyTensor[] =>
  result instanceof nn.Tensor ? [result] : Object.values(result);

/** Types that an operation takes, as its shape rules say. */
function typesOf(name: string): string[] {
  return dtypes.filter((dtype) => {
    try {
      call(name, operandsOf(dtype).operands);
      return true;
    } catch (error) {
      if (error instanceof nn.ShapeError || error instanceof nn.UsageError) return false;
      throw error;
    }
  });
}

/** "yes", "zero" (it passes no gradient on), or "–" where nothing in it is a float. */
function gradientOf(name: string, types: readonly string[]): string {
  const dtype = types.find((type) => type === "f32" || type === "f16");
  if (!dtype) return "–";
  const { made, operands } = operandsOf(dtype as nn.Float);
  const floats = tensorsOf(call(name, operands)).filter(({ dtype }) => dtype === "f32" || dtype === "f16");
  if (!floats.length) return "–";
  const loss = floats
    .map((tensor) => nn.sum(nn.cast(tensor as nn.Tensor, "f32")))
    .reduce((total, one) => total.add(one));
  try {
    nn.grad(loss, [made[0]! as nn.Tensor]);
    return "yes";
  } catch (error) {
    if (error instanceof nn.UsageError && error.message.includes("passes no gradient on")) return "zero";
    throw error;
  }
}

/** The first sentence of a docstring, for a cell of a table. */
function firstSentence(doc: string): string {
  const text = doc.replace(/\s+/g, " ").trim();
  let depth = 0;
  let end = text.length;
  for (let at = 0; at < end; at++) {
    const char = text[at]!;
    if ("([".includes(char)) depth++;
    if (")]".includes(char)) depth--;
    if (depth === 0 && ".;:".includes(char) && /^(?: |$)/.test(text.slice(at + 1))) end = at;
  }
  return `${text.slice(0, end).replace(/\.$/, "")}.`.replaceAll("|", "\\|").replaceAll("<", "\\<");
}

/** The page as Markdown. */
export function operationsPage(surface: readonly Exported[]): string {
  const operations = operationsOf(surface);
  const rows = new Map<string, string[]>();
  for (const op of operations) {
    const family = familyOf(op.file, op.name) ?? "";
    const takesTensor = !makes(op.file) && op.name !== "randomKeys";
    const types = takesTensor ? typesOf(op.name) : [];
    const method = op.name in nn.Tensor.prototype || (op.name === "variance" && "var" in nn.Tensor.prototype);
    const cells = [
      `\`${op.signature.replaceAll("|", "\\|")}\``,
      firstSentence(op.doc),
      types.length === dtypes.length ? "all" : types.join(" "),
      gradientOf(op.name, types),
      method ? "✓" : "",
    ];
    rows.set(family, [...(rows.get(family) ?? []), `| ${cells.join(" | ")} |`]);
  }
  const sections = families
    .filter((family) => rows.has(family))
    .map((family) =>
      [
        `## ${family}`,
        "",
        "| operation | what it does | types | gradient | method |",
        "| --- | --- | --- | --- | --- |",
        ...rows.get(family)!.sort(),
      ].join("\n"),
    );
  return `${head(operations.length)}\n${sections.join("\n\n")}\n`;
}

const head = (
  count: number,
): string => `<!-- This page is written by \`npm run docs:ops\`; a test compares it with the sources. -->

# Operations

All ${count} operations of \`@ddad/tensor\` (and of \`@ddad/nn\`, which re-exports them). Each is a function; those with ✓ are methods of
\`Tensor\` too: \`sum(x, 1)\` is \`x.sum(1)\`. \`{ … }\` are options. Axes may be negative and count from the end. Images are [N, H, W, C].

* **types**: those of the first operand. Nothing converts by itself: use \`cast\`. f16 needs an adapter that has it.
* **gradient**: "yes" to any order, "zero" where the derivative is zero wherever it exists, "–" where nothing that is a float goes in or comes out.
`;
