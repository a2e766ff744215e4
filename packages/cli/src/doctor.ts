/** `ddad doctor`: which GPU is there, what it offers, whether it computes what it should, and what a data set holds. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { formatTable } from "@ddad/ddad/internal";
import { type AdapterDescription, type Device, listAdapters, NoAdapterError, setupDevice } from "@ddad/nn";
import { tuningStore } from "@ddad/nn/internal";
import { type DatasetDescription, describeDataset, selfTest } from "@ddad/node/internal";
import { Progress } from "./progress.ts";
import { type ConfigOptions, configOf } from "./settings.ts";
import { printResult, say } from "./terminal.ts";

export type DoctorOptions = ConfigOptions & { readonly json?: boolean };

const advice = [
  "What gives a WebGPU adapter:",
  "  a GPU: its maker's driver with Vulkan 1.3 (Linux), Direct3D 12 (Windows) or Metal (macOS)",
  "  no GPU: the software driver Mesa, 25 or newer; on Debian and Ubuntu the package mesa-vulkan-drivers,",
  "          on Debian 12 the one from bookworm-backports",
  "  a container: the driver must be installed inside it",
].join("\n");

export async function runDoctor(options: DoctorOptions): Promise<void> {
  const { json } = options;
  const data = await describeData(options);
  const versions = {
    ddad: versionOf(new URL("../package.json", import.meta.url)),
    node: process.versions.node,
    webgpu: dawnVersion(),
    system: `${process.platform} ${process.arch}`,
  };
  let device: Device;
  try {
    device = await setupDevice();
  } catch (error) {
    if (!(error instanceof NoAdapterError)) throw error;
    const adapters = await listAdapters().catch(() => undefined);
    // Where there are adapters, or WebGPU itself does not load, no driver helps.
    say(adapters?.length === 0 ? `${error.message}\n${advice}` : error.message);
    const failure = {
      ok: false,
      versions,
      adapter: null,
      adapters: adapters ?? [],
      problem: error.message,
      ...(data && { data }),
    };
    if (json || data) printResult(json, failure, data ? formatData(data) : "");
    process.exitCode = 1;
    return;
  }
  const { capabilities, gpu, tuning } = device;
  const adapters = await listAdapters();
  const used = indexOf(device, adapters);
  const test = await selfTest();
  const limits = Object.fromEntries(limitNames.map((name) => [name, gpu.limits[name]] as const));
  const features = [...gpu.features].sort();
  const result = {
    ok: test.ok,
    versions,
    adapter: device.name,
    class: capabilities.adapterClass,
    adapters,
    used,
    features,
    limits,
    tuning: { choices: tuning.choices.size, file: tuningStore()?.place ?? null },
    selfTest: test,
    ...(data && { data }),
  };
  const rows = [
    ["adapter", `${device.name} (${capabilities.adapterClass})`],
    ...adapters.map((adapter) => ["adapters", describeAdapter(adapter, used)]),
    ["features", features.join(", ") || "none"],
    ...Object.entries(limits).map(([name, value]) => [name, formatLimit(name, value)]),
    ...Object.entries(versions).map(([name, version]) => [name, version ?? "not installed"]),
    ["tuning", describeTuning(device)],
    [
      "self-test",
      `matrix product ${test.ok ? "right" : "WRONG"}: largest error ${test.largestError.toExponential(1)} of ${test.tolerance.toExponential(1)} allowed`,
    ],
  ];
  const text = rows.map(([name, value]) => `${name!.padEnd(34)} ${value}`).join("\n");
  printResult(json, result, data ? `${text}\n\n${formatData(data)}` : text);
  if (!test.ok) {
    say(
      "The adapter computes wrongly: update its driver, or choose another with DDAD_ADAPTER=<part of its name, or its index>.",
    );
    process.exitCode = 1;
  }
}

/** Which of the adapters the device is on: of equal ones the one that was asked for, else the first. */
function indexOf({ name }: Device, adapters: readonly AdapterDescription[]): number | null {
  const same = adapters.filter((adapter) => adapter.name === name);
  const asked = same.find(({ index }) => String(index) === process.env["DDAD_ADAPTER"]);
  return (asked ?? same[0])?.index ?? null;
}

function describeAdapter(
  { index, name, adapterClass, selectable }: AdapterDescription,
  used: number | null,
): string {
  const state = selectable ? `DDAD_ADAPTER=${index} takes it` : "hidden behind another of its name";
  return `${index}: ${name} (${adapterClass}), ${index === used ? "used" : state}`;
}

/** What `--tune` and `tune` have left for this adapter. */
function describeTuning({ tuning }: Device): string {
  const { size } = tuning.choices;
  const store = tuningStore();
  const kept = store ? `kept in ${store.place}` : "not kept: DDAD_TUNING is off";
  return `${size} measured ${size === 1 ? "choice" : "choices"} of kernels for this adapter, ${kept}`;
}

/** The data set that was named, if one was. */
async function describeData(options: ConfigOptions): Promise<DatasetDescription | undefined> {
  if (options.config === undefined && options.data === undefined && options.set.length === 0)
    return undefined;
  const { data, training } = configOf(options);
  const progress = new Progress("reading", "images");
  return describeDataset(data.root, {
    ...data,
    batchSize: training.batchSize,
    progress: (done, count) => progress.update(done, count),
  });
}

function formatData({ name, format, counts, sizes, problems }: DatasetDescription): string {
  const rows = counts.map(({ split, kind, images, masks }) => [split, kind, String(images), String(masks)]);
  const shown = sizes.slice(0, 4).map(({ width, height, images }) => `${width} × ${height} (${images})`);
  return [
    `data set ${name}, layout ${format}`,
    formatTable(["split", "kind", "images", "masks"], rows),
    `sizes: ${shown.join(", ")}${sizes.length > 4 ? ` and ${sizes.length - 4} more` : ""}`,
    ...(problems.length === 0 ? ["nothing is wrong with it"] : problems),
  ].join("\n");
}

const limitNames = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupStorageSize",
] as const;

const formatLimit = (name: string, value: number): string =>
  name.endsWith("Size") && value >= 2 ** 20 ? `${(value / 2 ** 20).toFixed(0)} MiB` : String(value);

const versionOf = (file: URL | string): string =>
  (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;

/** The version of the package that brings WebGPU to Node, found beside its entry; null where it is not installed. */
function dawnVersion(): string | null {
  const require = createRequire(import.meta.url);
  try {
    return versionOf(join(dirname(require.resolve("webgpu")), "package.json"));
  } catch {
    return null;
  }
}
