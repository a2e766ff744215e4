/** The command: chooses cases and peers, runs them, prints the table and writes the results. */
import { existsSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { CaseResult, Effort } from "./contest.ts";
import type { Contestant } from "./contestant.ts";
import { defineBrowserGlobals } from "./webgpu.ts";

const usage = `node bench/peers/run.mjs [options]

  --case TEXT     only cases whose name contains TEXT
  --large         the largest too, which a software adapter leaves out
  --peer NAME     only this peer: jax-js, tfjs-webgpu or onnxruntime-web; may be given more than once
  --rounds N      interleaved samples of each library (default 10)
  --json FILE     write the results there
  --list          the names of the cases
  --help`;

interface Options {
  readonly text: string;
  readonly peers: readonly string[];
  readonly effort: Effort;
  readonly json: string | undefined;
  readonly large: boolean;
  readonly list: boolean;
}

const start: Readonly<Record<string, () => Promise<Contestant>>> = {
  "jax-js": async () => (await import("./jax.ts")).jax(),
  "tfjs-webgpu": async () => (await import("./tfjs.ts")).tfjs(),
  "onnxruntime-web": async () => (await import("./onnx.ts")).onnx(),
};

class UsageError extends Error {}

function parseOptions(): Options | undefined {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values } = parseArgs({
    options: {
      case: text,
      peer: { ...text, multiple: true },
      rounds: { ...text, default: "10" },
      json: text,
      large: flag,
      list: flag,
      help: flag,
    },
  });
  if (values.help) return undefined;
  const known = Object.keys(start);
  const peers = values.peer ?? known;
  const unknown = peers.find((name) => !known.includes(name));
  if (unknown) throw new UsageError(`--peer ${unknown}: the peers are ${known.join(", ")}.`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new UsageError(`--rounds ${values.rounds}: not a count.`);
  if (values.json && !existsSync(dirname(resolve(values.json)))) {
    throw new UsageError(`--json ${values.json}: that folder does not exist.`);
  }
  const effort = { rounds, sampleMs: 50 };
  return {
    text: (values.case ?? "").toLowerCase(),
    peers,
    effort,
    json: values.json,
    large: values.large ?? false,
    list: values.list ?? false,
  };
}

const digits = (value: number): string => value.toPrecision(4);

/** One line for each library of a case. */
function linesOf({ ours, peers, ratio }: CaseResult): string[] {
  const columns = (name: string, ms: number, median: number): string =>
    `  ${name.padEnd(18)} ${digits(ms).padStart(9)} ms  median ${digits(median).padStart(9)} ms`;
  const lines = [columns("ours", ours.ms, ours.median)];
  for (const [name, { ms, median, ratio: relative, refused }] of Object.entries(peers)) {
    if (ms === undefined) lines.push(`  ${name.padEnd(18)} not timed: ${refused}`);
    else lines.push(`${columns(name, ms, median!)}  ${relative!.toFixed(2).padStart(7)} × ours`);
  }
  return ratio === undefined
    ? lines
    : [...lines, `  the best peer takes ${ratio.toFixed(2)} × as long as ours`];
}

async function main(): Promise<number> {
  const options = parseOptions();
  if (!options) {
    console.log(usage);
    return 0;
  }
  defineBrowserGlobals(); // before any of the libraries is loaded
  const { cases } = await import("./workload.ts");
  const chosen = cases.filter(({ name }) => name.toLowerCase().includes(options.text));
  if (!chosen.length) throw new UsageError(`--case ${options.text}: no case has this text in its name.`);
  if (options.list) {
    for (const { name } of chosen) console.log(name);
    return 0;
  }
  const { setupDevice } = await import("@ddad/nn");
  const { compete } = await import("./contest.ts");
  const { ours } = await import("./ours.ts");
  const device = await setupDevice();
  const own = ours(device);
  const peers: Contestant[] = [];
  for (const name of options.peers) peers.push(await start[name]!());
  const versions = Object.fromEntries([own, ...peers].map(({ name, version }) => [name, version]));
  console.log(`adapter: ${device.name}`);
  console.log(
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
  );
  const skipLarge = device.capabilities.adapterClass === "software" && !options.large;
  const results: CaseResult[] = [];
  for (const { name, large, make } of chosen) {
    if (large && skipLarge) continue;
    console.log(`\n${name}`);
    const result = await compete(await make(), own, peers, options.effort, (line) =>
      console.log(`  ${line}`),
    );
    results.push(result);
    for (const line of linesOf(result)) console.log(line);
    // After every case, so that a run that is cut short leaves what it has.
    const contents = {
      adapter: device.name,
      node: process.versions.node,
      versions,
      ...options.effort,
      cases: results,
    };
    if (options.json) writeFileSync(options.json, `${JSON.stringify(contents, null, 2)}\n`);
  }
  if (!results.length) throw new UsageError(`Of these cases all are among the largest: add --large.`);
  return 0;
}

try {
  process.exit(await main()); // the devices of the peers would keep Node from ending
} catch (error) {
  const usual =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
  console.error(usual ? (error as Error).message : error);
  process.exit(usual ? 2 : 1);
}
