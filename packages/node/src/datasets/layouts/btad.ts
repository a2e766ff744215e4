/** BTAD (Mishra et al., "VT-ADL", 2021): as MVTec AD, with `ok` and `ko` for good and defective. */
import { join } from "node:path";
import { isFolder } from "../listing.ts";
import type { Layout } from "./layout.ts";
import { goodSamples, noticesBeside, testOf } from "./tree.ts";

export const btad: Layout = {
  looks: "train/ok, test/ok, test/ko, ground_truth/ko",
  matches: (folder) => isFolder(join(folder, "train", "ok")),
  read: (folder, { test }) => ({
    train: goodSamples(join(folder, "train", "ok"), "train/ok/"),
    ...testOf(folder, test),
    notices: noticesBeside(join(folder, "train"), "ok"),
  }),
  otherTest: true,
};
