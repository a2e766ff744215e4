/**
 * A kernel is one object in one file: what it computes (shape rule and f64 reference), how (variants of WGSL), what it
 * costs, and the cases that tests and benchmarks loop over. It is pure data: nothing here holds a GPUDevice.
 */
import { KernelError } from "./errors.ts";
import type { DType, Shape, TensorSpec } from "./spec.ts";

/** The adapter's capabilities that kernels use. */
export interface Capabilities {
  /** `software`: a CPU emulates a GPU; barriers and workgroup memory are expensive there. */
  readonly adapterClass: "software" | "integrated" | "discrete";
  /** Whether shaders may use f16. */
  readonly f16: boolean;
  /** Whether shaders may use subgroup operations. */
  readonly subgroups: boolean;
  /** Smallest and largest subgroup size; 0 where unknown. */
  readonly subgroupSizes: readonly [number, number];
  /** Largest number of threads of a workgroup. */
  readonly maxInvocations: number;
  /** Bytes of workgroup memory. */
  readonly workgroupMemory: number;
  /** Storage buffers that one pass may bind. */
  readonly maxStorageBuffers: number;
  /** The matrix unit of a subgroup, where there is one. */
  readonly subgroupMatrix?: SubgroupMatrix | undefined;
}

/** Products of f16 matrices [m, k] · [k, n], summed in f32, that a subgroup of `lanes` makes at once. */
export interface SubgroupMatrix {
  /** Rows of the left matrix and of the product. */
  readonly m: number;
  /** Columns of the right matrix and of the product. */
  readonly n: number;
  /** Columns of the left matrix, rows of the right one. */
  readonly k: number;
  /** Threads of the subgroup. */
  readonly lanes: number;
  /** Whether a shader must ask for subgroups of so many lanes, because the adapter has others, too. */
  readonly sized?: boolean;
  /** Made of plain loops: for tests on adapters without one. */
  readonly emulated?: boolean;
}

/** Values that reach the shader through the generated uniform struct `params`. */
export type ParamType = "u32" | "i32" | "f32";

/** One use of a kernel: everything that decides which code runs. */
export interface Call<
  I extends string = string,
  O extends string = string,
  A = unknown,
  P extends string = string,
> {
  /** Shape and type of each input; absent optional inputs are left out. */
  readonly inputs: Readonly<Record<I, TensorSpec>>;
  /** Shape and type of each output. */
  readonly outputs: Readonly<Record<O, TensorSpec>>;
  /** Options that decide the code, in the kernel's own form. */
  readonly attrs: A;
  /** Values of the uniform struct. */
  readonly params: Readonly<Record<P, number>>;
  /**
   * Numbers of the caller's, such as those of an expression, as 32 bits each. They reach the shader as `params.c0`, `params.c1`, …
   * (u32) after the other params. They are data: a different number runs the same plan.
   */
  readonly constants?: readonly number[];
}

/** What `infer` returns: the outputs' shapes and the numbers for the uniform struct. */
export type Inference<O extends string, P extends string> = Pick<
  Call<string, O, unknown, P>,
  "outputs" | "params" | "constants"
>;

/**
 * One dispatch. The bindings `@group(0) @binding(i)`, the struct `Params` and `enable f16` are generated in front of
 * `code`, which holds the functions and the entry point `main`.
 */
export interface Pass {
  /** Shown by profilers after the kernel's name; needed when a variant has several passes. */
  readonly label?: string;
  /** Binding → WGSL element type of its array, such as `{ x: "vec4<f32>" }`. Read only. */
  readonly read: Readonly<Record<string, string>>;
  /** Bindings that stand for a tensor of another name, so that passes of several kernels can share a pipeline. */
  readonly tensors?: Readonly<Record<string, string>>;
  /** Bindings that are written (or read and written: `updates`, scratch). A pass has at least one. */
  readonly write: Readonly<Record<string, string>>;
  /** Workgroups to dispatch, each at most 65,535: see `grid`. */
  readonly workgroups: readonly [number, number, number];
  /** WGSL of the functions and of `main`. */
  readonly code: string;
}

/**
 * One way to run a kernel. The first whose `when` holds is taken; one has no `when`, so that one always fits. Those behind it are
 * never chosen by the heuristic: they are for `tune`, which measures every admitted variant.
 */
export interface Variant<I extends string, O extends string, A, P extends string> {
  /** Shown by profilers and by `tune`. */
  readonly name: string;
  /** Whether it can run this call on this adapter. Absent: always. */
  when?(caps: Capabilities, call: Call<I, O, A, P>): boolean;
  /** Tensors that live only between the passes of this kernel, bound by their names. Contents undefined at the start. */
  scratch?(caps: Capabilities, call: Call<I, O, A, P>): Readonly<Record<string, TensorSpec>>;
  /** The dispatches, in the order in which they run. */
  passes(caps: Capabilities, call: Call<I, O, A, P>): readonly Pass[];
}

/** Elements of a tensor in the reference's precision; booleans are 0 and 1. */
export type ReferenceValues = Float64Array;

/** How a test fills an input: from its flat index and a generator of uniform numbers in [0, 1). */
export type Fill = (index: number, uniform: () => number) => number;

/** What a case gives for one input: its shape, and where it matters its type and its values. */
export interface CaseInput {
  /** Extents of the axes. */
  readonly shape: Shape;
  /** Type of the elements. Default f32. */
  readonly dtype?: DType;
  /** Default: standard normal for floats, 0…9 for integers, fair coin for bool. */
  readonly fill?: Fill;
}

/** One use with concrete sizes. Every case is a test; those marked `bench` are benchmarks too. */
export interface Case<I extends string = string, A = unknown> {
  /** Unique among the cases of its kernel. */
  readonly name: string;
  /** A plain shape means f32 with the usual values. */
  readonly inputs: Readonly<Partial<Record<I, CaseInput | Shape>>>;
  /** Attributes of the call. */
  readonly attrs: A;
  /** Whether it is a benchmark, too. Default false. */
  readonly bench?: boolean;
  /** Too large for the f64 reference in a test; benchmarked only, and checked between variants there. */
  readonly benchOnly?: boolean;
  /** Allowed |difference| relative to the largest |reference|; default 1e-5. Say why where it is set. */
  readonly tolerance?: number;
}

/** A call that must be refused, and words that the message must contain. */
export interface Refusal<I extends string = string, A = unknown> {
  /** A plain shape means f32. */
  readonly inputs: Readonly<Partial<Record<I, CaseInput | Shape>>>;
  /** Attributes of the call. */
  readonly attrs: A;
  /** Matches the message of the ShapeError. */
  readonly message: RegExp;
}

/** What one call costs, whatever variant runs. */
export interface Cost {
  /** Floating-point operations; a multiply-add counts 2. */
  readonly flops: number;
  /** Bytes moved if each operand is read or written once. */
  readonly bytes: number;
}

/** How calls of a kernel on contiguous tensors become one. */
export interface Packs<I extends string = string, O extends string = string> {
  /** Inputs that must be the same in all of these calls. */
  readonly shared: readonly NoInfer<I>[];
  /** For sums over everything: the running total that a call adds to, and the output that the next call continues from. */
  readonly carry?: readonly [input: NoInfer<I>, output: NoInfer<O>];
}

/** One kernel with inputs `I`, outputs `O`, attributes `A` and uniform params `P`. Made by {@link defineKernel}. */
export interface Kernel<
  I extends string = string,
  O extends string = string,
  A = unknown,
  P extends string = string,
> {
  /** Unique among all kernels; the prefix of labels and messages. */
  readonly name: string;
  /** Inputs in the order of their bindings. */
  readonly inputs: readonly I[];
  /** Those inputs that may be absent; `infer` sees `undefined` there. */
  readonly optional?: readonly NoInfer<I>[];
  /** Outputs in the order of their bindings, which follow those of the inputs. */
  readonly outputs: readonly O[];
  /** Output → the input whose buffer it overwrites. Passes bind it by the *output's* name, read and write. */
  readonly updates?: Readonly<Partial<Record<NoInfer<O>, NoInfer<I>>>>;
  /** The uniform struct, in this order. */
  readonly params: Readonly<Record<P, ParamType>>;
  /**
   * What of the attributes decides the shader and the other params: all of them but what `infer` gives as constants. Default: the
   * attributes as they are.
   */
  structure?(attrs: A): unknown;
  /** The shape rule. Throws ShapeError with a sentence. */
  infer(inputs: Readonly<Record<I, TensorSpec>>, attrs: A): Inference<O, P>;
  /** In order of preference; after the one that always fits come those for autotuning: see {@link Variant}. */
  readonly variants: readonly Variant<I, O, A, P>[];
  /** Plain loops in f64: the definition of correct. Absent optional inputs are `undefined`. */
  reference(values: Readonly<Record<I, ReferenceValues>>, call: Call<I, O, A, P>): Record<O, ReferenceValues>;
  /** Work of one call: see {@link Cost}. */
  cost(call: Call<I, O, A, P>): Cost;
  /** Calls that tests and benchmarks run. */
  readonly cases: readonly Case<NoInfer<I>, NoInfer<A>>[];
  /** Calls that `infer` must refuse. */
  readonly refusals: readonly Refusal<NoInfer<I>, NoInfer<A>>[];
  /** The largest tolerance of its cases, where one has more than 1e-5: `tune` lets variants differ by twice as much. */
  readonly tolerance?: number | undefined;
  /** The output on which an elementwise expression may run before it is stored: see `withEpilogue`. */
  readonly epilogue?: O;
  /**
   * Given where the kernel treats all elements alike, whatever tensor they are of: calls on contiguous tensors
   * then are one call on all of them.
   */
  readonly packs?: Packs<I, O>;
  /** Fused kernels: the composition they stand for, in words. */
  readonly replaces?: string;
}

/**
 * Fixes the types of a kernel's names and attributes, so that a misspelt binding does not compile. Takes an object literal: the build
 * for browsers leaves `cases`, `refusals` and `reference` out of it, and reading one of them there throws a KernelError.
 */
export function defineKernel<const I extends string, const O extends string, A, const P extends string>(
  kernel: Kernel<I, O, A, P>,
): Kernel<I, O, A, P> {
  for (const part of ["cases", "refusals", "reference"]) {
    if (part in kernel) continue;
    const get = () => {
      throw new KernelError(
        `${kernel.name}: the build for browsers leaves out ${part}; import @ddad/kernels-wgsl/full for kernels with all parts.`,
      );
    };
    // Not enumerable: whoever spreads a kernel into another one does not read the part.
    Object.defineProperty(kernel, part, { get });
  }
  return kernel;
}

/** Whether a variant runs this call on this adapter. */
export const admits = <I extends string, O extends string, A, P extends string>(
  { when }: Variant<I, O, A, P>,
  caps: Capabilities,
  call: Call<I, O, A, P>,
): boolean => !when || when(caps, call);

/** The heuristic's variants, up to and including the one that always fits. */
export function usualVariants<I extends string, O extends string, A, P extends string>({
  name,
  variants,
}: Kernel<I, O, A, P>): readonly Variant<I, O, A, P>[] {
  const always = variants.findIndex(({ when }) => !when);
  if (always < 0) throw new KernelError(`${name} has no variant that always fits.`);
  return variants.slice(0, always + 1);
}

/** Whether every output is empty. Such calls are never dispatched. */
export const isEmptyCall = ({ outputs }: Pick<Call, "outputs">): boolean =>
  Object.values(outputs).every(({ shape }) => shape.includes(0));

/** Folds a count of workgroups into two dimensions, because one dimension ends at 65,535. */
export function grid(groups: number): [number, number, number] {
  const limit = 65535;
  if (groups <= limit) return [groups, 1, 1];
  const rows = Math.ceil(groups / limit);
  return [Math.ceil(groups / rows), rows, 1];
}

/**
 * An entry point with one thread per element: `body` sees `i`, the flat index over a grid made by {@link grid}
 * (it must return where `i` is past the end).
 */
export const perThread = (workgroupSize: number, body: string): string => /* wgsl */ `
@compute @workgroup_size(${workgroupSize})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * ${workgroupSize}u + lane;
${body}
}
`;
