/** A variant that loses the device while `tune` measures it: prints what `tune` says, and what is stored of it. */
import { readFile } from "node:fs/promises";
import { defineKernel, perThread } from "@ddad/kernels-wgsl";
import { currentDevice, evaluate, ones, setupDevice, type Tensor, tune } from "@ddad/tensor";
import { record } from "../src/record.ts";
import { fileStore } from "../src/tuning/fileStore.ts";

const pass = (params: { readonly count: number }) => ({
  read: { x: "f32" },
  write: { y: "f32" },
  workgroups: [Math.ceil(params.count / 64), 1, 1] as const,
  code: perThread(64, "  if (i < params.count) { y[i] = 2.0 * x[i]; }"),
});

/** y = 2 x; measuring it loses the device where x has 7 elements. */
const trial = defineKernel({
  name: "doubled",
  inputs: ["x"],
  outputs: ["y"],
  params: { count: "u32" },
  infer: ({ x }, _attrs: Record<string, never>) => ({ outputs: { y: x }, params: { count: x.shape[0]! } }),
  variants: [
    { name: "always", passes: (_caps, { params }) => [pass(params)] },
    {
      name: "deadly",
      when: () => true,
      passes(_caps, { params }) {
        if (params.count === 7) currentDevice().gpu.destroy();
        return [pass(params)];
      },
    },
  ],
  reference: ({ x }) => ({ y: x.map((value) => 2 * value) }),
  cost: ({ params }) => ({ flops: params.count, bytes: 8 * params.count }),
  cases: [],
  refusals: [],
});

const place = process.argv[2]!;
const doubled = (count: number): Tensor => record(trial, { x: ones([count]) }, {}).y;
const run = () =>
  tune(() => evaluate(doubled(9), doubled(7), doubled(5)), { samples: 1, store: fileStore(place) });

await setupDevice();
await run().catch((error: Error) => console.log(`${error.name}: ${error.message}`));
const stored = await readFile(place, "utf8").catch(() => "{}");
console.log([...stored.matchAll(/"(always|deadly)"/g)].length, "stored");
process.env["DDAD_TUNING"] = place;
const device = await setupDevice();
const { rows, skipped } = await run();
console.log(rows.map(({ shapes }) => shapes).join(), skipped);
device.destroy();
