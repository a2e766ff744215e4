/** Compute pipelines by their source, compiled once and in parallel. */
import type { Shader } from "@ddad/kernels-wgsl";
import { debug } from "../debug.ts";

export class PipelineCache {
  readonly #gpu: GPUDevice;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
  }

  /** Number of distinct pipelines compiled so far. */
  get size(): number {
    return this.#pipelines.size;
  }

  /** Layouts are shared by all shaders with the same sequence of bindings. */
  layout({ bindings, uniform }: Shader): GPUBindGroupLayout {
    const key = bindings.map(({ access }) => (access === "read" ? "r" : "w")).join("") + (uniform ? "u" : "");
    const known = this.#layouts.get(key);
    if (known) return known;
    const types: GPUBufferBindingType[] = bindings.map(({ access }) =>
      access === "read" ? "read-only-storage" : "storage",
    );
    if (uniform) types.push("uniform");
    const layout = this.#gpu.createBindGroupLayout({
      entries: types.map((type, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type },
      })),
    });
    this.#layouts.set(key, layout);
    return layout;
  }

  /** Compiles on first use. Rejects with the compiler's message and the numbered source. */
  pipeline(shader: Shader, label: string): Promise<GPUComputePipeline> {
    const known = this.#pipelines.get(shader.code);
    if (known) return known;
    debug(3, () => `${label}:\n${shader.code}`);
    const pipeline = this.#gpu
      .createComputePipelineAsync({
        label,
        layout: this.#gpu.createPipelineLayout({ bindGroupLayouts: [this.layout(shader)] }),
        compute: { module: this.#gpu.createShaderModule({ label, code: shader.code }), entryPoint: "main" },
      })
      .catch((error: Error) => {
        this.#pipelines.delete(shader.code);
        const source = shader.code
          .split("\n")
          .map((line, index) => `${String(index + 1).padStart(4)} ${line}`);
        throw new Error(`${label}: the shader does not compile: ${error.message}\n${source.join("\n")}`);
      });
    this.#pipelines.set(shader.code, pipeline);
    return pipeline;
  }
}
