/** `@jax-js/jax` on WebGPU: everything in one `jit`, NCHW, as its documentation recommends. */
import { createRequire } from "node:module";
import { defaultDevice, getWebGPUDevice, init, jit, lax, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import { type Contestant, comparedSteps, type Prepared } from "./contestant.ts";
import { compute, type Operations } from "./network.ts";
import { channelsFirst, channelsLast, outputsFirst, outputsLast, type Values } from "./values.ts";
import { learningRate, type Workload } from "./workload.ts";

type JaxArray = ReturnType<typeof np.zeros>;
type Arrays = Record<string, JaxArray>;

export async function jax(): Promise<Contestant> {
  const started = await init("webgpu");
  if (!started.includes("webgpu")) throw new Error("jax-js found no WebGPU.");
  defaultDevice("webgpu");
  const require = createRequire(import.meta.url);
  const { version } = require("../node_modules/@jax-js/jax/package.json") as { version: string };
  return {
    name: "jax-js",
    version,
    refusal: () => undefined,
    device: getWebGPUDevice,
    prepare: async (workload) => prepare(workload),
  };
}

/** A function of jax-js consumes its arguments unless they are given as `.ref`: here nothing is ever consumed. */
const operations: Operations<JaxArray> = {
  shape: (x) => x.shape,
  reshape: (x, shape) => x.ref.reshape([...shape]),
  add: (a, b) => a.ref.add(b.ref),
  silu: (x) => nn.silu(x.ref),
  groupNorm: (x, weight, bias) => {
    const [n, channels] = x.shape as [number, number];
    const normed = nn.standardize(x.ref.reshape([n, 32, -1]), -1, { epsilon: 1e-5 }).reshape(x.shape);
    return normed.mul(weight.ref.reshape([channels, 1, 1])).add(bias.ref.reshape([channels, 1, 1]));
  },
  conv2d: (x, weight, bias, padding) => {
    const sides: [number, number][] = [
      [padding, padding],
      [padding, padding],
    ];
    return lax.conv(x.ref, weight.ref, [1, 1], sides).add(bias.ref.reshape([bias.shape[0]!, 1, 1]));
  },
  linear: (x, weight, bias) => np.matmul(x.ref, weight.ref).add(bias.ref),
  attention: (q, k, v) => nn.dotProductAttention(q.ref, k.ref, v.ref),
  sliceLast: (x, start, size) =>
    x.ref.slice(...x.shape.slice(1).map((): [] => []), [start, start + size] as [number, number]),
  concat: (a, b) => np.concatenate([a.ref, b.ref], 1),
  upsample: (x) => np.repeat(np.repeat(x.ref, 2, 2), 2, 3),
  downsample: (x) => {
    const [n, channels, height, width] = x.shape as [number, number, number, number];
    return x.ref.reshape([n, channels, height / 2, 2, width / 2, 2]).mean([3, 5]);
  },
  tokens: (x) => {
    const [n, channels] = x.shape as [number, number];
    return np.transpose(x.ref.reshape([n, channels, -1]), [0, 2, 1]);
  },
  image: (x, like) => np.transpose(x.ref, [0, 2, 1]).reshape(like.shape),
  everyPixel: (x) => x.ref.reshape([...x.shape, 1, 1]),
  sinusoid: (t, channels) => {
    const half = channels / 2;
    const frequencies = np.exp(
      np
        .arange(half)
        .astype(np.float32)
        .mul(-Math.log(1e4) / half),
    );
    const angles = t.ref.reshape([-1, 1]).mul(frequencies);
    return np.concatenate([np.sin(angles.ref), np.cos(angles)], 1);
  },
};

const upload = ({ shape, data }: Values): JaxArray =>
  np.array(data as Float32Array<ArrayBuffer>, { shape: [...shape] });

async function read(array: JaxArray): Promise<Values> {
  const { shape } = array;
  return { shape, data: (await array.data()) as Float32Array };
}

const uploadAll = (values: ReadonlyMap<string, Values>, layout: (values: Values) => Values): Arrays =>
  Object.fromEntries([...values].map(([name, value]) => [name, upload(layout(value))]));

/** Another hold on every array, so that a function may consume it. */
const held = (arrays: Arrays): Arrays =>
  Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.ref]));

const zerosLike = (arrays: Arrays): Arrays =>
  Object.fromEntries(Object.entries(arrays).map(([name, { shape }]) => [name, np.zeros(shape)]));

function disposeAll(...groups: Arrays[]): void {
  for (const array of groups.flatMap((group) => Object.values(group))) array.dispose();
}

/** All outputs of one `jit` share its list of pending kernels: to ask for the buffer of one submits them all. */
const submitted = (array: JaxArray): Promise<unknown> => array.ref.gpuBuffer();

function prepare(workload: Workload): Prepared {
  const inputs = uploadAll(workload.inputs, channelsFirst);
  const parameters = uploadAll(workload.parameters, outputsFirst);
  if (workload.mode === "training") return prepareTraining(workload, inputs, parameters);
  const forward = (given: Arrays, weights: Arrays): JaxArray =>
    compute(
      operations,
      workload.network,
      (name) => given[name]!,
      (name) => weights[name]!,
    );
  const run =
    workload.mode === "forward"
      ? jit((given: Arrays, weights: Arrays): [JaxArray, Arrays, Arrays] => [forward(given, weights), {}, {}])
      : jit((given: Arrays, weights: Arrays): [JaxArray, Arrays, Arrays] => {
          const loss = (a: Arrays, b: Arrays): JaxArray => np.square(forward(a, b)).mean();
          const [value, gradients] = valueAndGrad(loss, { argnums: [0, 1] })(given, weights);
          return [value, ...(gradients as [Arrays, Arrays])];
        });
  const step = (): [JaxArray, Arrays, Arrays] => run(held(inputs), held(parameters));
  return {
    submit: async () => {
      const [first, ...others] = step();
      await submitted(first);
      first.dispose();
      disposeAll(...others);
    },
    results: async () => {
      const [first, towardsInputs, towardsWeights] = step();
      const values = [channelsLast(await read(first))];
      if (workload.mode === "forward") return values;
      for (const name of workload.inputs.keys()) values.push(channelsLast(await read(towardsInputs[name]!)));
      for (const name of workload.parameters.keys())
        values.push(outputsLast(await read(towardsWeights[name]!)));
      return values;
    },
    dispose: () => {
      run.dispose();
      disposeAll(inputs, parameters);
    },
  };
}

/** What a step of training takes and gives. */
type State = { weights: Arrays; first: Arrays; second: Arrays; step: JaxArray };

function prepareTraining(workload: Workload, inputs: Arrays, weights: Arrays): Prepared {
  const target = upload(channelsFirst(workload.target!));
  const run = jit((state: State, given: Arrays, wanted: JaxArray): [JaxArray, State] => {
    const loss = (current: Arrays): JaxArray => {
      const output = compute(
        operations,
        workload.network,
        (name) => given[name]!,
        (name) => current[name]!,
      );
      return np.square(output.sub(wanted.ref)).mean();
    };
    const [value, gradients] = valueAndGrad(loss)(held(state.weights));
    return [value, adam(state, gradients as Arrays)];
  });
  let state: State = { weights, first: zerosLike(weights), second: zerosLike(weights), step: np.zeros([]) };
  const advance = (): JaxArray => {
    const [value, next] = run(state, held(inputs), target.ref); // consumes the old state
    state = next as State;
    return value;
  };
  return {
    submit: async () => {
      const value = advance();
      await submitted(value);
      value.dispose();
    },
    results: async () => {
      const data = new Float32Array(comparedSteps);
      for (let k = 0; k < comparedSteps; k++) data[k] = (await read(advance())).data[0]!;
      return [{ shape: [comparedSteps], data }];
    },
    dispose: () => {
      run.dispose();
      disposeAll(inputs, state.weights, state.first, state.second, { step: state.step, target });
    },
  };
}

/** Kingma and Ba, ICLR 2015; inside the same `jit` as the gradients. */
function adam({ weights, first, second, step }: State, gradients: Arrays): State {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
  const count = step.ref.add(1);
  const correction = (beta: number): JaxArray =>
    np
      .exp(count.ref.mul(Math.log(beta)))
      .neg()
      .add(1);
  const next: State = { weights: {}, first: {}, second: {}, step: count };
  const [correction1, correction2] = [correction(beta1), correction(beta2)];
  for (const [name, gradient] of Object.entries(gradients)) {
    const mean = first[name]!.ref.mul(beta1).add(gradient.ref.mul(1 - beta1));
    const square = second[name]!.ref.mul(beta2).add(np.square(gradient.ref).mul(1 - beta2));
    const scale = np.sqrt(square.ref.div(correction2.ref)).add(epsilon);
    next.weights[name] = weights[name]!.ref.sub(mean.ref.div(correction1.ref).mul(learningRate).div(scale));
    next.first[name] = mean;
    next.second[name] = square;
  }
  return next;
}
