/** The inspection of one image, and its two expensive parts: the reconstruction, and the features of a ResNet. */
import {
  createDenoiser,
  createExtractor,
  createSchedule,
  distanceLayers,
  type ExtractorNetwork,
  extractFeatures,
  inspect,
  type NamedImages,
  reconstruct,
  samplingSteps,
} from "@ddad/ddad";
import { compile, evaluate, foldBatchNorm, ResNet, type Tensor } from "@ddad/nn";
import { type Conditions, configOf, countParameters, type Family, type Made, normal } from "./family.ts";

/** A size that a CPU can bear; on GPUs the paper's network at the paper's size, too. */
export function inspectionFamilies({ adapterClass, quick }: Conditions): Family[] {
  const small = familiesOf(64, "resnet18");
  const smallOnly = quick || adapterClass === "software";
  return smallOnly ? small : [...small, ...familiesOf(256, "wide_resnet101_2")];
}

const familiesOf = (imageSize: number, network: ExtractorNetwork): Family[] => [
  {
    names: [`DDAD-S ${imageSize}²: reconstruction of one image, ${stepsOf(imageSize)} sampling steps`],
    make: () => makeReconstruction(imageSize),
  },
  {
    names: [
      `${network} ${imageSize}²: features of one image`,
      `DDAD-S ${imageSize}² with ${network}: inspection of one image`,
    ],
    make: () => makeInspection(imageSize, network),
  },
];

/** The published ten steps: what was measured before, here and elsewhere. */
const sampling = { start: 250, stride: 25, guidance: 2, eta: 0, startNoise: false, draws: 1 };

const stepsOf = (imageSize: number): number =>
  samplingSteps(configOf(imageSize, { sampling }).sampling).length;

function makeReconstruction(imageSize: number): Made {
  const config = configOf(imageSize, { sampling });
  const denoiser = createDenoiser(config).eval();
  const image = normal([1, imageSize, imageSize, 3]);
  const options = { ...config.sampling, schedule: createSchedule(config) };
  return {
    steps: [async () => [await reconstruct(denoiser, image, image, options)]],
    parameters: countParameters(denoiser),
    dispose: () => denoiser.dispose(),
  };
}

/** The extractor as it inspects: with random weights, since they cost the same, and its batch norms folded. */
async function makeInspection(imageSize: number, network: ExtractorNetwork): Promise<Made> {
  const config = configOf(imageSize, {
    sampling,
    features: { network, imageSize: 0 },
    detection: { distance: "cosine" },
  });
  const denoiser = createDenoiser(config).eval();
  using trainable = new ResNet({ ...createExtractor(network).options, init: "random", seed: 0 });
  await evaluate(...trainable.namedState().values());
  const extractor = await foldBatchNorm(trainable.eval());
  const features = compile((x: Tensor) => Object.values(extractFeatures(extractor, x, distanceLayers)));
  const image = normal([1, imageSize, imageSize, 3]);
  const images = imageOfNoise(imageSize);
  const inspection = async (): Promise<Tensor[]> => {
    for await (const _ of inspect({ config, denoiser, extractor }, images));
    return [];
  };
  return {
    steps: [() => features(image), inspection],
    parameters: countParameters(trainable),
    dispose() {
      denoiser.dispose();
      extractor.dispose();
    },
  };
}

export function imageOfNoise(size: number): NamedImages {
  const data = Uint8Array.from({ length: size * size * 3 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24);
  return { images: { count: 1, size, data }, ids: ["noise.png"] };
}
