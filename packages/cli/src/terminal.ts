/** What people see: results on standard output, everything else on standard error. */

/**
 * Text that a terminal shows and does not obey: names of files and texts out of files may hold control characters, and signs that turn
 * the direction of reading.
 */
export const printable = (text: string): string =>
  text.replace(
    /[^\P{Cc}\n\t]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );

/** A line for people; takes the place of a progress line that is not finished. */
export const say = (line: string): void => {
  process.stderr.write(`${process.stderr.isTTY ? "\r\x1b[K" : ""}${printable(line)}\n`);
};

/** A word of a command that a person can paste into a shell. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

let typed: readonly string[] = [];

/** Remembers the words after `ddad`, for `repeatedCommand`. */
export const rememberCommand = (words: readonly string[]): void => {
  typed = words;
};

/** The name of the command, such as `train`. */
export const typedCommand = (): string | undefined => typed[0];

/** Whether an option is among the words that were typed, with a value or without. */
export const isTyped = (option: string): boolean =>
  typed.some((word) => word === option || word.startsWith(`${option}=`));

/** The command that was typed, to be pasted into a shell. @param without options to leave out, those without a value */
export const repeatedCommand = (without: readonly string[] = []): string =>
  ["ddad", ...typed.filter((word) => !without.includes(word)).map(shellWord)].join(" ");

/** A line of a result that comes while a progress line may stand; takes its place on a terminal. */
export function sayResult(line: string): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  process.stdout.write(`${printable(line)}\n`);
}

/** The command that was typed, changed. @param flags and options (with their value) to leave out @param added at the end */
export function changedCommand(
  flags: readonly string[],
  options: readonly string[],
  added: readonly string[],
): string {
  const kept = typed.filter(
    (word, index) =>
      !flags.includes(word) &&
      !options.some((name) => word === name || word.startsWith(`${name}=`)) &&
      !options.includes(typed[index - 1] ?? ""),
  );
  return ["ddad", ...[...kept, ...added].map(shellWord)].join(" ");
}

/** Columns of the terminal that results go to; 80 where it is none. */
export const outputWidth = (): number => process.stdout.columns ?? 80;

/** A result: text for people, or with `--json` one object for programs. */
export function printResult(json: boolean | undefined, value: object, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(value) : printable(text)}\n`);
}
