#!/usr/bin/env node
/** `npm run bench`: measures the adapter's ceilings, every kernel, some layers, and the engine itself. */
import { existsSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Device, DeviceLostError, setupDevice } from "@ddad/tensor";
import { measureCeilings } from "./ceilings.ts";
import { benchmarkColdStarts } from "./cold/report.ts";
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

/** `write` gets the results after each of them: whatever ends the run, those before it are there. */
async function benchmark(
  device: Device,
  options: Options,
  write: (results: Results) => void,
): Promise<{ readonly count: number; readonly failures: number }> {
  const effort = efforts[options.quick ? "quick" : "full"];
  print(`adapter: ${device.name}`);
  let failures = 0;
  const failed = (name: string, error: unknown): void => {
    if (error instanceof DeviceLostError) throw error;
    failures++;
    // The rest of a compiler's message is the shader.
    const [why] = (error instanceof Error ? error.message : String(error)).split("\n");
    print(`${name}: no time. ${why}`);
  };
  const ceilings = await measureCeilings(device, effort, failed);
  print(ceilingLine(ceilings));
  const run: Run = {
    device,
    ceilings,
    effort,
    quick: options.quick,
    allVariants: options.allVariants,
    wanted: (name) => name.toLowerCase().includes(options.filter),
    report: print,
    failed,
  };
  const cases: CaseResult[] = [];
  const engine: EngineResult[] = [];
  const { sections, tune, profile } = options;
  const keep = (): void => write({ adapter: device.name, ceilings, cases, engine });
  const collect = async (results: AsyncIterable<CaseResult>): Promise<void> => {
    for await (const result of results) {
      if (!cases.length) print(`\n${caseHead}`);
      cases.push(result);
      print(caseLine(result));
      keep();
    }
  };
  if (sections.has("kernels")) await collect(benchmarkKernels(run));
  if (sections.has("layers")) await collect(benchmarkLayers(run, { tune, profile }));
  if (sections.has("engine")) {
    for await (const result of benchmarkEngine(run)) {
      if (!engine.length) print(`\n${engineHead}`);
      engine.push(result);
      print(engineLine(result));
      keep();
    }
  }
  return { count: cases.length + engine.length, failures };
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
  const { json } = options;
  if (options.cold) {
    if (!(await benchmarkColdStarts(options, print)))
      throw new UsageError(`--filter ${options.filter}: no program has this text in its name.`);
    return 0;
  }
  const device = await setupDevice();
  const { count, failures } = await benchmark(device, options, (results) => {
    if (json) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
  });
  if (failures) print(`\n${failures} failed, and ${failures === 1 ? "has" : "have"} no time.`);
  else if (!count) throw new UsageError(`--filter ${options.filter}: no case has this text in its name.`);
  return failures ? 1 : 0;
}

try {
  process.exit(await main());
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(error instanceof UsageError ? 2 : 1);
}
