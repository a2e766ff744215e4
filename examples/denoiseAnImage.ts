/** A small UNet learns to see the noise in images of a weave, and takes it out of one that it has never seen. */
import * as ddad from "@ddad/ddad";
import { AdamW, addNoise, mseLoss, randomKeys, randomNormal, tensor, UNet } from "@ddad/nn";
import { runDirectly } from "./run.ts";

const [size, trained, steps, t] = [16, 16, 40, 200];

export async function denoiseAnImage() {
  const options = { category: "weave", size: 32, train: trained, testGood: 1, testPerDefect: 0 } as const;
  const drawn = Array.from(ddad.generateProcedural(options), ({ image }) => image); // the last one is for the test
  const images = ddad.stackImages(drawn, drawn.length, size);
  const schedule = ddad.linearSchedule({ steps: 1000, from: 1e-4, to: 0.02 });

  /** Images, and noise that depends on the image and the step alone. */
  const draw = (indices: readonly number[], step: number): ddad.NoisedBatch => {
    const rows = indices.map((stream) => ({ stream, step }));
    const shape = [indices.length, size, size, 3];
    return {
      x: tensor(ddad.gatherPixels(images, indices), shape),
      noise: randomNormal(randomKeys(1, rows), shape),
      t: tensor(indices.map(() => t)),
      alphaBar: tensor(indices.map(() => schedule.alphaBar(t))),
    };
  };

  const small = { baseChannels: 32, channelMultipliers: [1], blocksPerLevel: 1, attentionSizes: [] };
  const network = new UNet({ imageSize: size, ...small, seed: 1 });
  const optimizer = new AdamW(network, { learningRate: 2e-3 });
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const batch = draw(ddad.batchIndices({ seed: 1, step, batchSize: 4, count: trained }), step);
    const loss = ddad.denoisingError(network, batch).mean();
    await optimizer.minimize(loss);
    if (step % 10 === 0 || step === steps - 1) losses.push(await loss.item());
  }

  const { x, noise, alphaBar } = draw([trained], 0);
  const noised = addNoise(x, noise, alphaBar); // √ᾱ x + √(1−ᾱ) ε
  const epsilon = network.forward(noised, tensor([t]));
  const root = Math.sqrt(schedule.alphaBar(t));
  const denoised = noised.sub(epsilon.mul(Math.sqrt(1 - schedule.alphaBar(t)))).div(root);
  const before = await mseLoss(noised.div(root), x).item();
  const after = await mseLoss(denoised, x).item();
  network.dispose();
  optimizer.dispose();
  return { losses, before, after };
}

void runDirectly(import.meta.url, denoiseAnImage);
