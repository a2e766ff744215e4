/** The sentences for what users of other libraries try first. */
import { ones, type Tensor } from "@ddad/tensor";
import { expect } from "chai";
import * as library from "../src/index.ts";

const x = (...shape: number[]): Tensor => ones(shape);
const linear = (): library.Linear => new library.Linear(3, 3);

const messageOf = async (call: () => unknown): Promise<string | undefined> => {
  try {
    await call();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

describe("calls that are refused with a sentence", () => {
  const refused: readonly (readonly [name: string, call: () => unknown, message: string])[] = [
    [
      "a number for options",
      () => new library.Conv2d(1, 2, 3, 2 as never),
      "Conv2d: the options must be an object, as in { stride: … }, but are a number.",
    ],
    [
      "an option's name in PyTorch",
      () => new library.Conv2d(1, 2, 3, { pad: 1 } as never),
      "Conv2d: there is no option pad. Use padding.",
    ],
    [
      "a stride as second argument",
      () => new library.MaxPool2d(2, 2 as never),
      "MaxPool2d: the options must be an object, as in { stride: … }, but are a number.",
    ],
    [
      "a learning rate for options",
      () => new library.Adam(linear(), 1e-3 as never),
      "Adam: the options must be an object, as in { learningRate: … }, but are a number.",
    ],
    [
      "null for options",
      () => new library.DataLoader([1], null as never),
      "DataLoader: the options must be an object, as in { batchSize: 32, shuffle: true }, but are null.",
    ],
    [
      "no size of the kernel",
      () => new library.Conv2d(1, 2, undefined as never),
      "Conv2d: kernelSize must be a whole number from 1 on or an array of 2, but is undefined.",
    ],
    [
      "a name for padding",
      () => new library.Conv2d(1, 2, 3, { padding: "same" as never }),
      'Conv2d: padding must be a whole number from 0 on or an array of 2 or 4, but is the string "same".',
    ],
    [
      "no outputs",
      () => new library.Linear(3, undefined as never),
      "Linear: outputs must be a whole number from 1 on, but is undefined.",
    ],
    [
      "a fraction of a channel",
      () => new library.Conv1d(1.5, 2, 3),
      "Conv1d: inputs must be a whole number from 1 on, but is the number 1.5.",
    ],
    [
      "NaN for a size",
      () => new library.LSTM(3, Number.NaN),
      "LSTM: hiddenSize must be a whole number from 1 on, but is the number NaN.",
    ],
    [
      "groups that do not divide the channels",
      () => new library.GroupNorm(3, 4),
      "GroupNorm: groups must divide channels (4), but is 3.",
    ],
    [
      "another number of features",
      () => linear().forward(x(2, 5)),
      "Linear: x [2, 5] has 5 features along its last axis, but the layer takes 3.",
    ],
    [
      "images in PyTorch's order",
      () => new library.Conv2d(3, 4, 3).forward(x(1, 3, 32, 32)),
      "Conv2d: x [1, 3, 32, 32] has 32 channels but the layer takes 3. " +
        "Images are [N, H, W, C]; x.permute([0, 2, 3, 1]) makes them of [N, C, H, W].",
    ],
    [
      "sequences in PyTorch's order",
      () => new library.Conv1d(3, 4, 3).forward(x(1, 3, 8)),
      "Conv1d: x [1, 3, 8] has 8 channels but the layer takes 3. " +
        "Sequences are [N, L, C]; x.permute([0, 2, 1]) makes them of [N, C, L].",
    ],
    [
      "another number of channels",
      () => new library.BatchNorm2d(3).forward(x(1, 4, 4, 5)),
      "BatchNorm2d: x [1, 4, 4, 5] has 5 channels but the layer takes 3.",
    ],
    [
      "an image without a batch",
      () => new library.Conv2d(3, 4, 3).forward(x(8, 8, 3)),
      "Conv2d: x must be [N, H, W, 3] but is [8, 8, 3].",
    ],
    [
      "other extents than the normalised ones",
      () => new library.LayerNorm([4, 3]).forward(x(2, 3)),
      "LayerNorm: x must be […, 4, 3] but is [2, 3].",
    ],
    [
      "a state as PyTorch gives it",
      () => new library.LSTM(3, 4).forward(x(1, 2, 3), [x(1, 1, 4), x(1, 1, 4)] as never),
      "LSTM: hidden of the state must be a Tensor but is undefined; make one with tensor(…).",
    ],
    [
      "layers in an array",
      () => new library.Sequential([linear()] as never),
      "Sequential: layer 0 must be a module with forward(x), but is an array.",
    ],
    [
      "a loss without a target",
      () => library.mseLoss(x(2), undefined as never),
      "mseLoss: the target must be a Tensor but is undefined; make one with tensor(…).",
    ],
    [
      "classes in an array",
      () => library.crossEntropy(x(1, 2), [0] as never),
      "crossEntropy: the target must be a Tensor but is an array; make one of class indices with " +
        'tensor([0], { dtype: "i32" }).',
    ],
    [
      "a decay for an EMA",
      () => new library.Adam(linear(), { ema: 0.999 as never }),
      "Adam: ema must be an EMA, but is the number 0.999.",
    ],
    [
      "the gradients' norm without gradients",
      () => library.clipGradientNorm(undefined as never, 1),
      "clipGradientNorm: the gradients must be an array of tensors, but is undefined.",
    ],
    [
      "nothing to minimise",
      () => new library.SGD(linear()).minimize(undefined as never),
      "SGD.minimize: the loss must be a Tensor but is undefined; make one with tensor(…).",
    ],
    [
      "a state dict that is not awaited",
      () => linear().loadStateDict(linear().stateDict() as never),
      "loadStateDict: the state dict must be a Map from names to arrays, as stateDict() and readCheckpoint give it, " +
        "but is an object of class Promise; await it.",
    ],
    [
      "a file of a state dict that is not awaited",
      () => library.writeSafetensors(linear().stateDict() as never),
      "writeSafetensors: the state dict must be a Map from names to arrays, as stateDict() and readCheckpoint give it, " +
        "but is an object of class Promise; await it.",
    ],
    [
      "no file",
      () => library.readCheckpoint(undefined as never),
      "readCheckpoint: the file must be bytes in a Uint8Array, or a path in Node, but is undefined.",
    ],
  ];
  for (const [name, call, message] of refused) {
    it(`${name} is refused`, async () => expect(await messageOf(call)).to.equal(message));
  }
});
