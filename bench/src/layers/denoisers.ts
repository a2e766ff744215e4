/** DDAD-S as it is called by the sampler and as it is trained. */
import { type Config, createDenoiser, createSchedule, denoisingError, noiseKeys } from "@ddad/ddad";
import {
  Adam,
  compile,
  grad,
  LossScale,
  type Precision,
  RandomStream,
  randomNormal,
  type Tensor,
  tensor,
} from "@ddad/nn";
import {
  type Conditions,
  configOf,
  countParameters,
  type Family,
  type Made,
  normal,
  type Step,
} from "./family.ts";

/** Images per training step: few on a CPU, to keep the run short. */
function batchOf({ adapterClass }: Conditions, imageSize: number): number {
  if (adapterClass !== "software") return 16;
  return imageSize === 64 ? 2 : 1;
}

/** Both precisions where there is f16; 256² not among the quick ones. */
export function denoiserFamilies(conditions: Conditions): Family[] {
  const precisions: Precision[] = conditions.f16 ? ["f32", "mixed"] : ["f32"];
  return (conditions.quick ? [64] : [64, 256]).flatMap((imageSize) =>
    precisions.map((precision): Family => {
      const batch = batchOf(conditions, imageSize);
      const how = precision === "mixed" ? ", mixed" : "";
      return {
        names: [
          `DDAD-S ${imageSize}²: forward pass, batch 1${how}`,
          `DDAD-S ${imageSize}²: training step, batch ${batch}${how}`,
        ],
        make: () => makeDenoiser(configOf(imageSize, { protocol: "paper", precision }), batch),
      };
    }),
  );
}

/** Random numbers for each image of a batch. */
const keysOf = (purpose: "training" | "dropout", batch: number): Tensor<"u32"> =>
  noiseKeys(
    0,
    purpose,
    Array.from({ length: batch }, (_, image) => ({ image, step: 0 })),
  );

export function makeDenoiser(config: Config, batch: number): Made {
  const { data, training } = config;
  const unet = createDenoiser(config);
  const optimizer = new Adam(unet, {
    learningRate: training.learningRate,
    weightDecay: training.weightDecay,
  });
  const lossScale = config.precision === "mixed" ? new LossScale() : undefined;
  const images = (count: number): Tensor => normal([count, data.imageSize, data.imageSize, 3]);
  // As in sampling: a network that is not trained keeps f16 weights where it computes in f16.
  const sampling = createDenoiser(config).eval();
  const ready = config.precision === "mixed" ? sampling.castWeightsToF16() : undefined;
  const forward = compile((x: Tensor, t: Tensor) => [sampling.forward(x, t)]);
  // The paper's: noise is drawn, the loss is a sum over pixels, and Adam decays the weights with the gradient.
  const train = compile(
    (
      x: Tensor,
      t: Tensor,
      alphaBar: Tensor,
      keys: Tensor<"u32">,
      dropoutKeys: Tensor<"u32">,
      control: Tensor,
    ) => {
      const noise = randomNormal(keys, x.shape);
      const error = denoisingError(unet, { x, noise, t, alphaBar }, new RandomStream(dropoutKeys));
      const loss = error.sum().mul(1 / batch);
      const gradients = grad(lossScale?.scale(loss) ?? loss, optimizer.parameters);
      const factor = lossScale?.update(gradients).factor;
      optimizer.step(gradients, { control, ...(factor && { gradientScale: factor }) });
      return [loss];
    },
  );
  const [image, time] = [images(1), tensor([225])];
  const forwardPass: Step = async () => {
    await ready;
    return await forward(image, time);
  };
  const times = Array.from({ length: batch }, (_, k) => (k * 37) % 1000);
  const schedule = createSchedule(config);
  const batchArguments = [
    images(batch),
    tensor(times),
    tensor(times.map((t) => schedule.alphaBar(t))),
    keysOf("training", batch),
    keysOf("dropout", batch),
  ] as const;
  unet.train();
  const step: Step = async () => {
    using control = optimizer.control();
    return await train(...batchArguments, control);
  };
  return {
    steps: [forwardPass, step],
    parameters: countParameters(unet),
    dispose() {
      lossScale?.dispose();
      optimizer.dispose();
      unet.dispose();
      sampling.dispose();
    },
  };
}
