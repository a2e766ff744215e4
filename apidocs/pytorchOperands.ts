/** What the names in the table of `docs/for-pytorch-users.md` stand for when a test runs its right-hand column. */
import { defineKernel } from "@ddad/kernels-wgsl";
import * as nn from "@ddad/nn";

type Scope = Readonly<Record<string, unknown>>;

/** 1, 2, … in this shape. */
const counted = (shape: readonly number[]): nn.Tensor =>
  nn.tensor(
    Float32Array.from({ length: shape.reduce((size, extent) => size * extent, 1) }, (_, k) => k + 1),
    shape,
  );
const integers = (shape: readonly number[]): nn.Tensor<"i32"> => counted(shape).cast("i32");

const images = (channels = 3): nn.Tensor => counted([2, 4, 4, channels]);
const bools = (): nn.Tensor<"bool"> => counted([3, 3]).greater(4);

/** Operands other than the usual ones, by the beginning of a cell's code; the first that fits is taken. */
const special: readonly (readonly [start: string, operands: () => Scope])[] = [
  ["await x.item", () => ({ x: counted([]) })],
  ["x.logical", () => ({ x: bools(), y: bools() })],
  ["x.bitwise", () => ({ x: integers([3]), y: integers([3]) })],
  ["x.shift", () => ({ x: integers([3]) })],
  ["x.mean([1, 2])", () => ({ x: images() })],
  ["x.topK", () => ({ x: counted([2, 8]) })],
  ["x.reshape", () => ({ x: counted([4, 2]) })],
  ["x.squeeze", () => ({ x: counted([1, 3]) })],
  ["x.permute", () => ({ x: counted([2, 3, 4]) })],
  ["x.broadcastTo", () => ({ x: counted([1, 3]) })],
  ["pixelShuffle", () => ({ x: images(8) })],
  ["linear", () => ({ w: counted([3, 4]), b: counted([4]) })],
  ["conv2d", () => ({ x: images(), w: counted([3, 3, 3, 4]), b: counted([4]) })],
  ["conv1d", () => ({ x: counted([2, 8, 3]), w: counted([3, 3, 4]) })],
  ["convTranspose2d", () => ({ x: images(), w: counted([2, 2, 4, 3]) })],
  ["groupNorm", () => ({ x: images(16), w: counted([16]), b: counted([16]) })],
  ["attention", () => ({ ...heads("q", "k", "v") })],
  ["bce(", () => ({ y: bools().cast("f32") })],
  ["grad(y", () => xAndSum()],
  ["new Sequential", () => ({ a: new nn.Linear(3, 4), b: new nn.Linear(4, 2) })],
  ["new ModuleList", () => ({ a: new nn.Linear(3, 4), b: new nn.Linear(3, 4) })],
  ["record", () => ({ inputs: { x: counted([3, 3]) } })],
  ...["maxPool", "averagePool", "adaptiveAveragePool", "upsample", "gridSample", "instanceNorm"].map(
    (start) => [start, () => ({ x: images() })] as const,
  ),
];

const heads = (...names: readonly string[]): Scope =>
  Object.fromEntries(names.map((name) => [name, counted([1, 4, 2, 8])]));

function xAndSum(): Scope {
  const x = counted([3, 3]);
  return { x, y: x.square().sum() };
}

/** A kernel of one's own, for the row of `torch.autograd.Function`. */
const doubled = defineKernel({
  name: "doubled",
  inputs: ["x"],
  outputs: ["y"],
  params: { count: "u32" },
  infer: ({ x }) => ({
    outputs: { y: x },
    params: { count: x.shape.reduce((size, extent) => size * extent, 1) },
  }),
  variants: [
    {
      name: "plain",
      passes: (_caps, { params }) => [
        {
          read: { x: "f32" },
          write: { y: "f32" },
          workgroups: [params.count, 1, 1],
          code: "@compute @workgroup_size(1) fn main(@builtin(workgroup_id) g: vec3u) { y[g.x] = 2.0 * x[g.x]; }",
        },
      ],
    },
  ],
  reference: ({ x }) => ({ y: x.map((value) => 2 * value) }),
  cost: ({ params }) => ({ flops: params.count, bytes: 8 * params.count }),
  cases: [],
  refusals: [],
});

/** @param path of a safetensors file that fits `module` */
export async function scopeOf(code: string, path: string): Promise<Scope> {
  const x = counted([3, 3]);
  const module = new nn.Linear(3, 3);
  const samples = Array.from({ length: 4 }, (_, k) => ({ x: [k, k + 1], y: k % 2 }));
  const source: nn.OnnxSource = {
    name: "layer",
    module,
    inputs: { x: ["N", 3] },
    forward: (given) => ({ y: module.forward(given["x"]!) }),
  };
  const usual: Scope = {
    ...{ x, y: x.add(1), v: nn.variable(counted([3, 3])), mask: x.greater(4), images: counted([2, 3, 4, 4]) },
    ...{ w: counted([3]), b: counted([3]), p: x.sigmoid(), q: x.softmax(), logp: x.logSoftmax(), logits: x },
    ...{ labels: counted([3]), target: integers([3]).sub(1), i: integers([3, 3]).mod(3) },
    ...{ indices: integers([2]), grid: nn.zeros([2, 2, 2, 2]) },
    ...{
      typedArray: new Float32Array(6),
      seed: 1,
      rows: [{ stream: 0, step: 0 }],
      device: nn.currentDevice(),
    },
    ...{ module, net: module, optimizer: new nn.SGD(module), loss: module.forward(x).sum() },
    ...{ inputs: module.parameters(), source },
    ...{ f: (value: nn.Tensor) => value.square().sum(), fn: () => x.add(1).data() },
    ...{ learningRate: 1e-3, peak: 1e-2, steps: 10, every: 2 },
    ...{ samples, data: samples, path, d: await module.stateDict(), dict: await module.stateDict() },
    ...{ kernel: doubled, attrs: {}, gradients: { x: ({ y }: { y: nn.Tensor }) => y.mul(2) } },
  };
  const own = special.find(([start]) => code.startsWith(start))?.[1]() ?? {};
  return { ...nn, ...usual, ...own };
}
