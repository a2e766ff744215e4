/** `@tensorflow/tfjs` with its WebGPU backend: NHWC, fused operations where they exist, no reading back. */
import { createRequire } from "node:module";
import type * as tfjsTypes from "@tensorflow/tfjs";
import type { Tensor, Tensor3D, Tensor4D, Variable } from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { type Contestant, comparedSteps, type Prepared } from "./contestant.ts";
import { compute, type Operations } from "./network.ts";
import { sizeOf, type Values } from "./values.ts";
import { learningRate, type Workload } from "./workload.ts";

// Both are loaded as CommonJS: as modules each would bring a core of its own.
const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs") as typeof tfjsTypes;

export async function tfjs(): Promise<Contestant> {
  require("@tensorflow/tfjs-backend-webgpu");
  tf.enableProdMode();
  if (!(await tf.setBackend("webgpu"))) throw new Error("tfjs could not start its WebGPU backend.");
  await tf.ready();
  const version = tf.version["tfjs"] as string;
  const backend = tf.backend() as WebGPUBackend;
  const flush = (): void => {
    backend.ensureCommandEncoderReady(); // there is none when the last dispatch filled a batch
    backend.endComputePassEncoder();
    backend.submitQueue();
  };
  return {
    name: "tfjs-webgpu",
    version,
    refusal: () => undefined,
    device: () => backend.device,
    flush,
    prepare: async (workload) => prepare(workload),
  };
}

const operations: Operations<Tensor> = {
  shape: (x) => x.shape,
  reshape: (x, shape) => tf.reshape(x, [...shape]),
  add: (a, b) => tf.add(a, b),
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  groupNorm: (x, weight, bias) => {
    const [n, height, width, channels] = x.shape as [number, number, number, number];
    const grouped = tf.reshape(x, [n, height * width, 32, channels / 32]);
    const { mean, variance } = tf.moments(grouped, [1, 3], true); // [N, 1, 32, 1]
    // Scale and shift of each image's channels are small: two operations on the image are all that is left.
    const scale = tf.mul(tf.rsqrt(tf.add(variance, 1e-5)), tf.reshape(weight, [1, 1, 32, channels / 32]));
    const shift = tf.sub(tf.reshape(bias, [1, 1, 32, channels / 32]), tf.mul(mean, scale));
    const everyPixel = (value: Tensor): Tensor => tf.reshape(value, [n, 1, 1, channels]);
    return tf.add(tf.mul(x, everyPixel(scale)), everyPixel(shift));
  },
  conv2d: (x, weight, bias, padding) =>
    tf.fused.conv2d({ x: x as Tensor4D, filter: weight as Tensor4D, strides: 1, pad: padding, bias }),
  linear: (x, weight, bias) => {
    const [inputs, outputs] = weight.shape as [number, number];
    const rows = tf.reshape(x, [sizeOf(x.shape) / inputs, inputs]);
    return tf.reshape(tf.fused.matMul({ a: rows, b: weight, bias }), [...x.shape.slice(0, -1), outputs]);
  },
  attention: (q, k, v) => {
    const [queries, keys, values] = [q, k, v].map((x) => tf.transpose(x, [0, 2, 1, 3])) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const scores = tf.matMul(tf.mul(queries, q.shape[3]! ** -0.5), keys, false, true);
    return tf.transpose(tf.matMul(tf.softmax(scores), values), [0, 2, 1, 3]);
  },
  sliceLast: (x, start, size) => {
    const begin = x.shape.map((_, axis) => (axis === x.shape.length - 1 ? start : 0));
    return tf.slice(x, begin, [...x.shape.slice(0, -1), size]);
  },
  concat: (a, b) => tf.concat([a, b], 3),
  upsample: (x) => {
    const [, height, width] = x.shape as [number, number, number];
    return tf.image.resizeNearestNeighbor(x as Tensor4D, [2 * height, 2 * width]);
  },
  downsample: (x) => tf.avgPool(x as Tensor4D, 2, 2, "valid"),
  tokens: (x) => tf.reshape(x, [x.shape[0]!, -1, x.shape[3]!]) as Tensor3D,
  image: (x, like) => tf.reshape(x, like.shape),
  everyPixel: (x) => tf.reshape(x, [x.shape[0]!, 1, 1, x.shape[1]!]),
  sinusoid: (t, channels) => {
    const half = channels / 2;
    const frequencies = Array.from({ length: half }, (_, k) => Math.exp((-Math.log(1e4) * k) / half));
    const angles = tf.mul(tf.reshape(t, [-1, 1]), tf.tensor1d(frequencies));
    return tf.concat([tf.sin(angles), tf.cos(angles)], 1);
  },
};

const upload = ({ shape, data }: Values): Tensor => tf.tensor(data, [...shape]);
const read = async (x: Tensor): Promise<Values> => ({
  shape: x.shape,
  data: (await x.data()) as Float32Array,
});

function prepare(workload: Workload): Prepared {
  const names = { inputs: [...workload.inputs.keys()], parameters: [...workload.parameters.keys()] };
  const inputs = [...workload.inputs.values()].map(upload);
  const parameters = [...workload.parameters.values()].map(upload);
  if (workload.mode === "training") return prepareTraining(workload, inputs, parameters);
  const forward = (...tensors: Tensor[]): Tensor =>
    compute(
      operations,
      workload.network,
      (name) => tensors[names.inputs.indexOf(name)]!,
      (name) => tensors[inputs.length + names.parameters.indexOf(name)]!,
    );
  const gradients = tf.valueAndGrads((...tensors: Tensor[]) => tf.mean(tf.square(forward(...tensors))));
  const step = (): Tensor[] => {
    if (workload.mode === "forward") return [tf.tidy(() => forward(...inputs, ...parameters))];
    const { value, grads } = gradients([...inputs, ...parameters]);
    return [value, ...grads];
  };
  return {
    submit: async () => tf.dispose(step()),
    results: async () => {
      const results = step();
      const values: Values[] = [];
      for (const result of results) values.push(await read(result));
      tf.dispose(results);
      return values;
    },
    dispose: () => tf.dispose([...inputs, ...parameters]),
  };
}

function prepareTraining(workload: Workload, inputs: Tensor[], values: Tensor[]): Prepared {
  const inputNames = [...workload.inputs.keys()];
  const names = [...workload.parameters.keys()];
  const variables: Variable[] = values.map((value) => tf.variable(value));
  tf.dispose(values);
  const target = upload(workload.target!);
  const optimizer = tf.train.adam(learningRate, 0.9, 0.999, 1e-8);
  const step = (): Tensor =>
    optimizer.minimize(
      () => {
        const output = compute(
          operations,
          workload.network,
          (name) => inputs[inputNames.indexOf(name)]!,
          (name) => variables[names.indexOf(name)]!,
        );
        return tf.mean(tf.squaredDifference(output, target));
      },
      true,
      variables,
    )!;
  return {
    submit: async () => tf.dispose(step()),
    results: async () => {
      const data = new Float32Array(comparedSteps);
      for (let k = 0; k < comparedSteps; k++) {
        const loss = step();
        data[k] = (await read(loss)).data[0]!;
        tf.dispose(loss);
      }
      return [{ shape: [comparedSteps], data }];
    },
    dispose: () => {
      optimizer.dispose();
      tf.dispose([...inputs, ...variables, target]);
    },
  };
}
