/** Compute pipelines by their source, compiled once and in parallel. */
import type { Shader } from "@ddad/kernels-wgsl";
import { debug } from "../debug.ts";
import { InternalError } from "../errors.ts";
import { RecentMap } from "../recent.ts";

/** Pipelines kept for later plans; existing plans keep their own. */
const maxPipelines = 512;

export class PipelineCache {
  readonly #gpu: GPUDevice;
  readonly #pipelines = new RecentMap<string, Promise<GPUComputePipeline>>(maxPipelines);
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
  }

  /** Number of distinct pipelines that are kept. */
  get size(): number {
    return this.#pipelines.size;
  }

  /** Whether the shader is compiled, or being compiled. */
  has({ code }: Shader): boolean {
    return this.#pipelines.has(code);
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

  /** Compiles on first use. Rejects with InternalError where the compiler refuses the shader; `DDAD_DEBUG` then prints its source. */
  pipeline(shader: Shader, label: string): Promise<GPUComputePipeline> {
    const { code } = shader;
    const known = this.#pipelines.get(code);
    if (known) return known;
    debug(3, () => `${label}:\n${code}`);
    const module = this.#gpu.createShaderModule({ label, code });
    const pipeline = this.#gpu
      .createComputePipelineAsync({
        label,
        layout: this.#gpu.createPipelineLayout({ bindGroupLayouts: [this.layout(shader)] }),
        compute: { module, entryPoint: "main" },
      })
      .catch(async (error: Error) => {
        this.#pipelines.delete(code);
        debug(1, () => `${label}:\n${numbered(code)}`);
        const reason = (await complaints(module)) || error.message.trim();
        throw new InternalError(
          `${label}: the shader does not compile on this adapter, which is a bug in the kernel: report it with the adapter's name ` +
            `and this message. DDAD_DEBUG=1 prints the shader. The compiler says: ${reason}`,
          { cause: error },
        );
      });
    this.#pipelines.set(code, pipeline);
    return pipeline;
  }
}

const numbered = (code: string): string =>
  code
    .split("\n")
    .map((line, index) => `${String(index + 1).padStart(4)} ${line}`)
    .join("\n");

/** The compiler's errors for a module; empty where the module is valid and the pipeline is not. */
async function complaints(module: GPUShaderModule): Promise<string> {
  const info = await module.getCompilationInfo().catch(() => undefined);
  const errors = info?.messages.filter(({ type }) => type === "error") ?? [];
  return errors.map(({ lineNum, message }) => `line ${lineNum}: ${message}`).join("; ");
}
