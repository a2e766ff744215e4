/** Evaluations of made-up inspections: results as `ddad evaluate --out` leaves them, without a network. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { encodePng } from "../../node/src/images/png.ts";
import type { Config } from "../src/config/schema.ts";
import { buildCalibration } from "../src/detection/calibration.ts";
import { type Evaluation, evaluateInspections, type ScoredImage } from "../src/evaluation/evaluation.ts";
import { createImage } from "../src/images/image.ts";
import { smallConfig } from "./small.ts";

/** Four good and three defective images; by `heldOutScore` the last good one is a false alarm, and two are missed. */
export const madeUpScores: readonly ScoredImage[] = [
  { id: "test/good/0.png", label: 0, kind: "good", score: 0.1 },
  { id: "test/good/1.png", label: 0, kind: "good", score: 0.2 },
  { id: "test/good/2.png", label: 0, kind: "good", score: 0.3 },
  { id: "test/good/3.png", label: 0, kind: "good", score: 0.8 },
  { id: "test/scratch/0.png", label: 1, kind: "scratch", score: 0.7 },
  { id: "test/scratch/1.png", label: 1, kind: "scratch", score: 0.9 },
  { id: "test/stain/0.jpg", label: 1, kind: "stain", score: 0.15 },
];

/** What all held-out good images score, so that it is the threshold at any rate of false alarms. */
const heldOutScore = 0.75;

export type MadeUpEvaluation = {
  readonly scores?: readonly ScoredImage[];
  readonly category?: string;
  readonly config?: Config;
};

/** Evaluates images of 8 × 8 whose maps have their score in one corner, which is the defective one. */
export async function madeUpEvaluation(options: MadeUpEvaluation = {}): Promise<Evaluation> {
  const { scores = madeUpScores, category = "tile", config = smallConfig() } = options;
  const size = 8;
  const corner = (value: number): Float32Array => new Float32Array(size * size).fill(value, 0, 1);
  const heldOut = { score: heldOutScore, map: corner(heldOutScore) };
  const calibration = await buildCalibration(config, [heldOut, heldOut]);
  return evaluateInspections(
    scores.map(({ id, score }) => ({ id, score, map: corner(score), mapSize: size })),
    config,
    {
      ...{ dataset: "parts", category, samples: scores },
      images: { count: scores.length, size, data: new Uint8Array(scores.length * size * size * 3) },
      masks: scores.map(({ label }) => Uint8Array.from(corner(label))),
      ...(config.protocol === "paper" && {
        coverage: scores.map(({ label }) => Uint8Array.from(corner(label * 255))),
      }),
    },
    { calibration, bootstrap: { resamples: 20 }, device: "no device" },
  );
}

/** Writes an evaluation with a gray image of every inspection. @returns the folder */
export function writeEvaluation(folder: string, { result, kinds, falseAlarms, scores }: Evaluation): string {
  const write = (name: string, content: Uint8Array | string): void => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  };
  write("results.json", JSON.stringify(result));
  write("scores.json", JSON.stringify({ kinds, falseAlarms, scores }));
  const image = encodePng(createImage(4, 4, 3, [90, 90, 90]));
  for (const { id } of scores) write(id.endsWith(".png") ? id : `${id}.png`, image);
  return folder;
}

/** Fails unless the tags of a page are balanced, its attributes quoted, and its entities complete. */
export function checkMarkup(page: string): void {
  const open: string[] = [];
  const body = page.replace(/^<!DOCTYPE html>\n/, "");
  let at = 0;
  for (const match of body.matchAll(/<(\/?)([a-zA-Z0-9]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g)) {
    const [tag, closing, name, , empty] = match;
    checkText(body.slice(at, match.index));
    at = match.index + tag.length;
    if (closing && open.pop() !== name) throw new Error(`${tag} closes what is not open`);
    if (!closing && !empty) open.push(name!);
  }
  checkText(body.slice(at));
  if (open.length > 0) throw new Error(`never closed: ${open.join(", ")}`);
}

function checkText(text: string): void {
  const wrong = /[<>]|&(?!(?:amp|lt|gt|quot|#39);)/.exec(text);
  if (wrong) throw new Error(`not escaped: ${text.slice(Math.max(wrong.index - 40, 0), wrong.index + 40)}`);
}
