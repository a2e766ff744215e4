/**
 * DDAD on disk, for Node: run folders and their stages, data sets, image files, weights and configuration files.
 *
 * @packageDocumentation
 */
export { formatConfig, loadConfig } from "./configFile.ts";
export { type DatasetOptions, findCategories, openDataset } from "./datasets/dataset.ts";
export { type DatasetDescription, describeDataset } from "./datasets/describe.ts";
export { findImages } from "./datasets/listing.ts";
export { type LoadedImages, type LoadOptions, loadImages, loadMasks } from "./datasets/load.ts";
export { writeProcedural } from "./datasets/writeProcedural.ts";
export type { ProgressEvent, StageEvent, StageOptions } from "./events.ts";
export { writeImage } from "./images/png.ts";
export { type DecodeOptions, decodeImage, readImage } from "./images/read.ts";
export { openDetector } from "./model/detector.ts";
export { type ExportedFile, exportSafetensors } from "./model/exportModel.ts";
export { exportOnnxFiles } from "./model/exportOnnx.ts";
export {
  type ImportCheckpointOptions,
  type ImportReport,
  type ImportResult,
  importCheckpoint,
} from "./model/importCheckpoint.ts";
export type { InspectionCost, Timing, TrainingCost } from "./model/measure.ts";
export { type OpenModel, openModel, openRun } from "./model/open.ts";
export { type FoundRun, findResults } from "./results.ts";
export { selfTest } from "./selfTest.ts";
export { type AdaptRunOptions, adaptRun } from "./stages/adapt.ts";
export { type BenchOptions, type BenchResult, benchModel } from "./stages/bench.ts";
export { type CalibrateOptions, type CalibrateResult, calibrateModel } from "./stages/calibrate.ts";
export { type EvaluateOptions, evaluateModel } from "./stages/evaluate.ts";
export { type FitResult, fitRun } from "./stages/fit.ts";
export type { LeftOut } from "./stages/goodImages.ts";
export { findInputs, type Inputs } from "./stages/inputs.ts";
export {
  type FailedPrediction,
  type InspectedPrediction,
  type Prediction,
  type PredictOptions,
  predict,
} from "./stages/predict.ts";
export { type ReportOptions, type ResultsReport, reportResults } from "./stages/report.ts";
export { type RunStagesOptions, runStages, writeSummary } from "./stages/run.ts";
export { type TrainRunOptions, trainRun } from "./stages/train.ts";
export { cachedWeights, fetchWeights } from "./weights/fetch.ts";
