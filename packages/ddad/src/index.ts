export * from "./adaptation.ts";
export * from "./adaptationFile.ts";
export * from "./adaptationRun.ts";
export * from "./calibration.ts";
export { configKeys, mergeConfig, parseSettings } from "./config/settings.ts";
export * from "./config.ts";
export * from "./datasets/batches.ts";
export * from "./datasets/imageSet.ts";
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
export * from "./distance.ts";
export * from "./errors.ts";
export * from "./evaluation.ts";
export * from "./features.ts";
export * from "./images/browser.ts";
export * from "./images/format.ts";
export * from "./images/image.ts";
export * from "./images/mask.ts";
export * from "./images/resize.ts";
export * from "./metrics/aupro.ts";
export * from "./metrics/bootstrap.ts";
export * from "./metrics/curves.ts";
export * from "./metrics/pixelMetrics.ts";
export type { ImageCounts, PixelAreas } from "./metrics/pixelSweep.ts";
export * from "./metrics/published.ts";
export * from "./metrics/publishedMask.ts";
export * from "./metrics/regions.ts";
export * from "./modelFile.ts";
export * from "./noise.ts";
export * from "./reconstruction.ts";
export * from "./report/colorMap.ts";
export * from "./report/detectionRow.ts";
export * from "./report/font.ts";
export * from "./report/overlay.ts";
export * from "./report/panel.ts";
export * from "./report/protocol.ts";
export * from "./report/results.ts";
export * from "./schedule.ts";
export * from "./training.ts";
export * from "./trainingRun.ts";
