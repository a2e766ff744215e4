/** Controls of an evaluation, with the good training images of its data set where they are there. */
import {
  type Config,
  type ControlResult,
  DataError,
  evaluateControls,
  type ImageSet,
  type TestSet,
} from "@ddad/ddad/internal";
import { openDataset } from "../datasets/dataset.ts";
import { readSplit } from "../datasets/splitFile.ts";
import { notice, progress, type StageOptions } from "../events.ts";
import { loadSamples, trainedSamples } from "./data.ts";

/**
 * Measures what scores without a network reach on the test set.
 *
 * @param run folder of the run, whose division says which good images were trained on
 * @throws DataError when no mask has a defective pixel; RangeError when a class is missing; the reason of the signal
 */
export async function measureControls(
  config: Config,
  run: string,
  test: TestSet,
  options: StageOptions,
): Promise<ControlResult[]> {
  const good = await loadGood(config, run, options);
  const told = progress(options, "measuring controls", "maps");
  const { signal } = options;
  return evaluateControls(config, test, {
    good,
    signal,
    progress: (done, count) => told.update(done, count),
  });
}

/** The good images that were trained on; undefined where none is there, with a notice where some should be. */
async function loadGood(config: Config, run: string, options: StageOptions): Promise<ImageSet | undefined> {
  try {
    const dataset = openDataset(config.data.root, config.data);
    const record = readSplit(run);
    const samples = trainedSamples(config, dataset, record?.dataset === dataset.name ? record : undefined);
    if (samples.length === 0) return undefined;
    // An image that cannot be read must not keep a trained model from its evaluation.
    const { images } = await loadSamples(samples, config, "training images", {
      ...options,
      skipUnreadable: true,
    });
    return images;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    notice(options, `There are no controls by good training images: ${error.message}`);
    return undefined;
  }
}
