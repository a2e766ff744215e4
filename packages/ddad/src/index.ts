export * from "./adaptation/adapt.ts";
export * from "./adaptation/domainAdapter.ts";
export * from "./adaptation/stateFile.ts";
export * from "./config/categories.ts";
export * from "./config/config.ts";
export * from "./config/cost.ts";
export * from "./config/ddadYaml.ts";
export type { KeyStatus } from "./config/ddadYamlKeys.ts";
export { type Preset, presets } from "./config/presets.ts";
export {
  type ConfigKey,
  type ConfigRecord,
  configKeys,
  mergeConfig,
  parseSettings,
} from "./config/settings.ts";
export * from "./data/batches.ts";
export {
  gatherPixels,
  type ImageSet,
  imageAt,
  imageSetBytes,
  type NamedImages,
  stackImages,
} from "./data/imageSet.ts";
export { type DefectKind, defectKinds } from "./data/procedural/defects.ts";
export {
  generateProcedural,
  type ProceduralOptions,
  type ProceduralSample,
} from "./data/procedural/generate.ts";
export { type ProceduralCategory, proceduralCategories } from "./data/procedural/scenes.ts";
export * from "./data/sample.ts";
export * from "./data/split.ts";
export * from "./detection/calibration.ts";
export {
  type AnomalyMapOptions,
  anomalyMap,
  batchWeights,
  centerCrop,
  type DistanceScales,
  distanceWeights,
  pixelDistance,
  type WeightedDistance,
} from "./detection/distance.ts";
export * from "./detection/features.ts";
export * from "./detection/inspect.ts";
export * from "./detection/modelDetector.ts";
export * from "./diffusion/denoiser.ts";
export { type Draw, drawTimestep, type NoisePurpose, noiseKeys } from "./diffusion/noise.ts";
export * from "./diffusion/reconstruction.ts";
export * from "./diffusion/schedule.ts";
export * from "./errors.ts";
export * from "./evaluation/evaluation.ts";
export * from "./images/browser.ts";
export * from "./images/format.ts";
export * from "./images/image.ts";
export * from "./images/mask.ts";
export * from "./images/resize.ts";
export { formatMemory, parseMemory } from "./memory/budget.ts";
export { describeMemory, type PlannedMemory } from "./memory/planned.ts";
export * from "./metrics/aupro.ts";
export * from "./metrics/bootstrap.ts";
export * from "./metrics/curves.ts";
export * from "./metrics/pixelMetrics.ts";
export type { ImageCounts, PixelAreas } from "./metrics/pixelSweep.ts";
export * from "./metrics/precisionRecall.ts";
export * from "./metrics/published.ts";
export * from "./metrics/publishedMask.ts";
export * from "./metrics/regions.ts";
export * from "./model/modelFile.ts";
export type { CollectOptions } from "./patchcore/collect.ts";
export * from "./patchcore/coreset.ts";
export * from "./patchcore/memoryBank.ts";
export * from "./patchcore/patchcore.ts";
export * from "./patchcore/patches.ts";
export { imageScore } from "./patchcore/score.ts";
export * from "./report/colorMap.ts";
export * from "./report/defectRegions.ts";
export { detectionRow, type InspectedImage, type RowCaptions } from "./report/detectionRow.ts";
export { type Difference, type NamedResult, protocolDifferences } from "./report/differences.ts";
export { htmlReport, type ReportedRun } from "./report/html/page.ts";
export * from "./report/npy.ts";
export * from "./report/overlay.ts";
export * from "./report/panel.ts";
export * from "./report/protocol.ts";
export { type FoundResult, groupResults, nameResults } from "./report/resultGroups.ts";
export * from "./report/results.ts";
export * from "./report/storedEvaluation.ts";
export * from "./report/summary.ts";
export { type Mistake, type WrongDecisions, wrongDecisions } from "./report/wrongDecisions.ts";
export { describeTrainingMemory, type TrainingMemory } from "./training/memory.ts";
export * from "./training/train.ts";
export * from "./training/trainer.ts";
export {
  describeValidationLoss,
  type TimestepBucket,
  timestepBuckets,
  type ValidationLoss,
  validationLoss,
} from "./training/validationLoss.ts";
