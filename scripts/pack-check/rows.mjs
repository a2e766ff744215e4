/** The table that `pack:check` prints: a row a combination, each with pass, skip (and why) or FAIL (and why). */

/** Thrown by a check that cannot be made here; its message says why. */
export class Skip extends Error {}

const counts = { pass: 0, skip: 0, FAIL: 0 };

/**
 * Makes one check and prints its row.
 * @param part the part of the matrix, such as "types"
 * @param name the combination
 * @param check gives a detail to print (or nothing), throws {@link Skip}, or throws what is wrong
 */
export async function row(part, name, check) {
  const started = Date.now();
  const print = (state, detail) => {
    counts[state] += 1;
    const seconds = `${((Date.now() - started) / 1000).toFixed(1)} s`;
    console.log(
      `${state.padEnd(4)}  ${part.padEnd(8)}  ${name.padEnd(48)}  ${seconds.padStart(7)}  ${detail}`,
    );
  };
  try {
    print("pass", (await check()) ?? "");
  } catch (error) {
    if (error instanceof Skip) return print("skip", error.message);
    print("FAIL", `\n${String(error.message).trim().replace(/^/gm, "      ")}`);
  }
}

/** Prints the sums; gives the exit code: 1 where a row failed, or none was made. */
export function finish() {
  console.log(`pack-check: ${counts.pass} passed, ${counts.skip} skipped, ${counts.FAIL} failed`);
  return counts.FAIL > 0 || counts.pass === 0 ? 1 : 0;
}
