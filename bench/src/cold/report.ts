/** The table of cold starts, and its file. */
import { writeFileSync } from "node:fs";
import { measureBrowserStarts } from "./browser.ts";
import { type ColdResult, measureColdStarts, measureDevice } from "./cold.ts";
import type { DeviceStart } from "./device.ts";

/** What is asked for; see `Options` of the whole benchmark. */
export interface ColdOptions {
  /** In lower case. */
  readonly filter: string;
  readonly json: string | undefined;
  readonly browser: boolean;
  /** Without the costs by kernel, for which every program is started once more. */
  readonly quick: boolean;
}

/**
 * Starts programs and prints what it cost; writes the file of `json` after each.
 * @returns whether there was a program whose name contains the filter
 */
export async function benchmarkColdStarts(
  { filter, json, browser, quick }: ColdOptions,
  print: (line: string) => void,
): Promise<boolean> {
  const wanted = { wanted: (name: string) => name.toLowerCase().includes(filter), byKernel: !quick };
  const starts: ColdResult[] = [];
  const add = (start: ColdResult, about: object): void => {
    if (!starts.length) print(`\n${coldHead}`);
    starts.push(start);
    print([coldLine(start), ...kernelLines(start)].join("\n"));
    if (json) writeFileSync(json, `${JSON.stringify({ ...about, starts }, null, 2)}\n`);
  };
  if (browser) {
    for await (const { adapter, chromium, ...start } of measureBrowserStarts(wanted)) {
      if (!starts.length) print(`adapter: ${adapter}, Chromium ${chromium}`);
      add(start, { adapter, chromium });
    }
  } else {
    const device = await measureDevice();
    print(`adapter: ${device.adapter}\n${deviceLine(device)}`);
    for await (const start of measureColdStarts(wanted)) add(start, { adapter: device.adapter, device });
  }
  return starts.length > 0;
}

const seconds = (ms: number | undefined): string =>
  (ms === undefined ? "–" : (ms / 1000).toFixed(2)).padStart(8);

/** The device's start as a line. */
const deviceLine = ({ firstMs, cpuMs, parts }: DeviceStart): string =>
  `device ready after ${(firstMs / 1000).toFixed(2)} s, ${(cpuMs / 1000).toFixed(2)} s of processor time: ` +
  parts.map(({ name, ms }) => `${name} ${ms.toFixed(0)} ms`).join(", ");

/** Head of the table of {@link coldLine}. */
const coldHead = `${"".padEnd(46)} pipelines  WGSL, kB   first, s     CPU, s   second, s     CPU, s`;

/** One program as a line. */
const coldLine = ({ name, pipelines, bytes, firstMs, cpuMs, secondMs, secondCpuMs }: ColdResult): string =>
  [
    name.padEnd(46),
    String(pipelines).padStart(9),
    (bytes / 1000).toFixed(0).padStart(9),
    `  ${seconds(firstMs)}`,
    `  ${seconds(cpuMs)}`,
    `  ${seconds(secondMs)}`,
    `  ${seconds(secondCpuMs)}`,
  ].join(" ");

/** Its kernels, one a line. */
const kernelLines = ({ kernels }: Pick<ColdResult, "kernels">, most = 12): string[] =>
  kernels
    .slice(0, most)
    .map(
      ({ label, pipelines, ms }) =>
        `  ${label.padEnd(60)} ${String(pipelines).padStart(3)} pipeline${pipelines === 1 ? " " : "s"}  ${ms.toFixed(0).padStart(6)} ms`,
    );
