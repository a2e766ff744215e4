/** Attention as ONNX nodes: of q, k and v by themselves, and of one tensor that holds all three. */
import { attention, attentionPacked, slice, type Tensor } from "@ddad/tensor";
import { expect } from "chai";
import { Module } from "../src/module.ts";
import { exportOnnx } from "../src/onnx/exportOnnx.ts";
import { compareOnnx, onnxRuntimeRunner } from "../src/onnx/parity.ts";
import type { OnnxSource } from "../src/onnx/source.ts";
import { array, ort } from "./onnxRuntime.ts";

const [tokens, heads, dimension] = [5, 2, 4];

/** x [N, T, heads · 3·D]: an image's axes would be moved in the file. */
const split = (x: Tensor): Tensor => x.reshape([x.shape[0]!, tokens, heads, 3 * dimension]);
const part = (qkv: Tensor, index: number): Tensor =>
  slice(qkv, [0, 0, 0, index * dimension], [undefined, undefined, undefined, (index + 1) * dimension]);

describe("ONNX: attention", () => {
  it("gives the same results as here, packed or not", async () => {
    const source: OnnxSource = {
      name: "attention",
      module: new (class extends Module {})(),
      inputs: { x: ["N", tokens, 3 * heads * dimension] },
      forward({ x }) {
        const qkv = split(x!);
        const join = (y: Tensor): Tensor => y.reshape([y.shape[0]!, tokens, heads * dimension]);
        return {
          separate: join(attention(part(qkv, 0), part(qkv, 1), part(qkv, 2), { scale: 0.4 })),
          packed: join(attentionPacked(qkv, { scale: 0.4 })),
          causal: join(attention(part(qkv, 0), part(qkv, 1), part(qkv, 2), { causal: true })),
          causalPacked: join(attentionPacked(qkv, { causal: true })),
        };
      },
    };
    const { run, release } = await onnxRuntimeRunner(ort, await exportOnnx(source));
    for (const batch of [1, 3]) {
      const x = array(5, [batch, tokens, 3 * heads * dimension]);
      const compared = await compareOnnx(source, { x }, run);
      expect(compared.map(({ output }) => output)).to.have.members([
        "separate",
        "packed",
        "causal",
        "causalPacked",
      ]);
      for (const { output, relative } of compared) expect(relative, output).to.be.below(1e-5);
    }
    await release();
  });
});
