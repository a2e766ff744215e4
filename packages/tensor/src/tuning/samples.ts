/** Sample data for measuring, made and compared on the device, because large tensors are slow to transfer. */
import { type DType, type Shader, sizeOf, type TensorSpec } from "@ddad/kernels-wgsl";
import type { Device } from "../device/device.ts";

const workgroups = 64;
const workgroupSize = 64;
const threads = workgroups * workgroupSize;

/** A loop over `i` below `params.count`, shared by all threads; each does what stands `after` it once. */
const loop = (body: string, after = ""): string => /* wgsl */ `
@compute @workgroup_size(${workgroupSize})
fn main(@builtin(global_invocation_id) id: vec3u) {
  for (var i = id.x; i < params.count; i += ${threads}u) {
    ${body}
  }
  ${after}
}`;

const params = (binding: number): string => /* wgsl */ `
struct Params { count: u32, seed: u32 }
@group(0) @binding(${binding}) var<uniform> params: Params;`;

/**
 * One word of storage from `hash(n)`, uniformly distributed bits. Floats lie in [-0.5, 1): of a mean above zero, so that long sums do
 * not cancel and an error is visible relative to the largest result. Integers are small, as indices and classes are.
 */
const word: Readonly<Record<DType, string>> = {
  f32: "bitcast<u32>(float(hash(i)))",
  f16: "pack2x16float(vec2f(float(hash(2u * i)), float(hash(2u * i + 1u))))",
  i32: "hash(i) % 10u",
  u32: "hash(i) % 10u",
  bool: "hash(i) & 1u",
};

const fillShader = (value: string): Shader => ({
  bindings: [{ name: "data", access: "read_write" }],
  uniform: true,
  fields: [],
  code: /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> data: array<u32>;${params(1)}
fn hash(n: u32) -> u32 {
  var x = n * 2654435769u + params.seed;
  x = (x ^ (x >> 16u)) * 0x21f0aaadu;
  x = (x ^ (x >> 15u)) * 0x735a2d97u;
  return x ^ (x >> 15u);
}
fn float(bits: u32) -> f32 { return f32(bits >> 8u) * (1.5 / 16777216.0) - 0.5; }
${loop(`data[i] = ${value};`)}`,
});

/** Fills a buffer with numbers that depend on `seed` alone. */
export const fillRandom = (device: Device, buffer: GPUBuffer, dtype: DType, seed: number): Promise<void> =>
  dispatch(device, fillShader(word[dtype]), [buffer], buffer.size / 4, seed);

/** Fills a buffer with NaN, as f32 and as f16, so that an unwritten element shows. */
export const fillUnwritten = (device: Device, buffer: GPUBuffer): Promise<void> =>
  dispatch(device, fillShader("0x7fc07fc0u"), [buffer], buffer.size / 4, 0);

/** How an element is read: its bits, what they are worth, and whether they are a number. */
const readings = {
  f32: { bits: "name[i]", value: "bitcast<f32>(bits)", exponent: "0x7f800000u", rest: "0x007fffffu" },
  f16: {
    bits: "(name[i / 2u] >> (16u * (i % 2u))) & 0xffffu",
    value: "unpack2x16float(bits).x",
    exponent: "0x7c00u",
    rest: "0x03ffu",
  },
} as const;

/** Each thread leaves what it found: largest difference, largest |expected|, elements that differ in kind. */
function compareShader(dtype: DType): Shader {
  const reading = dtype === "f32" || dtype === "f16" ? readings[dtype] : undefined;
  const body = reading
    ? /* wgsl */ `let a = ${reading.bits.replace("name", "got")};
    let b = ${reading.bits.replace("name", "expected")};
    if (finite(a) && finite(b)) {
      difference = max(difference, abs(value(a) - value(b)));
    } else if (a != b && !(nan(a) && nan(b))) { wrong += 1.0; }
    if (finite(b)) { largest = max(largest, abs(value(b))); }`
    : "if (got[i] != expected[i]) { wrong += 1.0; }";
  const functions = reading
    ? /* wgsl */ `
fn value(bits: u32) -> f32 { return ${reading.value}; }
fn finite(bits: u32) -> bool { return (bits & ${reading.exponent}) != ${reading.exponent}; }
fn nan(bits: u32) -> bool { return !finite(bits) && (bits & ${reading.rest}) != 0u; }`
    : "";
  return {
    bindings: [
      { name: "got", access: "read" },
      { name: "expected", access: "read" },
      { name: "found", access: "read_write" },
    ],
    uniform: true,
    fields: [],
    code: /* wgsl */ `
@group(0) @binding(0) var<storage, read> got: array<u32>;
@group(0) @binding(1) var<storage, read> expected: array<u32>;
@group(0) @binding(2) var<storage, read_write> found: array<vec4f>;${params(3)}${functions}
var<private> difference = 0.0;
var<private> largest = 0.0;
var<private> wrong = 0.0;
${loop(body, "found[id.x] = vec4f(difference, largest, wrong, 0.0);")}`,
  };
}

/** How two results of one shape differ. */
export interface Difference {
  /** Largest |a − b|, and largest |b|, over elements that are numbers. */
  readonly difference: number;
  readonly largest: number;
  /** Elements that must be equal and are not: integers, Infinity and NaN. */
  readonly wrong: number;
}

export async function compareBuffers(
  device: Device,
  got: GPUBuffer,
  expected: GPUBuffer,
  { dtype, shape }: TensorSpec,
): Promise<Difference> {
  const { gpu } = device;
  const size = 16 * threads;
  const found = gpu.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const staging = gpu.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  try {
    await dispatch(device, compareShader(dtype), [got, expected, found], sizeOf(shape), 0);
    const encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(found, 0, staging, 0, size);
    gpu.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const values = new Float32Array(staging.getMappedRange());
    const result = { difference: 0, largest: 0, wrong: 0 };
    for (let at = 0; at < values.length; at += 4) {
      result.difference = Math.max(result.difference, values[at]!);
      result.largest = Math.max(result.largest, values[at + 1]!);
      result.wrong += values[at + 2]!;
    }
    return result;
  } finally {
    found.destroy();
    staging.destroy();
  }
}

async function dispatch(
  { gpu, pipelines }: Device,
  shader: Shader,
  buffers: readonly GPUBuffer[],
  count: number,
  seed: number,
): Promise<void> {
  const pipeline = await pipelines.pipeline(shader, "tune");
  const uniform = gpu.createBuffer({ size: 16, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  gpu.queue.writeBuffer(uniform, 0, new Uint32Array([count, seed]));
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    gpu.createBindGroup({
      layout: pipelines.layout(shader),
      entries: [...buffers, uniform].map((buffer, binding) => ({ binding, resource: { buffer } })),
    }),
  );
  pass.dispatchWorkgroups(workgroups);
  pass.end();
  gpu.queue.submit([encoder.finish()]);
  uniform.destroy();
}
