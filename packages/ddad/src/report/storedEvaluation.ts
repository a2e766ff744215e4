/** The files that an evaluation leaves, read again: they may be of another version, or of another program. */
import * as z from "zod";
import type { ScoredImage } from "../evaluation/evaluation.ts";
import type { EvaluationResult } from "./results.ts";

const metric = z.number().min(0).max(1);
const interval = z.tuple([z.number(), z.number()]);

const pixelScores = z.looseObject({ auroc: metric, ap: metric, aupro30: metric, aupro05: metric });
const exactPixels = z.looseObject({ aupro30: metric });

const countedRate = z.looseObject({ count: z.int(), of: z.int(), rate: metric, interval });
const presorted = { rate: metric, count: z.int(), threshold: z.number().optional() };

/** What a report needs of a result; the rest is kept as it is. */
const resultSchema = z.looseObject({
  protocol: z.enum(["strict", "paper"]),
  dataset: z.string(),
  category: z.string(),
  images: z.int().min(1),
  image: z.looseObject({ auroc: metric, ap: metric, f1Max: metric }),
  pixel: pixelScores.optional(),
  threshold: z.number(),
  msPerImage: z.looseObject({ p50: z.number(), p95: z.number() }),
  exact: exactPixels.optional(),
  intervals: z.looseObject({
    level: z.number(),
    image: z.looseObject({ auroc: interval, ap: interval, f1Max: interval }),
    pixel: z.looseObject({ auroc: interval, aupro30: interval, aupro05: interval }).optional(),
  }),
  kinds: z.array(
    z.looseObject({
      kind: z.string(),
      images: z.int(),
      auroc: metric,
      detected: metric,
      pixel: z.looseObject({ auroc: metric, aupro30: metric }).optional(),
    }),
  ),
  decisions: z.looseObject({ falseAlarms: countedRate.optional(), found: countedRate }).optional(),
  presorting: z
    .looseObject({
      goodStopped: z.array(z.looseObject({ defectsCaught: z.number(), ...presorted })),
      defectsMissed: z.array(z.looseObject({ goodStopped: z.number(), ...presorted })),
    })
    .optional(),
  controls: z
    .array(
      z.looseObject({
        name: z.string(),
        image: z.looseObject({ auroc: metric, ap: metric }),
        pixel: pixelScores.optional(),
        exact: exactPixels.optional(),
        intervals: z.looseObject({ image: z.looseObject({ auroc: interval, ap: interval }) }).optional(),
        direction: z.enum(["brighter", "darker"]).optional(),
      }),
    )
    .optional(),
  protocolBlock: z.looseObject({
    protocol: z.string(),
    method: z.string(),
    data: z.looseObject({ good: z.int() }),
  }),
});

const scoresSchema = z.looseObject({
  falseAlarms: metric,
  scores: z.array(
    z.looseObject({
      id: z.string(),
      label: z.union([z.literal(0), z.literal(1)]),
      kind: z.string(),
      score: z.number(),
    }),
  ),
});

/** What `scores.json` holds beside the kinds. */
export type StoredScores = {
  /** Fraction of the good test images at or above the threshold. */
  readonly falseAlarms: number;
  readonly scores: readonly ScoredImage[];
};

/** What came of reading a file. */
export type Reading<T> = { readonly value: T } | { readonly problem: string };

/** The text of a `results.json`. */
export const readResult = (text: string): Reading<EvaluationResult> =>
  read(text, resultSchema as unknown as z.ZodType<EvaluationResult>);

/** The text of a `scores.json`, which must be of this result. */
export function readScores(text: string, result: EvaluationResult): Reading<StoredScores> {
  const reading = read<StoredScores>(text, scoresSchema);
  if ("problem" in reading) return reading;
  const { scores } = reading.value;
  const good = scores.filter(({ label }) => label === 0).length;
  const expected = { images: result.images, good: result.protocolBlock.data.good };
  if (scores.length === expected.images && good === expected.good) return reading;
  return {
    problem: `it has ${scores.length} images, ${good} of them good, but the result has ${expected.images} and ${expected.good}`,
  };
}

function read<T>(text: string, schema: z.ZodType<T>): Reading<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { problem: "it is not JSON" };
  }
  const { success, data, error } = schema.safeParse(json);
  if (success) return { value: data };
  const [issue] = error.issues;
  return { problem: `${issue?.path.join(".") || "it"}: ${issue?.message}` };
}
