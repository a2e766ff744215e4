/** Tables as text: CSV with a header, or one JSON object a line. */
import { readFileSync, statSync } from "node:fs";
import { DataError } from "@ddad/ddad/internal";
import { parse } from "csv-parse/sync";
import { extensionOf } from "../listing.ts";

export type Row = {
  /** Line of the file on which it ends, for errors. */
  line: number;
  /** Cells by their column's name, in lower case; an empty cell is absent. */
  cells: { readonly [column: string]: string };
};

/**
 * Reads a table. CSV may have commas, semicolons or tabs between its cells, whichever its header has.
 *
 * @param columns that must be there
 * @param optional columns that are read where they are there; all others are left alone
 * @throws DataError when the file is missing or is no such table, or has one of these columns twice
 */
export function readTable(path: string, columns: readonly string[], optional: readonly string[] = []): Row[] {
  const read = [...columns, ...optional];
  const rows = extensionOf(path) === ".csv" ? readCsv(path, read) : readLines(path, read);
  if (rows.length === 0) throw new DataError(`${path} has no rows.`);
  const names = [...new Set(rows.flatMap(({ cells }) => Object.keys(cells)))];
  const missing = columns.filter((column) => !names.includes(column));
  if (missing.length === 0) return rows;
  throw new DataError(
    `${path} has nothing in column ${missing.join(", ")}; it needs ${columns.join(", ")}, and has ${names.join(", ")}.`,
  );
}

function readCsv(path: string, read: readonly string[]): Row[] {
  const text = readText(path);
  const header = text.slice(0, text.indexOf("\n"));
  const delimiter = [",", ";", "\t"].find((candidate) => header.includes(candidate)) ?? ",";
  try {
    const records = parse(text, {
      columns: (given: string[]) => {
        const names = given.map((name) => name.trim().toLowerCase());
        checkTwice(path, names, read);
        return names;
      },
      delimiter,
      info: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as { record: Record<string, string>; info: { lines: number } }[];
    return records.map(({ record, info }) => ({ line: info.lines, cells: filled(record) }));
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`${path} is not valid CSV: ${(cause as Error).message}.`, { cause });
  }
}

/** @throws DataError where a column that is read is there twice: which of the two counts, nobody can tell */
function checkTwice(place: string, names: readonly string[], read: readonly string[]): void {
  const twice = read.filter((column) => names.indexOf(column) !== names.lastIndexOf(column));
  if (twice.length === 0) return;
  throw new DataError(
    `${place} has the column ${twice.join(" and ")} more than once; remove or rename all but one.`,
  );
}

function readLines(path: string, read: readonly string[]): Row[] {
  return readText(path)
    .split(/\r?\n/)
    .flatMap((text, i) => {
      if (text.trim() === "") return [];
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch (cause) {
        throw new DataError(`${path}, line ${i + 1}, is not valid JSON; every line must be one object.`, {
          cause,
        });
      }
      if (typeof value !== "object" || value === null || Array.isArray(value))
        throw new DataError(
          `${path}, line ${i + 1}, must be an object such as {"image": "a.png", "label": "good"}.`,
        );
      checkTwice(`${path}, line ${i + 1},`, keysOf(text), read);
      return [{ line: i + 1, cells: filled(value as Record<string, unknown>) }];
    });
}

/** The keys of an object as JSON, in lower case, repeated ones too: of values that are objects they do not count. */
function keysOf(json: string): string[] {
  let depth = 0;
  return [...json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[[\]{}]/g)].flatMap(([token, colon]) => {
    if (token === "{" || token === "[") depth++;
    if (token === "}" || token === "]") depth--;
    if (colon === undefined || depth !== 1) return [];
    return [(JSON.parse(token.slice(0, -colon.length)) as string).toLowerCase()];
  });
}

const filled = (record: Record<string, unknown>): Row["cells"] =>
  Object.fromEntries(
    Object.entries(record)
      .filter(([, cell]) => cell !== "" && cell !== null && cell !== undefined)
      .map(([column, cell]) => [column.toLowerCase(), String(cell)]),
  );

/** The text of a table, in UTF-8, or in UTF-16 where it begins with that mark, as what Excel calls Unicode text does. */
function readText(path: string): string {
  let bytes: Buffer;
  try {
    // A pipe or a device would never end.
    if (!statSync(path).isFile()) throw new DataError(`${path} is not a file; pass a table.`);
    bytes = readFileSync(path);
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`, { cause });
  }
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
  // A decoder takes the mark of its encoding away.
  const text = new TextDecoder(encoding).decode(bytes);
  if (!text.includes("\0")) return text;
  throw new DataError(`${path} is no text in UTF-8, or one in UTF-16 without its mark; save it as UTF-8.`);
}
