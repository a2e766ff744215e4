/** The networks, described as plain data and computed on any library's operations. */
import { AttentionBlock, Conv2d, ResidualBlock, type UNet } from "@ddad/nn";

/** A layer of the UNet; its weights have names that begin with `name`. */
export type Layer =
  | { readonly kind: "conv2d"; readonly name: string }
  | { readonly kind: "attention"; readonly name: string; readonly heads: number }
  | {
      readonly kind: "residual";
      readonly name: string;
      readonly resample: "up" | "down" | undefined;
      /** Whether a 1×1 convolution is on the direct path. */
      readonly skip: boolean;
    };

type Stage = readonly Layer[];

export type Network =
  | { readonly kind: "conv2d"; readonly padding: number }
  | { readonly kind: "residual block" }
  | { readonly kind: "attention"; readonly heads: number }
  | {
      readonly kind: "unet";
      readonly timeChannels: number;
      readonly down: readonly Stage[];
      readonly middle: Stage;
      readonly up: readonly Stage[];
    };

/** The layers of a UNet of this library, in order. */
export function describeUNet(unet: UNet): Network {
  const stage = (layers: UNet["middle"], path: string): Stage =>
    layers.map((layer, index) => describeLayer(layer, `${path}.${index}`));
  const { down, middle, up, timeEmbedding } = unet;
  return {
    kind: "unet",
    timeChannels: timeEmbedding.channels,
    down: down.map((layers, index) => stage(layers, `down.${index}`)),
    middle: stage(middle, "middle"),
    up: up.map((layers, index) => stage(layers, `up.${index}`)),
  };
}

function describeLayer(layer: UNet["middle"][number], name: string): Layer {
  if (layer instanceof Conv2d) return { kind: "conv2d", name };
  if (layer instanceof AttentionBlock) return { kind: "attention", name, heads: layer.heads };
  if (!(layer instanceof ResidualBlock)) throw new Error(`${name} is of a kind that is not described here.`);
  const { resample } = layer;
  const direction = resample && (resample.constructor.name === "Upsample" ? "up" : "down");
  return { kind: "residual", name, resample: direction, skip: layer.skip !== undefined };
}

/** What a library must offer, each in the layout that suits it: images and weights are its own business. */
export interface Operations<T> {
  readonly shape: (x: T) => readonly number[];
  readonly reshape: (x: T, shape: readonly number[]) => T;
  readonly add: (a: T, b: T) => T;
  readonly silu: (x: T) => T;
  /** 32 groups, epsilon 1e-5. */
  readonly groupNorm: (x: T, weight: T, bias: T) => T;
  readonly conv2d: (x: T, weight: T, bias: T, padding: number) => T;
  /** Along the last axis. */
  readonly linear: (x: T, weight: T, bias: T) => T;
  /** q, k, v [N, T, heads, D] → the same shape; scale 1/√D. */
  readonly attention: (q: T, k: T, v: T) => T;
  /** Part of the last axis. */
  readonly sliceLast: (x: T, start: number, size: number) => T;
  /** Of two images, along the channels. */
  readonly concat: (a: T, b: T) => T;
  readonly upsample: (x: T) => T;
  readonly downsample: (x: T) => T;
  /** Image → [N, pixels, C] and back to the shape of `image`. */
  readonly tokens: (image: T) => T;
  readonly image: (tokens: T, image: T) => T;
  /** [N, C] → one value for all pixels of an image, to be added to it. */
  readonly everyPixel: (x: T) => T;
  /** Time steps [N] → [N, channels]: sines, then cosines (as `sinusoid` of this library). */
  readonly sinusoid: (t: T, channels: number) => T;
}

/** Tensors by name: the inputs and the weights of a workload. */
export type Named<T> = (name: string) => T;

export function compute<T>(ops: Operations<T>, network: Network, input: Named<T>, weight: Named<T>): T {
  const builder = new Builder(ops, weight);
  switch (network.kind) {
    case "conv2d":
      return ops.conv2d(input("x"), weight("weight"), weight("bias"), network.padding);
    case "residual block":
      return builder.plainResidual(input("x"));
    case "attention":
      return builder.heads(input("q"), input("k"), input("v"), network.heads);
    case "unet":
      return builder.unet(network, input("x"), input("t"));
  }
}

class Builder<T> {
  readonly #ops: Operations<T>;
  readonly #weight: Named<T>;

  constructor(ops: Operations<T>, weight: Named<T>) {
    this.#ops = ops;
    this.#weight = weight;
  }

  #conv(x: T, name: string, padding: number): T {
    return this.#ops.conv2d(x, this.#weight(`${name}.weight`), this.#weight(`${name}.bias`), padding);
  }

  #linear(x: T, name: string): T {
    return this.#ops.linear(x, this.#weight(`${name}.weight`), this.#weight(`${name}.bias`));
  }

  #norm(x: T, name: string): T {
    return this.#ops.groupNorm(x, this.#weight(`${name}.weight`), this.#weight(`${name}.bias`));
  }

  /** Group norm and SiLU and a 3×3 convolution, twice, and the input added. */
  plainResidual(x: T): T {
    const { silu, add } = this.#ops;
    const h = this.#conv(silu(this.#norm(x, "norm1")), "conv1", 1);
    return add(x, this.#conv(silu(this.#norm(h, "norm2")), "conv2", 1));
  }

  /** q, k, v [N, T, C] */
  heads(q: T, k: T, v: T, heads: number): T {
    const { shape, reshape, attention } = this.#ops;
    const [n, tokens, channels] = shape(q) as [number, number, number];
    const split = (x: T): T => reshape(x, [n, tokens, heads, channels / heads]);
    return reshape(attention(split(q), split(k), split(v)), [n, tokens, channels]);
  }

  #attentionBlock(x: T, name: string, heads: number): T {
    const { shape, reshape, attention, sliceLast, add, tokens, image } = this.#ops;
    const normed = tokens(this.#norm(x, `${name}.norm`));
    const [n, pixels, channels] = shape(normed) as [number, number, number];
    const depth = channels / heads;
    const qkv = reshape(this.#linear(normed, `${name}.to_qkv`), [n, pixels, heads, 3 * depth]);
    const [q, k, v] = [0, 1, 2].map((part) => sliceLast(qkv, part * depth, depth)) as [T, T, T];
    const mixed = reshape(attention(q, k, v), [n, pixels, channels]);
    return add(x, image(this.#linear(mixed, `${name}.proj_out`), x));
  }

  #residual(x: T, time: T, { name, resample, skip }: Extract<Layer, { kind: "residual" }>): T {
    const { silu, add, everyPixel, upsample, downsample } = this.#ops;
    const resized = (value: T): T =>
      resample === "up" ? upsample(value) : resample === "down" ? downsample(value) : value;
    const activated = resized(silu(this.#norm(x, `${name}.in_layers.0`)));
    const projected = everyPixel(this.#linear(time, `${name}.embed_layers.1`));
    const h = add(this.#conv(activated, `${name}.in_layers.2`, 1), projected);
    const residual = this.#conv(silu(this.#norm(h, `${name}.out_layers.0`)), `${name}.out_layers.3`, 1);
    const direct = resized(x);
    return add(skip ? this.#conv(direct, `${name}.skip_connection`, 0) : direct, residual);
  }

  unet({ timeChannels, down, middle, up }: Extract<Network, { kind: "unet" }>, x: T, t: T): T {
    const { silu, concat, sinusoid } = this.#ops;
    const embedded = this.#linear(sinusoid(t, timeChannels), "time_embedding.1");
    const time = silu(this.#linear(silu(embedded), "time_embedding.3"));
    const run = (stage: Stage, input: T): T =>
      stage.reduce((h, layer) => {
        if (layer.kind === "conv2d") return this.#conv(h, layer.name, 1);
        if (layer.kind === "attention") return this.#attentionBlock(h, layer.name, layer.heads);
        return this.#residual(h, time, layer);
      }, input);
    const skips: T[] = [];
    let h = x;
    for (const stage of down) {
      h = run(stage, h);
      skips.push(h);
    }
    h = run(middle, h);
    for (const stage of up) h = run(stage, concat(h, skips.pop()!));
    return this.#conv(silu(this.#norm(h, "out.0")), "out.2", 1);
  }
}
