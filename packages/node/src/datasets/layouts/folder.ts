/**
 * Good images in a folder and its sub-folders, such as one for every day or camera; where wanted `test/good` and
 * `test/<kind of defect>` beside them, with masks in `ground_truth/<kind>`.
 */
import { basename, join, resolve } from "node:path";
import { listed, listFolders, listImagesBelow } from "../listing.ts";
import type { Layout } from "./layout.ts";
import { goodSamples, testOf } from "./tree.ts";
import { isDefectiveWord, isMaskFolder, isSplitFolder } from "./words.ts";

/** Whether a sub-folder holds no good images for training: those to test with, masks, and what is called defective. */
const skips = (root: string, path: string, test?: string): boolean =>
  isSplitFolder(path) ||
  isMaskFolder(basename(path)) ||
  isDefectiveWord(basename(path)) ||
  (test !== undefined && resolve(root, path) === resolve(test));

export const folder: Layout = {
  looks: "good images in the folder or its sub-folders, and where wanted test/good and test/<kind of defect>",
  matches: (root) =>
    // In other letters they may hold what belongs to another layout, which is better asked than guessed.
    !listFolders(root).some((name) => /^train$/i.test(name) || (/^test$/i.test(name) && name !== "test")) &&
    listImagesBelow(root, (path) => skips(root, path)).length > 0,
  read: (root, { test }) => {
    const defective: string[] = [];
    const train = goodSamples(root, "", (path) => {
      if (isDefectiveWord(basename(path))) defective.push(path);
      return skips(root, path, test);
    });
    const splits = listFolders(root).filter((name) => isSplitFolder(name) && name !== "test");
    const below = new Set(train.flatMap(({ id }) => (id.includes("/") ? [id.split("/")[0]!] : [])));
    return {
      train,
      ...testOf(root, test),
      notices: [
        ...(below.size > 0
          ? [`the images in the sub-folders of ${root} (${listed([...below])}) are taken as good ones, too`]
          : []),
        ...(splits.length > 0 ? [`${root} also holds ${listed(splits)}: left out`] : []),
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
