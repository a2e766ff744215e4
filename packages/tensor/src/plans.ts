/** Plans: from a recorded program to what runs, made once for each structure and kept for a while. */
import { debug } from "./debug.ts";
import type { Device } from "./device/device.ts";
import { withErrors } from "./device/errorScopes.ts";
import { Replay } from "./device/replay.ts";
import { OutOfMemoryError } from "./errors.ts";
import { describePlan } from "./program/describe.ts";
import { fuseEpilogues } from "./program/epilogues.ts";
import { fuseProgram } from "./program/fuse.ts";
import { type Lowered, lowerProgram } from "./program/lower.ts";
import { packProgram } from "./program/pack.ts";
import { misplaced, type Plan, planProgram } from "./program/plan.ts";
import { type Program, programKey, type ValueId } from "./program/program.ts";
import { RecentMap } from "./recent.ts";
import { outdatePlans } from "./storage.ts";

/** Plans that a device keeps: those used last. A compiled function keeps its own beyond that. */
const maxPlans = 256;

interface Replays {
  /** Of the device's tuning: other choices make other replays. */
  readonly generation: number;
  readonly byKey: RecentMap<string, Promise<Replay>>;
}

const replays = new WeakMap<Device, Replays>();

/** The replay of a program: made once for each structure, and again when variants have been chosen anew. */
export function replayOf(device: Device, program: Program): Promise<Replay> {
  const { generation } = device.tuning;
  let known = replays.get(device);
  if (known?.generation !== generation) {
    known = { generation, byKey: new RecentMap(maxPlans) };
    replays.set(device, known);
  }
  const cache = known.byKey;
  const key = programKey(program);
  const cached = cache.get(key);
  if (cached) return cached;
  const replay = prepareReplay(device, program).catch((error: unknown) => {
    cache.delete(key);
    throw error;
  });
  cache.set(key, replay);
  return replay;
}

async function prepareReplay(device: Device, program: Program): Promise<Replay> {
  const { fused, lowered, plan } = planFor(device, program);
  debug(1, () => describePlan(program, fused, lowered, plan));
  const prepare = () => withErrors(device, () => Replay.prepare(device, fused.calls, lowered, plan));
  try {
    return await prepare();
  } catch (error) {
    if (!device.workspace.refused) throw error;
    // What takes the room may be the intermediates of plans that nobody runs any more.
    await makeRoom(device, program);
    if (!(error instanceof OutOfMemoryError)) throw error;
  }
  try {
    return await prepare();
  } catch (error) {
    if (device.workspace.refused) await makeRoom(device, program);
    throw error;
  }
}

/** Gives the intermediates back to the system. All plans are made anew when they run again; that of `program` is being made. */
async function makeRoom(device: Device, program: Program): Promise<void> {
  replays.get(device)!.byKey.keepOnly(programKey(program));
  outdatePlans();
  device.workspace.clear();
  device.buffers.trim();
  await device.gpu.queue.onSubmittedWorkDone();
}

/** The passes from a recorded program to a plan for this device. */
export function planFor(device: Device, program: Program): { fused: Program; lowered: Lowered; plan: Plan } {
  const chains = fuseProgram(program);
  const recorded = device.capabilities.adapterClass === "software" ? chains : fuseEpilogues(chains);
  const known: Parameters<typeof lowerProgram>[3] = new Map();
  const lower = (fused: Program) => {
    const lowered = lowerProgram(fused, device.capabilities, device.tuning.choices, known);
    return { fused, lowered };
  };
  const except = new Set<ValueId>();
  let ready = lower(packProgram(recorded));
  for (let found = misplaced(ready.lowered); found.length > 0; found = misplaced(ready.lowered)) {
    for (const id of found) except.add(id);
    ready = lower(packProgram(recorded, except));
  }
  return { ...ready, plan: planProgram(ready.lowered) };
}
