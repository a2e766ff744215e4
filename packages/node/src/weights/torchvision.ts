/** Weights that torchvision publishes for the ResNets here, trained on ImageNet. */

/** Where PyTorch publishes them. */
export const torchvisionHost = "https://download.pytorch.org/models";

export type PublishedWeights = {
  /** torchvision's name of the network; `_v2` are its second, improved weights. */
  readonly name: string;
  /** Name of the file. The eight digits are the first of its SHA-256. */
  readonly file: `${string}-${string}.pth`;
};

/** The paper's extractor is wide_resnet101_2 with its first weights. */
export const torchvisionWeights: readonly PublishedWeights[] = [
  { name: "resnet18", file: "resnet18-f37072fd.pth" },
  { name: "resnet34", file: "resnet34-b627a593.pth" },
  { name: "resnet50", file: "resnet50-0676ba61.pth" },
  { name: "resnet50_v2", file: "resnet50-11ad3fa6.pth" },
  { name: "resnet101", file: "resnet101-63fe2227.pth" },
  { name: "resnet101_v2", file: "resnet101-cd907fc2.pth" },
  { name: "resnet152", file: "resnet152-394f9c45.pth" },
  { name: "resnet152_v2", file: "resnet152-f82ba261.pth" },
  { name: "wide_resnet50_2", file: "wide_resnet50_2-95faca4d.pth" },
  { name: "wide_resnet50_2_v2", file: "wide_resnet50_2-9ba9bcbe.pth" },
  { name: "wide_resnet101_2", file: "wide_resnet101_2-32ee1156.pth" },
  { name: "wide_resnet101_2_v2", file: "wide_resnet101_2-d733dc28.pth" },
];
