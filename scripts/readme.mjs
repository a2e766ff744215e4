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
  const section = text.split(/^#+ /m).find((part) => part.startsWith(heading));
  const code = section?.match(/^```ts\n([\s\S]*?)^```$/m)?.[1];
  if (!code) throw new Error(`${file} has no \`\`\`ts block under a heading "${heading}".`);
  return code;
}
