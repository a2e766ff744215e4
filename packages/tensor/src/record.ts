/** Recording: an op checks shapes at once and leaves a node; nothing runs. */
import {
  type DType,
  type Float,
  type Kernel,
  type Shape,
  ShapeError,
  show,
  sizeOf,
  type TensorSpec,
} from "@ddad/kernels-wgsl";
import { checkTensor } from "./arguments.ts";
import { type AnyTensor, type Gradients, type Node, resolve, Tensor } from "./tensor.ts";

let nextId = 0;
const noConstants: readonly number[] = [];
const none: OpGradients<string, string> = {};

/** The id that the next recorded node will have. */
export const upcomingId = (): number => nextId;

/**
 * In the place of a gradient's function: the derivative is zero wherever it exists, as that of `floor` is. Integers and bool need no
 * mark: they never carry a gradient.
 */
export const zeroGradient: unique symbol = Symbol("zeroGradient");

/**
 * For each input: the function from the gradient of the op's first output to its own, or {@link zeroGradient}. Where an input has
 * neither, `grad` throws and names the op.
 */
export type OpGradients<I extends string, O extends string> = Readonly<
  Partial<Record<I, ((outputGradients: Record<O, Tensor>) => Tensor) | typeof zeroGradient>>
>;

/**
 * The outputs of a kernel from its inputs, in simpler operations. Its derivative is the kernel's, of any order. Inputs are f32 also
 * where the kernel's are f16. Outputs that it leaves out have no gradient.
 */
export type Composition<I extends string = string, O extends string = string> = (
  inputs: Readonly<Record<I, Tensor>>,
) => Readonly<Partial<Record<O, Tensor>>>;

/**
 * Records one use of `kernel`. `inputs` holds its tensors by name (absent optional ones left out or undefined).
 * The type of the outputs is what the caller says it is, floats where nothing is said: the shape rule knows it, the compiler cannot.
 *
 * `derivative` is one of two. Rules: for each input that has one, the function from the first output's gradient to the input's; it
 * runs only when somebody asks for that gradient. Or a {@link Composition}, which is recorded only when somebody differentiates this
 * node: what the kernels of gradients have. An op with rules may have a composition, too, for gradients through its other outputs.
 */
export function record<I extends string, O extends string, A, P extends string, D extends DType = Float>(
  kernel: Kernel<I, O, A, P>,
  inputs: Readonly<Partial<Record<NoInfer<I>, AnyTensor | undefined>>>,
  attrs: A,
  derivative: OpGradients<NoInfer<I>, NoInfer<O>> | Composition<NoInfer<I>, NoInfer<O>> = none as OpGradients<
    I,
    O
  >,
  others?: Composition<NoInfer<I>, NoInfer<O>>,
): Record<O, Tensor<D>> {
  const [gradients, composition] =
    typeof derivative === "function" ? [none, derivative] : [derivative, others];
  const given: Record<string, AnyTensor> = {};
  const specs: Record<string, TensorSpec> = {};
  for (const name of kernel.inputs) {
    const tensor = inputs[name];
    if (tensor) {
      checkTensor(kernel.name, name, tensor);
      given[name] = resolve(tensor);
      specs[name] = { shape: tensor.shape, dtype: tensor.dtype };
    } else if (!kernel.optional?.includes(name)) {
      throw new ShapeError(`${kernel.name}: the input ${name} is missing.`);
    }
  }
  const inference = kernel.infer(specs as Record<I, TensorSpec>, attrs);
  const node: Node = {
    id: nextId++,
    name: kernel.name,
    kernel: kernel as unknown as Kernel,
    attrs,
    params: inference.params,
    constants: inference.constants ?? noConstants,
    inputs: given,
    outputs: {},
    gradients: gradients as Gradients,
    ...(composition ? { composition: composition as unknown as Composition } : {}),
  };
  for (const [name, spec] of Object.entries<TensorSpec>(inference.outputs)) {
    node.outputs[name] = new Tensor(spec, { kind: "node", node });
  }
  return node.outputs as Record<string, AnyTensor> as Record<O, Tensor<D>>;
}

/** Records the same elements under another shape: nothing is copied. */
export function recordView<D extends DType>(
  name: string,
  x: Tensor<D>,
  shape: Shape,
  gradients: Gradients,
  differentiable?: Readonly<Record<string, AnyTensor>>,
): Tensor<D> {
  if (sizeOf(shape) !== x.size) {
    throw new ShapeError(
      `${name}: ${show(x.shape)} has ${x.size} elements but ${show(shape)} needs ${sizeOf(shape)}.`,
    );
  }
  const node: Node = {
    id: nextId++,
    name,
    kernel: undefined,
    attrs: undefined,
    params: {},
    constants: noConstants,
    inputs: { x: resolve<DType>(x) },
    outputs: {},
    gradients,
    ...(differentiable ? { differentiable } : {}),
  };
  const y = new Tensor({ shape, dtype: x.dtype }, { kind: "node", node });
  node.outputs["y"] = y;
  return y;
}
