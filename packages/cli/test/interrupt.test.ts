/** Ctrl-C, once and twice. */
import { expect } from "chai";
import { stopOnInterrupt } from "../src/interrupt.ts";

/** All listeners: the test runner has one, too. */
const listening = (): NodeJS.SignalsListener[] => process.listeners("SIGINT") as NodeJS.SignalsListener[];

describe("stopOnInterrupt", () => {
  const { exit } = process;
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
    process.exit = ((code: unknown) => void codes.push(code)) as typeof exit;
  });
  afterEach(() => {
    process.stderr.write = write;
    process.exit = exit;
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
      expect(said).to.match(/stopping after this step and saving; press Ctrl-C again to stop at once/);
      expect(codes).to.deep.equal([]);
      listener!("SIGINT");
      expect(codes).to.deep.equal([130]);
    }
    expect(listening()).to.deep.equal(before);
  });
});
