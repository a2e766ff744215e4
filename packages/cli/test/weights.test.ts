/** `ddad weights` against a server standing in for PyTorch's. */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { fails } from "../../ddad/test/checkpoints.ts";
import { fetchWeights } from "../../node/src/weights/fetch.ts";
import { ddad } from "./commandLine.ts";

describe("ddad weights", () => {
  const content = new TextEncoder().encode("weights of a network".repeat(1000));
  const digits = createHash("sha256").update(content).digest("hex").slice(0, 8);
  const weights = { name: "test", file: `test-${digits}.pth` } as const;
  let server: Server;
  let url: string;
  let requests: string[];
  const environment = { ...process.env };
  let cache: string;

  beforeEach(async () => {
    requests = [];
    server = createServer((request, response) => {
      requests.push(request.url!);
      if (request.url!.includes("missing")) response.writeHead(404).end();
      else if (request.url!.includes("torn")) {
        response.writeHead(200, { "content-length": content.length });
        response.write(content.subarray(0, 5000), () => response.destroy());
      } else response.writeHead(200, { "content-length": content.length }).end(content);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/`;
    cache = mkdtempSync(join(tmpdir(), "ddad-cache-"));
    process.env["DDAD_CACHE"] = cache;
    process.env["DDAD_WEIGHTS_URL"] = url;
  });
  afterEach(async () => {
    for (const name of ["DDAD_CACHE", "DDAD_WEIGHTS_URL"]) {
      if (environment[name] === undefined) delete process.env[name];
      else process.env[name] = environment[name];
    }
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(cache, { recursive: true });
  });

  const kept = (): string[] => readdirSync(join(cache, "weights"));

  it("downloads once, and checks", async () => {
    const first = await fetchWeights(weights, url);
    expect(first).to.deep.equal({
      path: join(cache, "weights", weights.file),
      downloaded: true,
    });
    expect(new Uint8Array(readFileSync(first.path))).to.deep.equal(content);
    expect(await fetchWeights(weights, url)).to.include({ downloaded: false });
    expect(requests).to.deep.equal([`/models/${weights.file}`]);
    expect(kept()).to.deep.equal([weights.file]);
  });

  it("keeps nothing that has another checksum", async () => {
    await fails(
      1,
      /resnet18-f37072fd\.pth is not the file that was published: its SHA-256 starts with [0-9a-f]{8}\. Nothing/,
      ...["weights", "fetch", "resnet18"],
    );
    expect(requests).to.deep.equal(["/models/resnet18-f37072fd.pth"]);
    expect(kept()).to.deep.equal([]);
  });

  it("refuses a file put there by hand that is another", async () => {
    const { path: file } = await fetchWeights(weights, url);
    const other = file.replace(weights.file, "resnet18-f37072fd.pth");
    writeFileSync(other, content);
    await fails(
      2,
      /resnet18-f37072fd\.pth is damaged or another file: its SHA-256/,
      "weights",
      "fetch",
      "resnet18",
    );
    expect(existsSync(other)).to.equal(true);
  });

  it("without a network, says where to put the file", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    await fails(
      1,
      /\(ECONNREFUSED: no network, or no such server\)\. Download wide_resnet101_2-32ee1156\.pth .* put it into .*weights, or give its path to ddad import\./,
      ...["weights", "fetch", "wide_resnet101_2", "--from", `http://127.0.0.1:${port}`],
    );
    expect(kept()).to.deep.equal([]);
  });

  it("says what the server answered, and keeps no half", async () => {
    await fails(1, /\(the server answers 404\)/, "weights", "fetch", "resnet34", "--from", `${url}missing`);
    await fails(1, /could not be downloaded \(/, "weights", "fetch", "resnet34", "--from", `${url}torn`);
    expect(kept()).to.deep.equal([]);
  });

  it("lists what there is, and what is here", async () => {
    const list = async (): Promise<{ folder: string; weights: { name: string; path: string | null }[] }> =>
      JSON.parse((await ddad("weights", "list", "--json")).output);
    const { folder: kept, weights: names } = await list();
    expect(names.map(({ name }) => name)).to.include.members([
      "resnet18",
      "wide_resnet50_2",
      "wide_resnet101_2_v2",
    ]);
    expect(names.every((found) => found.path === null)).to.equal(true);
    mkdirSync(kept, { recursive: true });
    writeFileSync(join(kept, "resnet18-f37072fd.pth"), content);
    expect((await list()).weights.find(({ name }) => name === "resnet18")!.path).to.equal(
      join(kept, "resnet18-f37072fd.pth"),
    );
    await fails(
      2,
      /no published weights called resnet19; there are resnet18, /,
      "weights",
      "fetch",
      "resnet19",
    );
  });
});
