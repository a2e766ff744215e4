/** `ddad presets`. */
import { costOf } from "../config/cost.ts";
import { presets } from "../config/presets.ts";
import { type Config, type Protocol, resolveConfig } from "../config.ts";
import { formatTable } from "../report/results.ts";
import { printResult } from "./terminal.ts";

export type PresetsOptions = { readonly json?: boolean };

const protocols = ["strict", "paper"] as const satisfies readonly Protocol[];

/** Lists every preset with its most telling settings, and what it costs under either protocol. */
export async function runPresets({ json }: PresetsOptions): Promise<void> {
  const listed = presets.map(({ name, description }) => ({
    name,
    description,
    protocols: protocols.map((protocol) =>
      describe(resolveConfig({ preset: name, protocol, data: { root: "." } })),
    ),
  }));
  const rows = listed.flatMap(({ name, protocols: both }) =>
    both.map(({ protocol, steps, guidance, pixelWeight, adaptationSteps, petaflop, gflopPerPicture }, i) => [
      i === 0 ? name : "",
      protocol,
      ...[steps, guidance, pixelWeight, adaptationSteps].map(String),
      petaflop.toPrecision(3),
      gflopPerPicture.toFixed(gflopPerPicture < 100 ? 1 : 0),
    ]),
  );
  const head = ["preset", "protocol", "steps", "w", "v", "adaptation", "training PFLOP", "GFLOP a picture"];
  const about = listed
    .filter(({ name }) => !name.includes("/"))
    .map(({ name, description }) => `${name}: ${description}`);
  const others = [
    "the others: as published for the category; under strict the steps are the share that visits a time step as often,",
    "and held-out pictures end the adaptation. The published numbers were probably chosen on test sets.",
  ];
  printResult(json, { presets: listed }, [formatTable(head, rows), "", ...about, ...others].join("\n"));
}

function describe(config: Config) {
  const { protocol, training, sampling, detection, adaptation } = config;
  const { gflopOfTraining, gflopPerPicture } = costOf(config);
  return {
    protocol,
    steps: training.steps,
    guidance: sampling.guidance,
    pixelWeight: detection.pixelWeight,
    adaptationSteps: adaptation.steps,
    petaflop: gflopOfTraining / 1e6,
    gflopPerPicture,
  };
}
