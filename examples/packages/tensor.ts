import { compile, grad, setupDevice, tensor, variable, zeros } from "@ddad/tensor";

const device = await setupDevice(); // navigator.gpu, or Dawn in Node
const x = tensor([1, 0, 0, 1, 1, 1]).reshape([3, 2]);
const y = tensor([1, 2, 3]);
const weight = variable(zeros([2]));

// Inside, nothing runs: operations check shapes and are recorded. A gradient is a recorded tensor, too.
const step = compile((input, target) => {
  const loss = input.mul(weight).sum(1).sub(target).square().mean();
  const [gradient] = grad(loss, [weight]);
  weight.assign(weight.sub(gradient!.mul(0.3)));
  return loss;
});
for (let index = 0; index < 60; index++) await step(x, y); // one submission each
console.log("weight", [...(await weight.data())].map((value) => value.toFixed(2)).join(" ")); // 1.00 2.00
device.destroy();
