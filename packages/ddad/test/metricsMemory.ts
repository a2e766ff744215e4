/**
 * Evaluates made-up maps in a process of its own and prints, as JSON, how much memory and time that took.
 * Arguments: images, side in pixels.
 */

import { resolveConfig } from "../src/config/parse.ts";
import { buildCalibration } from "../src/detection/calibration.ts";
import type { Inspection } from "../src/detection/inspect.ts";
import { evaluateInspections, type LabelledImage } from "../src/evaluation/evaluation.ts";
import { stream } from "./metricsBruteForce.ts";

const [count, side] = process.argv.slice(2).map(Number) as [number, number];
const samples = Array.from({ length: count }, (_, i): LabelledImage => {
  const label = i % 5 < 2 ? 0 : 1;
  return { id: `${i}`, label, kind: label === 0 ? "good" : ["spot", "crack"][i % 2]! };
});

/** Three squares of a defective image: about five per cent of it. */
function makeMask(image: number): Uint8Array {
  const mask = new Uint8Array(side * side);
  const width = Math.round(side * 0.13);
  for (let square = 0; samples[image]!.label === 1 && square < 3; square++) {
    const left = Math.round(((image + 3 * square) % 8) * 0.1 * side);
    for (let row = 0; row < width; row++) {
      const start = (Math.round((0.05 + 0.3 * square) * side) + row) * side + left;
      mask.fill(1, start, start + width);
    }
  }
  return mask;
}

const masks = samples.map((_, i) => makeMask(i));
const next = stream(1);
let generating = 0;

function* inspections(): Generator<Inspection> {
  const reconstruction = new Float32Array(0);
  for (const [i, { id }] of samples.entries()) {
    const started = performance.now();
    const map = Float32Array.from(masks[i]!, (value) => next() + (value ? 0.3 : 0));
    generating += performance.now() - started;
    yield { id, score: 1 + next() + samples[i]!.label, map, mapSize: side, reconstruction };
  }
}

const protocol = process.argv[4] === "paper" ? "paper" : "strict";
const config = resolveConfig({ protocol, data: { root: "none" }, detection: { crop: 0 } });
// The images themselves are no part of the metrics.
const images = { count, size: side, data: new Uint8Array(count) };
const rss = (): number => process.resourceUsage().maxRSS * 1024;
const before = rss();
const started = performance.now();
const test = { dataset: "made up", category: "", samples, images, masks };
const calibration = await buildCalibration(
  config,
  [1, 2].map((score) => ({ score, map: Float32Array.of(1) })),
);
const options = protocol === "strict" ? { calibration } : {};
const { result } = await evaluateInspections(inspections(), config, test, options);
const milliseconds = performance.now() - started - generating;
console.log(JSON.stringify({ before, peak: rss(), milliseconds, pixel: result.pixel }));
