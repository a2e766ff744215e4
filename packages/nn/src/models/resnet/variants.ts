/** The ResNets that have names, with torchvision's sizes. */
import { checkOptions } from "@ddad/tensor/internal";
import { type ResNetOptions, variantOptions } from "./options.ts";
import { ResNet } from "./resnet.ts";

/** The options that distinguish the named networks. */
export const resNetSizes = {
  resnet18: { block: "basic", layers: [2, 2, 2, 2] },
  resnet34: { block: "basic", layers: [3, 4, 6, 3] },
  resnet50: { block: "bottleneck", layers: [3, 4, 6, 3] },
  resnet101: { block: "bottleneck", layers: [3, 4, 23, 3] },
  resnet152: { block: "bottleneck", layers: [3, 8, 36, 3] },
  wideResnet50_2: { block: "bottleneck", layers: [3, 4, 6, 3], widthPerGroup: 128 },
  wideResnet101_2: { block: "bottleneck", layers: [3, 4, 23, 3], widthPerGroup: 128 },
  resnet50v2: { block: "bottleneck", layers: [3, 4, 6, 3], style: "preactivation" },
} as const satisfies Record<string, ResNetOptions>;

/** Names of the networks that have one. */
export type ResNetName = keyof typeof resNetSizes;

/** Options of a named network; `resnet50v2` fixes the style, too. */
export type ResNetVariantOptions = Omit<ResNetOptions, "block" | "layers" | "widthPerGroup">;

const variant =
  <O extends ResNetVariantOptions>(name: ResNetName) =>
  (options?: O): ResNet => {
    const known =
      name === "resnet50v2" ? variantOptions.filter((option) => option !== "style") : variantOptions;
    if (options !== undefined) checkOptions<ResNetVariantOptions>(name, options, known, "{ numClasses: 10 }");
    return new ResNet({ ...options, ...resNetSizes[name] });
  };

/** 18 layers of basic blocks; this and the next four are of He et al., "Deep residual learning" (CVPR 2016). */
export const resnet18 = variant<ResNetVariantOptions>("resnet18");
/** 34 layers of basic blocks. */
export const resnet34 = variant<ResNetVariantOptions>("resnet34");
/** 50 layers of bottlenecks. */
export const resnet50 = variant<ResNetVariantOptions>("resnet50");
/** 101 layers of bottlenecks. */
export const resnet101 = variant<ResNetVariantOptions>("resnet101");
/** 152 layers of bottlenecks. */
export const resnet152 = variant<ResNetVariantOptions>("resnet152");
/** Zagoruyko and Komodakis, "Wide residual networks" (BMVC 2016). */
export const wideResnet50_2 = variant<ResNetVariantOptions>("wideResnet50_2");
/** The same with 101 layers. */
export const wideResnet101_2 = variant<ResNetVariantOptions>("wideResnet101_2");
/** The pre-activation form of `resnet50`. */
export const resnet50v2 = variant<Omit<ResNetVariantOptions, "style">>("resnet50v2");
