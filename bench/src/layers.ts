/** Layers and models as people run them: compiled, then replayed. */
import {
  Adam,
  AttentionBlock,
  arange,
  Conv2d,
  compile,
  type Device,
  GroupNorm,
  grad,
  HostRandom,
  Module,
  mseLoss,
  type Profile,
  profile,
  type Tensor,
  tensor,
  UNet,
} from "@ddad/nn";
import type { Run } from "./kernels.ts";
import { measure } from "./measure.ts";
import { type Commands, countCommands, timeSubmissions } from "./observe.ts";
import { type CaseResult, caseResult } from "./results.ts";

/** A compiled function on its arguments; each call gives new tensors. */
type CompiledStep = () => Promise<readonly Tensor[]>;

/** Group norm (32 groups) and SiLU and a 3×3 convolution, twice, and the input added. */
class PlainResidualBlock extends Module {
  readonly norm1: GroupNorm;
  readonly conv1: Conv2d;
  readonly norm2: GroupNorm;
  readonly conv2: Conv2d;

  constructor(channels: number, random: HostRandom) {
    super();
    this.norm1 = new GroupNorm(32, channels, { activation: "silu" });
    this.conv1 = new Conv2d(channels, channels, 3, { padding: 1, random });
    this.norm2 = new GroupNorm(32, channels, { activation: "silu" });
    this.conv2 = new Conv2d(channels, channels, 3, { padding: 1, random });
  }

  /** [N, H, W, channels] → the same shape */
  forward(x: Tensor): Tensor {
    const h = this.conv1.forward(this.norm1.forward(x));
    return x.add(this.conv2.forward(this.norm2.forward(h)));
  }
}

const random = new HostRandom(1);

const normal = (shape: readonly number[]): Tensor =>
  tensor(
    random.normal(
      shape.reduce((size, extent) => size * extent, 1),
      1,
    ),
    shape,
  );

/** Forward, and the gradients of the mean of squares towards the input and every parameter. */
function blockSteps(block: Module & { forward(x: Tensor): Tensor }, x: Tensor): CompiledStep[] {
  const parameters = block.parameters();
  const forward = compile((input: Tensor) => [block.forward(input)]);
  const both = compile((input: Tensor) => {
    const loss = block.forward(input).square().mean();
    return [loss, ...grad(loss, [input, ...parameters])];
  });
  return [() => forward(x), () => both(x)];
}

/** A network of three levels, attention on each, and one step of Adam towards the noise. */
function unetSteps(): CompiledStep[] {
  const size = {
    imageSize: 32,
    baseChannels: 32,
    heads: 2,
    channelMultipliers: [1, 2, 2],
    blocksPerLevel: 1,
  };
  const unet = new UNet({ ...size, seed: 1 });
  const optimizer = new Adam(unet);
  const images = normal([2, 32, 32, 3]);
  const noise = normal([2, 32, 32, 3]);
  const times = arange(2);
  const forward = compile((x: Tensor, t: Tensor) => [unet.forward(x, t)]);
  const train = compile((x: Tensor, t: Tensor, target: Tensor, control: Tensor) => {
    const loss = mseLoss(unet.forward(x, t), target);
    optimizer.step(grad(loss, optimizer.parameters), { control });
    return [loss];
  });
  const step = async () => {
    const control = optimizer.control();
    const results = await train(images, times, noise, control);
    control.dispose();
    return results;
  };
  return [() => forward(images, times), step];
}

/** Cases that share a network, which is made only when one of them is wanted. */
interface Family {
  readonly names: readonly string[];
  readonly make: () => CompiledStep[];
}

const families: readonly Family[] = [
  {
    names: ["residual block forward", "residual block forward + backward"],
    make: () => blockSteps(new PlainResidualBlock(64, random), normal([2, 32, 32, 64])),
  },
  {
    names: ["attention block forward", "attention block forward + backward"],
    make: () => blockSteps(new AttentionBlock({ channels: 128, heads: 4, random }), normal([2, 16, 16, 128])),
  },
  { names: ["small UNet forward", "small UNet training step"], make: unetSteps },
];

/** Times the cases one after another; with `profiling`, reports where their time goes. */
export async function* benchmarkLayers(run: Run, profiling: boolean): AsyncGenerator<CaseResult> {
  for (const { names, make } of families) {
    if (!names.some(run.wanted)) continue;
    for (const [index, step] of make().entries()) {
      const name = names[index]!;
      if (run.wanted(name)) yield await benchmarkLayer(name, finished(run.device, step), run, profiling);
    }
  }
}

/** The step until the GPU is done with it. Its results are let go. */
const finished = (device: Device, step: CompiledStep) => async (): Promise<void> => {
  const results = await step();
  await device.gpu.queue.onSubmittedWorkDone();
  for (const result of results) result.dispose();
};

async function benchmarkLayer(
  name: string,
  work: () => Promise<void>,
  run: Run,
  profiling: boolean,
): Promise<CaseResult> {
  const { device, ceilings, effort } = run;
  const start = performance.now();
  await work();
  const first = performance.now() - start;
  const commands = await countCommands(device.gpu, work);
  const profiled = await profileOrNothing(device, work);
  if (profiling && profiled) run.report(`\n${name}, ${describe(commands)}\n${profiled}\n`);
  let host = Number.POSITIVE_INFINITY;
  const timed = async (): Promise<void> => {
    const submissions = await timeSubmissions(device.gpu, work);
    host = Math.min(host, ...submissions.map(({ encode, submit }) => encode + submit));
  };
  const timing = await measure(name, timed, effort);
  const { dispatches } = commands;
  const replayMicroseconds = (1000 * host) / dispatches;
  const replayed = `replayed in ${replayMicroseconds.toFixed(1)} µs each`;
  const note = `${describe(commands)}, ${replayed}; first call ${first.toFixed(0)} ms`;
  const result = caseResult(name, timing, workOf(profiled), ceilings, note);
  return { ...result, dispatches, replayMicroseconds };
}

const describe = ({ dispatches, pipelines, bindGroups }: Commands): string =>
  `${dispatches} dispatches of ${pipelines} pipelines, ${bindGroups} new bind groups`;

async function profileOrNothing(
  device: Device,
  work: () => Promise<void>,
): Promise<Profile<void> | undefined> {
  return device.gpu.features.has("timestamp-query") ? profile(work) : undefined;
}

/** Operations and bytes of everything that ran; unknown, and given as 0, without timestamp queries. */
function workOf(profiled: Profile<void> | undefined): { flops: number; bytes: number } {
  let [flops, bytes] = [0, 0];
  for (const { microseconds, gflops, gbps } of profiled?.rows ?? []) {
    flops += gflops * microseconds * 1e3;
    bytes += gbps * microseconds * 1e3;
  }
  return { flops, bytes };
}
