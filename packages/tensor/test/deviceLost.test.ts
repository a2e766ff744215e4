/** Losing the device, in a process of its own: what is pending fails with a sentence, and a new device works. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { linesOf } from "./scripts.ts";

describe("a lost device", () => {
  it("fails with a sentence and can be replaced", async () => {
    const lines = await linesOf("./deviceLost.script.ts");
    expect(lines[0]).to.match(
      /^DeviceLostError: The device was lost .* Call setupDevice\(\) again and reload\.$/,
    );
    expect(lines[1]).to.equal(lines[0]);
    expect(lines[2]).to.equal("7");
    expect(lines[3]).to.match(
      /^DeviceLostError: Tensor f32 \[1\] lives on a device that is gone\. Make or load it again/,
    );
    expect(lines.slice(4)).to.deep.equal(
      Array(3).fill("DeviceLostError: The device was destroyed. Call setupDevice() again and reload."),
    );
  });

  it("ends a tune, naming the kernel; the next one skips it and continues", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ddad-lost-"));
    try {
      const lines = await linesOf("./tuneLost.script.ts", join(folder, "tuning.json"));
      expect(lines[0]).to.match(
        /^DeviceLostError: The device was lost .* while tune measured doubled \(x f32 \[7\]\), whose variant "always" is kept: the next tune passes it over\.$/,
      );
      expect(lines.slice(1)).to.deep.equal(["2 stored", "x f32 [5] 2"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("is forgotten as a whole, but for the last one's reason", async () => {
    const [left] = await linesOf("./deviceCycles.script.ts");
    expect(Number(left)).to.be.within(0, 1);
  });
});
