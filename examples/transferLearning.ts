/** A frozen ResNet turns images into features, and only a linear layer learns to tell kinds of images apart. */
import { generateProcedural } from "@ddad/ddad";
import * as nn from "@ddad/nn";
import { runDirectly } from "./run.ts";

const kinds = ["weave", "wood", "tile", "gear"] as const;

class Classifier extends nn.Module {
  backbone = nn.resnet18({ lastLayer: "layer2" }).freeze();
  norm = new nn.LayerNorm(128, { affine: false });
  head = new nn.Linear(128, kinds.length);

  /** Images [N, H, W, 3], values 0 … 255 → logits [N, kinds] */
  forward(images: nn.Tensor<"u32">): nn.Tensor {
    const x = nn.normaliseForImageNet(images.cast("f32").div(127.5).sub(1)); // takes −1 … 1
    const { layer2 } = this.backbone.features(x, ["layer2"]); // [N, H/8, W/8, 128]
    return this.head.forward(this.norm.forward(layer2.mean([1, 2])));
  }
}

/** Generated images with the numbers of their kinds. Images of your own come from files in the same way. */
function drawImages(split: "train" | "test", count: number) {
  const counts = { size: 32, train: split === "train" ? count : 0, testGood: split === "test" ? count : 0 };
  return kinds.flatMap((category, label) =>
    [...generateProcedural({ category, ...counts, testPerDefect: 0 })].map(({ image }) => ({
      image: { data: image.data, shape: [image.height, image.width, 3] },
      label,
    })),
  );
}

/**
 * @param weights file of torchvision's weights; `npx ddad weights fetch resnet18` downloads it and prints where it is. Without it the
 * backbone is random: then this shows how it is done, and not how well it works.
 */
export async function transferLearning({ weights = "", perKind = 24, epochs = 8, print = console.log } = {}) {
  nn.setSeed(1);
  using network = new Classifier();
  if (weights) network.backbone.loadPretrained(await nn.readCheckpoint(weights));
  network.backbone.eval(); // batch norms use their running statistics
  using optimizer = new nn.AdamW(network, { learningRate: 0.02 }); // takes what is not frozen: the head
  const types = { label: "i32" } as const;
  const loader = new nn.DataLoader(drawImages("train", perKind), { batchSize: 12, shuffle: true, types });

  type Images = nn.Tensor<"u32">;
  const step = optimizer.compileStep((images: Images, labels: nn.Tensor<"i32">) =>
    nn.crossEntropy(network.forward(images), labels),
  );
  const losses: number[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    let loss: nn.Tensor | undefined;
    for await (const { image, label } of loader) loss = await step(image, label);
    losses.push(await loss!.item());
    print(`epoch ${epoch}: loss ${losses.at(-1)!.toFixed(3)}`);
  }

  const unseen = nn.collate(drawImages("test", 8), types);
  const right = network.forward(unseen.image).argmax(-1).equal(unseen.label);
  const accuracy = await right.cast("f32").mean().item();
  const trained = [...network.namedParameters().keys()];
  return { losses, accuracy, trained };
}

void runDirectly(import.meta.url, () => transferLearning({ weights: process.argv[2] ?? "" }));
