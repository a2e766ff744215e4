/** `ddad presets`. */
import { type Config, costOf, formatTable, type Protocol, presets, resolveConfig } from "@ddad/ddad/internal";
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
    both.map(({ protocol, steps, guidance, pixelWeight, adaptationSteps, petaflop, gflopPerImage }, i) => [
      i === 0 ? name : "",
      protocol,
      ...[steps, guidance, pixelWeight, adaptationSteps].map(String),
      petaflop.toPrecision(3),
      gflopPerImage.toFixed(gflopPerImage < 100 ? 1 : 0),
    ]),
  );
  const head = ["preset", "protocol", "steps", "w", "v", "adaptation", "training PFLOP", "GFLOP an image"];
  const about = listed
    .filter(({ name }) => !name.includes("/"))
    .map(({ name, description }) => `${name}: ${description}`);
  const others = [
    "the others: as published for the category; under strict the steps are the fraction that visits a time step as often,",
    "and held-out images end the adaptation. The published numbers were probably chosen on test sets.",
  ];
  printResult(json, { presets: listed }, [formatTable(head, rows), "", ...about, ...others].join("\n"));
}

function describe(config: Config) {
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
  };
}
