/** The keys of the published code's config.yaml, and what each becomes here. Spellings are theirs. */
import { findCategory, stepsOfEpochs } from "./categories.ts";

/** What can become of a key of the published config.yaml. */
export type KeyStatus =
  /** Became settings of this program. */
  | "mapped"
  /** What it was for is done otherwise. */
  | "unneeded"
  /** The published code does not read it. */
  | "dead"
  | "unsupported"
  | "unknown";

export type KeyOutcome = {
  readonly status: KeyStatus;
  /** By dotted path. */
  readonly settings?: { readonly [path: string]: unknown };
  readonly remark?: string | undefined;
  /** What the value would have to be, where it is wrong in a way that the settings cannot show. */
  readonly must?: string;
};

/** What a key's meaning can hang on. */
export type KeySource = {
  readonly values: ReadonlyMap<string, unknown>;
  readonly version: 1 | 2;
  readonly countImages: (root: string, category: string | undefined) => number | undefined;
};

type KeyRule = (value: unknown, source: KeySource) => KeyOutcome;

/** The value as it is; none where the key stands without one. */
const to =
  (...paths: readonly string[]): KeyRule =>
  (value) =>
    value === null
      ? { status: "unneeded", remark: "it has no value" }
      : { status: "mapped", settings: Object.fromEntries(paths.map((path) => [path, value])) };

const always =
  (status: KeyStatus, remark?: string): KeyRule =>
  () => ({ status, remark });

/** Nothing to do for one value; another is not supported. */
const only =
  (wanted: unknown, remark: string): KeyRule =>
  (value) => ({ status: value === wanted ? "unneeded" : "unsupported", remark });

const byVersion =
  (first: KeyRule, second: KeyRule): KeyRule =>
  (value, source) =>
    (source.version === 1 ? first : second)(value, source);

const channels: KeyRule = (value) =>
  value === 3
    ? { status: "unneeded", remark: "images always have 3 channels" }
    : { status: "unsupported", must: "3" };

/** The settings of the test count for the adaptation, too, as in the second version. */
const ofAdaptation = (testKey: string): KeyRule =>
  byVersion(
    (value, source) =>
      only(source.values.get(testKey), "the adaptation reconstructs as the test does")(value, source),
    always("dead", "the adaptation reconstructs as the test does"),
  );

const isCount = (value: unknown, least: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= least;

/** Epochs as the optimiser steps that they make. */
const epochsTo =
  (path: string, batchKey: string, least: number): KeyRule =>
  (epochs, source) => {
    if (!isCount(epochs, least))
      return { status: "unsupported", must: `a whole number of at least ${least}` };
    const batchSize = source.values.get(batchKey);
    if (!isCount(batchSize, 1))
      return { status: "unsupported", remark: `without ${batchKey} nobody knows how many steps that is` };
    const found = imagesOf(source);
    if (found === undefined) {
      const remark = `how many steps that is hangs on the number of training images, which is not known; set ${path}`;
      return { status: "unsupported", remark };
    }
    const { images, where } = found;
    const steps = stepsOfEpochs({ epochs, images, batchSize });
    const remark = `${epochs} × ⌊${images} images / ${batchSize}⌋, ${where}`;
    return { status: "mapped", settings: { [path]: steps }, remark };
  };

/** Training images: those that are there, or else those of the data set as it was published. */
function imagesOf({ values, countImages }: KeySource): { images: number; where: string } | undefined {
  const text = (key: string): string | undefined => {
    const value = values.get(key);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const [root, category] = [text("data.data_dir"), text("data.category")];
  const counted = root === undefined ? undefined : countImages(root, category);
  if (counted !== undefined) return { images: counted, where: "counted in the data set" };
  const published = findCategory(text("data.name") ?? "", category ?? "");
  return published && { images: published.trainingImages, where: "as many as the published data set has" };
}

/** Only where no other key says it better. */
const unless =
  (other: string, remark: string, rule: KeyRule): KeyRule =>
  (value, source) =>
    source.values.has(other) ? { status: "unneeded", remark } : rule(value, source);

const trainingSteps = epochsTo("training.steps", "data.batch_size", 1);

const adaptationSteps: KeyRule = (value, source) =>
  epochsTo(
    "adaptation.steps",
    source.version === 1 ? "data.batch_size" : "data.DA_batch_size",
    0,
  )(value, source);

const network = to("features.network");
const reported = "ddad evaluate reports it always";

export const publishedKeys: { readonly [key: string]: KeyRule } = {
  "data.name": always("unneeded", "the layout of a data set is recognised"),
  "data.data_dir": to("data.root"),
  "data.category": to("data.category"),
  "data.image_size": to("data.imageSize"),
  "data.batch_size": byVersion(
    to("training.batchSize", "adaptation.batchSize", "detection.batchSize"),
    to("training.batchSize"),
  ),
  "data.DA_batch_size": to("adaptation.batchSize"),
  "data.test_batch_size": to("detection.batchSize"),
  "data.mask": only(true, "masks are read where the data set has them"),
  "data.input_channel": channels,
  "data.imput_channel": channels,
  "data.manualseed": always("dead"),

  "model.DDADS": (value) =>
    typeof value === "boolean"
      ? { status: "mapped", settings: { "model.variant": value ? "ddad-s" : "ddad" } }
      : { status: "unsupported", must: "True or False" },
  "model.checkpoint_dir": always("unneeded", "--out names the folder of a run"),
  "model.checkpoint_name": always("dead"),
  "model.exp_name": always("dead"),
  "model.feature_extractor": network,
  "model.backbone": unless("model.feature_extractor", "model.feature_extractor says it", network),
  "model.schedule": only("linear", "the noise schedule is linear"),
  "model.learning_rate": to("training.learningRate"),
  "model.weight_decay": to("training.weightDecay"),
  "model.epochs": unless(
    "model.load_chp",
    "the test uses the network of epoch model.load_chp, and none beyond is trained",
    trainingSteps,
  ),
  "model.load_chp": trainingSteps,
  "model.DA_epochs": unless(
    "model.DA_chp",
    "the test uses the extractor of epoch model.DA_chp, and none beyond is trained",
    adaptationSteps,
  ),
  "model.DA_chp": adaptationSteps,
  "model.DA_learning_rate": always("dead", "its adaptation learns at 1e-4, and so does the protocol paper"),
  "model.v": to("detection.pixelWeight"),
  "model.w": byVersion(to("sampling.guidance", "adaptation.guidance"), to("sampling.guidance")),
  "model.w_DA": byVersion(always("dead", "the adaptation takes model.w"), to("adaptation.guidance")),
  "model.DLlambda": to("adaptation.distillation"),
  "model.trajectory_steps": (value, source) => {
    const { settings, ...outcome } = to("diffusion.steps")(value, source);
    const last = isCount(value, 1) ? { "training.maxTimestep": value - 1 } : {};
    return { ...outcome, settings: { ...settings, ...last } };
  },
  "model.test_trajectoy_steps": to("sampling.start"),
  "model.test_trajectoy_steps_DA": ofAdaptation("model.test_trajectoy_steps"),
  "model.skip": to("sampling.stride"),
  "model.skip_DA": ofAdaptation("model.skip"),
  "model.eta": to("sampling.eta"),
  "model.beta_start": to("diffusion.betaFrom"),
  "model.beta_end": to("diffusion.betaTo"),
  "model.device": always("unneeded", "DDAD_ADAPTER picks an adapter"),
  "model.save_model": only(true, "a run always saves its model"),
  "model.num_workers": always("unneeded", "images are decoded once, before the training"),
  "model.seed": always("dead", "its seed is always 42, and so is that of the protocol paper"),

  "metrics.auroc": always("unneeded", reported),
  "metrics.pro": always("unneeded", reported),
  "metrics.image_level_AUROC": always("unneeded", reported),
  "metrics.pixel_level_AUROC": always("unneeded", reported),
  "metrics.misclassifications": always("unneeded", "ddad predict lists every image with its score"),
  "metrics.visualisation": always("unneeded", "ddad evaluate --out writes images"),
};
