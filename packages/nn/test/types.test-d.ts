/** What the compiler must know and must refuse. Compiled by `npm run typecheck`, never run. */
import {
  AdamW,
  Conv2d,
  crossEntropy,
  Linear,
  Module,
  mseLoss,
  type Parameter,
  ReLU,
  Sequential,
  type Tensor,
  tensor,
  UNet,
} from "@ddad/nn";

const x: Tensor = tensor([1, 2]);

const layer = new Conv2d(3, 8, 3, { padding: 1 });
const y: Tensor = layer.forward(x);
// @ts-expect-error there is no such option
new Conv2d(3, 8, 3, { pad: 1 });
// @ts-expect-error channels are numbers
new Linear("3", 8);

const network = new Sequential(layer, new ReLU());
const parameters: Iterable<Parameter> = network.parameters();
// @ts-expect-error a tensor is no module
new Sequential(x);

// @ts-expect-error options are spelled out: learningRate
new AdamW(network, { lr: 0.1 });
// @ts-expect-error an optimiser takes a module or parameters
new AdamW("network", { learningRate: 0.1 });

const loss: Tensor = mseLoss(y, x);
const classes: Tensor = crossEntropy(y, tensor(new Int32Array(2)));
// @ts-expect-error a target is a tensor
mseLoss(y, [1, 2]);

// @ts-expect-error an image size is needed
new UNet({ inChannels: 3 });

/** A module of one's own need not say more than this. */
class Double extends Module {
  forward(input: Tensor): Tensor {
    return input.mul(2);
  }
}
const doubled: Tensor = new Double().forward(x);

export { classes, doubled, loss, parameters };
