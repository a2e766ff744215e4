/** Keys: whatever differs in a kernel's attributes differs in the key, but for what is data. */
import { type Kernel, kernels, prepareCase } from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { callKey, keyOf, structureKey } from "../src/program/program.ts";

/** Values of another kind or size in the place of one; each gives another key. */
function others(value: unknown): unknown[] {
  if (typeof value === "number") {
    const numbers = [value + 1, -value - 1, Number.NaN, Infinity, -Infinity, -0, 0];
    return numbers.filter((other) => !Object.is(other, value));
  }
  if (typeof value === "boolean") return [!value];
  if (typeof value === "string") return [`${value}x`];
  if (value === undefined || value === null) return [1, false];
  if (Array.isArray(value)) {
    const changed = value.flatMap((entry, k) => others(entry).map((other) => value.with(k, other)));
    return [...changed, [...value, value.at(-1) ?? 0]];
  }
  const entries = Object.entries(value as Record<string, unknown>);
  return [
    ...entries.flatMap(([name, entry]) =>
      others(entry).map((other) => ({ ...(value as object), [name]: other })),
    ),
    { ...(value as object), another: 1 },
  ];
}

describe("keys", () => {
  it("differ for all plain data that differ", () => {
    const seen = new Map<string, unknown>();
    const values: unknown[] = [
      0,
      -0,
      1,
      "1",
      "0",
      null,
      true,
      "true",
      Number.NaN,
      "NaN",
      Infinity,
      -Infinity,
    ];
    values.push([], [0], [[0]], ["0"], [0, 0], {}, { a: 0 }, { a: "0" }, { b: 0 }, { a: [0] }, '"', "\\");
    values.push({ a: { b: 1 } }, { a: 1, b: 2 }, { "a:1,b": 2 }, "a,b", ["a", "b"], ["a,b"]);
    for (const value of values) {
      const key = keyOf(value);
      expect(seen.has(key), `${key} stands for two values`).to.equal(false);
      seen.set(key, value);
    }
    expect(keyOf({ a: undefined })).to.equal(keyOf({}));
  });

  for (const kernel of kernels as readonly Kernel[]) {
    it(`of ${kernel.name} differ where an attribute does`, () => {
      for (const example of kernel.cases) {
        const { structure } = kernel;
        const seen = (attrs: unknown): unknown => (structure ? structure(attrs) : attrs);
        const own = seen(example.attrs);
        const key = structureKey(kernel, example.attrs);
        expect(keyOf(own)).to.equal(key);
        for (const other of others(own)) expect(keyOf(other), `${example.name}: ${key}`).not.to.equal(key);
      }
    });
  }

  it("of calls with other numbers are the same, and with other types are not", () => {
    const [elementwise] = (kernels as readonly Kernel[]).filter(({ name }) => name === "elementwise");
    const call = (constant: number, dtype: "f32" | "i32") => {
      const attrs = {
        expression: { inputs: 1, constants: [constant], steps: [{ op: "mul", args: ["in0", "c0"] }] },
      };
      const inputs = { in0: { shape: [2], dtype } };
      return { kernel: elementwise!, call: prepareCase(elementwise!, { inputs, attrs }).call };
    };
    expect(callKey(call(2, "f32"))).to.equal(callKey(call(-0, "f32")));
    expect(callKey(call(2, "f32"))).not.to.equal(callKey(call(2, "i32")));
  });
});
