/**
 * Internals for `@ddad/ddad`, benchmarks and tests: names and layouts of other programs' checkpoints, parts of
 * optimisers, and the same of the engine. These names may change without notice.
 */
export * from "@ddad/tensor/internal";
export { type LayoutMatch, matchLayout, type StateLayout } from "./checkpoint/layouts/layout.ts";
export {
  nameResNet,
  recogniseResNet,
  resNetLayout,
  torchvisionNames,
} from "./checkpoint/layouts/resNetLayout.ts";
export { type RecognisedUNet, recogniseUNet, unetLayout } from "./checkpoint/layouts/unetLayout.ts";
export { underPrefix, withPrefix } from "./checkpoint/safetensors.ts";
export { defaultRandom } from "./init.ts";
export { defaultMultipliers, planUNet } from "./models/unet/options.ts";
export { clipScale } from "./optim/clip.ts";
export { castLike } from "./parameter.ts";
