/** From a pass to the complete WGSL module, and from params to the bytes of its uniform buffer. */
import { KernelError } from "./errors.ts";
import type { Call, Kernel, ParamType, Pass } from "./kernel.ts";
import { liftUniforms, quotientFunction } from "./uniform.ts";

/** One storage binding of a shader, in the order of its index. */
export interface Binding {
  /** The variable of the shader: an input, an output or scratch. */
  readonly name: string;
  /** Access mode of the storage buffer. */
  readonly access: "read" | "read_write";
}

/** A complete WGSL module and what must be bound to it. */
export interface Shader {
  /** WGSL, declarations included. */
  readonly code: string;
  /** Storage buffers of group 0, by index. */
  readonly bindings: readonly Binding[];
  /** Whether the uniform `params` is bound, at index `bindings.length`. */
  readonly uniform: boolean;
  /** The uniform struct before the constants of a call: params of the kernel that the code reads, then numbers of the pass. */
  readonly fields: readonly Field[];
}

/** One field of the uniform struct. */
export interface Field {
  /** Its name in the shader. */
  readonly name: string;
  /** Its type. */
  readonly type: ParamType;
  /** Its value where the pass says it (see `uniform`); else it is the call's param of that name. */
  readonly value?: number;
}

/** Puts the generated declarations in front of a pass's code. @param constants how many the call has */
export function assembleShader(kernel: Kernel, pass: Pass, constants = 0): Shader {
  const bindings: Binding[] = [];
  const lines: string[] = [];
  const declare = (access: Binding["access"]) => (entry: [string, string]) => {
    const [name, element] = entry;
    lines.push(`@group(0) @binding(${bindings.length}) var<storage, ${access}> ${name}: array<${element}>;`);
    bindings.push({ name: pass.tensors?.[name] ?? name, access });
  };
  Object.entries(pass.read).forEach(declare("read"));
  Object.entries(pass.write).forEach(declare("read_write"));
  const { code, numbers } = liftUniforms(pass.code);
  const read = new Set(Array.from(code.matchAll(/\bparams\.(\w+)/g), ([, name]) => name));
  const fields: Field[] = Object.entries<ParamType>(kernel.params)
    .filter(([name]) => read.has(name))
    .map(([name, type]) => ({ name, type }));
  for (const [name, value] of numbers) fields.push({ name, type: "u32", value });
  const uniform = read.size > 0;
  if (uniform) {
    const declared = [
      ...fields.map(({ name, type }) => `${name}: ${type}`),
      ...Array.from({ length: constants }, (_, k) => `c${k}: u32`),
    ];
    lines.push(
      `struct Params { ${declared.join(", ")} }`,
      `@group(0) @binding(${bindings.length}) var<uniform> params: Params;`,
    );
  }
  const body = `${lines.join("\n")}${quotientFunction(code)}\n${code}`;
  const enables = [
    /\bf16\b/.test(body) ? "enable f16;" : "",
    /\bsubgroupMatrix/.test(body)
      ? "enable chromium_experimental_subgroup_matrix;\ndiagnostic(off, chromium.subgroup_matrix_uniformity);"
      : "",
    /@subgroup_size\(/.test(body) ? "enable subgroup_size_control;" : "",
    /\bsubgroup[A-Z]\w*\(|subgroup_size|subgroup_invocation_id/.test(body) ? "enable subgroups;" : "",
  ];
  return {
    code: [...enables.filter(Boolean), body].join("\n"),
    bindings,
    uniform,
    fields,
  };
}

/** Where the constants begin in the uniform struct of a shader, in bytes. */
export const constantsOffset = ({ fields }: Pick<Shader, "fields">): number => 4 * fields.length;

/** The bytes of a shader's uniform struct, padded to a multiple of 16. */
export function packParams(
  kernel: Kernel,
  { params, constants = [] }: Pick<Call, "params" | "constants">,
  shader: Pick<Shader, "fields">,
): ArrayBuffer {
  const first = constantsOffset(shader);
  const count = first / 4 + constants.length;
  const view = new DataView(new ArrayBuffer(Math.max(16, Math.ceil(count / 4) * 16)));
  shader.fields.forEach(({ name, type, value = params[name] }, index) => {
    if (value === undefined)
      throw new KernelError(`${kernel.name}: infer gave no value for the parameter ${name}.`);
    if (type === "f32") view.setFloat32(4 * index, value, true);
    else if (type === "u32") view.setUint32(4 * index, value, true);
    else view.setInt32(4 * index, value, true);
  });
  constants.forEach((bits, k) => {
    view.setUint32(first + 4 * k, bits, true);
  });
  return view.buffer as ArrayBuffer;
}
