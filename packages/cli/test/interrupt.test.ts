/** Ctrl-C, once and twice. */
import { expect } from "chai";
import { stopOnInterrupt } from "../src/interrupt.ts";

/** All listeners: the test runner has one, too. */
const listening = (): NodeJS.SignalsListener[] => process.listeners("SIGINT") as NodeJS.SignalsListener[];

describe("stopOnInterrupt", () => {
  const { kill, removeAllListeners } = process;
  const { write } = process.stderr;
  let said: string;
  const codes: unknown[] = [];
  beforeEach(() => {
    said = "";
    codes.length = 0;
    process.stderr.write = (text: string | Uint8Array) => {
      said += String(text);
      return true;
    };
    process.kill = ((pid: number, signal: unknown) => {
      codes.push(pid === process.pid ? signal : pid);
      return true;
    }) as typeof kill;
    process.removeAllListeners = ((name: unknown) => {
      codes.push(`no more listeners to ${String(name)}`);
      return process;
    }) as typeof removeAllListeners;
  });
  afterEach(() => {
    process.stderr.write = write;
    process.kill = kill;
    process.removeAllListeners = removeAllListeners;
  });

  it("asks work to stop at the first, ends the process at the second, and is gone afterwards", () => {
    const before = listening();
    {
      using interrupt = stopOnInterrupt();
      const [listener, ...more] = listening().filter((each) => !before.includes(each));
      expect(more).to.deep.equal([]);
      expect(interrupt.signal.aborted).to.equal(false);
      listener!("SIGINT");
      expect(interrupt.signal.aborted).to.equal(true);
      expect(said).to.match(/Stopping and saving what is done\. Press Ctrl-C again to stop at once\./);
      expect(codes).to.deep.equal([]);
      listener!("SIGINT");
      expect(codes).to.deep.equal(["no more listeners to SIGINT", "SIGINT"]);
    }
    expect(listening()).to.deep.equal(before);
  });
});
