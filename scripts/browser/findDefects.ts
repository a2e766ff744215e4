/** The example that trains and inspects in a page, on images that this page draws. */
import { findDefects } from "../../examples/browser/findDefects.ts";
import { assert, check, finish } from "./harness.ts";

/** A PNG of vertical stripes, with a dark disc where it is to be defective. */
async function draw(index: number, defective = false): Promise<File> {
  const canvas = new OffscreenCanvas(48, 48);
  const context = canvas.getContext("2d")!;
  for (let x = 0; x < 48; x++) {
    const light = 150 + 60 * Math.sin((x + 5 * index) / 4);
    context.fillStyle = `rgb(${light}, ${light}, ${0.8 * light})`;
    context.fillRect(x, 0, 1, 48);
  }
  if (defective) {
    context.fillStyle = "rgb(20, 20, 20)";
    context.beginPath();
    context.arc(14 + 3 * index, 24, 7, 0, 2 * Math.PI);
    context.fill();
  }
  const name = `${defective ? "defective" : "good"}-${index}.png`;
  return new File([await canvas.convertToBlob({ type: "image/png" })], name);
}

const all = (count: number, defective = false): Promise<File[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => draw(index, defective)));

/** Small enough for a software adapter. */
const small = { size: 16, steps: 60 };

await check("an example trains, calibrates and inspects in the page", async () => {
  const lines: string[] = [];
  const inspected = [...(await all(3)), ...(await all(3, true))];
  await findDefects(
    await all(20),
    inspected,
    (line) => lines.push(line),
    new AbortController().signal,
    small,
  );
  const decisions = lines.slice(-6);
  assert(
    lines.some((line) => line.startsWith("step 60 of 60")),
    `no last step in ${lines.join("; ")}`,
  );
  assert(
    decisions.slice(3).every((line) => line.endsWith("defective")),
    `a disc was not found: ${decisions.join("; ")}`,
  );
});

await check("and stops when it is cancelled", async () => {
  const cancel = new AbortController();
  const lines: string[] = [];
  const say = (line: string): void => {
    lines.push(line);
    cancel.abort();
  };
  await findDefects(await all(10), [], say, cancel.signal, small);
  assert(lines.at(-1) === "Stopped.", `not stopped: ${lines.join("; ")}`);
});

finish();
