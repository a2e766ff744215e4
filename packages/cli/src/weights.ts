/** `ddad weights`. */
import { existsSync } from "node:fs";
import { formatTable } from "@ddad/ddad/internal";
import { fetchWeights, published, torchvisionWeights, weightsFolder, weightsPath } from "@ddad/node/internal";
import { eventPrinter } from "./events.ts";
import { printResult } from "./terminal.ts";

export type FetchOptions = { readonly from?: string; readonly json?: boolean };
export type ListOptions = { readonly json?: boolean };

export async function runFetch(name: string, options: FetchOptions): Promise<void> {
  const from = options.from ?? (process.env["DDAD_WEIGHTS_URL"] || undefined);
  const { path, downloaded } = await fetchWeights(published(name), from, { onEvent: eventPrinter() });
  const text = `${name} ${downloaded ? "is in" : "was already in"} ${path}`;
  printResult(options.json, { name, path, downloaded }, text);
}

export async function runList({ json }: ListOptions): Promise<void> {
  const weights = torchvisionWeights.map((entry) => {
    const path = weightsPath(entry);
    return { ...entry, path: existsSync(path) ? path : null };
  });
  const rows = weights.map(({ name, file, path }) => [name, file, path === null ? "" : "downloaded"]);
  const text = `${formatTable(["name", "file", ""], rows)}\n\nkept in ${weightsFolder()}`;
  printResult(json, { folder: weightsFolder(), weights }, text);
}
