#!/usr/bin/env node
/** `npm run bench`: measures the adapter's ceilings, every kernel, some layers, and the engine itself. */
import { existsSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Device, setupDevice } from "@ddad/tensor";
import { measureCeilings } from "./ceilings.ts";
import { benchmarkEngine } from "./engine.ts";
import { benchmarkKernels, type Run } from "./kernels.ts";
import { benchmarkLayers } from "./layers.ts";
import { efforts } from "./measure.ts";
import { type Options, parseOptions, UsageError, usage } from "./options.ts";
import {
  type CaseResult,
  caseHead,
  caseLine,
  ceilingLine,
  type EngineResult,
  engineHead,
  engineLine,
  type Results,
} from "./results.ts";

const print = (line: string): void => console.log(line);

async function benchmark(device: Device, options: Options): Promise<Results> {
  const effort = efforts[options.quick ? "quick" : "full"];
  print(`adapter: ${device.name}`);
  const ceilings = await measureCeilings(device, effort);
  print(ceilingLine(ceilings));
  const run: Run = {
    device,
    ceilings,
    effort,
    quick: options.quick,
    allVariants: options.allVariants,
    wanted: (name) => name.toLowerCase().includes(options.filter),
    report: print,
  };
  const cases: CaseResult[] = [];
  const engine: EngineResult[] = [];
  const { sections } = options;
  const collect = async (results: AsyncIterable<CaseResult>): Promise<void> => {
    for await (const result of results) {
      if (!cases.length) print(`\n${caseHead}`);
      cases.push(result);
      print(caseLine(result));
    }
  };
  if (sections.has("kernels")) await collect(benchmarkKernels(run));
  if (sections.has("layers")) await collect(benchmarkLayers(run, options.profile));
  if (sections.has("engine")) {
    for await (const result of benchmarkEngine(run)) {
      if (!engine.length) print(`\n${engineHead}`);
      engine.push(result);
      print(engineLine(result));
    }
  }
  return { adapter: device.name, ceilings, cases, engine };
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) {
    print(usage);
    return 0;
  }
  // Better now than after some minutes.
  if (options.json && !existsSync(dirname(resolve(options.json)))) {
    throw new UsageError(`--json ${options.json}: that folder does not exist.`);
  }
  // What `tune` found on this machine would hide how the variants are chosen without it; DDAD_TUNING=FILE measures its choices.
  process.env["DDAD_TUNING"] ??= "off";
  const device = await setupDevice();
  const results = await benchmark(device, options);
  if (!results.cases.length && !results.engine.length) {
    throw new UsageError(`--filter ${options.filter}: no case has this text in its name.`);
  }
  if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  return 0;
}

try {
  process.exit(await main());
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(error instanceof UsageError ? 2 : 1);
}
