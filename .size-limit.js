// What a page has to load, minified by esbuild and gzipped: see `npm run size`. Part of `npm run check`.
const asModule = (config) => ({ ...config, format: "esm", target: "esnext" }); // top-level await
const common = { gzip: true, modifyEsbuildConfig: asModule };

export default [
  { ...common, name: "the README's example", path: "examples/twentyLines.ts", limit: "90 kB" },
  {
    ...common,
    name: "tensors and their methods only",
    path: "packages/nn/dist/index.js",
    import: "{ setupDevice, tensor }",
    limit: "60 kB",
  },
  {
    ...common,
    name: "a metric only, without the engine",
    path: "packages/ddad/dist/index.js",
    import: "{ auroc }",
    limit: "1 kB",
  },
];
