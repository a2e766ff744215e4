import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

describe("memory of a calibration", () => {
  it("does not grow with the images beyond the distances that are remembered", () => {
    const script = fileURLToPath(new URL("calibrationMemory.ts", import.meta.url));
    const [count, side, remembered] = [40, 384, 0];
    const node = ["--conditions=@ddad/source", "--import", "tsx", script];
    const args = [count, side, remembered].map(String);
    const output = execFileSync(process.execPath, [...node, ...args], { encoding: "utf8", stdio: "pipe" });
    const { before, peak } = JSON.parse(output) as { before: number; peak: number };
    // All distances of an image, its map and its part of all pixels sorted would be 24 bytes a pixel.
    expect((peak - before) / (count * side * side)).to.be.below(6);
  });
});
