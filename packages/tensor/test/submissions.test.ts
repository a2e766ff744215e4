/** Long programs are cut into submissions, so that no GPU is taken to hang. */
import { defineKernel, perThread } from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { type Tensor, tensor } from "../src/index.ts";
import { cutSubmissions } from "../src/program/submissions.ts";
import { record } from "../src/record.ts";
import { testDevice } from "./device.hooks.ts";

const half = { cost: { flops: 2.5e11, bytes: 1e9 } };
const long = { cost: { flops: 4e12, bytes: 1e9 } };
const moving = { cost: { flops: 0, bytes: 3e10 } };
const second = { cost: undefined };

describe("submissions", () => {
  it("end before they would last more than a second of a slow GPU", () => {
    expect(cutSubmissions([])).to.deep.equal([]);
    expect(cutSubmissions([half, half])).to.deep.equal([]);
    expect(cutSubmissions([half, half, half, second, half, half])).to.deep.equal([2, 5]);
    expect(cutSubmissions([moving, moving, half])).to.deep.equal([1, 2]);
  });

  it("leave a longer dispatch alone", () => {
    expect(cutSubmissions([long])).to.deep.equal([]);
    expect(cutSubmissions([half, long, second, half])).to.deep.equal([1, 2]);
  });

  it("run one after another, in their order", async () => {
    /** y = 2 x + 1, said to take long. */
    const step = defineKernel({
      name: "longStep",
      inputs: ["x"],
      outputs: ["y"],
      params: { count: "u32" },
      infer: ({ x }, _attrs: object) => ({ outputs: { y: x }, params: { count: x.shape[0]! } }),
      variants: [
        {
          name: "direct",
          passes: () => [
            {
              read: { x: "f32" },
              write: { y: "f32" },
              workgroups: [1, 1, 1],
              code: perThread(64, "  if (i >= params.count) { return; }\n  y[i] = 2.0 * x[i] + 1.0;"),
            },
          ],
        },
      ],
      reference: ({ x }) => ({ y: x.map((value) => 2 * value + 1) }),
      cost: () => ({ flops: 3e11, bytes: 8 }),
      cases: [],
      refusals: [],
    });
    const { queue } = testDevice().gpu;
    const submit = queue.submit.bind(queue);
    let submissions = 0;
    queue.submit = (buffers) => {
      submissions++;
      return submit(buffers);
    };
    try {
      let y: Tensor = tensor([0, 1], [2]);
      for (let k = 0; k < 5; k++) y = record(step, { x: y }, {}).y;
      expect(await y.data()).to.deep.equal(Float32Array.of(31, 63));
      expect(submissions).to.be.at.least(5);
    } finally {
      Reflect.deleteProperty(queue, "submit");
    }
  });
});
