/** In a page: trains on images that were picked, calibrates, and inspects others, with progress and a cancel. */
import * as ddad from "@ddad/ddad";
import { setupDevice } from "@ddad/nn";

/** Files of an `<input type="file" multiple>`, decoded and resized. */
async function load(files: readonly File[], size: number): Promise<ddad.NamedImages> {
  const images = await Promise.all(files.map((file) => ddad.decodeBlob(file, file.name)));
  return { ids: files.map(({ name }) => name), images: ddad.stackImages(images, images.length, size) };
}

/** @param good images of good parts, at least ten; @param inspected images to decide on; @param say shows a line */
export async function findDefects(
  good: readonly File[],
  inspected: readonly File[],
  say: (line: string) => void,
  signal: AbortSignal,
  { size = 32, steps = 200 } = {},
): Promise<void> {
  await setupDevice();
  const held = Math.max(2, Math.round(good.length / 5));
  const [train, heldOut] = [await load(good.slice(held), size), await load(good.slice(0, held), size)];
  const config = ddad.resolveConfig({
    data: { root: "picked files", imageSize: size },
    model: { baseChannels: 32, heads: 1, channelMultipliers: [1, 2], blocksPerLevel: 1, attentionSizes: [] },
    training: { steps, batchSize: 4, learningRate: 2e-3, ema: 0.97, checkpointEvery: steps },
  });
  const onProgress = ({ step, loss }: ddad.TrainingProgress) =>
    say(`step ${step} of ${steps}, loss ${loss.toFixed(2)}`);
  const { model, stopped } = await ddad.train({ config, train, heldOut, signal, onProgress });
  if (stopped || !model) return say("Stopped.");
  const denoiser = ddad.createDenoiser(config).eval();
  denoiser.loadStateDict(model.weights);
  const calibration = await ddad.calibrate({ config, denoiser }, heldOut);
  const threshold = ddad.falseAlarmThreshold(calibration.scores, 1 / (held + 1));
  for await (const { id, score } of ddad.inspect(
    { config, denoiser, calibration },
    await load(inspected, size),
  ))
    say(`${id}: ${score.toFixed(2)}, ${score >= threshold ? "defective" : "good"}`);
}
