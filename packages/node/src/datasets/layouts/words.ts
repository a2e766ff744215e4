/** Words by which folders and tables call images good or defective, in lower case. */

const good: readonly string[] = ["good", "ok", "normal", "pass"];

const defective: readonly string[] = [
  ...["defective", "defect", "defects", "bad", "ko", "nok", "ng", "fail", "reject"],
  ...["anomaly", "anomalous", "abnormal", "notok", "not_ok", "not-ok", "not_good"],
];

/** Folders of masks, which are no images of parts. */
const masks: readonly string[] = ["ground_truth", "masks", "mask"];

/** Whether a word, such as the name of a folder, says that images are good. */
export const isGoodWord = (word: string): boolean => good.includes(word.toLowerCase());

/** Whether a word says that images are defective, without saying how. */
export const isDefectiveWord = (word: string): boolean => defective.includes(word.toLowerCase());

/** Whether a folder of this name holds masks. */
export const isMaskFolder = (name: string): boolean => masks.includes(name.toLowerCase());

/** Whether a folder of this name holds one part of a data set, so that it is none itself. */
export const isSplitFolder = (name: string): boolean =>
  ["train", "test", "test_public", "validation", "val"].includes(name.toLowerCase());
