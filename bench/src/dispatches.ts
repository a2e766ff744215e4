#!/usr/bin/env node
/**
 * `node bench/dist/dispatches.js [--without VARIANT]`: the dispatches that plans for a GPU have, for one call and one training step of
 * DDAD's networks. Nothing is run, so any adapter will do: what plans read of it is exchanged.
 */
import { parseArgs } from "node:util";
import { createDenoiser, createSchedule, denoisingError, noiseKeys, resolveConfig } from "@ddad/ddad";
import { type Capabilities, type Kernel, kernels } from "@ddad/kernels-wgsl";
import { Adam, explain, grad, RandomStream, randomNormal, setupDevice, tensor } from "@ddad/nn";

/** A graphics card as Dawn shows it. No plan depends on its speed. */
const card: Capabilities = {
  adapterClass: "discrete",
  f16: true,
  subgroups: true,
  subgroupSizes: [32, 32],
  maxInvocations: 1024,
  workgroupMemory: 49152,
  maxStorageBuffers: 16,
};

/** Images of a training step, as in the benchmark of a GPU. */
const batch = 16;

interface Counts {
  readonly all: number;
  /** Those whose kernel's name begins with `groupNorm`. */
  readonly norms: number;
}

function count(plan: string): Counts {
  const { groups } = /(?<all>\d+) dispatches:\n(?<lines>(?: {2}.*\n)*)/.exec(plan)!;
  return { all: Number(groups!["all"]), norms: groups!["lines"]!.match(/^ {2}groupNorm/gm)?.length ?? 0 };
}

/** Takes the variant of that name from every kernel. Throws where none has it. */
function removeVariant(name: string): void {
  let found = false;
  for (const { variants } of kernels as readonly Kernel[]) {
    const index = variants.findIndex((variant) => variant.name === name);
    if (index < 0) continue;
    (variants as Kernel["variants"][number][]).splice(index, 1);
    found = true;
  }
  if (!found) throw new Error(`--without: no kernel has a variant "${name}".`);
}

function plansOf(variant: "ddad" | "ddad-s", imageSize: number): readonly [call: Counts, step: Counts] {
  const config = resolveConfig({ protocol: "paper", data: { root: ".", imageSize }, model: { variant } });
  using unet = createDenoiser(config);
  using optimizer = new Adam(unet);
  const images = (n: number) =>
    tensor(new Float32Array(n * imageSize ** 2 * 3), [n, imageSize, imageSize, 3]);
  const call = count(explain(unet.eval().forward(images(1), tensor([225]))));
  const keys = (purpose: "training" | "dropout") =>
    noiseKeys(
      0,
      purpose,
      Array.from({ length: batch }, (_, image) => ({ image, step: 0 })),
    );
  const times = Array.from({ length: batch }, (_, k) => (k * 37) % 1000);
  const alphaBar = tensor(times.map((t) => createSchedule(config).alphaBar(t)));
  const x = images(batch);
  unet.train();
  const noised = { x, noise: randomNormal(keys("training"), x.shape), t: tensor(times), alphaBar };
  const loss = denoisingError(unet, noised, new RandomStream(keys("dropout")))
    .sum()
    .mul(1 / batch);
  optimizer.step(grad(loss, optimizer.parameters), { control: optimizer.control() });
  return [call, count(explain(loss, ...optimizer.variables))];
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { without: { type: "string" } } });
  if (values.without !== undefined) removeVariant(values.without);
  Object.defineProperty(await setupDevice(), "capabilities", { value: card });
  console.log(`dispatches, of which group norm's${values.without ? `; without "${values.without}"` : ""}`);
  for (const [variant, size] of [
    ["ddad-s", 64],
    ["ddad-s", 256],
    ["ddad", 256],
  ] as const) {
    const [call, step] = plansOf(variant, size);
    const show = ({ all, norms }: Counts) => `${String(all).padStart(5)} ${String(norms).padStart(4)}`;
    console.log(
      `${`${variant} ${size}²`.padEnd(12)} call of one image ${show(call)}   step of ${batch} ${show(step)}`,
    );
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
process.exit();
