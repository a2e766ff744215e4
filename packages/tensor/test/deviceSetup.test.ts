/** Which adapter is taken, devices of the program's own, and what is said where there is nothing to take. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { browserAdapters } from "../src/device/adapter.ts";
import { dawnAdapters, deviceNames } from "../src/device/dawnAdapters.ts";
import { equalGpus } from "../src/device/equalGpus.ts";
import { testDevice } from "./device.hooks.ts";
import { rejection } from "./reading.ts";
import { linesOf, linesWith } from "./scripts.ts";

interface FakeDawn {
  /** Whether Mesa's layer is there. */
  readonly layer?: boolean;
}

/** Dawn's package as it answers for these device names, the last two of them at PCI addresses 65 and b3. */
function dawnWith(
  { layer = false }: FakeDawn,
  ...devices: string[]
): (flags: readonly string[]) => Promise<GPU> {
  const addresses = devices.map((_, k) => ["pci-0000_65_00_0", "pci-0000_b3_00_0"][k + 2 - devices.length]);
  return async ([flag = ""]) => {
    const name = flag.replace("adapter=", "");
    return {
      requestAdapter: async () => {
        const { DRI_PRIME: shown, MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE: alone } = process.env;
        const visible = devices.filter((_, k) => !layer || alone !== "1" || addresses[k] === shown);
        if (visible.length === 0) return null;
        const found = visible.find((device) => device.includes(name));
        const list = visible.map((device) => `\n * backend: 'vulkan', name: '${device}'`).join("");
        if (found === undefined) throw new Error(`no suitable backends found\nAvailable adapters:${list}`);
        return { info: { description: `${found} 1.2.3`, vendor: shown ?? "any" } };
      },
    } as unknown as GPU;
  };
}

/** A folder as Linux describes PCI devices in. */
async function pciFolder(
  devices: Readonly<Record<string, readonly [kind: string, model: string]>>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ddad-pci-"));
  for (const [address, [kind, model]] of Object.entries(devices)) {
    await mkdir(join(folder, address));
    for (const [name, text] of [
      ["class", kind],
      ["vendor", "0x10de"],
      ["device", model],
    ] as const) {
      await writeFile(join(folder, address, name), `${text}\n`);
    }
  }
  return folder;
}

describe("the adapters", () => {
  it("are listed, the one that is taken first", async () => {
    const [first, ...others] = await t.listAdapters();
    expect(first).to.deep.include({ index: 0, selectable: true });
    expect(others.map(({ index }) => index)).to.deep.equal(others.map((_, k) => k + 1));
    if (process.env["DDAD_ADAPTER"] === undefined) expect(first!.name).to.equal(testDevice().name);
    expect(first!.adapterClass).to.be.oneOf(["software", "integrated", "discrete"]);
  });

  it("are taken by index or by part of a name, in any case", async () => {
    const { name } = testDevice();
    const [, own] = await linesWith({ DDAD_ADAPTER: "" }, "./chooseAdapter.script.ts");
    for (const [wanted, environment] of [
      ["0", {}],
      [JSON.stringify(own!.slice(0, 6).toUpperCase()), {}],
      ["", { DDAD_ADAPTER: "0" }],
      ["", { DDAD_ADAPTER: own!.slice(2, 9) }],
    ] as const) {
      const lines = await linesWith(environment, "./chooseAdapter.script.ts", wanted);
      expect(lines.slice(1)).to.deep.equal([own, "2"], wanted);
    }
    expect(own).to.equal(name);
  });

  it("that do not exist are refused, with a list of those that do", async () => {
    for (const [wanted, environment, words] of [
      ["99", {}, /there is no WebGPU adapter with index 99; take part of a name or an index of these: 0 "/],
      [
        '"no such"',
        {},
        /there is no WebGPU adapter named "no such"; take part of a name or an index of these: 0 "/,
      ],
      ["", { DDAD_ADAPTER: "99999" }, /adapter named "99999", which DDAD_ADAPTER asks for; .* 0 "/],
    ] as const) {
      const [, refused] = await linesWith(environment, "./chooseAdapter.script.ts", wanted);
      expect(refused)
        .to.match(/^NoAdapterError: setupDevice: /)
        .and.to.match(words);
    }
  });

  it("of Dawn need no instance of their own where there is one: each prints warnings", async () => {
    const asked: (readonly string[])[] = [];
    const open = dawnWith({}, "Only 1");
    const found = await dawnAdapters((flags) => {
      asked.push(flags);
      return open(flags);
    });
    expect((await found[0]!.request()).info.description).to.equal("Only 1 1.2.3");
    expect(asked.slice(1)).to.deep.equal([[], []]);
  });

  it("of Dawn are found in what it says, where those of equal names stand behind the first", async () => {
    const devices = ["Fast 3000 Pro", "Fast 3000", "Other (A, b)", "Other (A, b)"];
    const pci = await pciFolder({});
    const found = await dawnAdapters(dawnWith({}, ...devices), pci);
    expect(found.map(({ name, selectable }) => [name, selectable])).to.deep.equal([
      ["Fast 3000 Pro 1.2.3 any", true],
      ["Fast 3000", false],
      ["Other (A, b) 1.2.3 any", true],
      ["Other (A, b) 1.2.3 any", false],
    ]);
    expect((await found[2]!.request()).info.description).to.equal("Other (A, b) 1.2.3");
    const error = await rejection(found[3]!.request());
    expect(error).to.be.instanceOf(t.NoAdapterError);
    expect(error.message).to.match(/adapter 3 "Other \(A, b\)" stands behind adapter 2\./);
    expect(await dawnAdapters(dawnWith({}))).to.deep.equal([]);
    expect(() => deviceNames("something else")).to.throw(t.InternalError, /something else/);
    await rm(pci, { recursive: true });
  });

  it("of Dawn that are equal are distinguished by Mesa's layer, where present", async () => {
    const pci = await pciFolder({
      "0000:00:1f.3": ["0x040300", "0x1111"],
      "0000:b3:00.0": ["0x030000", "0x2222"],
      "0000:65:00.0": ["0x030200", "0x2222"],
      "0000:02:00.0": ["0x030000", "0x3333"],
    });
    const devices = ["Small", "Large", "Large"];
    const outside = process.env["DRI_PRIME"];
    const found = await dawnAdapters(dawnWith({ layer: true }, ...devices), pci);
    expect(found.map(({ selectable }) => selectable)).to.deep.equal([true, true, true]);
    const vendors: string[] = [];
    for (const candidate of found) vendors.push((await candidate.request()).info.vendor);
    expect(vendors).to.deep.equal([outside ?? "any", "pci-0000_65_00_0", "pci-0000_b3_00_0"]);
    expect(process.env["DRI_PRIME"]).to.equal(outside);
    // Without the layer the environment changes nothing, which is noticed.
    const without = await dawnAdapters(dawnWith({ layer: false }, ...devices), pci);
    expect(without.map(({ selectable }) => selectable)).to.deep.equal([true, true, false]);
    // Two models of which there are two leave open which is meant.
    expect(equalGpus(2, pci)).to.deep.equal(["0000:65:00.0", "0000:b3:00.0"]);
    expect(equalGpus(1, pci)).to.deep.equal(["0000:02:00.0"]);
    const ambiguous = await pciFolder({
      "0000:01:00.0": ["0x030000", "0x1"],
      "0000:02:00.0": ["0x030000", "0x1"],
      "0000:03:00.0": ["0x030000", "0x2"],
      "0000:04:00.0": ["0x030000", "0x2"],
    });
    expect(equalGpus(2, ambiguous)).to.equal(undefined);
    expect(equalGpus(2, join(pci, "no such folder"))).to.equal(undefined);
    for (const folder of [pci, ambiguous]) await rm(folder, { recursive: true });
  });

  it("of a browser are the fastest, and the one that saves power where it is another", async () => {
    const gpuOf = (fast: string, saving: string): GPU =>
      ({
        requestAdapter: async ({ powerPreference }: GPURequestAdapterOptions) => ({
          info: { vendor: powerPreference === "low-power" ? saving : fast },
        }),
      }) as unknown as GPU;
    const names = async (gpu: GPU) => (await browserAdapters(gpu)).map(({ name }) => name);
    expect(await names(gpuOf("a", "b"))).to.deep.equal(["a", "b"]);
    expect(await names(gpuOf("a", "a"))).to.deep.equal(["a"]);
    expect(await names(gpuOf("", ""))).to.deep.equal(["unnamed adapter"]);
    const none = { requestAdapter: async () => null } as unknown as GPU;
    expect(await names(none)).to.deep.equal([]);
  });
});

describe("a device of the program's own", () => {
  it("is used, shared and left alive", async () => {
    expect(await linesOf("./ownDevice.script.ts")).to.deep.equal([
      "TypeError: setupDevice: the option device must be a GPUDevice.",
      "true",
      "8",
      testDevice().name,
      "2,3,4",
      "529536",
      "1",
      "2,3,4",
      `UsageError: setupDevice: a device on ${testDevice().name} is current; call its destroy() before another one is handed in.`,
      "DeviceLostError: The device was destroyed. Call setupDevice() again and reload.",
      "DeviceLostError: The device was destroyed. Call setupDevice() again and reload.",
      "true",
      "true",
      "21",
      "true",
    ]);
  });
});
