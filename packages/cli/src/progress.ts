/** Progress lines on standard error. Apart from terminal.ts, because durations load all that works with models. */
import { formatDuration } from "@ddad/node/internal";

/** Milliseconds between updates of a line on a terminal, and between lines in a log. */
const pause = { terminal: 100, log: 10_000 };

/** Progress of long work: how far, how fast, how long to go. One line that changes, or now and then a line in a log. */
export class Progress {
  readonly #label: string;
  readonly #unit: string;
  readonly #terminal = process.stderr.isTTY === true;
  #started = performance.now();
  #first: number;
  #shown: number;
  #eager: boolean;

  /**
   * @param first how much was done before this work began
   * @param eager whether the first report is printed as soon as it is there, rather than after a pause
   */
  constructor(label: string, unit: string, first = 0, eager = false) {
    this.#label = label;
    this.#unit = unit;
    this.#first = first;
    this.#shown = this.#started;
    this.#eager = eager;
  }

  /**
   * @param count undefined where nobody knows it; `stop` or `say` ends the line then.
   * @param details more to show, such as the loss.
   * @param left what is left, counted in units like the last one
   */
  update(done: number, count: number | undefined, details = "", left = (count ?? done) - done): void {
    const now = performance.now();
    const last = count !== undefined && done >= count;
    if (this.#eager && !last) {
      this.#showFirst(done, count, details, now);
      return;
    }
    if (!last && now - this.#shown < (this.#terminal ? pause.terminal : pause.log)) return;
    this.#shown = now;
    const seconds = Math.max((now - this.#started) / 1000, 1e-3);
    const rate = (done - this.#first) / seconds;
    const parts = [
      `${this.#label} ${count === undefined ? done : `${done}/${count}`}`,
      details,
      // What is over at once says nothing about the speed.
      seconds < 0.05 ? "" : `${formatRate(rate)}${this.#unit === "" ? "" : ` ${this.#unit}`}/s`,
    ];
    if (last) parts.push(`took ${formatDuration(seconds)}`);
    else if (count !== undefined) parts.push(`${formatDuration(left / rate)} left`);
    const line = parts.filter((part) => part !== "").join(" · ");
    process.stderr.write(this.#terminal ? `\r\x1b[K${line}${last ? "\n" : ""}` : `${line}\n`);
  }

  /** Nothing says yet how fast it goes: that is counted from here. */
  #showFirst(done: number, count: number | undefined, details: string, now: number): void {
    this.#eager = false;
    [this.#first, this.#started, this.#shown] = [done, now, now];
    const line = [`${this.#label} ${count === undefined ? done : `${done}/${count}`}`, details]
      .filter((part) => part !== "")
      .join(" · ");
    process.stderr.write(this.#terminal ? `\r\x1b[K${line}` : `${line}\n`);
  }

  /** Ends a line that was not finished. */
  stop(): void {
    if (this.#terminal) process.stderr.write("\n");
  }
}

const formatRate = (rate: number): string => (rate >= 100 ? rate.toFixed(0) : rate.toPrecision(2));
