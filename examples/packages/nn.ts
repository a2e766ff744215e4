import * as nn from "@ddad/nn";

const device = await nn.setupDevice(); // navigator.gpu, or Dawn in Node
nn.setSeed(1);
const network = new nn.Sequential(new nn.Linear(2, 16), new nn.SiLU(), new nn.Linear(16, 1));
const optimizer = new nn.AdamW(network, { learningRate: 0.05 });

const x = nn.tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]); // [N, features]
const y = nn.tensor([[0], [1], [1], [0]]); // exclusive or
for (let step = 0; step < 200; step++) {
  await optimizer.minimize(nn.mseLoss(network.forward(x), y)); // gradients, update, one submission
}
const answers = await network.forward(x).data();
console.log("answers", [...answers].map((value) => value.toFixed(1)).join(" ")); // 0.0 1.0 1.0 0.0

// The names and layouts of PyTorch: load_state_dict(safetensors.torch.load_file(path)) reads this.
const bytes = nn.writeSafetensors(await network.stateDict());
console.log("checkpoint", bytes.byteLength, "bytes");
device.destroy();
