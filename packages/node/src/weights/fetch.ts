/** Pretrained weights by name, downloaded once and kept in a folder. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { DataError } from "@ddad/ddad/internal";
import { progress, type StageOptions } from "../events.ts";
import { type PublishedWeights, torchvisionHost, torchvisionWeights } from "./torchvision.ts";

/** Milliseconds without a byte after which a download has failed. */
const patience = 60_000;

/**
 * Makes sure that weights are in the folder of downloads, whole and with the right checksum.
 *
 * @param weights torchvision's name of the network, and its file
 * @param from URL of the folder that holds their file; default PyTorch's own
 * @returns their file, and whether it was downloaded now
 * @throws DataError when a file of that name is there, but another
 * @throws DownloadError that says what to do without a network; nothing is left behind
 */
export async function fetchWeights(
  weights: PublishedWeights,
  from = torchvisionHost,
  options: StageOptions = {},
): Promise<{ path: string; downloaded: boolean }> {
  const path = weightsPath(weights);
  const cached = existsSync(path);
  if (cached) await checkCached(weights, path);
  else await download(weights, path, from, options);
  return { path, downloaded: !cached };
}

/**
 * Looks for downloaded weights.
 *
 * @param name of the network, such as `resnet50`
 * @returns their file, or undefined where they are not there
 * @throws DataError for an unknown name
 */
export function cachedWeights(name: string): string | undefined {
  const path = weightsPath(published(name));
  return existsSync(path) ? path : undefined;
}

/** Folder of downloaded weights: in `DDAD_CACHE`, or where the platform keeps what can be downloaded again. */
export function weightsFolder(): string {
  const { DDAD_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (DDAD_CACHE) return join(DDAD_CACHE, "weights");
  if (process.platform === "win32") {
    return join(LOCALAPPDATA || join(homedir(), "AppData", "Local"), "ddad", "cache", "weights");
  }
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "ddad", "weights");
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "ddad", "weights");
}

/** Where the file of weights is, or would be. */
export const weightsPath = ({ file }: PublishedWeights): string => join(weightsFolder(), file);

/** Published weights by name. @throws DataError for an unknown name. */
export function published(name: string): PublishedWeights {
  const found = torchvisionWeights.find((weights) => weights.name === name);
  if (found) return found;
  const names = torchvisionWeights.map((weights) => weights.name).join(", ");
  throw new DataError(`There are no published weights called ${name}; there are ${names}.`);
}

async function checkCached({ name, file }: PublishedWeights, path: string): Promise<void> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  const digest = hash.digest("hex");
  if (isRight(file, digest)) return;
  throw new DataError(
    `${path} is damaged or another file: its SHA-256 starts with ${digest.slice(0, 8)}. Remove it and run ddad weights fetch ${name} again.`,
  );
}

/** The first digits of a file's SHA-256 stand in its name. */
const isRight = (file: string, digest: string): boolean =>
  digest.startsWith(/-([0-9a-f]{8})\.pth$/.exec(file)![1]!);

/** Downloads under a temporary name; what is at `path` afterwards is whole and has the right checksum, or is not there. */
async function download(
  { name, file }: PublishedWeights,
  path: string,
  from: string,
  options: StageOptions,
): Promise<void> {
  const url = `${from.replace(/\/+$/, "")}/${file}`;
  const partial = `${path}.${process.pid}.partial`;
  mkdirSync(weightsFolder(), { recursive: true });
  try {
    const digest = await receive(name, url, partial, options);
    if (!isRight(file, digest)) {
      throw new DownloadError(
        `${url} is not the file that was published: its SHA-256 starts with ${digest.slice(0, 8)}. Nothing was kept.`,
      );
    }
    renameSync(partial, path);
  } catch (error) {
    if (error instanceof DownloadError) throw error;
    throw new DownloadError(
      `${url} could not be downloaded (${reasonOf(error)}). Download ${file} where there is a network and put it into ` +
        `${weightsFolder()}, or give its path to ddad import.`,
      { cause: error },
    );
  } finally {
    rmSync(partial, { force: true });
  }
}

/** Writes what is at `url` to a file; returns its SHA-256. */
async function receive(name: string, url: string, path: string, options: StageOptions): Promise<string> {
  const stalled = new AbortController();
  const wait = (): NodeJS.Timeout =>
    setTimeout(() => stalled.abort(new Error("nothing came for a minute")), patience);
  let timer = wait();
  const hash: Hash = createHash("sha256");
  const file = await open(path, "w");
  try {
    const response = await fetch(url, { signal: stalled.signal });
    if (!response.ok || !response.body) throw new Error(`the server answers ${response.status}`);
    const mebibytes = Number(response.headers.get("content-length") ?? 0) / 2 ** 20;
    const told = progress(options, name, "MiB");
    let received = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = wait();
      hash.update(chunk);
      await file.write(chunk);
      received += chunk.length / 2 ** 20;
      if (mebibytes > 0) told.update(Math.round(received), Math.ceil(mebibytes));
    }
    await file.sync();
    return hash.digest("hex");
  } finally {
    clearTimeout(timer);
    await file.close();
  }
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  const { code } = (cause ?? error) as NodeJS.ErrnoException;
  return code === undefined
    ? message
    : `${code}: ${networkErrors.has(code) ? "no network, or no such server" : message}`;
}

const networkErrors = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "ETIMEDOUT",
]);

/** A download that failed. The message says what to do instead. */
export class DownloadError extends Error {
  override name = "DownloadError";
}
