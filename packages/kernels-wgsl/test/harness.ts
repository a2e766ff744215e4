/** Runs kernels on a device for the tests: every output starts as NaN and is followed by a guard that must survive. */
import {
  assembleShader,
  bytesOf,
  type Call,
  type Capabilities,
  type CaseValues,
  isEmptyCall,
  type Kernel,
  pack,
  packParams,
  type ReferenceValues,
  sizeOf,
  type TensorSpec,
  unpack,
  type Variant,
} from "@ddad/kernels-wgsl";

const GUARD = 64;
/** A NaN with a mark of its own, as 32 bits. */
const MARK = 0x7fc0beef;

/** Runs one variant and returns its outputs; throws when a guard was written over. */
export async function runVariant(
  gpu: GPUDevice,
  caps: Capabilities,
  kernel: Kernel,
  variant: Variant<string, string, unknown, string>,
  call: Call,
  values: CaseValues,
): Promise<Record<string, ReferenceValues>> {
  if (isEmptyCall(call)) return mapOutputs(call, () => new Float64Array());
  const buffers = new Map<string, GPUBuffer>();
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const words = (bytes: number) => Math.ceil(bytes / 4);
  const create = (
    name: string,
    tensor: TensorSpec,
    data: ArrayLike<number> | undefined,
    guarded: boolean,
  ) => {
    const size = 4 * (words(bytesOf(tensor)) + (guarded ? GUARD : 0));
    const buffer = gpu.createBuffer({ size: Math.max(16, size), usage });
    const content = new Uint32Array(size / 4).fill(MARK);
    if (data) {
      const packed = pack(data, tensor.dtype);
      new Uint8Array(content.buffer).set(new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength));
    }
    gpu.queue.writeBuffer(buffer, 0, content);
    buffers.set(name, buffer);
  };
  const updated = new Map(
    Object.entries(kernel.updates ?? {}).map(([output, input]) => [output, input as string]),
  );
  for (const [name, tensor] of Object.entries(call.inputs)) {
    if (tensor && ![...updated.values()].includes(name)) create(name, tensor, values[name], false);
  }
  for (const [name, tensor] of Object.entries(call.outputs)) {
    const source = updated.get(name);
    create(name, tensor, source ? values[source] : undefined, true);
  }
  for (const [name, tensor] of Object.entries(variant.scratch?.(caps, call) ?? {}))
    create(name, tensor, undefined, true);

  gpu.pushErrorScope("validation");
  const encoder = gpu.createCommandEncoder();
  const passEncoder = encoder.beginComputePass();
  for (const pass of variant.passes(caps, call)) {
    const shader = assembleShader(kernel, pass, call.constants?.length);
    const label = `${kernel.name}/${variant.name}${pass.label ? `/${pass.label}` : ""}`;
    const module = gpu.createShaderModule({ label, code: shader.code });
    const problems = (await module.getCompilationInfo()).messages.filter(({ type }) => type === "error");
    if (problems.length) {
      await gpu.popErrorScope();
      throw new Error(`${label}: ${problems[0]!.lineNum}: ${problems[0]!.message}\n${numbered(shader.code)}`);
    }
    const pipeline = await gpu.createComputePipelineAsync({ label, layout: "auto", compute: { module } });
    const entries = shader.bindings.map(({ name }, binding) => {
      const buffer = buffers.get(name);
      if (!buffer)
        throw new Error(`${label} binds ${name}, which is no input, output or scratch of this call.`);
      return { binding, resource: { buffer } };
    });
    if (shader.uniform) {
      const bytes = packParams(kernel, call, shader);
      const buffer = gpu.createBuffer({
        size: bytes.byteLength,
        usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
      });
      gpu.queue.writeBuffer(buffer, 0, bytes);
      entries.push({ binding: entries.length, resource: { buffer } });
      buffers.set(`uniform of ${label}`, buffer);
    }
    passEncoder.setPipeline(pipeline);
    passEncoder.setBindGroup(0, gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    passEncoder.dispatchWorkgroups(...pass.workgroups);
  }
  passEncoder.end();
  gpu.queue.submit([encoder.finish()]);
  const error = await gpu.popErrorScope();
  if (error) throw new Error(`${kernel.name}/${variant.name}: ${error.message}`);

  const results: Record<string, ReferenceValues> = {};
  for (const [name, tensor] of Object.entries(call.outputs)) {
    const bytes = await download(gpu, buffers.get(name)!);
    const guard = new Uint32Array(bytes).subarray(words(bytesOf(tensor)));
    if (guard.some((word) => word !== MARK))
      throw new Error(`${kernel.name}/${variant.name} writes past the end of ${name}.`);
    results[name] = new Float64Array(unpack(bytes, tensor.dtype, sizeOf(tensor.shape)));
  }
  for (const buffer of buffers.values()) buffer.destroy();
  return results;
}

const mapOutputs = (
  { outputs }: Call,
  value: (spec: TensorSpec) => ReferenceValues,
): Record<string, ReferenceValues> =>
  Object.fromEntries(Object.entries(outputs).map(([name, spec]) => [name, value(spec)]));

const numbered = (code: string): string =>
  code
    .split("\n")
    .map((line, index) => `${String(index + 1).padStart(4)} ${line}`)
    .join("\n");

async function download(gpu: GPUDevice, source: GPUBuffer): Promise<ArrayBuffer> {
  const staging = gpu.createBuffer({
    size: source.size,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  const encoder = gpu.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, staging, 0, source.size);
  gpu.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const bytes = staging.getMappedRange().slice(0);
  staging.destroy();
  return bytes;
}

/** Throws unless `got` is within `tolerance` × the largest |expected| of `expected` everywhere (integers: equal). */
export function compare(
  label: string,
  got: ReferenceValues,
  expected: ReferenceValues,
  dtype: TensorSpec["dtype"],
  tolerance: number,
): void {
  const scale = expected.reduce(
    (largest, value) => Math.max(largest, Number.isFinite(value) ? Math.abs(value) : 0),
    0,
  );
  const exact = dtype !== "f32" && dtype !== "f16";
  const allowed = exact ? 0 : Math.max(dtype === "f16" ? 1e-3 : tolerance, tolerance) * scale + 1e-30;
  const wrong: string[] = [];
  let count = 0;
  for (let i = 0; i < expected.length; i++) {
    const same = Object.is(got[i], expected[i]) || Math.abs(got[i]! - expected[i]!) <= allowed;
    if (same) continue;
    count++;
    if (wrong.length < 8) wrong.push(`[${i}] got ${got[i]}, expected ${expected[i]}`);
  }
  if (count)
    throw new Error(
      `${label}: ${count} of ${expected.length} differ by more than ${allowed}: ${wrong.join("; ")}`,
    );
}
