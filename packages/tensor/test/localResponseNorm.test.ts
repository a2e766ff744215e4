import * as t from "@ddad/tensor";
import { expect } from "chai";

describe("localResponseNorm", () => {
  for (const [shape, size] of [
    [[2, 3, 7], 5],
    [[4, 6], 4],
    [[3], 1],
    [[2, 2], 9],
    [[0, 3], 3],
  ] as const) {
    it(`of [${shape}] over ${size} channels is PyTorch's formula`, async () => {
      const channels = shape.at(-1)!;
      const count = shape.reduce<number>((a, b) => a * b, 1);
      const x = Array.from({ length: count }, (_, index) => Math.sin(index + 1) * 3);
      const [alpha, beta, k] = [0.3, 0.6, 2];
      const y = await t.localResponseNorm(t.tensor(x, shape), { size, alpha, beta, k }).data();
      x.forEach((value, index) => {
        const channel = index % channels;
        let total = 0;
        for (let c = channel - Math.floor(size / 2); c <= channel + Math.floor((size - 1) / 2); c++)
          if (c >= 0 && c < channels) total += x[index - channel + c]! ** 2;
        expect(y[index]).to.be.closeTo(value / (k + (alpha / size) * total) ** beta, 1e-5);
      });
    });
  }

  it("refuses sizes that are no sizes", () => {
    expect(() => t.localResponseNorm(t.zeros([3]), { size: 0 })).to.throw(
      t.ShapeError,
      "at least 1 but is 0",
    );
    expect(() => t.localResponseNorm(t.zeros([]), { size: 3 })).to.throw(t.ShapeError, "must be […, C]");
  });
});
