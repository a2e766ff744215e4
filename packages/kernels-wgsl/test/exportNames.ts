/** What a package promises: the names that its entries export, compared with a list beside the test. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";

const declaration =
  /^export (?:declare )?(?:abstract )?(?:async )?(const|let|function\*?|class|interface|type) (\w+)/gm;
const list = /^export (type )?\{([^}]*)\}(?: from "([^"]+)")?/gm;
const star = /^export \* from "([^"]+)"/gm;

/** Names that the module at `path` exports: values as they are, types after `type `, another package's whole as `* from …`. */
function namesOf(path: string): Set<string> {
  const text = readFileSync(path, "utf8");
  const names = new Set<string>();
  for (const [, kind, name] of text.matchAll(declaration))
    names.add(kind === "interface" || kind === "type" ? `type ${name}` : name!);
  for (const [, allTypes, inner] of text.matchAll(list)) {
    for (const item of inner!.split(",").map((part) => part.trim())) {
      if (!item) continue;
      const type = allTypes || item.startsWith("type ");
      const name = item
        .replace(/^type /, "")
        .split(" as ")
        .at(-1)!;
      names.add(type ? `type ${name}` : name);
    }
  }
  for (const [, from] of text.matchAll(star)) {
    if (!from!.startsWith(".")) names.add(`* from ${from}`);
    else for (const name of namesOf(join(dirname(path), from!))) names.add(name);
  }
  return names;
}

/**
 * Declares the tests of one package: each entry exports what its list says. With UPDATE_EXPORTS=1 the lists are written anew, so
 * that a change of the surface is seen in the diff.
 * @param folder the package's
 * @param entries name of the list → source file of the entry
 */
export function describeExports(folder: string, entries: Readonly<Record<string, string>>): void {
  const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name: string };
  for (const [entry, source] of Object.entries(entries)) {
    const path = join(folder, "src", source);
    const snapshot = join(folder, "test", `${entry}.txt`);

    describe(`${name}, ${source}`, () => {
      it("exports what the list beside this test says", () => {
        const found = [...namesOf(path)].sort();
        if (process.env["UPDATE_EXPORTS"]) writeFileSync(snapshot, `${found.join("\n")}\n`);
        const promised = existsSync(snapshot) ? readFileSync(snapshot, "utf8").trim().split("\n") : [];
        const news = found.filter((one) => !promised.includes(one));
        const gone = promised.filter((one) => !found.includes(one));
        const cure = "If this is meant, run this test with UPDATE_EXPORTS=1 and commit the list.";
        expect({ news, gone }, cure).to.deep.equal({ news: [], gone: [] });
      });

      it("has these values at run time", async () => {
        const load = async (from: string) => Object.keys((await import(from)) as object);
        const names = [...namesOf(path)].filter((one) => !one.startsWith("type "));
        const others = names
          .filter((one) => one.startsWith("* from "))
          .map((one) => one.slice("* from ".length));
        const elsewhere = new Set((await Promise.all(others.map(load))).flat());
        const own = names.filter((one) => !one.startsWith("* from ") && !elsewhere.has(one));
        const loaded = await load(pathToFileURL(path).href);
        expect(loaded.filter((one) => !elsewhere.has(one)).sort()).to.deep.equal(own.sort());
      });
    });
  }
}
