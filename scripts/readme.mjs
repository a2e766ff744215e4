import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const heading = "Twenty lines";

/**
 * The README's example: the first `ts` block after the heading "Twenty lines". Its readers copy it, so it is run.
 * @param file the README; the workspace's own unless given
 */
export function readExample(file = join(dirname(fileURLToPath(import.meta.url)), "..", "README.md")) {
  const text = readFileSync(file, "utf8");
  const start = text.search(new RegExp(`^#+ ${heading}`, "m"));
  const code = start < 0 ? undefined : text.slice(start).match(/^```ts.*\n([\s\S]*?)^```$/m)?.[1];
  if (!code) throw new Error(`${file} has no \`\`\`ts block after a heading "${heading}".`);
  return code;
}
