/** What goes wrong has a type, and a sentence. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { withErrors } from "../src/device/errorScopes.ts";
import { testDevice } from "./device.hooks.ts";
import { rejection } from "./reading.ts";

describe("errors", () => {
  it("of tensors that no adapter holds name the size and the limit", async () => {
    const sentence =
      /: f32 \[1000000, 1000000\] needs 3\.6 TiB in one buffer, but max(StorageBufferBinding|Buffer)Size of .* is [\d.]+ [MG]iB\./;
    for (const make of [t.zeros, t.ones, (shape: t.Shape) => t.full(shape, 2)]) {
      expect(() => make([1e6, 1e6])).to.throw(t.LimitError, sentence);
    }
    expect(() => t.eye(1e6)).to.throw(t.LimitError, /^eye: f32 \[1000000, 1000000\] needs 3\.6 TiB/);
    expect(() => t.arange(1e12)).to.throw(t.LimitError, /^arange: f32 \[1000000000000\] needs 3\.6 TiB/);
    expect(() => t.linspace(0, 1, 1e12)).to.throw(t.LimitError, /^linspace: .* needs 3\.6 TiB/);
    expect(() => t.zeros([1e8, 1e8, 1e4])).to.throw(t.LimitError, /needs 346\.9 EiB/);
    const x = t.tensor([1]);
    const error = await rejection(t.evaluate(t.broadcastTo(x, [1e6, 1e6])));
    expect(error).to.be.instanceOf(t.LimitError);
    expect(error.message).to.match(/needs 3\.6 TiB in one buffer/);
    x.dispose();
  });

  it("of shaders that do not compile ask for a report, and show the source to those who debug", async () => {
    const printed: string[] = [];
    const { error: print } = console;
    const { DDAD_DEBUG: level } = process.env;
    const compile = (code: string): Promise<Error> =>
      rejection(
        withErrors(testDevice(), () =>
          testDevice().pipelines.pipeline({ code, bindings: [], uniform: false, fields: [] }, "sum/always"),
        ),
      );
    console.error = (text: string) => void printed.push(text);
    try {
      delete process.env["DDAD_DEBUG"];
      const error = await compile("// first\n@compute @workgroup_size(1) fn main() { nothing(); }");
      expect(error).to.be.instanceOf(t.InternalError);
      expect(error.message).to.match(
        /^sum\/always: the shader does not compile on this adapter, which is a bug in the kernel: report it .* The compiler says: line 2: .*nothing.*$/,
      );
      expect(error.message).to.not.contain("// first");
      expect(printed).to.deep.equal([]);
      process.env["DDAD_DEBUG"] = "1";
      await compile("// second\n@compute @workgroup_size(1) fn main() { nothing(); }");
      expect(printed.join("\n")).to.contain("   1 // second\n   2 @compute");
    } finally {
      console.error = print;
      if (level === undefined) delete process.env["DDAD_DEBUG"];
      else process.env["DDAD_DEBUG"] = level;
    }
  });

  it("of calls that cannot be answered are of one class", async () => {
    const x = t.tensor([1, 2]);
    const loss = x.mul(3).sum();
    expect(() => t.grad(loss, [t.zeros([2])])).to.throw(t.UsageError, /does not depend on input 0/);
    await t.evaluate(loss);
    expect(() => t.grad(loss, [x])).to.throw(t.UsageError, /already evaluated/);
    expect(() => t.variable(x.mul(2))).to.throw(t.UsageError, /evaluate the initial tensor first/);
    expect(await rejection(x.item())).to.be.instanceOf(t.ShapeError);
    for (const tensor of [x, loss]) tensor.dispose();
  });
});
