/** The stage of a progressive training: its events, and a folder that resumes where images become larger. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { resolveConfig } from "../../ddad/src/config/parse.ts";
import { writeProcedural } from "../src/datasets/writeProcedural.ts";
import type { ProgressEvent, StageEvent } from "../src/events.ts";
import { openRun } from "../src/model/open.ts";
import { trainRun } from "../src/stages/train.ts";

describe("trainRun with training.progressive", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "ddad-progressive-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("counts either size by itself, and resumes at the boundary to the same files", async () => {
    const root = writeProcedural(folder, {
      ...{ category: "tile", size: 32, train: 8, testGood: 1, testPerDefect: 1 },
    });
    const config = resolveConfig({
      data: { root, imageSize: 16, heldOut: 0.25 },
      model: {
        ...{ baseChannels: 32, heads: 1, blocksPerLevel: 1 },
        ...{ channelMultipliers: [1, 1], attentionSizes: [8] },
      },
      training: { steps: 4, batchSize: 2, warmup: 0, progressive: 0.5, logEvery: 1 },
    });
    const events: ProgressEvent[] = [];
    const onEvent = (event: StageEvent): void => {
      if (event.type === "progress" && event.task === "step") events.push(event);
    };
    const whole = join(folder, "whole");
    await trainRun(whole, config, { onEvent });
    const told = events.map(({ done, first, ended }) => ({ done, first, ended }));
    expect(told).to.deep.equal([
      { done: 1, first: 0, ended: false },
      { done: 2, first: 0, ended: false },
      { done: 2, first: 0, ended: true },
      { done: 3, first: 2, ended: false },
      { done: 4, first: 2, ended: true },
    ]);
    // A step and two larger ones, of about four times the work.
    expect(events[0]!.left).to.be.within(1 + 2 * 3.8, 1 + 2 * 5);
    expect(events.slice(1).every(({ left }) => left === undefined)).to.equal(true);

    const stopped = join(folder, "stopped");
    const first = await trainRun(stopped, config, { stopAfter: 2 });
    expect(first).to.include({ steps: 2, stopped: true });
    const second = await trainRun(stopped, config, { resume: await openRun(stopped) });
    expect(second).to.include({ steps: 4, stopped: false });
    for (const file of ["checkpoint.safetensors", "model.safetensors", "config.yaml"]) {
      const same = readFileSync(join(stopped, file)).equals(readFileSync(join(whole, file)));
      expect(same, file).to.equal(true);
    }
  });
});
