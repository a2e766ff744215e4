/** How fast an adapter is at the shapes of a denoiser: a few of its layers are measured, and the rest is counted. */
import { type Config, type CostPart, costParts } from "@ddad/ddad/internal";
import {
  attention,
  compile,
  conv2d,
  currentDevice,
  evaluate,
  full,
  grad,
  groupNorm,
  type Tensor,
} from "@ddad/nn";
import { median } from "d3-array";

/** Seconds that a denoiser takes, estimated. */
export interface EstimatedCost {
  /** One call for one image. */
  readonly call: number;
  /** Forward and backward passes of a training for one image. */
  readonly training: number;
}

/** Parts of the work that are not measured themselves: they are taken to be as fast as the others. */
const small = 0.03;

/** Seconds for which a layer is run, and numbers of runs: those that suffice, those that are needed unless it takes long. */
const enough = { seconds: 0.1, runs: 20, least: 3, most: 1 };

/**
 * What a step takes beside the layers that are counted: skip connections, sums of gradients, the optimiser and the EMA. With it the estimate was
 * 1.08 and 0.77 of a measured step for two small networks, on a software adapter that was shared with other work; other adapters were not tried.
 */
const overhead = 1.3;

/** Seconds an operation in 1e9 takes, forward and backward, by the layer that was measured. */
type Speed = { readonly forward: number; readonly both: number };

/** Measures layers on the current device, and remembers them: several configurations share most of theirs. */
export class AdapterSpeed {
  readonly #known = new Map<string, Speed>();

  /**
   * What the denoiser of a configuration takes per image. Compilation, the optimiser and the feature extractor come on top. Needs a
   * device; takes about a second where most layers are not known yet, more on software adapters.
   *
   * @throws the reason of the signal once it is aborted
   */
  async estimate(
    config: Pick<Config, "data" | "model" | "training">,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<EstimatedCost> {
    const parts = costParts(config);
    const total = parts.reduce((sum, { gflopOfAll }) => sum + gflopOfAll, 0);
    const measured = parts.filter(({ gflopOfAll }) => gflopOfAll > small * total);
    let [call, training, gflop] = [0, 0, 0];
    for (const part of measured) {
      signal?.throwIfAborted();
      const { forward, both } = await this.#speedOf(part, Math.min(together(), config.training.batchSize));
      call += forward * part.gflopOfAll;
      training += both * part.gflopOfAll;
      gflop += part.gflopOfAll;
    }
    const rest = (overhead * total) / gflop;
    return { call: call * rest, training: training * rest };
  }

  async #speedOf(part: CostPart, images: number): Promise<Speed> {
    const shrunk = shrink(part, images);
    const key = [shrunk.kind, shrunk.size, shrunk.inputs, shrunk.outputs, images].join(" ");
    const known = this.#known.get(key);
    if (known) return known;
    const speed = await measure(shrunk, images);
    this.#known.set(key, speed);
    return speed;
  }
}

/** Images at a time: as many as a training computes on an adapter of this class. */
const together = (): number =>
  ({ software: 1, integrated: 4, discrete: 16 })[currentDevice().capabilities.adapterClass];

/** Operations of a layer, in 1e9, that are enough to tell how fast an adapter is. */
const telling = { software: 0.2, integrated: 20, discrete: 500 };

/** A layer on smaller feature maps, where more operations would tell nothing new. */
function shrink(part: CostPart, images: number): CostPart {
  let { size, gflop } = part;
  const most = telling[currentDevice().capabilities.adapterClass];
  while (gflop * images > most && size >= 16) {
    size /= 2;
    gflop /= part.kind === "attention" ? 16 : 4;
  }
  return { ...part, size, gflop };
}

async function measure(part: CostPart, images: number): Promise<Speed> {
  const { layer, shapes } = layerOf(part, images);
  const inputs = shapes.map((shape) => full(shape, 0.01));
  await evaluate(...inputs);
  const forward = compile((...args: Tensor[]) => layer(args));
  const both = compile((...args: Tensor[]) => {
    const y = layer(args);
    return [y.mean(), ...grad(y.square().mean(), args)];
  });
  try {
    const gflop = part.gflop * images;
    return {
      forward: (await secondsOf(async () => [await forward(...inputs)])) / gflop,
      both: (await secondsOf(() => both(...inputs))) / gflop,
    };
  } finally {
    for (const input of inputs) input.dispose();
  }
}

/** A layer as the network has it, its norm and activation included, and the shapes of what it reads. */
function layerOf(
  { kind, size, inputs, outputs }: CostPart,
  images: number,
): { readonly layer: (args: readonly Tensor[]) => Tensor; readonly shapes: readonly number[][] } {
  if (kind === "attention") {
    // Heads divide the channels, which changes nothing about the operations.
    const heads = Math.max(Math.round(inputs / 64), 1);
    const shape = [images, size ** 2, heads, Math.ceil(inputs / heads)];
    return { layer: ([q, k, v]) => attention(q!, k!, v!), shapes: [shape, shape, shape] };
  }
  const image = [images, size, size, inputs];
  const kernel = [3, 3, inputs, outputs];
  // The first layer reads the image itself.
  if (inputs % 32 !== 0)
    return { layer: ([x, w]) => conv2d(x!, w!, { padding: 1 }), shapes: [image, kernel] };
  return {
    layer: ([x, w, weight, bias]) =>
      conv2d(groupNorm(x!, { groups: 32, weight: weight!, bias: bias!, activation: "silu" }), w!, {
        padding: 1,
      }),
    shapes: [image, kernel, [inputs], [inputs]],
  };
}

/** The median of several runs, each until the device was done with it. */
async function secondsOf(run: () => Promise<readonly Tensor[]>): Promise<number> {
  const once = async (): Promise<number> => {
    const started = performance.now();
    const results = await run();
    await currentDevice().gpu.queue.onSubmittedWorkDone();
    for (const result of results) result.dispose();
    return (performance.now() - started) / 1000;
  };
  await once();
  const seconds: number[] = [];
  let spent = 0;
  while (seconds.length < enough.least || (seconds.length < enough.runs && spent < enough.seconds)) {
    seconds.push(await once());
    spent += seconds.at(-1)!;
    if (spent > enough.most) break;
  }
  return median(seconds)!;
}
