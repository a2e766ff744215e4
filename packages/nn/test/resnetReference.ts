/** A ResNet in plain f64 loops, from a state dict in PyTorch's layouts: the slow, obvious version. */
import { type Tensor, tensor } from "@ddad/tensor";
import type { ResNetOptions, ResNetStyle } from "../src/models/resnet/options.ts";
import { ResNet } from "../src/models/resnet/resnet.ts";
import type { StateEntry } from "../src/stateDict.ts";
import { formula, formulaWeights } from "./golden.ts";

export interface Images {
  /** [N, H, W, C] */
  readonly shape: readonly [number, number, number, number];
  readonly data: Float64Array;
}

export interface ReferenceRun {
  /** The stages' outputs, then what ReLU and the following norm make of them (the same, but for pre-activation). */
  readonly raw: Images[];
  readonly activated: Images[];
  /** [N, classes] */
  readonly logits: Float64Array;
  /** Batch statistics (unbiased variance) by the norm's name, in training mode. */
  readonly statistics: Map<string, { mean: Float64Array; variance: Float64Array }>;
}

/** With the formula's weights. */
export function build(options: ResNetOptions): ResNet {
  const net = new ResNet({ ...options, init: "zeros" });
  net.loadStateDict(formulaWeights(net, 6));
  return net;
}

// Even behind the stem, so that rounding up and padding differ.
export const size: Images["shape"] = [2, 38, 37, 3];
export const pixels = formula(900, 2 * 38 * 37 * 3);
export const input = (): Tensor => tensor(pixels, size);
type Weights = ReadonlyMap<string, StateEntry>;

const epsilon = 1e-5;

/** Runs a whole network (stages, pooling, `fc`). `layers` are its block counts. */
export function runReference(
  weights: Weights,
  { style, layers, training }: { style: ResNetStyle; layers: readonly number[]; training: boolean },
  x: Images,
): ReferenceRun {
  const statistics: ReferenceRun["statistics"] = new Map();
  const norm = (name: string, input: Images): Images => {
    const own = training ? batchStatistics(input) : runningStatistics(weights, name);
    if (training) {
      const count = input.data.length / own.mean.length;
      statistics.set(name, { mean: own.mean, variance: own.variance.map((v) => (v * count) / (count - 1)) });
    }
    const weight = values(weights, `${name}.weight`);
    const bias = values(weights, `${name}.bias`);
    return mapChannels(
      input,
      (value, c) => ((value - own.mean[c]!) / Math.sqrt(own.variance[c]! + epsilon)) * weight[c]! + bias[c]!,
    );
  };
  const conv = (name: string, input: Images, stride: number): Images =>
    convolve(input, weights.get(`${name}.weight`)!, stride);
  const has = (name: string): boolean => weights.has(`${name}.weight`);

  const block = (name: string, input: Images, stride: number): Images => {
    const bottleneck = has(`${name}.conv3`);
    const strides = bottleneck ? (style === "caffe" ? [stride, 1, 1] : [1, stride, 1]) : [stride, 1];
    let direct = input;
    let h = input;
    if (style === "preactivation") {
      const first = relu(norm(`${name}.bn1`, input));
      if (has(`${name}.downsample.0`)) direct = conv(`${name}.downsample.0`, first, stride);
      strides.forEach((s, k) => {
        h = conv(`${name}.conv${k + 1}`, k === 0 ? first : relu(norm(`${name}.bn${k + 1}`, h)), s);
      });
      return add(h, direct);
    }
    strides.forEach((s, k) => {
      h = norm(`${name}.bn${k + 1}`, conv(`${name}.conv${k + 1}`, k === 0 ? h : relu(h), s));
    });
    if (has(`${name}.downsample.0`)) {
      direct = norm(`${name}.downsample.1`, conv(`${name}.downsample.0`, input, stride));
    }
    return relu(add(h, direct));
  };

  let h = style === "preactivation" ? norm("bn_data", x) : x;
  h = maxPool(relu(norm("bn1", conv("conv1", h, 2))), style === "caffe");
  const raw = layers.map((blocks, stage) => {
    for (let k = 0; k < blocks; k++) h = block(`layer${stage + 1}.${k}`, h, stage > 0 && k === 0 ? 2 : 1);
    return h;
  });
  const activated = raw.map((stage, k) => {
    const name = k + 1 < layers.length ? `layer${k + 2}.0.bn1` : "bn_last";
    return style === "preactivation" ? relu(norm(name, stage)) : stage;
  });
  return { raw, activated, logits: classify(weights, activated.at(-1)!), statistics };
}

const values = (weights: Weights, name: string): number[] =>
  Array.from<number | bigint>(weights.get(name)!.data).map(Number);

const runningStatistics = (weights: Weights, name: string) => ({
  mean: Float64Array.from(values(weights, `${name}.running_mean`)),
  variance: Float64Array.from(values(weights, `${name}.running_var`)),
});

function batchStatistics({ shape, data }: Images) {
  const channels = shape[3];
  const count = data.length / channels;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  data.forEach((value, i) => {
    mean[i % channels]! += value / count;
  });
  data.forEach((value, i) => {
    variance[i % channels]! += (value - mean[i % channels]!) ** 2 / count;
  });
  return { mean, variance };
}

const mapChannels = ({ shape, data }: Images, fn: (value: number, channel: number) => number): Images => ({
  shape,
  data: data.map((value, i) => fn(value, i % shape[3])),
});

const relu = (x: Images): Images => mapChannels(x, (value) => Math.max(value, 0));

const add = (a: Images, b: Images): Images => ({
  shape: a.shape,
  data: a.data.map((value, i) => value + b.data[i]!),
});

/** Padded so that stride 1 keeps the size; `weight` is [O, I, K, K]. */
function convolve({ shape: [n, h, w, inputs], data }: Images, weight: StateEntry, stride: number): Images {
  const [outputs, , size] = weight.shape as [number, number, number];
  const padding = (size - 1) / 2;
  const rows = Math.floor((h + 2 * padding - size) / stride) + 1;
  const columns = Math.floor((w + 2 * padding - size) / stride) + 1;
  const y = new Float64Array(n * rows * columns * outputs);
  for (let to = 0; to < y.length; to++) {
    const o = to % outputs;
    const column = Math.floor(to / outputs) % columns;
    const row = Math.floor(to / (outputs * columns)) % rows;
    const image = Math.floor(to / (outputs * columns * rows));
    for (let kh = 0; kh < size; kh++) {
      const r = row * stride + kh - padding;
      if (r < 0 || r >= h) continue;
      for (let kw = 0; kw < size; kw++) {
        const c = column * stride + kw - padding;
        if (c < 0 || c >= w) continue;
        for (let i = 0; i < inputs; i++) {
          y[to]! +=
            data[((image * h + r) * w + c) * inputs + i]! *
            Number(weight.data[((o * inputs + i) * size + kh) * size + kw]!);
        }
      }
    }
  }
  return { shape: [n, rows, columns, outputs], data: y };
}

/** 3×3, stride 2; padded by 1, or (`ceil`) unpadded with the last window reaching past the image. */
function maxPool({ shape: [n, h, w, channels], data }: Images, ceil: boolean): Images {
  const padding = ceil ? 0 : 1;
  const along = (size: number): number =>
    (ceil ? Math.ceil((size - 3) / 2) : Math.floor((size + 2 - 3) / 2)) + 1;
  const [rows, columns] = [along(h), along(w)];
  const y = new Float64Array(n * rows * columns * channels).fill(Number.NEGATIVE_INFINITY);
  for (let to = 0; to < y.length; to++) {
    const c = to % channels;
    const column = Math.floor(to / channels) % columns;
    const row = Math.floor(to / (channels * columns)) % rows;
    const image = Math.floor(to / (channels * columns * rows));
    for (let r = Math.max(0, 2 * row - padding); r < Math.min(h, 2 * row - padding + 3); r++) {
      for (let k = Math.max(0, 2 * column - padding); k < Math.min(w, 2 * column - padding + 3); k++) {
        y[to] = Math.max(y[to]!, data[((image * h + r) * w + k) * channels + c]!);
      }
    }
  }
  return { shape: [n, rows, columns, channels], data: y };
}

/** Mean over the pixels, then `fc`. */
function classify(weights: Weights, { shape: [n, h, w, channels], data }: Images): Float64Array {
  const weight = values(weights, "fc.weight"); // [classes, channels]
  const bias = values(weights, "fc.bias");
  const logits = new Float64Array(n * bias.length);
  for (let image = 0; image < n; image++) {
    bias.forEach((start, k) => {
      let sum = 0;
      for (let i = 0; i < h * w * channels; i++) {
        sum += data[image * h * w * channels + i]! * weight[k * channels + (i % channels)]!;
      }
      logits[image * bias.length + k] = start + sum / (h * w);
    });
  }
  return logits;
}
