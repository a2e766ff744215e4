/** Which good images the controls of an evaluation are measured with. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { resolveConfig } from "../../ddad/src/config/parse.ts";
import type { Config } from "../../ddad/src/config/schema.ts";
import { evaluateControls } from "../../ddad/src/evaluation/controls/controls.ts";
import type { ControlResult } from "../../ddad/src/report/results.ts";
import { writeProcedural } from "../src/datasets/writeProcedural.ts";
import { measureControls } from "../src/stages/controls.ts";
import { loadTest, loadTraining } from "../src/stages/data.ts";

describe("controls of an evaluation", () => {
  let folder: string;
  let root: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ddad-controls-"));
    root = writeProcedural(folder, {
      ...{ category: "tile", size: 32, train: 10, testGood: 2, testPerDefect: 1 },
    });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const configOf = (data: string): Config =>
    resolveConfig({
      data: { root: data, imageSize: 32, heldOut: 0.3 },
      model: { channelMultipliers: [1] },
      detection: { blurSigma: 0.5 },
    });

  /** The controls, and what was told. */
  async function measure(
    data = root,
  ): Promise<{ controls: ControlResult[]; told: string[]; tasks: Set<string> }> {
    const config = configOf(data);
    const told: string[] = [];
    const tasks = new Set<string>();
    const run = join(folder, "run");
    const controls = await measureControls(config, run, await loadTest(config, run), {
      onEvent: (event) => {
        if (event.type === "notice") told.push(event.message);
        if (event.type === "progress") tasks.add(`${event.task}: ${event.total} ${event.unit}`);
      },
    });
    return { controls, told, tasks };
  }
  const names = ({ controls }: { controls: readonly ControlResult[] }): string[] =>
    controls.map(({ name }) => name);

  it("takes the images that the run was trained on, and none that were held out", async () => {
    const config = configOf(root);
    const { train } = await loadTraining(config, join(folder, "run"));
    expect(train.images.count).to.equal(7);
    const { controls, told, tasks } = await measure();
    expect(controls).to.deep.equal(
      await evaluateControls(config, await loadTest(config), { good: train.images }),
    );
    expect(controls).to.have.length(4);
    expect(told).to.deep.equal([]);
    expect([...tasks]).to.deep.equal(["training images: 7 images", "measuring controls: 18 maps"]);
  });

  it("does without images that cannot be read, and says so", async () => {
    writeFileSync(join(root, "train", "good", "000.png"), "no image");
    const { controls, told } = await measure();
    expect(controls).to.have.length(4);
    expect(told.join("\n")).to.contain("000.png");
    for (let i = 0; i < 10; i++) writeFileSync(join(root, "train", "good", `00${i}.png`), "no image");
    const none = await measure();
    expect(names(none)).to.deep.equal(["brightness", "blur residual"]);
    expect(none.told.join("\n")).to.contain("009.png");
  });
});
