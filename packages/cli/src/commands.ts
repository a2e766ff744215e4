/** The commands and their options. What they do is loaded when one of them runs, so that help is there at once. */
import { readFileSync } from "node:fs";
import { Command, Help, InvalidArgumentError, Option } from "commander";
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
    .description("Find defects in images with conditioned denoising diffusion, on any GPU with WebGPU.")
    .version(version())
    .configureHelp({
      showGlobalOptions: true,
      // What is typed most often comes first.
      visibleOptions: (command) =>
        new Help().visibleOptions(command).sort((a, b) => rankOf(a.long) - rankOf(b.long)),
    })
    .showHelpAfterError("(ddad --help lists the commands, ddad <command> --help their options)")
    .addHelpText("after", texts.program);

  skipping(configured(program.command("train").description("Train a network on images of good parts")))
    .option("--method <name>", "ddad or patchcore (default: ddad)")
    .option("--memory <amount>", "GPU memory that training may take, such as 8GB (training.memory)")
    .option("--tune", "first measure the kernels of a training step and keep the fastest for this machine")
    .option("--out <folder>", "folder of the run (default: runs/<data set>)")
    .option("--resume", "resume the run in that folder")
    .option("--overwrite", "replace the run in that folder")
    .option("--stop-after <steps>", "stop after this many steps, as Ctrl-C would", wholeNumber)
    .action(async (options: TrainOptions) => (await import("./train.ts")).runTrain(options));

  skipping(configured(program.command("run")))
    .description("Train, adapt, calibrate and evaluate, one category of a data set after another")
    .option("--method <name>", "ddad or patchcore (default: ddad)")
    .option("--memory <amount>", "GPU memory that training may take, such as 8GB (training.memory)")
    .option("--tune", "first measure the kernels of a training step and keep the fastest for this machine")
    .option("--categories <names>", "only these, separated by commas (default: all)")
    .option("--out <folder>", "folder of the runs and their summary (default: runs/<data set>)")
    .option("--overwrite", "replace the runs in that folder")
    .addOption(
      new Option(
        "--quick",
        "choose image size and length for a result in about five minutes (default where no setting says otherwise)",
      ).conflicts("full"),
    )
    .option("--full", "take the whole training, however long it is on this machine")
    .addHelpText("after", texts.run)
    .action(async (options: PipelineOptions) => (await import("./pipeline.ts")).runPipeline(options));

  withModel(skipping(configured(program.command("evaluate").description("Evaluate a model on a test set"))))
    .option("--out <folder>", "also write results.json and an image of each inspection there")
    .addHelpText("after", texts.evaluate)
    .action(async (options: EvaluateOptions) => (await import("./evaluate.ts")).runEvaluate(options));

  withModel(json(program.command("predict").description("Inspect images and write what was found")))
    .argument("<paths...>", 'images, folders of images and patterns such as "parts/*.png"')
    .option("--out <folder>", "empty folder for results (default: predictions, or predictions-2, …)")
    .option("--overwrite", "replace earlier results in that folder")
    .option(
      "--false-alarm-rate <fraction>",
      "accepted fraction of good images called defective, as 0.01 or 1%",
      fraction,
    )
    .addOption(
      new Option("--threshold <score>", "score from which on an image is defective")
        .argParser(positive)
        .conflicts("falseAlarmRate"),
    )
    .option("--overlay-size <pixels>", "largest side of an overlay; 0 writes none", wholeOrZero, 1600)
    .option("--no-maps", "write no raw maps (.npy)")
    .addHelpText("after", texts.predict)
    .action(async (paths: string[], options: PredictOptions) =>
      (await import("./predict.ts")).runPredict(paths, options),
    );

  withModel(skipping(configured(program.command("adapt"))))
    .description("Adapt the feature extractor to good images and their reconstructions (domain adaptation)")
    .option("--resume", "resume the adaptation")
    .action(async (options: AdaptOptions) => (await import("./adapt.ts")).runAdapt(options));

  withModel(skipping(configured(program.command("calibrate"))))
    .description("Calibrate a model again: on more good images, or after sampling settings have changed")
    .option("--good <folder>", "calibrate on all images there that were not trained on")
    .option("--force", "also on fewer images than the model is calibrated on")
    .option("--choose", "first choose sampling and distance on synthetic defects, without labels")
    .addOption(
      new Option("--restore", "go back to the calibration before the last one").conflicts([
        "good",
        "choose",
        "set",
        "config",
        "preset",
      ]),
    )
    .action(async (options: CalibrateOptions) => (await import("./calibrate.ts")).runCalibrate(options));

  json(program.command("report").description("Collect results into one table or HTML report"))
    .argument("<folders...>", "folders of runs or evaluations, searched with their subfolders")
    .addOption(new Option("--markdown", "print Markdown").conflicts(["json", "csv"]))
    .addOption(new Option("--csv", "print comma-separated values").conflicts("json"))
    .option("--html <file>", "also write an HTML report with curves, wrong decisions and protocols")
    .option("--images <count>", "largest number of images of wrong decisions in that report", wholeNumber, 24)
    .option("--thumbnails <count>", "largest number of small images in its list", wholeNumber, 400)
    .action(async (folders: string[], options: ReportOptions) =>
      (await import("./report.ts")).runReport(folders, options),
    );

  configured(program.command("bench").description("Measure what a model costs on this machine"))
    .option("--checkpoint <path>", "file of a model, or folder of a run")
    .option("--tune", "first measure the kernels of an inspection and keep the fastest for this machine")
    .option("--repetitions <count>", "number of measurements after a warm-up", wholeNumber, 5)
    .action(async (options: BenchOptions) => (await import("./bench.ts")).runBench(options));

  configured(program.command("doctor"))
    .description("Check the GPU; with --data, also the data set")
    .action(async (options: DoctorOptions) => (await import("./doctor.ts")).runDoctor(options));

  json(program.command("demo").description("Train and evaluate on generated images, in a few minutes"))
    .option("--out <folder>", "folder of the run", "runs/demo")
    .action(async (options: DemoOptions) => (await import("./demo.ts")).runDemo(options));

  configured(program.command("import").description("Turn a PyTorch checkpoint into a model"))
    .argument("<file>", ".pth, .pt, .ckpt or .safetensors of the UNet or a feature extractor")
    .requiredOption("--out <file>", "model to write, .safetensors")
    .option("--kind <kind>", "unet, resnet50, wide_resnet101_2, … (default: recognised by the shapes)")
    .option("--extractor <file>", "feature extractor to store with a UNet")
    .option("--entry <path>", "dotted path of the weights, if the file holds several")
    .action(async (file: string, options: ImportOptions) =>
      (await import("./import.ts")).runImport(file, options),
    );

  withModel(json(program.command("export").description("Write a model's networks for other programs")))
    .requiredOption("--out <file>", ".safetensors with PyTorch's names and layouts, or .onnx")
    .option("--module-prefix", "prefix each name with module., as DataParallel does")
    .option("--onnx", "write ONNX, and compare it with ONNX Runtime if that is installed")
    .addHelpText("after", texts.export)
    .action(async (options: ExportOptions) => (await import("./export.ts")).runExport(options));

  const weights = program.command("weights").description("Pretrained weights of feature extractors");
  json(weights.command("fetch").description("Download torchvision's weights, once"))
    .argument("<name>", "a name from ddad weights list")
    .option("--from <url>", "folder to download from (default: DDAD_WEIGHTS_URL, or PyTorch's own)")
    .action(async (name: string, options: FetchOptions) =>
      (await import("./weights.ts")).runFetch(name, options),
    );
  json(weights.command("list").description("List the weights, and which are downloaded")).action(
    async (options: ListOptions) => (await import("./weights.ts")).runList(options),
  );

  json(
    program.command("presets").description("List presets, and how long each trains on this machine"),
  ).action(async (options: PresetsOptions) => (await import("./presets.ts")).runPresets(options));

  // Ends with the exit code of wrong use instead of commander's own.
  for (const command of [program, ...program.commands, ...weights.commands]) command.exitOverride();
  return program;
}

/** What stands below the options of a command. */
const texts = {
  program: `
Start with your own images:
  ddad doctor --data FOLDER                       check the GPU and the images
  ddad run --data FOLDER --out runs/parts         train, calibrate and evaluate
  ddad predict NEW_IMAGES --checkpoint runs/parts find defects in new images`,
  run: `
It first says how long the training takes on this machine. Where no setting
says otherwise, it takes a quick look of about five minutes instead; --full
starts the whole training. Ctrl-C saves, and the same command resumes.`,
  evaluate: `
Results:
  AUROC         chance that a defective image (or pixel) scores higher than a
                good one: 50 is guessing, 100 perfect
  found         fraction of the defective images that are called defective
  false alarms  fraction of the good images that are called defective
ddad report explains the others.`,
  predict: `
Decisions: defective if the score of an image reaches the threshold, else good;
unlike if the image shows nothing of what the model was trained on (a covered
lens, an empty belt). The threshold comes from the calibration on good images.

Exit codes: 0 all images inspected, 3 some could not be (see their rows).`,
  export: `
A file holds one network: the noise predictor, or the feature extractor. The
sampling loop, the preparation of images and the threshold are not in it.`,
} as const;

/** Options in the order of help: what says where, what a command has of its own, settings, the rest. */
const ranks: readonly (readonly string[])[] = [
  ["--data", "--checkpoint", "--good"],
  ["--out"],
  [],
  ["--preset", "--config", "--set", "--skip-unreadable"],
  ["--json"],
  ["--help"],
];

const rankOf = (option: string | undefined): number => {
  const rank = ranks.findIndex((names) => names.includes(option ?? ""));
  return rank < 0 ? 2 : rank;
};

const json = (command: Command): Command => command.option("--json", "print the result as one JSON object");

/** Options of commands that take a configuration. */
const configured = (command: Command): Command =>
  json(command)
    .option("--config <file>", "settings file, YAML or JSON; also config.yaml of the published DDAD code")
    .option("--preset <name>", "settings by name, such as mvtec/screw or quick (see ddad presets)")
    .option("--set <key=value>", "one setting, such as training.steps=500 (repeatable)", collect)
    .option("--data <folder>", "folder of the data set (data.root)")
    // Not as a default, which help would print as [].
    .setOptionValueWithSource("set", [], "default");

const skipping = (command: Command): Command =>
  command.option(
    "--skip-unreadable",
    "leave out images that cannot be read, with a notice, instead of failing",
  );

/** Where a data set can be named, its run is the default. */
const withModel = (command: Command): Command =>
  command.option(
    "--checkpoint <path>",
    command.options.some(({ long }) => long === "--data")
      ? "model file, or folder of a run (default: runs/<data set>)"
      : "model file, or folder of a run",
  );

const collect = (value: string, earlier: string[]): string[] => [...earlier, value];

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError("It must be a whole number of at least 1.");
  return value;
}

function wholeOrZero(text: string): number {
  return text.trim() === "0" ? 0 : wholeNumber(text);
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError("It must be a number above 0.");
  return value;
}

/** A fraction, as 0.01 or 1%. */
function fraction(text: string): number {
  const percent = /^(.*?)\s*%$/.exec(text.trim());
  const value = percent ? Number(percent[1]) / 100 : Number(text);
  if (!(value > 0 && value < 1)) {
    throw new InvalidArgumentError("It must be a number between 0 and 1, or a percentage such as 1%.");
  }
  return value;
}

function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
