export * from "@ddad/tensor";
export { readCheckpoint } from "./checkpoint/readCheckpoint.ts";
export {
  Checkpoint,
  readSafetensors,
  underPrefix,
  withPrefix,
  writeSafetensors,
} from "./checkpoint/safetensors.ts";
export * from "./errors.ts";
export * from "./hostRandom.ts";
export * from "./init.ts";
export * from "./optim/schedules.ts";
export type { Layout, StateData, StateDict, StateEntry, StateType } from "./stateDict.ts";
