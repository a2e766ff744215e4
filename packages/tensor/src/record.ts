/** Recording: an op checks shapes at once and leaves a node; nothing runs. */
import { type Kernel, type Shape, ShapeError, show, sizeOf, type TensorSpec } from "@ddad/kernels-wgsl";
import { type Gradients, type Node, resolve, Tensor } from "./tensor.ts";

let nextId = 0;
const none = {} as const;

/** The id that the next recorded node will have. */
export const upcomingId = (): number => nextId;

/** For each input that has one: the function from the gradients of the outputs to its own. */
export type OpGradients<I extends string, O extends string> = Readonly<
  Partial<Record<I, (outputGradients: Record<O, Tensor>) => Tensor>>
>;

/**
 * Records one use of `kernel`. `inputs` holds its tensors by name (absent optional ones left out or undefined).
 * `gradients` holds, for each input that has one, the function from the outputs' gradients to the input's: it runs only
 * when somebody asks for that gradient.
 */
export function record<I extends string, O extends string, A, P extends string>(
  kernel: Kernel<I, O, A, P>,
  inputs: Readonly<Partial<Record<NoInfer<I>, Tensor | undefined>>>,
  attrs: A,
  gradients: OpGradients<NoInfer<I>, NoInfer<O>> = none as OpGradients<I, O>,
): Record<O, Tensor> {
  const given: Record<string, Tensor> = {};
  const specs: Record<string, TensorSpec> = {};
  for (const name of kernel.inputs) {
    const tensor = inputs[name];
    if (tensor) {
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
    inputs: given,
    outputs: {},
    gradients: gradients as Gradients,
  };
  for (const [name, spec] of Object.entries<TensorSpec>(inference.outputs)) {
    node.outputs[name] = new Tensor(spec, { kind: "node", node });
  }
  return node.outputs as Record<O, Tensor>;
}

/** Records the same elements under another shape: nothing is copied. */
export function recordView(
  name: string,
  x: Tensor,
  shape: Shape,
  gradients: Gradients,
  differentiable?: Readonly<Record<string, Tensor>>,
): Tensor {
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
    inputs: { x: resolve(x) },
    outputs: {},
    gradients,
    ...(differentiable ? { differentiable } : {}),
  };
  const y = new Tensor({ shape, dtype: x.dtype }, { kind: "node", node });
  node.outputs["y"] = y;
  return y;
}
