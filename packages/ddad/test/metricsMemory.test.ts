import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

describe("memory of pixel metrics", () => {
  it("stays at a few bytes a pixel, whatever the number of images", () => {
    const script = fileURLToPath(new URL("metricsMemory.ts", import.meta.url));
    const [count, side] = [32, 1024];
    const node = ["--conditions=@ddad/source", "--import", "tsx", script, `${count}`, `${side}`];
    const output = execFileSync(process.execPath, node, { encoding: "utf8" });
    const { before, peak, pixel } = JSON.parse(output) as {
      before: number;
      peak: number;
      pixel: { auroc: number };
    };
    // P(u + 0.3 > v) = 1 − 0.7² / 2 for two uniform numbers.
    expect(pixel.auroc).to.be.closeTo(1 - 0.245, 1e-3);
    // A gigabyte for 100 images of 1024² is 9.5 bytes a pixel.
    expect((peak - before) / (count * side * side)).to.be.below(9.5);
  });
});
