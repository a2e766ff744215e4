/** `onnxruntime-web` with its WebGPU execution provider: this library's own ONNX export, inputs and outputs on the device. */
import { type Extent, exportOnnx, type OnnxSource } from "@ddad/nn";
import * as ort from "onnxruntime-web/webgpu";
import type { Contestant, Prepared } from "./contestant.ts";
import { channelsFirst, channelsLast, type Values } from "./values.ts";
import type { Workload } from "./workload.ts";

export async function onnx(): Promise<Contestant> {
  ort.env.wasm.numThreads = 1; // workers would keep Node from ending
  ort.env.logLevel = "error";
  copySharedViews();
  const version = ort.env.versions.web!;
  const refusal = ({ mode }: Workload): string | undefined =>
    mode === "forward" ? undefined : "inference only";
  return { name: "onnxruntime-web", version, refusal, device: () => ort.env.webgpu.device, prepare };
}

/** The runtime's memory is a SharedArrayBuffer, which Dawn in Node does not take as the source of a write. */
function copySharedViews(): void {
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (this: GPUQueue, buffer, offset, data, ...range) {
    const shared = ArrayBuffer.isView(data) && data.buffer instanceof SharedArrayBuffer;
    const source = shared ? (data as Uint8Array).slice() : data;
    return writeBuffer.call(this, buffer, offset, source as GPUAllowSharedBufferSource, ...range);
  };
}

function sourceOf({ name, module, inputs, forward }: Workload): OnnxSource {
  const open = ({ shape }: Values): Extent[] => ["N", ...shape.slice(1)];
  return {
    name,
    module,
    inputs: Object.fromEntries([...inputs].map(([input, values]) => [input, open(values)])),
    forward: (tensors) => ({ output: forward(tensors) }),
  };
}

async function prepare(workload: Workload): Promise<Prepared> {
  const [batch] = [...workload.inputs.values()].map(({ shape }) => shape[0]!);
  const session = await ort.InferenceSession.create(await exportOnnx(sourceOf(workload)), {
    executionProviders: ["webgpu"],
    preferredOutputLocation: "gpu-buffer",
    freeDimensionOverrides: { N: batch! },
  });
  const device = await ort.env.webgpu.device;
  const inputs = [...workload.inputs].map(([name, values]) => ({
    name,
    ...upload(device, channelsFirst(values)),
  }));
  const feeds = Object.fromEntries(inputs.map(({ name, tensor }) => [name, tensor]));
  const run = async (): Promise<ort.Tensor> => (await session.run(feeds))["output"]!;
  return {
    submit: async () => (await run()).dispose(),
    results: async () => {
      const output = await run();
      const values = { shape: output.dims, data: (await output.getData(true)) as Float32Array };
      return [channelsLast(values)];
    },
    dispose: () => {
      void session.release();
      for (const { buffer } of inputs) buffer.destroy();
    },
  };
}

function upload(device: GPUDevice, { shape, data }: Values): { tensor: ort.Tensor; buffer: GPUBuffer } {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: Math.max(16, data.byteLength), usage });
  device.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
  return { tensor: ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: shape }), buffer };
}
