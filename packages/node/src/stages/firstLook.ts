/** A first result before a training: each image against the nearest good one, which takes no training. */
import { join } from "node:path";
import { type Config, decodeModel } from "@ddad/ddad/internal";
import { readCheckpoint } from "@ddad/nn";
import { notice, type StageOptions } from "../events.ts";
import { modelFile } from "../model/open.ts";
import { evaluateModel } from "./evaluate.ts";
import { fitRun } from "./fit.ts";

/** Below the folder of a run. */
export const firstLookFolder = "first-look";

/** The same data and, where there is one, the same network that compares features, by a method that trains nothing. */
export function firstLookConfig(config: Config): Config {
  // Nothing is trained on them, so they may be as large as features are taken from.
  const imageSize = Math.max(config.data.imageSize, config.features.imageSize);
  const detection = { ...config.detection, blurSigma: imageSize / 64, crop: 0 };
  return {
    ...config,
    method: "nearest",
    data: { ...config.data, imageSize },
    detection: { ...detection, distance: "whitened", layers: undefined },
  };
}

/**
 * Keeps the good images as a model that compares with the nearest of them, in a folder of its own below that of the run, evaluates it
 * where there are test images, and tells the result as a notice.
 *
 * @param evaluates whether there is a test set
 * @throws DataError where images or weights are missing; the reason of the signal
 */
export async function firstLook(
  folder: string,
  config: Config,
  evaluates: boolean,
  options: StageOptions = {},
): Promise<void> {
  const own = join(folder, firstLookFolder);
  const settings = firstLookConfig(config);
  await fitRun(own, settings, options);
  const path = join(own, modelFile);
  const use = `ddad predict IMAGES --checkpoint ${own} inspects by it meanwhile.`;
  if (!evaluates) {
    notice(options, `first look, without training: ${use}`);
    return;
  }
  const model = decodeModel(await readCheckpoint(path), path);
  const { result } = await evaluateModel(model, settings, path, options);
  const { image, pixel } = result;
  const percent = (value: number): string => (100 * value).toFixed(1);
  const measured = [
    `image AUROC ${percent(image.auroc)}`,
    ...(pixel ? [`pixel AUROC ${percent(pixel.auroc)}`, `AUPRO ${percent(pixel.aupro30)}`] : []),
  ];
  notice(
    options,
    `first look, by the nearest good image and without training: ${measured.join(", ")}. ${use}`,
  );
}
