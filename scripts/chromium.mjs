/** Headless Chromium with WebGPU, for the checks that need a browser. */
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";

const usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where Chromium lies: `DDAD_CHROMIUM`, or the first of the usual places; undefined where there is none. */
export const findChromium = () => process.env.DDAD_CHROMIUM ?? usual.find((path) => existsSync(path));

/** Why a check without a browser is skipped, as a sentence. */
export const noChromium = `no Chromium at ${usual.join(", ")}; DDAD_CHROMIUM may name one.`;

/** Starts the browser at `executablePath`. */
export function launchChromium(executablePath) {
  const quiet = ["quic", "background-networking", "component-update", "sync"].map(
    (name) => `--disable-${name}`,
  );
  const root = process.getuid?.() === 0 ? ["--no-sandbox"] : []; // Chromium refuses its sandbox to root
  return chromium.launch({
    executablePath,
    args: ["--enable-unsafe-webgpu", "--no-first-run", ...quiet, ...root],
  });
}

/** Serves the files below a folder on 127.0.0.1; gives the server, whose `address().port` is free before. */
export async function serveFolder(folder) {
  const types = { ".html": "text/html", ".js": "text/javascript" };
  const server = createServer((request, response) => {
    const file = join(folder, new URL(request.url, "http://localhost").pathname);
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" });
    response.end(readFileSync(file));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return server;
}
