/** What a tarball holds: the licence, the README, the build and its types, and nothing made for this workspace alone. */
import { basename, dirname } from "node:path";
import { packageNames, run } from "./project.mjs";
import { row } from "./rows.mjs";

const needed = ["LICENSE", "README.md"];
/** A library has an entry, the command line a program. */
const entry = ["dist/index.js", "dist/index.d.ts"];
const program = ["bin/ddad.js", "dist/main.js"];

/** A row for every tarball. */
export async function checkContents(tarballs) {
  for (const [index, tarball] of tarballs.entries()) {
    await row("contents", packageNames[index], () => {
      const listing = run(dirname(tarball), "tar", ["-tzf", basename(tarball)]);
      const entries = listing
        .trim()
        .split("\n")
        .map((entry) => entry.replace(/^package\//, ""));
      const strays = entries.filter((entry) =>
        /\.tsbuildinfo$|\/test\/|\/node_modules\/|\/runs\//.test(`/${entry}`),
      );
      if (strays.length) throw new Error(`holds files that no user needs: ${strays.join(", ")}`);
      const stale = entries.filter((entry) => {
        const module = entry.match(/^dist\/(?!lean\/)(.*)\.js$/)?.[1];
        return module && !entries.includes(`src/${module}.ts`);
      });
      if (stale.length) throw new Error(`holds files whose source is gone: ${stale.join(", ")}`);
      const kind = packageNames[index] === "cli" ? program : entry;
      const absent = [...needed, ...kind].filter((file) => !entries.includes(file));
      if (absent.length) throw new Error(`lacks ${absent.join(", ")}`);
      return `${entries.length} files`;
    });
  }
}
