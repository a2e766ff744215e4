/** Choices of variants as text that outlives the process, by adapter (with its driver) and version of the library. */
import { tuningStore } from "#tuningStore";
import { debug } from "../debug.ts";
import type { Tuning } from "./table.ts";

/** Where the text is kept: a file in Node, the origin's private file system in a browser. */
export interface TuningStore {
  /** For people. */
  readonly place: string;
  /** The text last written, undefined where there is none. */
  read(): Promise<string | undefined>;
  /** Replaces the text whole, or not at all. */
  write(text: string): Promise<void>;
}

/** Of this package: kernels of another version may be fast in other ways. */
export const version = "0.1.0";
const format = 1;

type Choices = Readonly<Record<string, string>>;
/** Choices by adapter and version. */
type Tables = Readonly<Record<string, Choices>>;

/** The name of an adapter contains its driver's version, where WebGPU reports it. */
const tableName = (adapter: string): string => `${adapter}, @ddad/tensor ${version}`;

interface Tuned {
  readonly name: string;
  readonly tuning: Tuning;
}

/** Adds what is stored for this adapter. Unreadable entries are ignored; they only affect speed. */
export async function loadTuning(
  { name, tuning }: Tuned,
  store: TuningStore | undefined = tuningStore(),
): Promise<void> {
  try {
    const choices = parse(await store?.read())[tableName(name)];
    if (choices) tuning.remember(Object.entries(choices));
  } catch (error) {
    debug(1, () => `tuning: ${store?.place} is ignored: ${error instanceof Error ? error.message : error}`);
  }
}

/** Stores the choices beside those of other adapters. Throws where the store cannot be written. */
export async function saveTuning({ name, tuning }: Tuned, store: TuningStore): Promise<void> {
  const tables = await store
    .read()
    .then(parse)
    .catch((): Tables => ({}));
  // What another process has stored meanwhile stays.
  const choices = { ...tables[tableName(name)], ...Object.fromEntries(tuning.choices) };
  await store.write(
    `${JSON.stringify({ format, tables: { ...tables, [tableName(name)]: choices } }, null, 1)}\n`,
  );
}

/** Throws where the text is not what `saveTuning` writes. */
function parse(text: string | undefined): Tables {
  if (text === undefined) return {};
  const content: unknown = JSON.parse(text);
  if (!isRecord(content) || content["format"] !== format) throw new Error(`its format is not ${format}`);
  const tables = content["tables"];
  const isChoices = (table: unknown): table is Choices =>
    isRecord(table) && Object.values(table).every((choice) => typeof choice === "string");
  if (!isRecord(tables) || !Object.values(tables).every(isChoices)) {
    throw new Error("it holds something else than tables of names");
  }
  return tables as Tables;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
