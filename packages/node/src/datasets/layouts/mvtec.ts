/**
 * MVTec AD: `train/good`, `test/<good or a kind>`, `ground_truth/<kind>`; also VisA as its authors' script prepares it, and
 * data sets that were made alike.
 */
import { join } from "node:path";
import { isFolder } from "../listing.ts";
import type { Layout } from "./layout.ts";
import { goodSamples, noticesBeside, testOf } from "./tree.ts";

export const mvtec: Layout = {
  looks: "train/good, test/good, test/<kind of defect>, ground_truth/<kind>",
  matches: (folder) => isFolder(join(folder, "train", "good")),
  read: (folder, { test }) => ({
    train: goodSamples(join(folder, "train", "good"), "train/good/"),
    ...testOf(folder, test),
    notices: noticesBeside(join(folder, "train"), "good"),
  }),
  otherTest: true,
};
