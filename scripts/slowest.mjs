/** Mocha's reporter of dots, and at the end what took longest: tests with their files, and hooks that prepare a file. */
import { relative } from "node:path";
import mocha from "mocha";

const shown = 10;
const leastMilliseconds = 500;

export default class Slowest extends mocha.reporters.Dot {
  constructor(runner, options) {
    super(runner, options);
    const done = [];
    const note = (runnable) => {
      if (runnable.duration >= leastMilliseconds) done.push(runnable);
    };
    for (const event of ["pass", "fail", "hook end"]) runner.on(event, note);
    runner.once("end", () => {
      const slowest = done.sort((a, b) => b.duration - a.duration).slice(0, shown);
      if (slowest.length > 0) console.log("  The slowest:");
      for (const { duration, file, fullTitle } of slowest.map(described))
        console.log(`  ${(duration / 1000).toFixed(1).padStart(6)} s  ${file}: ${fullTitle}`);
      if (slowest.length > 0) console.log();
    });
  }
}

const described = (runnable) => ({
  duration: runnable.duration,
  file: runnable.file ? relative(process.cwd(), runnable.file) : "every file",
  fullTitle: runnable.fullTitle(),
});
