/** `compile`: a function whose recording, fusing and planning happen once for each signature. */
import { show } from "@ddad/kernels-wgsl";
import { currentDevice, type Device } from "./device/device.ts";
import type { Replay } from "./device/replay.ts";
import { StaleValueError } from "./errors.ts";
import { capture, evaluate, evaluateNow, releaseAll, replayOf, resultsOf, runReplay } from "./evaluate.ts";
import { copy } from "./ops/movement.ts";
import { type Captured, nodesBehind, runsOf } from "./program/program.ts";
import { upcomingId } from "./record.ts";
import { layoutVersion, Storage } from "./storage.ts";
import { resolve, storageOf, Tensor, trackAssignments, type Variable, withoutMemory } from "./tensor.ts";

/** What a compiled function may return: tensors in any nesting of plain objects and arrays. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that only assigns returns nothing
export type Tensors = Tensor | void | undefined | readonly Tensors[] | { readonly [name: string]: Tensors };

interface Compiled {
  readonly device: Device;
  /** `layoutVersion()` that the replay is for. */
  readonly layout: number;
  readonly replay: Replay;
  readonly captured: Pick<Captured, "program" | "targets">;
  /** Where each leaf comes from: the index of an argument, a variable's buffer, or a tensor used inside. */
  readonly leaves: readonly (number | Storage | Tensor)[];
  readonly outputs: readonly Tensor[];
  readonly variables: readonly Variable[];
  readonly result: Tensors;
}

/**
 * Compiles `fn` on its first call for each combination of argument shapes and types. Later calls only replay: `fn` itself
 * does not run, so everything that changes from call to call must be an argument or a variable. Variables assigned
 * inside are updated by each call. The results are evaluated tensors.
 */
export function compile<A extends readonly Tensor[], R extends Tensors>(
  fn: (...args: A) => R,
): (...args: A) => Promise<R> {
  const known = new Map<string, Compiled>();
  return async (...args) => {
    await evaluate(...args);
    const device = currentDevice();
    return device.exclusively(async () => {
      const key = args.map(({ dtype, shape }) => `${dtype}${show(shape)}`).join(" ");
      let compiled = known.get(key);
      if (compiled?.device !== device) {
        compiled = await trace(device, fn, args);
        known.set(key, compiled);
      }
      await evaluateNow(device, pendingVariables(compiled));
      const passed = await apart(device, args, compiled);
      try {
        for (;;) {
          while (outdated(compiled)) {
            compiled = await renewed(compiled);
            known.set(key, compiled);
          }
          const results = await resultsOf(device, compiled.replay);
          try {
            if (!outdated(compiled)) return (await replayCompiled(compiled, args, passed, results)) as R;
          } finally {
            releaseAll(results);
          }
        }
      } finally {
        for (const [index, tensor] of passed.entries()) if (tensor !== args[index]) tensor.dispose();
      }
    });
  };
}

async function trace<A extends readonly Tensor[]>(
  device: Device,
  fn: (...args: A) => Tensors,
  args: A,
): Promise<Compiled> {
  const placeholders = args.map((arg, index) => new Tensor(arg, { kind: "argument", index }));
  const start = upcomingId();
  const layout = layoutVersion();
  const { result, assigned } = trackAssignments(() => fn(...(placeholders as unknown as A)));
  try {
    const outputs = [...new Set(flatten(result).map(resolve))].filter(({ source }) => source.kind === "node");
    refuseOlderNodes([...outputs, ...assigned.map(({ value }) => value)], start);
    const { program, leaves, targets } = capture(outputs, assigned);
    const replay = await replayOf(device, program);
    return {
      device,
      layout,
      replay,
      captured: { program, targets },
      leaves: leaves.map((leaf) => {
        const { source } = leaf;
        if (source.kind === "argument") return source.index;
        const storage = storageOf(leaf, device);
        // A variable may be assigned elsewhere between calls: its buffer stands for its value of the day.
        return storage.owner ? storage : leaf;
      }),
      outputs,
      variables: assigned,
      result,
    };
  } finally {
    for (const variable of assigned) variable.reset();
  }
}

/** A pending tensor from outside would be computed anew by every call, from values that change meanwhile. */
function refuseOlderNodes(roots: readonly Tensor[], start: number): void {
  const older = nodesBehind(roots)
    .filter(({ id }) => id < start)
    .at(-1);
  if (!older) return;
  throw new Error(
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
  args: readonly Tensor[],
  { variables }: Compiled,
): Promise<readonly Tensor[]> {
  const passed = args.map((arg) => {
    const { source } = resolve(arg);
    // Only variables share buffers, and only theirs are overwritten.
    if (source.kind !== "storage" || !source.storage.owner || variables.length === 0) return arg;
    const { storage } = source;
    return storage.shares || variables.some(({ home }) => home === storage) ? copy(arg) : arg;
  });
  await evaluateNow(device, passed);
  return passed;
}

/** Variables read by the compiled function that were assigned elsewhere and not evaluated since. */
const pendingVariables = ({ leaves }: Compiled): Variable[] =>
  leaves
    .flatMap((leaf) => (leaf instanceof Storage ? (leaf.owner?.deref() ?? []) : []))
    .filter(({ pending }) => pending);

/**
 * @param passed what the function reads as its arguments `args`
 * @param results of `resultsOf`
 */
async function replayCompiled(
  compiled: Compiled,
  args: readonly Tensor[],
  passed: readonly Tensor[],
  results: readonly Storage[],
): Promise<Tensors> {
  const { device, replay, captured, variables } = compiled;
  const leaves = compiled.leaves.map((leaf) =>
    typeof leaf === "number"
      ? storageOf(resolve(passed[leaf]!), device)
      : leaf instanceof Tensor
        ? storageOf(leaf, device)
        : inPlace(leaf),
  );
  const fresh = compiled.outputs.map((tensor) => new Tensor(tensor, { kind: "argument", index: -1 }));
  await runReplay(device, replay, captured, { leaves, results, tensors: fresh, variables });
  const byTrace = new Map(compiled.outputs.map((tensor, index) => [tensor, fresh[index]!]));
  return mapTensors(compiled.result, (tensor) => {
    const { source } = resolve(tensor);
    if (source.kind === "argument") return args[source.index]!;
    return byTrace.get(resolve(tensor)) ?? tensor;
  });
}

/** The memory of a variable, which somebody else may have once the variable is disposed of. */
function inPlace(home: Storage): Storage {
  if (home.freed)
    throw new StaleValueError("A variable that the compiled function uses was disposed of: compile it anew.");
  if (home.refused) throw withoutMemory("A variable that the compiled function uses");
  return home;
}

function flatten(result: Tensors): Tensor[] {
  if (result === undefined) return [];
  if (result instanceof Tensor) return [result];
  return Object.values(result).flatMap(flatten);
}

function mapTensors(result: Tensors, fn: (tensor: Tensor) => Tensor): Tensors {
  if (result === undefined) return undefined;
  if (result instanceof Tensor) return fn(result);
  if (Array.isArray(result)) return result.map((entry: Tensors) => mapTensors(entry, fn));
  return Object.fromEntries(
    Object.entries(result).map(([name, entry]) => [name, mapTensors(entry as Tensors, fn)]),
  );
}
