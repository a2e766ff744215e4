/** The code of `docs/for-pytorch-users.md`, which runs as one program: each difference from PyTorch in a few lines. */
import * as nn from "@ddad/nn";

const device = await nn.setupDevice(); // instead of .to("cuda"): everything lives on this device

// 1. Operations are recorded.
const x = nn.tensor([1, 2, 3, 4], [2, 2]);
const y = x.matmul(x).relu().sum(); // recorded: shapes are checked here, nothing runs
console.log("sum", await y.item()); // runs: one submission, then the number is read back
const [mean, largest] = [x.mean(), x.max()];
await nn.evaluate(mean, largest); // several at once; what they share is computed once
console.log("mean", await mean.item(), "largest", await largest.item());

// 2. Channels come last.
const images = nn.zeros([8, 32, 32, 3]); // [N, H, W, C]
const conv = new nn.Conv2d(3, 16, 3, { padding: 1 }); // weight [KH, KW, Cin, Cout]
const pooled = new nn.MaxPool2d(2).forward(conv.forward(images)); // [8, 16, 16, 16]
const tokens = pooled.reshape([8, 16 * 16, 16]); // [N, T, C]: pixels are tokens without a transpose
console.log("tokens", tokens.shape, "weight", conv.weight.shape);
const state = await conv.stateDict(); // PyTorch's names and layouts: weight is [16, 3, 3, 3]
console.log("in a checkpoint", state.get("weight")!.shape);

// 3. Gradients are values; an optimiser's step is one call.
const net = new nn.Sequential(new nn.Linear(2, 8), new nn.Tanh(), new nn.Linear(8, 1));
const optimizer = new nn.AdamW(net, { learningRate: 0.02 });
const target = nn.tensor([[1], [-1]]);
for (let step = 0; step < 50; step++) {
  const loss = nn.mseLoss(net.forward(x), target);
  await optimizer.minimize(loss); // backward, step and zero_grad, in one submission
}
const input = nn.tensor([[0.5, 1]]);
const [slope] = nn.grad(net.forward(input).sum(), [input]); // no requires_grad, no .grad
console.log("gradient", slope!.shape, "loss", await nn.mseLoss(net.forward(x), target).item());

// 4. Tensors never change; variables do.
const count = nn.variable(nn.zeros([2]));
count.assign(count.add(1)); // recorded, like every operation
await nn.evaluate(count); // now the buffer holds it
const row = nn.tensor([[1, 2, 3]]);
const changed = nn.concat([row.slice([0, 0], [1, 2]), nn.tensor([[9]])], 1); // a new tensor, not row[0, 2] = 9
console.log("count", await count.data(), "changed", await changed.data());

// 5. Compile what repeats, and dispose of what you keep.
const train = optimizer.compileStep((points: nn.Tensor, answers: nn.Tensor) =>
  nn.mseLoss(net.forward(points), answers),
);
for (let step = 0; step < 50; step++) {
  using loss = await train(x, target); // recorded at the first call; every later one only replays
  if (step === 49) console.log("compiled", await loss.item()); // freed at the end of the block
}
optimizer.dispose(); // or: using optimizer = …
net.dispose();
device.destroy(); // frees all GPU memory now; Node would end without it
