/** Watches from outside what the engine hands to WebGPU: nothing in the engine knows that it is being measured. */

/** Host time of one submission, in milliseconds. */
export interface Submission {
  /** From making the encoder until `submit` is called. */
  readonly encode: number;
  /** Inside `submit`, where the commands are translated for the driver. */
  readonly submit: number;
}

/** What one piece of work asked of WebGPU. */
export interface Commands {
  readonly dispatches: number;
  readonly pipelines: number;
  readonly passes: number;
  readonly bindGroups: number;
  readonly submissions: number;
}

/** Runs `work` and times each of its submissions. */
export async function timeSubmissions(gpu: GPUDevice, work: () => Promise<void>): Promise<Submission[]> {
  const submissions: Submission[] = [];
  let begun = 0;
  const restore = [
    replace(gpu, "createCommandEncoder", (original) => (descriptor) => {
      begun = performance.now();
      return original(descriptor);
    }),
    replace(gpu.queue, "submit", (original) => (commands) => {
      const encoded = performance.now();
      const result = original(commands);
      submissions.push({ encode: encoded - begun, submit: performance.now() - encoded });
      return result;
    }),
  ];
  try {
    await work();
  } finally {
    for (const undo of restore) undo();
  }
  return submissions;
}

/** Runs `work` and counts its commands (which makes it slower: times of this run mean nothing). */
export async function countCommands(gpu: GPUDevice, work: () => Promise<void>): Promise<Commands> {
  const counts = { dispatches: 0, passes: 0, bindGroups: 0, submissions: 0 };
  const pipelines = new Set<GPUComputePipeline>();
  const restore = [
    replace(gpu, "createBindGroup", (original) => (descriptor) => {
      counts.bindGroups++;
      return original(descriptor);
    }),
    replace(gpu.queue, "submit", (original) => (commands) => {
      counts.submissions++;
      return original(commands);
    }),
    replace(gpu, "createCommandEncoder", (original) => (descriptor) => {
      const encoder = original(descriptor);
      replace(encoder, "beginComputePass", (begin) => (passDescriptor) => {
        counts.passes++;
        const pass = begin(passDescriptor);
        replace(pass, "setPipeline", (set) => (pipeline) => {
          pipelines.add(pipeline);
          return set(pipeline);
        });
        replace(pass, "dispatchWorkgroups", (dispatch) => (x, y, z) => {
          counts.dispatches++;
          return dispatch(x, y, z);
        });
        return pass;
      });
      return encoder;
    }),
  ];
  try {
    await work();
  } finally {
    for (const undo of restore) undo();
  }
  return { ...counts, pipelines: pipelines.size };
}

type MethodName<T> = { [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T];

/** Wraps a method of an object; returns a function that restores it. */
function replace<T extends object, K extends MethodName<T>>(
  target: T,
  name: K,
  wrap: (original: T[K]) => T[K],
): () => void {
  const original = target[name] as (...args: never[]) => unknown;
  const value = wrap(original.bind(target) as T[K]);
  Object.defineProperty(target, name, { value, configurable: true });
  return () => {
    Reflect.deleteProperty(target, name);
  };
}
