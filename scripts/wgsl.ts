#!/usr/bin/env node
import { pathToFileURL } from "node:url";
// The shader that a case of a kernel runs: all passes, each with its bindings and workgroups. Needs no GPU and no build.
//   npm run wgsl                                             the kernels
//   npm run wgsl -- conv2d                                   its cases and variants
//   npm run wgsl -- conv2d "residual block"                  the variant that runs unless `tune` found a faster one
//   npm run wgsl -- conv2d "residual block" "register tile"  another one
//   … --adapter software                                     what runs on another class of adapter
import { parseArgs } from "node:util";
import {
  admits,
  assembleShader,
  type Call,
  type Capabilities,
  type Case,
  caseCall,
  isEmptyCall,
  type Kernel,
  kernels,
  type Pass,
  show,
  type TensorSpec,
  usualVariants,
  type Variant,
} from "@ddad/kernels-wgsl";

type AnyVariant = Variant<string, string, unknown, string>;

const plain: Capabilities = {
  adapterClass: "discrete",
  f16: true,
  subgroups: true,
  subgroupSizes: [32, 32],
  maxInvocations: 1024,
  workgroupMemory: 32768,
  maxStorageBuffers: 10,
};

/** The adapters that can be asked for. The first is the default: a graphics card, as most browsers show it. */
const adapters: Readonly<Record<string, Capabilities>> = {
  discrete: plain,
  integrated: { ...plain, adapterClass: "integrated" },
  software: { ...plain, adapterClass: "software", subgroupSizes: [8, 8] },
  matrix: { ...plain, subgroupMatrix: { m: 16, n: 16, k: 16, lanes: 32 } },
  least: { ...plain, subgroups: false, subgroupSizes: [0, 0], ...leastLimits() },
};

function leastLimits() {
  return { f16: false, maxInvocations: 256, workgroupMemory: 16384, maxStorageBuffers: 8 };
}

/** What is printed, and the exit code: 2 where a word names nothing. */
export interface Answer {
  readonly text: string;
  readonly code: 0 | 2;
}

/**
 * Answers a command line.
 * @param words kernel, case, variant, each left out from the end on; `--adapter NAME`
 */
export function answer(words: readonly string[]): Answer {
  const { values, positionals } = parseArgs({
    args: [...words],
    options: { adapter: { type: "string", default: "discrete" } },
    allowPositionals: true,
  });
  const [kernelName, caseName, variantName] = positionals;
  const caps = adapters[values.adapter];
  if (!caps) return unknown("adapter", values.adapter, Object.keys(adapters));
  const all = kernels.map(({ name }) => name);
  if (kernelName === undefined) return { text: list("kernels", all), code: 0 };
  const kernel = kernels.find(({ name }) => name === kernelName);
  if (!kernel) return unknown("kernel", kernelName, all);
  const cases = kernel.cases.map(({ name }) => name);
  if (caseName === undefined) {
    const variants = kernel.variants.map(({ name }) => name);
    return { text: `${list(`cases of ${kernelName}`, cases)}\n${list("variants", variants)}`, code: 0 };
  }
  const example = kernel.cases.find(({ name }) => name === caseName);
  if (!example) return unknown(`case of ${kernelName}`, caseName, cases);
  const call = caseCall(kernel, example);
  if (isEmptyCall(call))
    return { text: `// ${kernelName}, "${caseName}", runs nothing: every output is empty`, code: 0 };
  const admitted = kernel.variants.filter((variant) => admits(variant, caps, call));
  const variant = variantName
    ? admitted.find(({ name }) => name === variantName)
    : usualVariants(kernel).find((one) => admits(one, caps, call));
  if (!variant) {
    const what = `variant of ${kernelName} for this case on the adapter "${values.adapter}"`;
    return unknown(
      what,
      variantName ?? "",
      admitted.map(({ name }) => name),
    );
  }
  return { text: shaders(kernel, example, variant, caps, call), code: 0 };
}

const list = (what: string, names: readonly string[]): string => `${what}:\n  ${names.join("\n  ")}`;

const unknown = (what: string, word: string, names: readonly string[]): Answer => ({
  text: `wgsl: there is no ${what} named "${word}". There are:\n  ${names.join("\n  ")}`,
  code: 2,
});

function shaders(kernel: Kernel, example: Case, variant: AnyVariant, caps: Capabilities, call: Call): string {
  const scratch = variant.scratch?.(caps, call) ?? {};
  const tensors: Readonly<Record<string, TensorSpec>> = { ...call.inputs, ...call.outputs, ...scratch };
  const passes = variant.passes(caps, call);
  const parts = passes.map((pass, index) => {
    const { code, bindings, fields } = assembleShader(kernel, pass, call.constants?.length);
    const numbers = fields.flatMap(({ name, value }) => (value === undefined ? [] : [`${name} ${value}`]));
    const described = bindings.map(({ name, access }, binding) => {
      const kind = name in scratch ? "scratch" : access === "read" ? "read" : "written";
      return `//   ${binding}: ${name} ${describe(tensors[name])}, ${kind}`;
    });
    const title = `pass ${index + 1} of ${passes.length}${pass.label ? `, ${pass.label}` : ""}`;
    const own = numbers.length ? [`// numbers: ${numbers.join(", ")}`] : [];
    return [`// ${title}: ${workgroups(pass)}`, ...described, ...own, code.trimEnd()].join("\n");
  });
  const params = Object.entries(call.params).map(([name, value]) => `${name} ${value}`);
  const head = [
    `// ${kernel.name}, "${example.name}", variant "${variant.name}"`,
    ...(params.length ? [`// params: ${params.join(", ")}`] : []),
  ];
  return [head.join("\n"), ...parts].join("\n\n");
}

const describe = (tensor: TensorSpec | undefined): string =>
  tensor ? `${show(tensor.shape)} ${tensor.dtype}` : "(no tensor of the call)";

const workgroups = ({ workgroups: [x, y, z] }: Pass): string => `${x} × ${y} × ${z} workgroups`;

if (process.argv[1] && pathToFileURL(process.argv[1]).href === import.meta.url) {
  const { text, code } = answer(process.argv.slice(2));
  if (code) console.error(text);
  else console.log(text);
  process.exitCode = code;
}
