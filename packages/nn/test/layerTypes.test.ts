/** Tensors of another type than a layer or an optimiser takes: the sentence names it, not an operation inside of it. */
import { ShapeError, type Tensor, zeros } from "@ddad/tensor";
import { expect } from "chai";
import * as nn from "../src/index.ts";

const images = [1, 4, 4, 4];
const tokens = [1, 4, 4];

/** Every layer that computes with floats, made so that it takes the shape beside it. */
const layers: readonly (readonly [
  name: string,
  make: () => { forward(x: Tensor): unknown },
  shape: readonly number[],
])[] = [
  ["Linear", () => new nn.Linear(4, 2), tokens],
  ["Conv1d", () => new nn.Conv1d(4, 2, 3), tokens],
  ["Conv2d", () => new nn.Conv2d(4, 2, 3), images],
  ["ConvTranspose2d", () => new nn.ConvTranspose2d(4, 2, 3), images],
  ["LayerNorm", () => new nn.LayerNorm(4), tokens],
  ["RMSNorm", () => new nn.RMSNorm(4), tokens],
  ["GroupNorm", () => new nn.GroupNorm(2, 4), images],
  ["BatchNorm2d", () => new nn.BatchNorm2d(4), images],
  ["InstanceNorm2d", () => new nn.InstanceNorm2d(4), images],
  ["MultiheadAttention", () => new nn.MultiheadAttention(4, 2), tokens],
  ["LSTM", () => new nn.LSTM(4, 2), tokens],
  ["GRU", () => new nn.GRU(4, 2), tokens],
  ["Dropout", () => new nn.Dropout(0.5), tokens],
  ["PReLU", () => new nn.PReLU(), tokens],
  ["MaxPool2d", () => new nn.MaxPool2d(2), images],
  ["AvgPool2d", () => new nn.AvgPool2d(2), images],
  ["AdaptiveAvgPool2d", () => new nn.AdaptiveAvgPool2d(2), images],
  ["AdaptiveMaxPool2d", () => new nn.AdaptiveMaxPool2d(2), images],
  ["Upsample", () => new nn.Upsample({ scaleFactor: 2 }), images],
];

describe("another type", () => {
  for (const [name, make, shape] of layers) {
    it(`of x: ${name} names itself`, () => {
      const x = zeros(shape, { dtype: "i32" }) as unknown as Tensor;
      const rule = new RegExp(`^${name}: (x|query) must be f32 or f16 but is i32; cast it first\\.$`);
      expect(() => make().forward(x)).to.throw(ShapeError, rule);
      expect(() => make().forward(zeros(shape))).to.not.throw();
    });
  }

  it("of the state: a recurrent layer names itself", () => {
    const hidden = zeros([1, 1, 2], { dtype: "i32" }) as unknown as Tensor;
    expect(() => new nn.GRU(4, 2).forward(zeros(tokens), { hidden })).to.throw(
      ShapeError,
      /^GRU: hidden of the state must be f32 or f16 but is i32/,
    );
  });
});

describe("gradients of another shape or type", () => {
  for (const Optimizer of [nn.SGD, nn.Adam, nn.AdamW, nn.RMSprop]) {
    const { name } = Optimizer;
    it(`${name} names itself and the gradient`, () => {
      const parameters = [
        nn.parameter([3], { init: nn.allZeros }),
        nn.parameter([2, 3], { init: nn.allZeros }),
      ];
      using optimizer = new Optimizer(parameters, { learningRate: 0.1 });
      expect(() => optimizer.step([zeros([3]), zeros([3, 2])])).to.throw(
        ShapeError,
        `${name}.step: gradient 1 is [3, 2] but its parameter is [2, 3]; take grad(loss, optimizer.parameters).`,
      );
      const integers = zeros([3], { dtype: "i32" }) as unknown as Tensor;
      expect(() => optimizer.step([integers, zeros([2, 3])])).to.throw(
        ShapeError,
        `${name}.step: gradient 0 must be f32 or f16 but is i32; cast it first.`,
      );
      expect(() => optimizer.step([zeros([3]), zeros([2, 3])])).to.not.throw();
    });
  }
});
