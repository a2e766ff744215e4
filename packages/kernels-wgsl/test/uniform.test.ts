import { assembleShader, type Kernel, packParams } from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { liftUniforms, quotient, reciprocal, uniform } from "../src/uniform.ts";

describe("numbers of a pass as data", () => {
  it("become fields of the uniform struct, once each, in their order", () => {
    const { code, numbers } = liftUniforms(`${uniform("b", 7)} + ${uniform("a", 0)} * ${uniform("b", 7)}`);
    expect(code).to.equal("params.b + params.a * params.b");
    expect([...numbers]).to.deep.equal([
      ["b", 7],
      ["a", 0],
    ]);
  });

  it("are refused where a name has two values, and where one is no u32", () => {
    expect(() => liftUniforms(uniform("a", 1) + uniform("a", 2))).to.throw(
      "uniform a: 2 is no u32, or a second value",
    );
    for (const value of [-1, 0.5, 2 ** 32, Number.NaN])
      expect(() => liftUniforms(uniform("a", value)), String(value)).to.throw(/uniform a/);
  });

  it("follow the kernel's params that the code reads, and precede the constants", () => {
    const kernel = { name: "k", params: { unread: "u32", scale: "f32" } } as unknown as Kernel;
    const pass = {
      read: { x: "f32" },
      write: { y: "f32" },
      tensors: { x: "image" },
      workgroups: [1, 1, 1] as const,
      code: `fn f() -> f32 { return params.scale * f32(${uniform("width", 5)}) + bitcast<f32>(params.c0); }`,
    };
    const shader = assembleShader(kernel, pass, 1);
    expect(shader.code).to.contain("struct Params { scale: f32, width: u32, c0: u32 }");
    expect(shader.bindings.map(({ name }) => name)).to.deep.equal(["image", "y"]);
    const bytes = packParams(kernel, { params: { unread: 9, scale: 0.5 }, constants: [11] }, shader);
    expect(new Float32Array(bytes)[0]).to.equal(0.5);
    expect([...new Uint32Array(bytes).subarray(1)]).to.deep.equal([5, 11, 0]);
  });
});

describe("reciprocal", () => {
  const divides = (by: number, most: number): void => {
    const [factor, shift] = reciprocal(by, most)!;
    expect(most * factor, `${by}, ${most}`).to.be.below(2 ** 32);
    const around = (x: number): number[] => [x - 1, x, x + 1];
    const multiples = Array.from({ length: 12 }, (_, k) => Math.floor((k * most) / 11 / by) * by).flatMap(
      around,
    );
    for (const x of [0, most, ...multiples]) {
      if (x < 0 || x > most) continue;
      expect((Math.imul(x, factor) >>> 0) >>> shift, `${x} / ${by}`).to.equal(Math.floor(x / by));
    }
  };

  it("divides every number up to the largest", () => {
    for (let by = 1; by <= 70; by++)
      for (let most = 0; most <= 300; most += 7) if (reciprocal(by, most)) divides(by, most);
    for (const by of [3, 5, 7, 9, 11, 100, 127, 129, 641, 1000, 4095, 4097])
      for (const most of [1000, 4095, 4096, 10000, 32767]) if (reciprocal(by, most)) divides(by, most);
  });

  it("divides all u32 by powers of two, and leaves what 32 bits cannot hold", () => {
    for (let power = 0; power < 32; power++)
      expect(reciprocal(2 ** power, 2 ** 32 - 1)).to.deep.equal([1, power]);
    expect(reciprocal(3, 2 ** 20)).to.equal(undefined);
    expect(reciprocal(3, 1000)).to.not.equal(undefined);
    for (const [by, most] of [
      [40000, 33000],
      [2 ** 30 + 1, 100],
    ] as const)
      expect(reciprocal(by, most)?.[1] ?? 0, `${by}, ${most}`).to.be.below(32);
  });

  it("is data: divisors of all kinds below a bound have one code", () => {
    const lifted = [3, 4, 57].map((by) => liftUniforms(quotient("i", "n", by, 1000)).code);
    expect(new Set(lifted).size).to.equal(1);
  });
});
