/** `compile`: a function whose recording, fusing and planning happen once for each signature. */
import { show } from "@ddad/kernels-wgsl";
import { currentDevice, type Device } from "./device/device.ts";
import type { Replay } from "./device/replay.ts";
import { StaleValueError, UsageError } from "./errors.ts";
import {
  capture,
  checkTensors,
  evaluateNow,
  evaluateValues,
  releaseAll,
  resultsOf,
  runReplay,
} from "./evaluate.ts";
import { copy } from "./ops/copy.ts";
import { replayOf } from "./plans.ts";
import { type Captured, nodesBehind, runsOf } from "./program/program.ts";
import { RecentMap } from "./recent.ts";
import { upcomingId } from "./record.ts";
import { layoutVersion, Storage } from "./storage.ts";
import {
  type AnyTensor,
  type AnyVariable,
  resolve,
  sandboxed,
  storageOf,
  Tensor,
  withoutMemory,
} from "./tensor.ts";

/** What a compiled function may return: tensors in any nesting of plain objects and arrays. */
export type Tensors =
  | AnyTensor
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that only assigns returns nothing
  | void
  | undefined
  | readonly Tensors[]
  | { readonly [name: string]: Tensors };

interface Compiled {
  readonly device: Device;
  /** `layoutVersion()` that the replay is for. */
  readonly layout: number;
  readonly replay: Replay;
  readonly captured: Pick<Captured, "program" | "targets">;
  /** Where each leaf comes from: the index of an argument, a variable's buffer, or a tensor used inside. */
  readonly leaves: readonly (number | Storage | AnyTensor)[];
  readonly outputs: readonly AnyTensor[];
  readonly variables: readonly AnyVariable[];
  readonly result: Tensors;
}

/** Signatures that one compiled function remembers: each keeps a plan, with its bind groups and uniforms. */
const maxSignatures = 64;

/**
 * Compiles `fn` on its first call for each combination of argument shapes and types. Later calls only replay: `fn` itself
 * does not run, so everything that changes from call to call must be an argument or a variable. Variables assigned
 * inside are updated by each call, and stay as they were where it fails. The results are evaluated tensors.
 *
 * The 64 combinations used last are remembered; another one compiles again.
 *
 * @throws UsageError at once where `fn` is async, and from the first call where it returns a promise or uses a tensor from outside that
 * is recorded and not evaluated; TypeError where an argument is no tensor
 */
export function compile<A extends readonly Tensor[], R extends Tensors>(
  fn: (...args: A) => R,
): (...args: A) => Promise<R>;
/** The same for arguments of which some are integers or bool: their types must be written at the parameters. */
export function compile<A extends readonly AnyTensor[], R extends Tensors>(
  fn: (...args: A) => R,
): (...args: A) => Promise<R>;
export function compile<A extends readonly AnyTensor[], R extends Tensors>(
  fn: (...args: A) => R,
): (...args: A) => Promise<R> {
  if (fn.constructor.name === "AsyncFunction") throw recordsOnly();
  const known = new RecentMap<string, Compiled>(maxSignatures);
  return async (...args) => {
    checkTensors("compile", args);
    const given = args.map(resolve);
    const device = currentDevice();
    return device.exclusively(async () => {
      await evaluateValues(device, args, given);
      const key = args.map(({ dtype, shape }) => `${dtype}${show(shape)}`).join(" ");
      let compiled = known.get(key);
      if (compiled?.device !== device) compiled = await trace(device, fn, args);
      known.set(key, compiled);
      const replaced = compiled.variables.map(({ assigned }) => assigned);
      await evaluateNow(device, pendingVariables(compiled));
      const passed = await apart(device, given, compiled);
      try {
        for (;;) {
          while (outdated(compiled)) {
            compiled = await renewed(compiled);
            known.set(key, compiled);
          }
          const results = await resultsOf(device, compiled.replay);
          try {
            if (!outdated(compiled))
              return (await replayCompiled(compiled, { args, passed, results, replaced })) as R;
          } finally {
            releaseAll(results);
          }
        }
      } finally {
        for (const [index, tensor] of passed.entries()) if (tensor !== given[index]) tensor.dispose();
      }
    });
  };
}

const recordsOnly = (): UsageError =>
  new UsageError(
    "compile: the function is async, but it may only record operations and must return tensors. Await outside of it.",
  );

async function trace<A extends readonly AnyTensor[]>(
  device: Device,
  fn: (...args: A) => Tensors,
  args: A,
): Promise<Compiled> {
  const placeholders = args.map((arg, index) => new Tensor(arg, { kind: "argument", index }));
  const start = upcomingId();
  const layout = layoutVersion();
  const { program, leaves, targets, ...traced } = sandboxed((assigned) => {
    const result = fn(...(placeholders as unknown as A));
    refusePromise(result);
    const outputs = [...new Set(flatten(result).map(resolve))].filter(({ source }) => source.kind === "node");
    const variables = assigned();
    refuseOlderNodes([...outputs, ...variables.map(({ value }) => value)], start);
    return { ...capture(outputs, variables), outputs, variables, result };
  });
  return {
    ...traced,
    device,
    layout,
    replay: await replayOf(device, program),
    captured: { program, targets },
    leaves: leaves.map((leaf) => {
      const { source } = leaf;
      if (source.kind === "argument") return source.index;
      const storage = storageOf(leaf, device);
      // A variable may be assigned elsewhere between calls: its buffer stands for its current value.
      return storage.owner ? storage : leaf;
    }),
  };
}

function refusePromise(result: unknown): void {
  if (!(result instanceof Promise)) return;
  result.catch(() => undefined); // nobody waits for it
  throw recordsOnly();
}

/** Every call would recompute a pending outside tensor, from values that change meanwhile. */
function refuseOlderNodes(roots: readonly AnyTensor[], start: number): void {
  const older = nodesBehind(roots)
    .filter(({ id }) => id < start)
    .at(-1);
  if (!older) return;
  throw new UsageError(
    `compile: the function uses the result of ${older.name}, recorded outside and not evaluated. Evaluate it first.`,
  );
}

/** Whether variables have moved, or variants were chosen anew, since the replay was made. */
const outdated = ({ device, layout, replay }: Compiled): boolean =>
  layout !== layoutVersion() || replay.generation !== device.tuning.generation;

async function renewed(compiled: Compiled): Promise<Compiled> {
  const { device, captured } = compiled;
  const layout = layoutVersion();
  const runs = runsOf(compiled.leaves.map((leaf) => (leaf instanceof Storage ? leaf : undefined)));
  const program = { ...captured.program, runs };
  return { ...compiled, layout, captured: { ...captured, program }, replay: await replayOf(device, program) };
}

/** The arguments, copied where they share a buffer with variables: a plan does not know where its arguments live. */
async function apart(
  device: Device,
  args: readonly AnyTensor[],
  { variables }: Compiled,
): Promise<readonly AnyTensor[]> {
  const passed = args.map((arg) => {
    const { source } = arg;
    // Only variables share buffers, and only theirs are overwritten.
    if (source.kind !== "storage" || !source.storage.owner || variables.length === 0) return arg;
    const { storage } = source;
    return storage.shares || variables.some((variable) => variable.storage === storage) ? copy(arg) : arg;
  });
  await evaluateNow(device, passed);
  return passed;
}

/** Variables read by the compiled function that were assigned elsewhere and not evaluated since. */
const pendingVariables = ({ leaves }: Compiled): AnyVariable[] =>
  leaves
    .flatMap((leaf) => (leaf instanceof Storage ? (leaf.owner?.deref() ?? []) : []))
    .filter(({ pending }) => pending);

interface Run {
  readonly args: readonly AnyTensor[];
  /** What the function reads as its arguments. */
  readonly passed: readonly AnyTensor[];
  /** Of `resultsOf`. */
  readonly results: readonly Storage[];
  /** Pending values of the variables that the function overwrites. */
  readonly replaced: readonly (AnyTensor | undefined)[];
}

async function replayCompiled(
  compiled: Compiled,
  { args, passed, results, replaced }: Run,
): Promise<Tensors> {
  const { device, replay, captured, variables } = compiled;
  const leaves = compiled.leaves.map((leaf) =>
    typeof leaf === "number"
      ? storageOf(passed[leaf]!, device)
      : leaf instanceof Tensor
        ? storageOf(leaf, device)
        : inPlace(leaf),
  );
  const fresh = compiled.outputs.map((tensor) => new Tensor(tensor, { kind: "argument", index: -1 }));
  await runReplay(device, replay, captured, { leaves, results, tensors: fresh, variables, replaced });
  const byTrace = new Map(compiled.outputs.map((tensor, index) => [tensor, fresh[index]!]));
  return mapTensors(compiled.result, (tensor) => {
    const { source } = resolve(tensor);
    if (source.kind === "argument") return args[source.index]!;
    return byTrace.get(resolve(tensor)) ?? tensor;
  });
}

/** The memory of a variable. After the variable's disposal it may belong to others. */
function inPlace(storage: Storage): Storage {
  if (storage.freed)
    throw new StaleValueError("A variable that the compiled function uses was disposed of: compile it anew.");
  if (storage.refused) throw withoutMemory("A variable that the compiled function uses");
  return storage;
}

function flatten(result: Tensors): AnyTensor[] {
  if (result === undefined) return [];
  if (result instanceof Tensor) return [result];
  return Object.values(result).flatMap(flatten);
}

function mapTensors(result: Tensors, fn: (tensor: AnyTensor) => AnyTensor): Tensors {
  if (result === undefined) return undefined;
  if (result instanceof Tensor) return fn(result);
  if (Array.isArray(result)) return result.map((entry: Tensors) => mapTensors(entry, fn));
  return Object.fromEntries(
    Object.entries(result).map(([name, entry]) => [name, mapTensors(entry as Tensors, fn)]),
  );
}
