import * as t from "@ddad/tensor";
import { currentDevice, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { compileAhead, type NewPipeline } from "../src/device/compileAhead.ts";
import { PipelineCache } from "../src/device/pipelines.ts";
import { capture } from "../src/evaluate.ts";
import { fuseProgram } from "../src/program/fuse.ts";
import { lowerProgram } from "../src/program/lower.ts";

const functions = [t.sin, t.cos, t.exp, t.sqrt, t.abs, t.tanh, t.erf, t.atan, t.floor] as const;

/** Results of as many kernels as there are functions. @param length another one makes no other kernels */
const results = (length: number): Tensor[] => {
  const x = tensor(Array.from({ length }, (_, k) => k / 8));
  return functions.map((apply) => apply(x));
};

describe("compileKernels", () => {
  it("reports how many kernels of a new program are ready, and nothing of one that is compiled", async () => {
    const device = currentDevice();
    const told: string[] = [];
    device.onCompile = (done, total) => told.push(`${done}/${total}`);
    try {
      const unusual = functions.map((apply, k) =>
        t.sub(apply(t.add(tensor([k, 1, 2, 3, 4]), 0.25 * k)), 0.125),
      );
      await t.evaluate(...unusual);
      const first = told.splice(0);
      const total = first.length;
      expect(total).to.be.at.least(8);
      expect(first).to.deep.equal(Array.from({ length: total }, (_, k) => `${k + 1}/${total}`));
      await t.evaluate(
        ...functions.map((apply, k) => t.sub(apply(t.add(tensor([k, 5, 6, 7, 8]), 0.5 * k)), 0.5)),
      );
      expect(told).to.deep.equal([]);
    } finally {
      device.onCompile = undefined;
    }
  });
});

describe("compileAhead", () => {
  async function fresh(): Promise<{ readonly pipelines: PipelineCache; readonly list: NewPipeline[] }> {
    const device = currentDevice();
    const { program } = capture(results(24), []);
    const pipelines = new PipelineCache(device.gpu);
    const { dispatches } = lowerProgram(fuseProgram(program), device.capabilities);
    const list = await Promise.all(
      dispatches.map(async ({ shader, label, uniform }) => ({
        ...{ shader, label, uniform },
        pipeline: await pipelines.pipeline(shader, label),
      })),
    );
    return { pipelines, list };
  }

  it("runs each pipeline once, on devices of its own, too", async () => {
    const { pipelines, list } = await fresh();
    const device = currentDevice();
    let opened = 0;
    const another = async (): Promise<GPUDevice> => {
      opened++;
      return device.another!();
    };
    const told: number[] = [];
    const host = { gpu: device.gpu, pipelines, another: device.another ? another : () => Promise.reject() };
    await compileAhead(host, list, (done) => told.push(done));
    expect(told).to.deep.equal(list.map((_, k) => k + 1));
    if (device.another) expect(opened).to.be.at.most(3);
    for (const [k, result] of results(24).entries())
      expect([...(await result.data())], functions[k]!.name).to.have.length(24);
  });

  it("does all of it where there is no other device", async () => {
    const { pipelines, list } = await fresh();
    const another = () => Promise.reject(new Error("none"));
    let last = 0;
    await compileAhead({ gpu: currentDevice().gpu, pipelines, another }, list, (done) => {
      last = done;
    });
    expect(last).to.equal(list.length);
  });
});
