/** `ddad presets`. */
import { type Config, costOf, formatTable, type Protocol, presets, resolveConfig } from "@ddad/ddad/internal";
import { NoAdapterError, setupDevice } from "@ddad/nn";
import { AdapterSpeed, estimateRun, formatDuration } from "@ddad/node/internal";
import { printResult, say } from "./terminal.ts";

export type PresetsOptions = { readonly json?: boolean };

const protocols = ["strict", "paper"] as const satisfies readonly Protocol[];

/** Lists every preset with its most telling settings, and how long it trains on this machine under either protocol. */
export async function runPresets({ json }: PresetsOptions): Promise<void> {
  const speed = await speedOfThisMachine();
  const listed = [];
  for (const { name, description } of presets) {
    const both = [];
    for (const protocol of protocols) {
      both.push(await describe(resolveConfig({ preset: name, protocol, data: { root: "." } }), speed));
    }
    listed.push({ name, description, protocols: both });
  }
  const rows = listed.map(({ name, protocols: both }) => {
    const [strict, paper] = both as [PresetCost, PresetCost];
    return [
      name,
      ...both.map(({ seconds }) => (seconds === null ? "" : formatDuration(seconds))),
      String(strict.steps),
      `${strict.guidance}${paper.guidance === strict.guidance ? "" : ` (${paper.guidance})`}`,
      String(strict.pixelWeight),
      strict.gflopPerImage.toFixed(strict.gflopPerImage < 100 ? 1 : 0),
    ];
  });
  const head = ["preset", "training here", "paper", "steps", "guidance", "weight", "GFLOP/image"];
  const about = listed
    .filter(({ name }) => !name.includes("/"))
    .map(({ name, description }) => `${name}: ${description}`);
  const others = [
    "the others: as published for the category; their numbers were probably chosen on",
    "test sets, and strict takes fewer steps, so that each time step is seen as often",
    "",
    "Training time, steps, guidance and weight of the pixel distance are those of the",
    "default protocol, strict. The column paper gives the time under the paper protocol;",
    "its guidance stands in brackets where it differs. --json lists both in full.",
    "",
    "For your own parts: run ddad run --data FOLDER first. Without a preset it takes a",
    "quick look that fits the speed of this machine. Then take --preset laptop, or",
    "workstation, by the time that you have.",
  ];
  printResult(json, { presets: listed }, [formatTable(head, rows), "", ...about, ...others].join("\n"));
}

/** Undefined where there is no adapter: then the list has no times. */
async function speedOfThisMachine(): Promise<AdapterSpeed | undefined> {
  try {
    const { name } = await setupDevice();
    say(`estimating training times by the speed of a few layers on ${name}`);
    return new AdapterSpeed();
  } catch (error) {
    if (!(error instanceof NoAdapterError)) throw error;
    say(`Without training times: ${error.message}`);
    return undefined;
  }
}

/** No images are known: what validations, calibration and evaluation take comes on top. */
const noImages = { heldOut: 0, test: 0 };

type PresetCost = Awaited<ReturnType<typeof describe>>;

async function describe(config: Config, speed: AdapterSpeed | undefined) {
  const { protocol, training, sampling, detection, adaptation } = config;
  const { gflopOfTraining, gflopPerImage } = costOf(config);
  return {
    protocol,
    steps: training.steps,
    guidance: sampling.guidance,
    pixelWeight: detection.pixelWeight,
    adaptationSteps: adaptation.steps,
    petaflop: gflopOfTraining / 1e6,
    gflopPerImage,
    /** Estimated on this machine; null without an adapter. */
    seconds: speed ? await estimateRun(config, noImages, speed) : null,
  };
}
