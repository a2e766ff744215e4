import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const folder = dirname(fileURLToPath(import.meta.url));

/**
 * Builds pages of this folder with Vite from the packages' build: what a user's bundler sees, not the sources.
 *
 * @param pages names without `.html`
 * @param example the README's example, which enters as a module of its own that lies, for the resolver, among them
 * @param output folder for what is built; emptied
 * @returns the paths of all modules in the bundle
 */
export async function bundlePages(pages, example, output) {
  const id = join(folder, "readme-example.ts");
  const readme = {
    name: "readme-example",
    resolveId: (source) => (source === "virtual:readme-example" ? id : null),
    load: (source) => (source === id ? example : null),
  };
  const { output: chunks } = await build({
    root: folder,
    configFile: false,
    logLevel: "warn",
    plugins: [readme],
    build: {
      outDir: output,
      emptyOutDir: true,
      target: "esnext", // top-level await
      minify: false,
      chunkSizeWarningLimit: 10_000,
      rolldownOptions: { input: pages.map((page) => join(folder, `${page}.html`)) },
    },
  });
  return chunks.flatMap((chunk) => chunk.moduleIds ?? []);
}
