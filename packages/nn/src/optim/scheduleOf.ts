import { checkNumbers } from "../arguments.ts";
import type { Schedule } from "./schedules.ts";

/** A number or a schedule as a schedule. Throws RangeError for another thing. */
export function scheduleOf(op: string, name: string, given: number | Schedule): Schedule {
  if (typeof given === "function") return given;
  checkNumbers(op, { [name]: given });
  return () => given;
}
