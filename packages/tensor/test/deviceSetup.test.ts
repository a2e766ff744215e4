/** Which adapter is taken, devices of the program's own, and what is said where there is nothing to take. */
import * as t from "@ddad/tensor";
import { expect } from "chai";
import { browserAdapters } from "../src/device/adapter.ts";
import { dawnAdapters, deviceNames } from "../src/device/dawnAdapters.ts";
import { testDevice } from "./device.hooks.ts";
import { rejection } from "./reading.ts";
import { linesOf, linesWith } from "./scripts.ts";

/** Adapters of Dawn's package as it answers for these device names. */
function dawnWith(...devices: string[]): (flags: readonly string[]) => Promise<GPU> {
  return async ([flag]) => {
    const name = flag!.replace("adapter=", "");
    const found = devices.find((device) => device.includes(name));
    const list = devices.map((device) => `\n * backend: 'vulkan', name: '${device}'`).join("");
    return {
      requestAdapter: async () => {
        if (devices.length === 0) return null;
        if (found === undefined) throw new Error(`no suitable backends found\nAvailable adapters:${list}`);
        return { info: { description: `${found} 1.2.3`, vendor: "maker" } };
      },
    } as unknown as GPU;
  };
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

  it("that are not there are refused, with those that are", async () => {
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

  it("of Dawn are found in what it says, where those of equal names stand behind the first", async () => {
    const found = await dawnAdapters(dawnWith("Fast 3000 Pro", "Fast 3000", "Other (A, b)", "Other (A, b)"));
    expect(found.map(({ name, selectable }) => [name, selectable])).to.deep.equal([
      ["Fast 3000 Pro 1.2.3 maker", true],
      ["Fast 3000", false],
      ["Other (A, b) 1.2.3 maker", true],
      ["Other (A, b) 1.2.3 maker", false],
    ]);
    expect((await found[2]!.request()).info.description).to.equal("Other (A, b) 1.2.3");
    const error = await rejection(found[3]!.request());
    expect(error).to.be.instanceOf(t.NoAdapterError);
    expect(error.message).to.match(/adapter 3 "Other \(A, b\)" stands behind adapter 2\./);
    expect(await dawnAdapters(dawnWith())).to.deep.equal([]);
    expect(() => deviceNames("something else")).to.throw(t.InternalError, /something else/);
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
