/**
 * Good images in a folder and its sub-folders, such as one for every day or camera; where wanted `test/good` and
 * `test/<kind of defect>` beside them, with masks in `ground_truth/<kind>`.
 */
import { join } from "node:path";
import { isFolder, isOutputFolder, listed, listFolders, listImages, listImagesBelow } from "../listing.ts";
import type { Layout } from "./layout.ts";
import { goodSamples, testOf } from "./tree.ts";
import { isDefectiveWord, isMaskFolder } from "./words.ts";

/** Sub-folders that hold no good images for training. */
const skipped = (folder: string): string[] =>
  listFolders(folder).filter((name) => name === "test" || isMaskFolder(name) || isDefectiveWord(name));

/** Sub-folders with good images. */
const read = (folder: string): string[] =>
  listFolders(folder).filter(
    (name) =>
      !skipped(folder).includes(name) &&
      !isOutputFolder(join(folder, name)) &&
      listImagesBelow(join(folder, name)).length > 0,
  );

export const folder: Layout = {
  looks: "good images in the folder or its sub-folders, and where wanted test/good and test/<kind of defect>",
  matches: (root) => !isFolder(join(root, "train")) && (listImages(root).length > 0 || read(root).length > 0),
  read: (root, { test }) => {
    const below = read(root);
    const defective = listFolders(root).filter(isDefectiveWord);
    return {
      train: goodSamples(root, "", skipped(root)),
      ...testOf(root, test),
      notices: [
        ...(below.length > 0
          ? [`the images in the sub-folders of ${root} (${listed(below)}) are taken as good ones, too`]
          : []),
        ...(defective.length > 0
          ? [
              `${root} also holds ${listed(defective)}: left out; to test with them, move the good images into ${join(root, "good")}`,
            ]
          : []),
      ],
    };
  },
  otherTest: true,
};
