/**
 * DDAD: anomaly detection with conditioned denoising diffusion models (arXiv 2305.15956), for browsers and Node. Folders, files and
 * runs are in `@ddad/node`.
 *
 * @packageDocumentation
 */
export {
  type AdaptationOptions,
  type AdaptationProgress,
  type AdaptationResult,
  type AdaptationRunState,
  type AdaptationSettings,
  adapt,
} from "./adaptation/adapt.ts";
export {
  type AdaptationLossOptions,
  type AdaptationPair,
  type AdaptationState,
  DomainAdapter,
  type DomainAdapterOptions,
} from "./adaptation/domainAdapter.ts";
export { costOf, type DenoiserCost } from "./config/cost.ts";
export { parseConfig, resolveConfig } from "./config/parse.ts";
export { type Preset, presets } from "./config/presets.ts";
export { type Bound, type Config, type ConfigInput, configSchema, type Protocol } from "./config/schema.ts";
export {
  type ConfigKey,
  type ConfigRecord,
  configKeys,
  mergeConfig,
  parseSettings,
} from "./config/settings.ts";
export { type BatchOptions, batchIndices } from "./data/batches.ts";
export {
  gatherPixels,
  type ImageSet,
  type ImageSource,
  imageAt,
  type NamedImages,
  type NamedPixels,
  stackImages,
} from "./data/imageSet.ts";
export type { DefectKind } from "./data/procedural/defects.ts";
export {
  generateProcedural,
  type ProceduralOptions,
  type ProceduralSample,
} from "./data/procedural/generate.ts";
export type { ProceduralCategory } from "./data/procedural/scenes.ts";
export type { Dataset, DatasetFormat, ImageFile, Sample, Samples } from "./data/sample.ts";
export { type Split, type SplitOptions, type SplitRecord, splitHeldOut } from "./data/split.ts";
export {
  layDefect,
  type SyntheticDefect,
  type SyntheticKind,
  syntheticKinds,
} from "./data/synthetic/layDefect.ts";
export {
  type SyntheticOptions,
  type SyntheticTestSet,
  syntheticTestSet,
} from "./data/synthetic/syntheticTestSet.ts";
export { type CalibrationOptions, calibrate } from "./detection/calibrate.ts";
export { type Calibration, pixelThreshold } from "./detection/calibration.ts";
export { type Choice, type ChoiceOptions, chooseSettings } from "./detection/choose/chooseSettings.ts";
export type { ChoiceRow, Chosen } from "./detection/choose/chosen.ts";
export { type ComparisonSettings, defaultGrid, type SettingsGrid } from "./detection/choose/grid.ts";
export {
  type AnomalyMapOptions,
  anomalyMap,
  type DistanceScales,
  pixelDistance,
  type WeightedDistance,
} from "./detection/distance.ts";
export { describeExtrapolation, falseAlarmThreshold } from "./detection/falseAlarms.ts";
export {
  createExtractor,
  distanceLayers,
  type Extractor,
  type ExtractorNetwork,
  extractFeatures,
  featureDistance,
} from "./detection/features.ts";
export { type Detector, type Inspection, inspect } from "./detection/inspect.ts";
export { loadDetector, type ModelDetector, type ModelDetectorOptions } from "./detection/modelDetector.ts";
export { GoodImages } from "./detection/nearest.ts";
export { searchFeatures, withSearchFeatures } from "./detection/searchFeatures.ts";
export type { Decision } from "./detection/verdict.ts";
export {
  type ChannelStatistics,
  featureResiduals,
  whitenedDistance,
  whitenedLayers,
} from "./detection/whitening.ts";
export {
  createDenoiser,
  createSchedule,
  type Denoiser,
  denoisingError,
  type NoisedBatch,
} from "./diffusion/denoiser.ts";
export { type Draw, type NoisePurpose, noiseKeys } from "./diffusion/noise.ts";
export { type ReconstructionOptions, reconstruct } from "./diffusion/reconstruction.ts";
export {
  type LinearScheduleOptions,
  linearSchedule,
  type NoiseSchedule,
  type SamplingOptions,
  type SamplingStep,
  samplingSteps,
} from "./diffusion/schedule.ts";
export { ConfigError, DataError, DivergedError, MemoryBudgetError } from "./errors.ts";
export { type ControlOptions, evaluateControls } from "./evaluation/controls/controls.ts";
export {
  type Evaluation,
  type EvaluationOptions,
  evaluateInspections,
  type LabelledImage,
  type ScoredImage,
  type TestSet,
} from "./evaluation/evaluation.ts";
export { decodeBlob } from "./images/browser.ts";
export { createImage, fromPixels, type Image, toPixels } from "./images/image.ts";
export { toMask } from "./images/mask.ts";
export type { Orientation } from "./images/orientation.ts";
export type { PlannedMemory } from "./memory/planned.ts";
export { type AuproOptions, aupro } from "./metrics/aupro.ts";
export {
  auroc,
  averagePrecision,
  type F1Max,
  f1Max,
  type Labels,
  type RocPoint,
  rocCurve,
  type Scores,
} from "./metrics/curves.ts";
export {
  decodeModel,
  decodeTrainingState,
  encodeModel,
  encodeTrainingState,
  type Model,
  type TrainingState,
} from "./model/modelFile.ts";
export { type FitOptions, PatchCore, type PatchCoreSettings } from "./patchcore/patchcore.ts";
export {
  type ControlComparison,
  type ControlFindings,
  compareControls,
  describeControls,
} from "./report/controls.ts";
export { type DefectRegion, type DefectRegionsOptions, defectRegions } from "./report/defectRegions.ts";
export { htmlReport, type ReportedRun } from "./report/html/page.ts";
export { outlineMask, overlayHeat, type ScoreRange } from "./report/overlay.ts";
export { type ControlResult, type EvaluationResult, formatResults } from "./report/results.ts";
export type { TrainingMemory } from "./training/memory.ts";
export {
  type TrainingOptions,
  type TrainingProgress,
  type TrainingResult,
  train,
  tuneTraining,
} from "./training/train.ts";
export { Trainer } from "./training/trainer.ts";
export type { TimestepBucket, ValidationLoss } from "./training/validationLoss.ts";
