import * as nn from "@ddad/nn";

const device = await nn.setupDevice(); // the browser's WebGPU, or Dawn in Node
const network = new nn.Sequential(
  new nn.Conv2d(3, 32, 3, { padding: 1 }),
  new nn.GroupNorm(8, 32, { activation: "silu" }),
  new nn.Conv2d(32, 3, 3, { padding: 1 }),
);
const optimizer = new nn.AdamW(network, { learningRate: 0.01 });

const stripes = nn.broadcastTo(nn.sin(nn.arange(32)).reshape([32, 1, 1]), [1, 32, 32, 3]);
const noise = nn.randomNormal(nn.randomKeys(7, [{ stream: 0, step: 0 }]), [1, 32, 32, 3]); // [N, H, W, C]
const noisy = stripes.mul(0.8).add(noise.mul(0.6));

for (let step = 1; step <= 20; step++) {
  const loss = nn.mseLoss(network.forward(noisy), noise); // recorded, not run
  await optimizer.minimize(loss); // adds gradients and update, and runs it all in one submission
  console.log(`step ${step}: loss ${(await loss.item()).toFixed(3)}`);
}
const denoised = noisy.sub(network.forward(noisy).mul(0.6)).div(0.8);
const before = await nn.mseLoss(noisy.div(0.8), stripes).item();
const after = await nn.mseLoss(denoised, stripes).item();
console.log(`mean squared error: ${before.toFixed(3)} with the noise, ${after.toFixed(3)} without`);
device.destroy();
