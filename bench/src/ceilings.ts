/** What the adapter can do at best, measured: the kernels' times are shown against it. */
import type { Shader } from "@ddad/kernels-wgsl";
import type { Device } from "@ddad/tensor";
import { type Effort, measureSteps, type Step, type Timing } from "./measure.ts";

export interface Ceilings {
  /** Bytes read plus bytes written by a copy of vec4f, in 10⁹ per second. */
  readonly copyGbps: number;
  /** f32 multiply-adds without memory access, 2 operations each, in 10⁹ per second. */
  readonly multiplyAddGflops: number;
  /** A dispatch that does nothing, in microseconds: no kernel is faster. */
  readonly dispatchMicroseconds: number;
}

interface Program {
  readonly name: string;
  /** Bindings are `source` (read) and `target` (written), arrays of vec4f. */
  readonly code: string;
  readonly workgroups: number;
}

const declarations = /* wgsl */ `
@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> target_: array<vec4f>;
`;

const entry = (body: string): string => /* wgsl */ `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
${body}
}
`;

const empty: Program = {
  name: "empty",
  workgroups: 1,
  code: entry("  if (source[0].x == 0.5) { target_[0] = source[0]; }"),
};

/** Each thread copies four vectors, neighbours at a time. */
const copy = (bytes: number): Program => ({
  name: "copy",
  workgroups: bytes / 16 / 4 / 64,
  code: entry(/* wgsl */ `
  let threads = groups.x * 64u;
  for (var k = 0u; k < 4u; k++) { target_[id.x + k * threads] = source[id.x + k * threads]; }`),
});

const rounds = 256;
const threads = 2 ** 16;

/** `chains` independent accumulators of vec4f; `unrolled` multiply-adds of each in the body of the loop. */
const multiplyAdd = (chains: number, unrolled: number): Program => {
  const names = Array.from({ length: chains }, (_, chain) => `a${chain}`);
  const body = Array.from({ length: unrolled }, () => names.map((a) => `${a} = fma(${a}, s, s);`).join(" "));
  return {
    name: `multiply-add ${chains}×${unrolled}`,
    workgroups: threads / 64,
    code: entry(/* wgsl */ `
  let s = source[id.x % 16u] * 1e-3;
${names.map((a, chain) => `  var ${a} = s * ${chain}.5;`).join("\n")}
  let rounds = ${rounds / unrolled}u + u32(s.x);
  for (var k = 0u; k < rounds; k++) {
    ${body.join("\n    ")}
  }
  target_[id.x] = ${names.join(" + ")};`),
  };
};

const multiplyAddFlops = (chains: number): number => threads * rounds * chains * 4 * 2;

/** Which shape of loop is fastest differs between adapters; the best of these is the ceiling. */
const shapes = [
  [1, 8],
  [2, 8],
  [4, 4],
  [8, 2],
] as const;

export async function measureCeilings(device: Device, effort: Effort): Promise<Ceilings> {
  const { maxStorageBufferBindingSize } = device.gpu.limits;
  const software = device.capabilities.adapterClass === "software";
  const bytes = Math.min(maxStorageBufferBindingSize, (software ? 64 : 256) * 2 ** 20);
  const usage = GPUBufferUsage.STORAGE;
  const [source, target] = [bytes, bytes].map((size) => device.gpu.createBuffer({ size, usage }));
  const time = async (program: Program): Promise<Timing> =>
    measureSteps(program.name, device, [await prepare(device, program, source!, target!)], effort);
  try {
    const dispatch = await time(empty);
    const copied = await time(copy(bytes));
    let multiplyAddGflops = 0;
    for (const [chains, unrolled] of shapes) {
      const { minimum } = await time(multiplyAdd(chains, unrolled));
      multiplyAddGflops = Math.max(multiplyAddGflops, multiplyAddFlops(chains) / minimum / 1e6);
    }
    return {
      copyGbps: (2 * bytes) / copied.minimum / 1e6,
      multiplyAddGflops,
      dispatchMicroseconds: 1000 * dispatch.minimum,
    };
  } finally {
    source!.destroy();
    target!.destroy();
  }
}

async function prepare(
  device: Device,
  { name, code, workgroups }: Program,
  source: GPUBuffer,
  target: GPUBuffer,
): Promise<Step> {
  const shader: Shader = {
    code: declarations + code,
    bindings: [
      { name: "source", access: "read" },
      { name: "target_", access: "read_write" },
    ],
    uniform: false,
  };
  const pipeline = await device.pipelines.pipeline(shader, `ceiling ${name}`);
  const group = device.gpu.createBindGroup({
    layout: device.pipelines.layout(shader),
    entries: [source, target].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return { pipeline, group, workgroups: [workgroups, 1, 1] };
}
