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
  const rows = listed.flatMap(({ name, protocols: both }) =>
    both.map(({ protocol, steps, guidance, pixelWeight, adaptationSteps, seconds, gflopPerImage }, i) => [
      i === 0 ? name : "",
      protocol,
      seconds === null ? "" : formatDuration(seconds),
      ...[steps, guidance, pixelWeight, adaptationSteps].map(String),
      gflopPerImage.toFixed(gflopPerImage < 100 ? 1 : 0),
    ]),
  );
  const head = [
    ...["preset", "protocol", "training here", "steps", "guidance", "pixel weight", "adaptation steps"],
    "GFLOP per image",
  ];
  const about = listed
    .filter(({ name }) => !name.includes("/"))
    .map(({ name, description }) => `${name}: ${description}`);
  const others = [
    "the others: as published for the category; under strict the steps are the fraction that visits a time step as often,",
    "and held-out images end the adaptation. The published numbers were probably chosen on test sets.",
    "",
    "For parts of your own: first ddad run --data FOLDER without a preset, which chooses a quick look by the speed of this machine,",
    "then --preset quick; without any preset the whole network is trained on 256 × 256 pixels.",
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
