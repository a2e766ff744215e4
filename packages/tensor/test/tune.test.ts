/** Measured choices of variants: what is never chosen, what is remembered, and that what runs follows. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineKernel, perThread, type Variant } from "@ddad/kernels-wgsl";
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { record } from "../src/record.ts";
import { fileStore, tuningStore } from "../src/tuning/fileStore.ts";
import { loadTuning, saveTuning, version } from "../src/tuning/store.ts";
import { Tuning } from "../src/tuning/table.ts";
import { testDevice } from "./device.hooks.ts";

type Doubling = Variant<"x", "y", { readonly extra?: string }, "count">;

const doubling = (name: string, code: string, more: Partial<Doubling> = {}): Doubling => ({
  name,
  passes: (_caps, { params }) => [
    { read: { x: "f32" }, write: { y: "f32" }, workgroups: [Math.ceil(params.count / 64), 1, 1], code },
  ],
  ...more,
});

/** Threads that waste time in a loop no compiler can leave out. */
const slowly = (turns: number, result: string): string =>
  perThread(
    64,
    `  if (i >= params.count) { return; }
  var wasted = x[i];
  for (var turn = 0u; turn < ${turns}u; turn++) { wasted = fract(wasted * 1.37 + 0.11); }
  y[i] = select(${result}, 0.0, wasted > 2.0);`,
  );
const quickly = (result: string): string => slowly(1, result);

/**
 * y = 2 x, in right and wrong ways. The variant that ought to win multiplies by a little more, within the tolerance, so that results
 * identify who computed them.
 */
const trial = defineKernel({
  name: "doubled",
  inputs: ["x"],
  outputs: ["y"],
  params: { count: "u32" },
  infer: ({ x }, _attrs: { readonly extra?: string }) => ({
    outputs: { y: x },
    params: { count: x.shape[0]! },
  }),
  variants: [
    doubling("usual", slowly(200_000, "2.0 * x[i]"), { when: () => true }),
    doubling("always", slowly(200_000, "2.0 * x[i]")),
    doubling("fast", quickly("2.00002 * x[i]"), { when: () => true }),
    doubling("hopeless", slowly(2_000_000, "2.0 * x[i]"), { when: () => true }),
    doubling("unfit", quickly("2.0 * x[i]"), { when: () => false }),
    doubling("wrong", quickly("2.001 * x[i]"), { when: () => true }),
    doubling("incomplete", `@compute @workgroup_size(1) fn main() { y[0] = 2.0 * x[0]; }`, {
      when: () => true,
    }),
    doubling("infinite", quickly("1.0 / (x[i] - x[i])"), { when: () => true }),
    doubling("broken", quickly("2.0 * nothing"), { when: () => true }),
    doubling("throwing", "", {
      when: () => true,
      passes() {
        throw new Error("these sizes were forgotten");
      },
    }),
    doubling(
      "too large",
      `var<workgroup> piece: array<f32, 10000000>;\n${quickly("piece[i] + 2.0 * x[i]")}`,
      { when: () => true },
    ),
  ],
  reference: ({ x }) => ({ y: x.map((value) => 2 * value) }),
  cost: ({ params }) => ({ flops: params.count, bytes: 8 * params.count }),
  cases: [],
  refusals: [],
});

const doubled = (x: t.Tensor, extra = ""): t.Tensor => record(trial, { x }, { extra }).y;
const ones = (count: number): t.Tensor => t.ones([count]);
const [plain, winner] = [2, Math.fround(2.00002)];

describe("tune", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "ddad-tuning-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  afterEach(() => testDevice().tuning.forget());

  it("chooses the fastest of the variants that run and are right", async () => {
    const x = ones(100);
    const { rows, skipped, unsaved } = await t.tune(() => doubled(x).data(), {
      samples: 2,
      store: undefined,
    });
    expect(rows).to.have.length(1);
    expect(skipped).to.equal(0);
    expect(unsaved).to.match(/DDAD_TUNING=off/);
    const { microseconds, rejected, ...row } = rows[0]!;
    expect(row).to.deep.equal({ kernel: "doubled", shapes: "x f32 [100]", before: "usual", chosen: "fast" });
    expect(microseconds).to.have.all.keys("usual", "always", "fast", "hopeless");
    expect(microseconds["fast"]).to.be.lessThan(microseconds["usual"]!);
    const reasons = Object.fromEntries(rejected.map(({ variant, why }) => [variant, why]));
    expect(reasons).to.have.all.keys("wrong", "incomplete", "infinite", "broken", "throwing", "too large");
    expect(reasons["wrong"]).to.match(/^y differs by 0\.00\d+, and \S+ are allowed$/);
    expect(reasons["incomplete"]).to.equal("y differs in 99 elements");
    expect(reasons["infinite"]).to.equal("y differs in 100 elements");
    expect(reasons["broken"]).to.match(/^doubled\/broken: the shader does not compile/);
    expect(reasons["throwing"]).to.equal("these sizes were forgotten");
    expect(reasons["too large"]).to.match(/^doubled\/too large: the shader does not compile/);
  });

  it("measures by the host's clock where the GPU has none", async () => {
    const { gpu } = testDevice();
    const { features } = gpu;
    const x = ones(100);
    Object.defineProperty(gpu, "features", { value: new Set(), configurable: true });
    try {
      const { rows } = await t.tune(() => doubled(x).data(), { samples: 2, store: undefined });
      expect(rows[0]!.chosen).to.equal("fast");
      expect(rows[0]!.microseconds["fast"]).to.be.greaterThan(0);
    } finally {
      Object.defineProperty(gpu, "features", { value: features, configurable: true });
    }
  });

  it("tells its findings as a table", async () => {
    const x = ones(7);
    const report = await t.tune(() => doubled(x).data(), { samples: 3, store: undefined });
    const lines = report.toString().split("\n");
    expect(lines[0]).to.match(/^kernel +µs before +µs after +variant$/);
    expect(lines[1]).to.match(/^doubled +[\d.]+ +[\d.]+ +usual → fast +\(x f32 \[7\]\)$/);
    expect(lines.slice(2, -1).join()).to.match(/not wrong: y differs by/);
    expect(lines.at(-1)).to.match(/^The choices end with this process: /);
  });

  it("changes what runs: evaluations and compiled functions made before", async () => {
    const x = ones(5);
    const compiled = t.compile((a: t.Tensor) => doubled(a).add(0));
    const first = async () => [(await (await compiled(x)).data())[0], (await doubled(x).data())[0]];
    expect(await first()).to.deep.equal([plain, plain]);
    await t.tune(first, { samples: 3, store: undefined });
    expect(await first()).to.deep.equal([winner, winner]);
    testDevice().tuning.forget();
    expect(await first()).to.deep.equal([plain, plain]);
  });

  it("measures a call once, other attributes and shapes apart, and again when asked to", async () => {
    const [x, y] = [ones(5), ones(6)];
    const run = (again: boolean, ...calls: (() => t.Tensor)[]) =>
      t.tune(() => t.evaluate(...calls.map((call) => call())), { again, samples: 3, store: undefined });
    expect((await run(false, () => doubled(x))).rows).to.have.length(1);
    const second = await run(
      false,
      () => doubled(x),
      () => doubled(x, "b"),
      () => doubled(y),
    );
    expect(second.rows).to.have.length(2);
    expect(second.skipped).to.equal(1);
    const none = await run(false, () => doubled(x));
    expect(String(none)).to.match(/^Nothing to measure: each of 1 kernel calls /);
    const third = await run(true, () => doubled(x));
    expect(third.rows.map(({ before, chosen }) => [before, chosen])).to.deep.equal([["fast", "fast"]]);
  });

  it("ignores stored names that are unknown or no longer fit", async () => {
    const { tuning } = testDevice();
    const x = ones(5);
    await t.tune(() => doubled(x).data(), { samples: 3, store: undefined });
    const [key] = [...tuning.choices.keys()];
    for (const name of ["unheard of", "unfit"]) {
      tuning.remember([[key!, name]]);
      expect((await doubled(x).data())[0], name).to.equal(plain);
    }
    tuning.remember([[key!, "fast"]]);
    expect((await doubled(x).data())[0]).to.equal(winner);
  });

  it("leaves real kernels right", async () => {
    const key = t.randomKeys(1, [{ stream: 0, step: 0 }]);
    const a = t.randomNormal(key, [1, 40 * 300]).reshape([40, 300]);
    const b = t.randomNormal(key, [1, 300 * 36]).reshape([300, 36]);
    const results = async () => {
      const product = t.matmul(a, b);
      return [product, t.softmax(product), t.sum(product, 0), product.mul(0.01).exp()];
    };
    const read = async () => Promise.all((await results()).map((tensor) => tensor.data()));
    const before = await read();
    const { rows } = await t.tune(read, { samples: 3, store: undefined });
    expect(rows.map(({ kernel }) => kernel)).to.include("matmul");
    for (const { rejected } of rows) expect(rejected).to.deep.equal([]);
    for (const [index, after] of (await read()).entries()) {
      const largest = Math.max(...before[index]!.map(Math.abs));
      after.forEach((value, at) => {
        expect(value).to.be.closeTo(before[index]![at]!, 2e-5 * largest);
      });
    }
  });

  it("frees what it measured with, and stops watching when the function fails", async () => {
    const x = ones(5);
    const failure = await t
      .tune(() => Promise.reject(new Error("no batch")), { store: undefined })
      .catch((error: Error) => error.message);
    expect(failure).to.equal("no batch");
    const { gpu } = testDevice();
    const alive = new Set<GPUBuffer>();
    const create = gpu.createBuffer.bind(gpu);
    const value = (descriptor: GPUBufferDescriptor): GPUBuffer => {
      const buffer = create(descriptor);
      const destroy = buffer.destroy.bind(buffer);
      alive.add(buffer);
      buffer.destroy = () => {
        alive.delete(buffer);
        return destroy();
      };
      return buffer;
    };
    const once = async (): Promise<void> => {
      const y = doubled(x);
      await t.evaluate(y);
      y.dispose();
    };
    await once(); // what plans keep is made here
    Object.defineProperty(gpu, "createBuffer", { value, configurable: true });
    try {
      await t.tune(once, { samples: 3, store: undefined });
      await gpu.queue.onSubmittedWorkDone();
      expect([...alive].map(({ size }) => size)).to.deep.equal([]);
    } finally {
      Reflect.deleteProperty(gpu, "createBuffer");
    }
  });

  describe("remembers", () => {
    it("by adapter, from process to process, in a file written whole", async () => {
      const file = join(folder, "deep", "tuning.json");
      const store = fileStore(file);
      const x = ones(5);
      const { unsaved } = await t.tune(() => doubled(x).data(), { samples: 3, store });
      expect(unsaved).to.equal(undefined);
      const { name, tuning } = testDevice();
      const other = { name: "another adapter", tuning: new Tuning() };
      other.tuning.remember([["matmul", "register tile"]]);
      await saveTuning(other, store);
      expect(await readdir(join(folder, "deep"))).to.deep.equal(["tuning.json"]);

      const later = { name, tuning: new Tuning() };
      await loadTuning(later, store);
      expect([...later.tuning.choices]).to.deep.equal([...tuning.choices]);
      expect([...later.tuning.choices.values()]).to.deep.equal(["fast"]);
      const stranger = { name: "a third adapter", tuning: new Tuning() };
      await loadTuning(stranger, store);
      expect(stranger.tuning.choices.size).to.equal(0);
    });

    it("each choice at once, that of the largest call first, whatever ends the measuring", async () => {
      const store = fileStore(join(folder, "interrupted.json"));
      const run = (onRow?: () => void) =>
        t.tune(() => t.evaluate(doubled(ones(5)), doubled(ones(6))), {
          samples: 1,
          store,
          ...(onRow && { onRow }),
        });
      const interrupt = (): void => {
        throw new Error("enough");
      };
      expect(await run(interrupt).catch((error: Error) => error.message)).to.equal("enough");
      const { name, tuning } = testDevice();
      tuning.forget();
      await loadTuning({ name, tuning }, store);
      expect([...tuning.choices.values()]).to.deep.equal(["fast"]);
      const { rows, skipped } = await run();
      expect(rows.map(({ shapes }) => shapes)).to.deep.equal(["x f32 [5]"]);
      expect(skipped).to.equal(1);
    });

    it("beside what another process has stored meanwhile", async () => {
      const store = fileStore(join(folder, "shared.json"));
      const [one, two, three] = [1, 2, 3].map(() => ({ name: "adapter", tuning: new Tuning() }));
      one!.tuning.remember([["a", "x"]]);
      two!.tuning.remember([["b", "y"]]);
      await saveTuning(one!, store);
      await saveTuning(two!, store);
      await loadTuning(three!, store);
      expect(Object.fromEntries(three!.tuning.choices)).to.deep.equal({ a: "x", b: "y" });
    });

    it("nothing of a broken file, which the next table replaces", async () => {
      const file = join(folder, "broken.json");
      const mine = { name: "adapter", tuning: new Tuning() };
      const wrong = ["{", "[]", '{"format":0,"tables":{}}', '{"format":1,"tables":{"adapter":{"a":1}}}'];
      for (const text of wrong) {
        await writeFile(file, text);
        await loadTuning(mine, fileStore(file));
        expect(mine.tuning.choices.size, text).to.equal(0);
      }
      await loadTuning(mine, fileStore(folder)); // a folder cannot be read
      expect(mine.tuning.generation).to.equal(0);
      mine.tuning.remember([["a", "x"]]);
      await saveTuning(mine, fileStore(file));
      expect(JSON.parse(await readFile(file, "utf8")).tables).to.deep.equal({
        [`adapter, @ddad/tensor ${version}`]: { a: "x" },
      });
    });

    it("says why it could not", async () => {
      const x = ones(5);
      const file = join(folder, "shared.json", "no folder", "tuning.json");
      const { unsaved } = await t.tune(() => doubled(x).data(), { samples: 3, store: fileStore(file) });
      expect(unsaved).to.include(file);
      expect((await doubled(x).data())[0]).to.equal(winner);
    });

    it("in the file that DDAD_TUNING names, and in none when tests run", () => {
      const saved = process.env["DDAD_TUNING"];
      expect(saved).to.equal("off");
      expect(tuningStore()).to.equal(undefined);
      try {
        process.env["DDAD_TUNING"] = join(folder, "named.json");
        expect(tuningStore()?.place).to.equal(join(folder, "named.json"));
        delete process.env["DDAD_TUNING"];
        expect(tuningStore()?.place).to.match(/tuning\.json$/);
      } finally {
        process.env["DDAD_TUNING"] = saved;
      }
    });

    it("apart for each version of the package", async () => {
      const url = new URL("../package.json", import.meta.url);
      expect(version).to.equal(JSON.parse(await readFile(url, "utf8")).version);
    });
  });
});
