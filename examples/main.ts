/** `npm run example NAME` runs an example; without a name it lists them. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = import.meta.dirname;

/** What is no example but helps them. */
const helpers = ["main.ts", "run.ts", "printImages.ts"];

const names = readdirSync(folder)
  .filter((file) => /^\w+\.ts$/.test(file) && !helpers.includes(file))
  .map((file) => basename(file, ".ts"));

/** What an example is for: the comment that its file begins with. The README's example has none. */
function purposeOf(name: string): string {
  const [first = ""] = readFileSync(join(folder, `${name}.ts`), "utf8").split("\n", 1);
  return (
    /^\/\*\* (.*) \*\/$/.exec(first)?.[1] ??
    "The example of the README: a network takes noise out of stripes."
  );
}

const [node, , name, ...rest] = process.argv as [string, string, string?, ...string[]];
if (name !== undefined && names.includes(name)) {
  const file = join(folder, `${name}.ts`);
  process.argv = [node, file, ...rest]; // the example sees itself as the program
  await import(pathToFileURL(file).href);
} else {
  const width = Math.max(...names.map(({ length }) => length));
  const lines = names.map((example) => `  ${example.padEnd(width)}  ${purposeOf(example)}`);
  const list = `Usage: npm run example NAME\n\n${lines.join("\n")}`;
  if (name === undefined) console.log(list);
  else {
    console.error(`There is no example ${name}.\n\n${list}`);
    process.exitCode = 2;
  }
}
