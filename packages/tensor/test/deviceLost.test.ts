/** Losing the device, in a process of its own: what is pending fails with a sentence, and a new device works. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";

const script = fileURLToPath(new URL("./deviceLost.script.ts", import.meta.url));

describe("a lost device", () => {
  it("fails with a sentence and can be replaced", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...process.execArgv,
      "--import",
      "tsx",
      script,
    ]);
    const lines = stdout.trim().split("\n");
    expect(lines[0]).to.match(
      /^DeviceLostError: The device was lost .* Call setupDevice\(\) again and reload\.$/,
    );
    expect(lines[1]).to.equal(lines[0]);
    expect(lines[2]).to.equal("7");
    expect(lines[3]).to.match(
      /^DeviceLostError: Tensor f32 \[1\] lives on a device that is gone\. Make or load it again/,
    );
  });
});
