import { expect } from "chai";
import { HostRandom, philox } from "../src/hostRandom.ts";
import {
  fanInUniform,
  kaimingNormal,
  kaimingUniform,
  normalInit,
  uniformInit,
  xavierNormal,
  xavierUniform,
} from "../src/init.ts";

const moments = (values: Float32Array) => {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
  return { mean, variance, largest: values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) };
};

describe("random numbers of initial weights", () => {
  it("gives the published Philox 4×32-10 words for a zero counter and key", () => {
    const words = new Uint32Array(4);
    philox(0, 0, 0, words);
    expect([...words]).to.deep.equal([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  });

  it("repeats for a seed, and differs between seeds and between calls", () => {
    const draw = (seed: number) => {
      const random = new HostRandom(seed);
      return [random.uniform(9, 1), random.uniform(9, 1)];
    };
    expect(draw(7)).to.deep.equal(draw(7));
    expect(draw(7)[0]).not.to.deep.equal(draw(8)[0]);
    expect(draw(7)[0]).not.to.deep.equal(draw(7)[1]);
  });

  it("keeps the first values when more are drawn", () => {
    expect(new HostRandom(3).normal(11, 1).subarray(0, 6)).to.deep.equal(new HostRandom(3).normal(6, 1));
  });

  const fan = { in: 50, out: 200 };
  const count = 100_000;
  // A sample variance of n uniform (normal) values is off by 0.9 (1.4) / √n relative: five standard deviations are 0.014 (0.022).
  const cases: [string, Float32Array, number, number, number][] = [
    ["fanInUniform", fanInUniform(count, fan, new HostRandom(1)), 1 / 150, 0.015, 1 / Math.sqrt(50)],
    [
      "kaimingUniform(√5)",
      kaimingUniform(Math.sqrt(5))(count, fan, new HostRandom(2)),
      1 / 150,
      0.015,
      1 / Math.sqrt(50),
    ],
    ["kaimingUniform", kaimingUniform()(count, fan, new HostRandom(3)), 2 / 50, 0.015, Math.sqrt(6 / 50)],
    ["xavierUniform", xavierUniform(count, fan, new HostRandom(4)), 2 / 250, 0.015, Math.sqrt(6 / 250)],
    ["kaimingNormal", kaimingNormal()(count, fan, new HostRandom(5)), 2 / 50, 0.023, 6 * Math.sqrt(2 / 50)],
    ["xavierNormal", xavierNormal(count, fan, new HostRandom(7)), 2 / 250, 0.023, 6 * Math.sqrt(2 / 250)],
    ["uniformInit", uniformInit(0.3)(count, fan, new HostRandom(8)), 0.03, 0.015, 0.3],
    ["normalInit", normalInit(0.2)(count, fan, new HostRandom(9)), 0.04, 0.023, 1.2],
    [
      "kaimingNormal(out)",
      kaimingNormal("out")(count, fan, new HostRandom(6)),
      2 / 200,
      0.023,
      6 * Math.sqrt(2 / 200),
    ],
  ];
  for (const [name, values, variance, tolerance, bound] of cases) {
    it(`${name} has its mean, variance and bound`, () => {
      const found = moments(values);
      expect(Math.abs(found.mean)).to.be.below(5 * Math.sqrt(variance / count));
      expect(found.variance / variance).to.be.closeTo(1, tolerance);
      expect(found.largest).to.be.within(0.6 * bound, bound * (1 + 1e-6));
    });
  }
});
