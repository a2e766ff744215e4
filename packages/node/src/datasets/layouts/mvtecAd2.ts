/**
 * MVTec AD 2 (Heckler-Kram et al., 2025): as MVTec AD, with `validation/good`, and test images with masks in
 * `test_public/{good,bad,ground_truth/bad}`. The private test images have no published truth and are not read.
 */
import { join } from "node:path";
import { isFolder, requireFolder } from "../listing.ts";
import type { Layout } from "./layout.ts";
import { goodSamples, testSamples, validationSamples } from "./tree.ts";

export const mvtecAd2: Layout = {
  looks: "train/good, validation/good, test_public/good, test_public/bad, test_public/ground_truth/bad",
  matches: (folder) => isFolder(join(folder, "train", "good")) && isFolder(join(folder, "test_public")),
  read: (folder, { test }) => {
    if (test !== undefined) requireFolder(test);
    return {
      train: goodSamples(join(folder, "train", "good"), "train/good/"),
      ...(isFolder(join(folder, "validation", "good")) && { validation: validationSamples(folder) }),
      ...(test === undefined ? testSamples(join(folder, "test_public"), "test_public") : testSamples(test)),
    };
  },
  otherTest: true,
  refines: "mvtec",
};
