export * from "./adaptation.ts";
export * from "./adaptationFile.ts";
export * from "./adaptationRun.ts";
export * from "./calibration.ts";
export * from "./config/categories.ts";
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
export * from "./config.ts";
export * from "./datasets/batches.ts";
export {
  gatherPixels,
  type ImageSet,
  imageAt,
  imageSetBytes,
  type Pictures,
  stackImages,
} from "./datasets/imageSet.ts";
export { type DefectKind, defectKinds } from "./datasets/procedural/defects.ts";
export {
  generateProcedural,
  type ProceduralOptions,
  type ProceduralSample,
} from "./datasets/procedural/generate.ts";
export { type ProceduralCategory, proceduralCategories } from "./datasets/procedural/scenes.ts";
export * from "./datasets/sample.ts";
export * from "./datasets/split.ts";
export * from "./denoiser.ts";
export * from "./detection.ts";
export {
  type AnomalyMapOptions,
  anomalyMap,
  batchWeights,
  centerCrop,
  type DistanceScales,
  distanceWeights,
  pixelDistance,
  type WeightedDistance,
} from "./distance.ts";
export * from "./errors.ts";
export * from "./evaluation.ts";
export * from "./features.ts";
export {
  describeHeldOutLoss,
  type HeldOutLoss,
  heldOutLoss,
  type TimestepBucket,
  timestepBuckets,
} from "./heldOutLoss.ts";
export * from "./images/browser.ts";
export * from "./images/format.ts";
export * from "./images/image.ts";
export * from "./images/mask.ts";
export * from "./images/resize.ts";
export { formatMemory, parseMemory } from "./memoryBudget.ts";
export * from "./metrics/aupro.ts";
export * from "./metrics/bootstrap.ts";
export * from "./metrics/curves.ts";
export * from "./metrics/pixelMetrics.ts";
export type { ImageCounts, PixelAreas } from "./metrics/pixelSweep.ts";
export * from "./metrics/precisionRecall.ts";
export * from "./metrics/published.ts";
export * from "./metrics/publishedMask.ts";
export * from "./metrics/regions.ts";
export * from "./modelDetector.ts";
export * from "./modelFile.ts";
export { type Draw, drawTimestep, type NoisePurpose, noiseKeys } from "./noise.ts";
export type { CollectOptions } from "./patchcore/collect.ts";
export * from "./patchcore/coreset.ts";
export * from "./patchcore/memoryBank.ts";
export * from "./patchcore/patchcore.ts";
export * from "./patchcore/patches.ts";
export { imageScore } from "./patchcore/score.ts";
export { describeMemory, type PlannedMemory } from "./plannedMemory.ts";
export * from "./reconstruction.ts";
export * from "./report/colorMap.ts";
export * from "./report/defectRegions.ts";
export { detectionRow, type InspectedPicture, type RowCaptions } from "./report/detectionRow.ts";
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
export * from "./schedule.ts";
export * from "./training.ts";
export { describeTrainingMemory, type TrainingMemory } from "./trainingMemory.ts";
export * from "./trainingRun.ts";
