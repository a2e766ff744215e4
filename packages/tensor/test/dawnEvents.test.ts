import { expect } from "chai";
import { setupDevice, tensor } from "../src/index.ts";

describe("waiting for Dawn", () => {
  it("asks nothing of setImmediate, which would keep a processor busy", async () => {
    await setupDevice();
    const original = globalThis.setImmediate;
    let asked = 0;
    globalThis.setImmediate = ((...args: Parameters<typeof setImmediate>) => {
      asked++;
      return original(...args);
    }) as typeof setImmediate;
    const counting = globalThis.setImmediate;
    try {
      let x = tensor(new Float32Array(256 * 256).fill(1), [256, 256]);
      for (let k = 0; k < 20; k++) x = x.matmul(x).mul(1 / 256);
      expect((await x.data())[0]).to.equal(1);
      expect(asked).to.equal(0);
      expect(globalThis.setImmediate).to.equal(counting);
    } finally {
      globalThis.setImmediate = original;
    }
  });

  it("leaves short waits short", async () => {
    const x = tensor([1, 2, 3], [3]);
    const times: number[] = [];
    for (let k = 0; k < 20; k++) {
      const start = performance.now();
      await x.add(k).data();
      times.push(performance.now() - start);
    }
    // Milliseconds; polling only every few of them would show.
    expect(Math.min(...times)).to.be.below(3);
  });
});
