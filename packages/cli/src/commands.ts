/** The commands and their options. What they do is loaded when one of them runs, so that help is there at once. */
import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import type { AdaptOptions } from "./adapt.ts";
import type { BenchOptions } from "./bench.ts";
import type { CalibrateOptions } from "./calibrate.ts";
import type { DemoOptions } from "./demo.ts";
import type { DoctorOptions } from "./doctor.ts";
import type { EvaluateOptions } from "./evaluate.ts";
import type { ExportOptions } from "./export.ts";
import type { ImportOptions } from "./import.ts";
import type { PipelineOptions } from "./pipeline.ts";
import type { PredictOptions } from "./predict.ts";
import type { PresetsOptions } from "./presets.ts";
import type { ReportOptions } from "./report.ts";
import type { TrainOptions } from "./train.ts";
import type { FetchOptions, ListOptions } from "./weights.ts";

export function createProgram(): Command {
  const program = new Command("ddad")
    .description("Finds defects in images by conditioned denoising diffusion, on any GPU with WebGPU.")
    .version(version())
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("(ddad --help, or ddad <command> --help, lists what there is)");

  configured(program.command("train").description("train a network on good images"))
    .option("--method <name>", "ddad or patchcore (default: ddad)")
    .option("--memory <amount>", "device memory that training may take, such as 8GB (training.memory)")
    .option("--tune", "measure the kernels of a training step first, and keep the fastest for this machine")
    .option("--out <folder>", "folder of the run (default: runs/<data set>)")
    .option("--resume", "go on with the run in that folder where it stopped")
    .option("--overwrite", "replace the run in that folder")
    .option("--stop-after <steps>", "stop early after this many steps, as Ctrl-C would", wholeNumber)
    .action(async (options: TrainOptions) => (await import("./train.ts")).runTrain(options));

  configured(program.command("run"))
    .description("train, adapt, calibrate and evaluate, one category of a data set after another")
    .option("--method <name>", "ddad or patchcore (default: ddad)")
    .option("--memory <amount>", "device memory that training may take, such as 8GB (training.memory)")
    .option("--tune", "measure the kernels of a training step first, and keep the fastest for this machine")
    .option("--categories <names>", "only these, with commas between them (default: all)")
    .option("--out <folder>", "folder of the runs and their summary (default: runs/<data set>)")
    .action(async (options: PipelineOptions) => (await import("./pipeline.ts")).runPipeline(options));

  withModel(configured(program.command("evaluate").description("measure a model on a test set")))
    .option("--out <folder>", "also write results.json and an image of every inspection there")
    .action(async (options: EvaluateOptions) => (await import("./evaluate.ts")).runEvaluate(options));

  withModel(json(program.command("predict").description("inspect an image, or all images in a folder")))
    .argument("<path>", "image, or folder of them")
    .option("--out <folder>", "where overlays and predictions.json go", "predictions")
    .option("--false-alarm-rate <fraction>", "fraction of good images that may be called defective", fraction)
    .action(async (path: string, options: PredictOptions) =>
      (await import("./predict.ts")).runPredict(path, options),
    );

  withModel(configured(program.command("adapt")))
    .description("fit the network that compares features to good images and their reconstructions")
    .option("--resume", "go on where the adaptation stopped")
    .action(async (options: AdaptOptions) => (await import("./adapt.ts")).runAdapt(options));

  withModel(configured(program.command("calibrate")))
    .description("fix scores and threshold of a model anew, such as after a change of sampling settings")
    .action(async (options: CalibrateOptions) => (await import("./calibrate.ts")).runCalibrate(options));

  json(program.command("report").description("show the results that lie in folders as one table or page"))
    .argument("<folders...>", "folders of runs or evaluations, whatever lies deeper included")
    .addOption(new Option("--markdown", "print Markdown").conflicts(["json", "csv"]))
    .addOption(new Option("--csv", "print comma-separated values").conflicts("json"))
    .option("--html <file>", "also write a page with curves, wrongly decided images and protocols")
    .option("--images <count>", "most images in that page", wholeNumber, 24)
    .action(async (folders: string[], options: ReportOptions) =>
      (await import("./report.ts")).runReport(folders, options),
    );

  configured(program.command("bench").description("measure what a model costs on this machine"))
    .option("--checkpoint <path>", "file of a model, or folder of a run")
    .option("--tune", "measure the kernels of an inspection first, and keep the fastest for this machine")
    .option("--repetitions <count>", "how often to measure after a warm-up", wholeNumber, 5)
    .action(async (options: BenchOptions) => (await import("./bench.ts")).runBench(options));

  configured(program.command("doctor"))
    .description("show the GPU and whether it computes correctly; with --data, also what a data set holds")
    .action(async (options: DoctorOptions) => (await import("./doctor.ts")).runDoctor(options));

  json(program.command("demo").description("train and evaluate on generated images, in a few minutes"))
    .option("--out <folder>", "folder of the run", "runs/demo")
    .action(async (options: DemoOptions) => (await import("./demo.ts")).runDemo(options));

  configured(program.command("import").description("turn a checkpoint of PyTorch's into a model"))
    .argument("<file>", ".pth, .pt, .ckpt or .safetensors of the UNet or a feature extractor")
    .requiredOption("--out <file>", "model to write, .safetensors")
    .option("--kind <kind>", "unet, resnet50, wide_resnet101_2, … (default: told by the shapes)")
    .option("--extractor <file>", "feature extractor to store with a UNet")
    .option("--entry <path>", "dotted path of the weights, where the file holds several")
    .action(async (file: string, options: ImportOptions) =>
      (await import("./import.ts")).runImport(file, options),
    );

  withModel(json(program.command("export").description("write a model's networks for other programs")))
    .requiredOption("--out <file>", ".safetensors with PyTorch's names and layouts, or .onnx")
    .option("--module-prefix", "start every name with module., as DataParallel wants it")
    .option("--onnx", "write ONNX, and compare it with ONNX Runtime where that is installed")
    .action(async (options: ExportOptions) => (await import("./export.ts")).runExport(options));

  const weights = program.command("weights").description("pretrained weights of feature extractors");
  json(weights.command("fetch").description("download torchvision's weights, once"))
    .argument("<name>", "one that ddad weights list shows")
    .option("--from <url>", "folder to download from (default: DDAD_WEIGHTS_URL, or PyTorch's own)")
    .action(async (name: string, options: FetchOptions) =>
      (await import("./weights.ts")).runFetch(name, options),
    );
  json(
    weights.command("list").description("show the weights that there are, and which are downloaded"),
  ).action(async (options: ListOptions) => (await import("./weights.ts")).runList(options));

  json(program.command("presets").description("list settings by name, and what they cost")).action(
    async (options: PresetsOptions) => (await import("./presets.ts")).runPresets(options),
  );

  // Ends with the exit code of wrong use instead of commander's own.
  for (const command of [program, ...program.commands, ...weights.commands]) command.exitOverride();
  return program;
}

const json = (command: Command): Command =>
  command.option("--json", "print the result as one JSON object on standard output");

/** Options of commands that take a configuration. */
const configured = (command: Command): Command =>
  json(command)
    .option("--config <file>", "settings, YAML or JSON; or config.yaml of the published DDAD code")
    .option("--preset <name>", "settings by name, such as mvtec/screw or quick (ddad presets lists them)")
    .option("--set <key=value>", "one setting, such as training.steps=500 (repeatable)", collect, [])
    .option("--data <folder>", "folder of the data set (data.root)");

const withModel = (command: Command): Command =>
  command.option(
    "--checkpoint <path>",
    "file of a model, or folder of a run (default: runs/<data set>, where there is a data set)",
  );

const collect = (value: string, earlier: string[]): string[] => [...earlier, value];

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError("It must be a whole number of at least 1.");
  return value;
}

function fraction(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError("It must be a number between 0 and 1.");
  return value;
}

function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
