/** Lowering: each call becomes the dispatches of the variant that suits the adapter. */
import {
  admits,
  assembleShader,
  bytesOf,
  type Capabilities,
  type Cost,
  constantsOffset,
  isEmptyCall,
  KernelError,
  type Pass,
  packParams,
  type Shader,
  type TensorSpec,
  usualVariants,
  type Variant,
} from "@ddad/kernels-wgsl";
import { LimitError } from "../errors.ts";
import { callKey, type Program, type ProgramCall, type ValueId } from "./program.ts";

/** One dispatch on values: still data, no device object in it. */
export interface Dispatch {
  /** `kernel/variant/pass`. */
  readonly label: string;
  readonly kernel: string;
  readonly shader: Shader;
  readonly workgroups: readonly [number, number, number];
  /** Bytes of the uniform struct, or undefined where the shader reads none. */
  readonly uniform: ArrayBuffer | undefined;
  /** Where in `Program.constants` those numbers are that end the uniform struct. */
  readonly constants: readonly number[];
  /** Bytes of the struct before them. */
  readonly constantsOffset: number;
  /** Value behind each binding of the shader. */
  readonly values: readonly ValueId[];
  /** Cost of the whole call on its first dispatch, undefined on the others. */
  readonly cost: Cost | undefined;
}

export interface Lowered {
  readonly leaves: number;
  readonly dispatches: readonly Dispatch[];
  /** Bytes of each value; scratch tensors are appended after the program's. */
  readonly bytes: readonly number[];
  /** `[output, input]`: the output is the input's buffer, overwritten. */
  readonly updates: readonly (readonly [ValueId, ValueId])[];
  readonly results: readonly ValueId[];
  readonly assignments: Program["assignments"];
  readonly runs: Program["runs"];
  readonly packs: Program["packs"];
}

/** What becomes of all calls with one {@link callKey}. */
interface LoweredCall {
  readonly variant: Variant<string, string, unknown, string>;
  readonly scratch: readonly (readonly [name: string, bytes: number])[];
  readonly passes: readonly (Pick<Pass, "label" | "workgroups"> & { readonly shader: Shader })[];
}

/**
 * A pure function of the program, of what the adapter can do, and of the variants chosen for it.
 *
 * @param choices names of variants by {@link callKey}
 * @param known calls lowered before with the same capabilities and choices, by {@link callKey}; new ones are added: the blocks of a network
 * repeat their calls
 */
export function lowerProgram(
  program: Program,
  caps: Capabilities,
  choices: Choices = new Map(),
  known = new Map<string, LoweredCall>(),
): Lowered {
  checkF16(program, caps);
  // WebGPU binds nothing that is empty; 16 bytes are the largest element.
  const bytes = program.values.map((spec) => bytesOf(spec) || 16);
  const dispatches: Dispatch[] = [];
  const updates: (readonly [ValueId, ValueId])[] = [];
  for (const entry of program.calls) {
    const { kernel, call } = entry;
    if (isEmptyCall(call)) continue;
    const key = callKey(entry);
    const { variant, scratch, passes } = known.get(key) ?? lowerCall(entry, caps, choices);
    known.set(key, { variant, scratch, passes });
    const names = new Map<string, ValueId>([
      ...Object.entries(entry.inputs),
      ...Object.entries(entry.outputs),
    ]);
    for (const [name, size] of scratch) names.set(name, bytes.push(size) - 1);
    for (const [output, input] of Object.entries(kernel.updates ?? {})) {
      const source = entry.inputs[input!];
      if (source !== undefined && entry.outputs[output] !== undefined)
        updates.push([entry.outputs[output]!, source]);
    }
    passes.forEach(({ label, workgroups, shader }, index) => {
      const values = shader.bindings.map(({ name }) => {
        const id = names.get(name);
        if (id === undefined)
          throw new KernelError(
            `${kernel.name}/${variant.name} binds ${name}, which this call does not have.`,
          );
        return id;
      });
      dispatches.push({
        label: [kernel.name, variant.name, label].filter(Boolean).join("/"),
        kernel: kernel.name,
        shader,
        workgroups,
        uniform: shader.uniform ? packParams(kernel, call, shader) : undefined,
        constants: shader.uniform ? entry.constants : [],
        constantsOffset: constantsOffset(shader),
        values,
        cost: index === 0 ? kernel.cost(call) : undefined,
      });
    });
  }
  const { leaves, results, assignments, runs, packs } = program;
  return { leaves, dispatches, bytes, updates, results, assignments, runs, packs };
}

function lowerCall(entry: ProgramCall, caps: Capabilities, choices: Choices): LoweredCall {
  const { kernel, call, constants } = entry;
  const variant = chooseVariant(entry, caps, choices);
  const scratch = Object.entries<TensorSpec>(variant.scratch?.(caps, call) ?? {});
  return {
    variant,
    scratch: scratch.map(([name, spec]) => [name, bytesOf(spec)]),
    passes: variant.passes(caps, call).map((pass) => ({
      ...(pass.label !== undefined && { label: pass.label }),
      workgroups: pass.workgroups,
      shader: assembleShader(kernel, pass, constants.length),
    })),
  };
}

function checkF16({ values, calls }: Program, { f16 }: Capabilities): void {
  if (f16 || values.every(({ dtype }) => dtype !== "f16")) return;
  const call = calls.find(({ call: { outputs } }) =>
    Object.values(outputs).some(({ dtype }) => dtype === "f16"),
  );
  throw new LimitError(
    `${call?.kernel.name ?? "evaluate"}: a result is f16, but this adapter has no shader-f16; compute in f32.`,
  );
}

/** Names of variants by {@link callKey}. */
export type Choices = ReadonlyMap<string, string>;

/** The variant that was chosen for the call, as long as there is one of that name that fits; else the first usual one. */
export function chooseVariant(
  entry: ProgramCall,
  caps: Capabilities,
  choices: Choices,
): Variant<string, string, unknown, string> {
  const { kernel, call } = entry;
  const chosen = choices.size ? choices.get(callKey(entry)) : undefined;
  return (
    kernel.variants.find((variant) => variant.name === chosen && admits(variant, caps, call)) ??
    usualVariants(kernel).find((variant) => admits(variant, caps, call))!
  );
}
