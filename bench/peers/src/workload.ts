/** The workloads of this library and every peer, on the same inputs. */
import {
  attention,
  Conv2d,
  evaluate,
  GroupNorm,
  HostRandom,
  Module,
  type Parameter,
  type Tensor,
  tensor,
  UNet,
} from "@ddad/nn";
import { describeUNet, type Network } from "./network.ts";
import { sizeOf, type Values } from "./values.ts";

/**
 * `gradients`: of the mean of squares of the output, towards the inputs and every weight. `training`: a step of Adam on the
 * mean squared error towards `target`.
 */
export type Mode = "forward" | "gradients" | "training";

/** Learning rate of the training steps, for all. Other numbers of Adam are the usual ones (0.9, 0.999, 1e-8). */
export const learningRate = 1e-4;

export interface Workload {
  readonly name: string;
  readonly mode: Mode;
  readonly network: Network;
  readonly inputs: ReadonlyMap<string, Values>;
  /** By the names that state dicts give them, in the layouts of this library. */
  readonly parameters: ReadonlyMap<string, Values>;
  /** In training. */
  readonly target: Values | undefined;
  /** This library's module, with these parameters, and how it is called. */
  readonly module: Module;
  readonly forward: (inputs: Readonly<Record<string, Tensor>>) => Tensor;
}

/** A workload by name; the network is made when it is wanted. */
export interface Case {
  readonly name: string;
  /** Takes too long on a software adapter. */
  readonly large?: boolean;
  readonly make: () => Promise<Workload>;
}

class PlainResidualBlock extends Module {
  readonly norm1: GroupNorm;
  readonly conv1: Conv2d;
  readonly norm2: GroupNorm;
  readonly conv2: Conv2d;

  constructor(channels: number, random: HostRandom) {
    super();
    this.norm1 = new GroupNorm(32, channels, { activation: "silu" });
    this.conv1 = new Conv2d(channels, channels, 3, { padding: 1, random });
    this.norm2 = new GroupNorm(32, channels, { activation: "silu" });
    this.conv2 = new Conv2d(channels, channels, 3, { padding: 1, random });
  }

  forward(x: Tensor): Tensor {
    const h = this.conv1.forward(this.norm1.forward(x));
    return x.add(this.conv2.forward(this.norm2.forward(h)));
  }
}

class NoWeights extends Module {}

const random = new HostRandom(1);

const normal = (shape: readonly number[], std = 1): Values => ({
  shape,
  data: random.normal(sizeOf(shape), std),
});

/** Weights that start at zero, or norms at one, would hide what is wrong: they are moved a little. */
async function shakenParameters(module: Module): Promise<Map<string, Values>> {
  const named = [...module.namedParameters()];
  await evaluate(...named.map(([, parameter]) => parameter));
  return new Map(
    await Promise.all(
      named.map(async ([name, parameter]): Promise<[string, Values]> => [name, await shaken(parameter)]),
    ),
  );
}

async function shaken(parameter: Parameter): Promise<Values> {
  const { shape } = parameter;
  const data = Float32Array.from(await parameter.data());
  const constant = data.every((value) => value === data[0]);
  if (!constant) return { shape, data };
  const inputs = sizeOf(shape.slice(0, -1));
  const noise = random.normal(data.length, shape.length === 1 ? 0.1 : inputs ** -0.5);
  const values = { shape, data: data.map((value, k) => value + noise[k]!) };
  parameter.assign(tensor(values.data, shape));
  await evaluate(parameter);
  return values;
}

interface Making extends Omit<Workload, "parameters" | "inputs" | "target"> {
  readonly inputs: Readonly<Record<string, Values>>;
  readonly target?: Values;
}

const finished = async ({ inputs, target, ...rest }: Making): Promise<Workload> => ({
  ...rest,
  target,
  inputs: new Map(Object.entries(inputs)),
  parameters: await shakenParameters(rest.module),
});

function conv2dCase(shape: readonly number[], outputs: number, kernelSize: number, large = false): Case {
  const name = `conv2d ${kernelSize}×${kernelSize} [${shape.join(", ")}] → ${outputs}, forward`;
  const padding = (kernelSize - 1) / 2;
  const make = (): Promise<Workload> => {
    const module = new Conv2d(shape[3]!, outputs, kernelSize, { padding, random });
    const network: Network = { kind: "conv2d", padding };
    const inputs = { x: normal(shape) };
    return finished({
      name,
      mode: "forward",
      network,
      inputs,
      module,
      forward: ({ x }) => module.forward(x!),
    });
  };
  return { name, large, make };
}

const passes = { forward: "forward", gradients: "forward + backward", training: "training step" } as const;

function residualCase(shape: readonly number[], mode: Mode, large = false): Case {
  const name = `residual block [${shape.join(", ")}], ${passes[mode]}`;
  const make = (): Promise<Workload> => {
    const module = new PlainResidualBlock(shape[3]!, random);
    const network: Network = { kind: "residual block" };
    return finished({
      name,
      mode,
      network,
      inputs: { x: normal(shape) },
      module,
      forward: ({ x }) => module.forward(x!),
    });
  };
  return { name, large, make };
}

/** Inputs are [N, T, heads × D]: what a projection gives, and what ONNX does not take for an image. */
function attentionCase(shape: readonly [number, number, number, number], mode: Mode, large = false): Case {
  const [n, tokens, heads, depth] = shape;
  const name = `attention [${shape.join(", ")}], ${passes[mode]}`;
  const make = (): Promise<Workload> => {
    const joined = [n, tokens, heads * depth];
    const split = (x: Tensor): Tensor => x.reshape([-1, tokens, heads, depth]);
    return finished({
      name,
      mode,
      network: { kind: "attention", heads },
      inputs: { q: normal(joined), k: normal(joined), v: normal(joined) },
      module: new NoWeights(),
      forward: ({ q, k, v }) =>
        attention(split(q!), split(k!), split(v!), { scale: depth ** -0.5 }).reshape([
          -1,
          tokens,
          heads * depth,
        ]),
    });
  };
  return { name, large, make };
}

function unetCase(imageSize: number, baseChannels: number, batch: number, mode: Mode): Case {
  const name = `UNet ${imageSize}², base ${baseChannels}, batch ${batch}, ${passes[mode]}`;
  const make = (): Promise<Workload> => {
    const module = new UNet({ imageSize, baseChannels, heads: 2, seed: 1 });
    const shape = [batch, imageSize, imageSize, 3];
    return finished({
      name,
      mode,
      network: describeUNet(module),
      inputs: {
        x: normal(shape),
        t: { shape: [batch], data: Float32Array.from({ length: batch }, (_, k) => 3 + 7 * k) },
      },
      ...(mode === "training" && { target: normal(shape) }),
      module,
      forward: ({ x, t }) => module.forward(x!, t!),
    });
  };
  return { name, make };
}

/** Convolutions from the first level of DDAD's networks to the deepest one. */
const convolutions: readonly [
  shape: readonly number[],
  outputs: number,
  kernelSize: number,
  large?: boolean,
][] = [
  [[1, 64, 64, 3], 32, 3],
  [[2, 64, 64, 32], 32, 3],
  [[2, 32, 32, 64], 64, 3],
  [[2, 16, 16, 96], 96, 3],
  [[2, 8, 8, 256], 128, 3],
  [[2, 32, 32, 128], 64, 1],
  [[1, 64, 64, 32], 3, 3],
  [[1, 128, 128, 64], 64, 3],
  [[2, 256, 256, 64], 64, 3, true],
  [[8, 64, 64, 128], 128, 3, true],
];

export const cases: readonly Case[] = [
  ...convolutions.map((convolution) => conv2dCase(...convolution)),
  residualCase([2, 32, 32, 64], "forward"),
  residualCase([2, 32, 32, 64], "gradients"),
  residualCase([8, 128, 128, 64], "gradients", true),
  attentionCase([2, 256, 4, 32], "forward"),
  attentionCase([2, 256, 4, 32], "gradients"),
  attentionCase([8, 1024, 4, 64], "gradients", true),
  unetCase(64, 32, 2, "forward"),
  unetCase(64, 32, 2, "training"),
];
