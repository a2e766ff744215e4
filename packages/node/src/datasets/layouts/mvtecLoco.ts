/**
 * MVTec LOCO AD (Bergmann et al., "Beyond Dents and Scratches", 2022): as MVTec AD, with `validation/good`, the kinds
 * `logical_anomalies` and `structural_anomalies`, and several masks an image, `ground_truth/<kind>/<image>/000.png` and
 * so on, which are merged: a pixel is defective where any of them says so.
 */
import { join } from "node:path";
import { isFolder } from "../listing.ts";
import type { Layout } from "./layout.ts";
import { goodSamples, testOf, validationSamples } from "./tree.ts";

export const mvtecLoco: Layout = {
  looks: "train/good, validation/good, test/good, test/<kind of defect>, ground_truth/<kind>/<image>/000.png",
  matches: (folder) =>
    isFolder(join(folder, "train", "good")) &&
    isFolder(join(folder, "validation", "good")) &&
    !isFolder(join(folder, "test_public")),
  read: (folder, { test }) => ({
    train: goodSamples(join(folder, "train", "good"), "train/good/"),
    validation: validationSamples(folder),
    ...testOf(folder, test),
  }),
  otherTest: true,
  refines: "mvtec",
};
