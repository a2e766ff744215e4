/**
 * Patient waiting in Node. While anything is awaited, Dawn polls in a loop of `setImmediate`, which keeps a
 * whole core busy. A software adapter computes on the same cores: on two cores, work took half as long
 * again. Here Dawn polls without a pause at first, for short work, and then every millisecond.
 */

/** Milliseconds. */
const eagerTime = 0.3;
const interval = 1;

/** The methods of Dawn that return promises. */
const promising = {
  GPU: ["requestAdapter"],
  GPUAdapter: ["requestDevice"],
  GPUDevice: ["createComputePipelineAsync", "createRenderPipelineAsync", "popErrorScope"],
  GPUBuffer: ["mapAsync"],
  GPUQueue: ["onSubmittedWorkDone"],
  GPUShaderModule: ["getCompilationInfo"],
} as const;

const { setImmediate: soon, setTimeout: later } = globalThis;

/** When the last promise was made. */
let since = 0;

/** Runs code that may schedule Dawn's next poll, which takes `setImmediate` from the global object at that moment. */
function patiently<T>(work: () => T): T {
  const original = globalThis.setImmediate;
  globalThis.setImmediate = schedule as typeof setImmediate;
  try {
    return work();
  } finally {
    globalThis.setImmediate = original;
  }
}

function schedule(poll: () => void): unknown {
  const again = (): void => patiently(poll);
  return performance.now() - since < eagerTime ? soon(again) : later(again, interval);
}

const patient = Symbol.for("@ddad/tensor: patient waiting");

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Class = { readonly prototype: Record<string, Method> };

/** Makes all waiting for this Dawn patient, once. @param globals its classes by name */
export function waitPatiently(globals: Readonly<Record<string, unknown>>): void {
  for (const [name, methods] of Object.entries(promising)) {
    const { prototype } = globals[name] as Class;
    for (const method of methods) {
      const original = prototype[method];
      if (!original || patient in original) continue;
      const replacement: Method = function (...args) {
        since = performance.now();
        return patiently(() => original.apply(this, args));
      };
      prototype[method] = Object.assign(replacement, { [patient]: true });
    }
  }
}
