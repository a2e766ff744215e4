/** What the documents show and point at must be so: quoted code is the code, links lead somewhere. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect } from "chai";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const documents = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md"],
  ...readdirSync(join(root, "docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file)),
];

/** A fence whose info string is a language and a file quotes that file: ```ts packages/tensor/src/ops/mean.ts */
const quotation = /^```\w+ (\S+)\n([\s\S]*?)^```$/gm;
const link = /\[[^\]]*\]\(([^)\s]+)\)/g;
/** A path of the repository in backquotes. */
const mention = /`((?:packages|examples|bench|scripts|docs)\/[\w./-]+\.\w+)`/g;

for (const document of documents) {
  describe(document, () => {
    const text = read(document);

    for (const [, file = "", code = ""] of text.matchAll(quotation)) {
      it(`quotes ${file} as it is: ${code.trim().split("\n")[0]}`, () => {
        expect(read(file)).to.contain(code);
      });
    }

    it("points at files that exist", () => {
      const prose = text.replace(/^```[\s\S]*?^```$/gm, "");
      const linked = [...prose.matchAll(link)]
        .map(([, target = ""]) => target)
        .filter((target) => !/^(https?:|#)/.test(target))
        .map((target) => relative(root, join(root, dirname(document), target.replace(/#.*/, ""))));
      const named = [...prose.matchAll(mention)].map(([, path = ""]) => path);
      for (const path of [...linked, ...named]) expect(existsSync(join(root, path)), path).to.equal(true);
    });
  });
}

describe("examples", () => {
  for (const file of readdirSync(import.meta.dirname).filter((name) =>
    /^(?!.*\.test\.)\w+\.ts$/.test(name),
  )) {
    it(`${file} fits on one screen of 60 lines`, () => {
      expect(read(join("examples", file)).split("\n").length - 1).to.be.at.most(60);
    });
  }
});
