/** Batches of a data set, in a new order each epoch, loaded while the device works. */
import { Tensor, UsageError } from "@ddad/tensor";
import { checkOptions, describeArgument } from "@ddad/tensor/internal";
import { checkKind, checkSizes } from "../arguments.ts";
import { type BatchTypes, type Collated, collate } from "./collate.ts";
import { shuffledIndices } from "./order.ts";

/** Samples by number, for example read from files. */
export interface Dataset<S> {
  /** Number of samples. */
  readonly length: number;
  /** The sample with this number, from 0. */
  get(index: number): S | Promise<S>;
}

/** Where samples come from. Only arrays and `Dataset`s can be shuffled; a function is called anew for each epoch. */
export type Samples<S> =
  | ArrayLike<S>
  | Dataset<S>
  | Iterable<S>
  | AsyncIterable<S>
  | (() => Iterable<S> | AsyncIterable<S>);

/** Options of `DataLoader`. */
export interface DataLoaderOptions<S, B, T extends BatchTypes | undefined> {
  /** Samples a batch. Null: the source gives whole batches. Default 1. */
  readonly batchSize?: number | null;
  /** Whether each epoch has an order of its own. Default false. */
  readonly shuffle?: boolean;
  /** Of the orders. Default 0. */
  readonly seed?: number;
  /** Leaves a last batch out that has fewer samples. Default false. */
  readonly dropLast?: boolean;
  /** Batches that are loaded ahead. Default 2. */
  readonly prefetch?: number;
  /** Element types of the batch's tensors; see `collate`. */
  readonly types?: T;
  /** Makes a batch of samples. Default: `collate`, or with batchSize null the batch as it is. */
  readonly collate?: (samples: S[]) => B | Promise<B>;
}

const known = ["batchSize", "shuffle", "seed", "dropLast", "prefetch", "types", "collate"] as const;

/**
 * Batches for a training loop:
 *
 * ```ts
 * const loader = new DataLoader(samples, { batchSize: 32, shuffle: true, types: { label: "i32" } });
 * for (let epoch = 0; epoch < 5; epoch++) {
 *   for await (const { image, label } of loader) await optimizer.minimize(crossEntropy(net.forward(image), label));
 * }
 * ```
 *
 * Errors of the source arise in the loop. Leaving the loop early stops the source and frees what was loaded ahead.
 */
export class DataLoader<S, const T extends BatchTypes | undefined = undefined, B = Collated<S, T>> {
  /** Number of the epoch that the next loop reads; it counts itself. Set it to resume. */
  epoch = 0;
  readonly #source: Samples<S>;
  readonly #batchSize: number | null;
  readonly #options: DataLoaderOptions<S, B, T>;
  #started: unknown;

  /** @throws UsageError for an unknown option or a source that cannot be read, RangeError for sizes out of range */
  constructor(source: Samples<S>, options: DataLoaderOptions<S, B, T> = {}) {
    checkOptions("DataLoader", options, known, "{ batchSize: 32, shuffle: true }");
    const { batchSize = 1, shuffle = false, seed = 0, prefetch = 2, collate } = options;
    if (batchSize !== null && !(Number.isInteger(batchSize) && batchSize >= 1)) {
      throw new RangeError(
        `DataLoader: batchSize must be a whole number from 1 on, or null, but is ${describeArgument(batchSize)}.`,
      );
    }
    checkSizes("DataLoader", { prefetch }, 0);
    checkSizes("DataLoader", { seed }, -Infinity);
    if (collate !== undefined)
      checkKind("DataLoader", "collate", collate, typeof collate === "function", "a function of the samples");
    if (!byIndex(source) && typeof source !== "function" && !isIterable(source)) {
      throw new UsageError(
        "DataLoader: the source must be an array, an object with length and get(index), an iterable, or a function that makes one.",
      );
    }
    if (shuffle && !byIndex(source)) {
      throw new UsageError(
        "DataLoader: only arrays and objects with length and get(index) can be shuffled. Collect the samples in an array, " +
          "or shuffle the source itself.",
      );
    }
    this.#source = source;
    this.#batchSize = batchSize;
    this.#options = options;
  }

  /** Batches of an epoch; undefined where only the source knows. */
  get length(): number | undefined {
    const source = this.#source;
    if (!byIndex(source)) return undefined;
    const batches = source.length / (this.#batchSize ?? 1);
    return this.#options.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** The batches of one epoch, for `for await (const batch of loader)`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    const { prefetch = 2 } = this.#options;
    const batches = this.#batches(this.epoch++);
    const ahead: Promise<IteratorResult<B>>[] = [];
    try {
      for (;;) {
        while (ahead.length <= prefetch) {
          const next = batches.next();
          next.catch(() => {}); // it arises where the loop gets there
          ahead.push(next);
        }
        const { done, value } = await ahead.shift()!;
        if (done) return;
        yield value;
      }
    } finally {
      await batches.return(undefined);
      for (const later of await Promise.allSettled(ahead)) {
        if (later.status === "fulfilled" && !later.value.done && this.#owns)
          disposeTensors(later.value.value);
      }
    }
  }

  /** Whether the batches' tensors are made here. */
  get #owns(): boolean {
    return this.#batchSize !== null && !this.#options.collate;
  }

  async *#batches(epoch: number): AsyncGenerator<B, undefined, undefined> {
    const { dropLast = false, types, collate: own } = this.#options;
    const make = async (samples: S[]): Promise<B> => {
      if (own) return own(samples);
      return (this.#batchSize === null ? samples[0] : collate(samples, types)) as B;
    };
    const size = this.#batchSize ?? 1;
    for await (const samples of this.#chunks(epoch, size)) {
      if (samples.length < size && dropLast) continue;
      yield await make(samples);
    }
  }

  /** Samples in groups of `size`, the last one perhaps smaller. */
  async *#chunks(epoch: number, size: number): AsyncGenerator<S[]> {
    const source = this.#source;
    if (byIndex(source)) {
      const { shuffle = false, seed = 0 } = this.#options;
      const order = shuffle ? shuffledIndices(source.length, seed, epoch) : undefined;
      for (let start = 0; start < source.length; start += size) {
        const indices = Array.from(
          { length: Math.min(size, source.length - start) },
          (_, k) => order?.[start + k] ?? start + k,
        );
        yield Promise.all(indices.map((index) => (isDataset(source) ? source.get(index) : source[index]!)));
      }
      return;
    }
    let samples: S[] = [];
    for await (const sample of this.#begin(source)) {
      samples.push(sample);
      if (samples.length < size) continue;
      yield samples;
      samples = [];
    }
    if (samples.length > 0) yield samples;
  }

  /** The source's samples from the first on. */
  #begin(source: Exclude<Samples<S>, ArrayLike<S> | Dataset<S>>): Iterable<S> | AsyncIterable<S> {
    if (typeof source === "function") return source();
    const iterator =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    if (iterator === this.#started) {
      throw new UsageError(
        "DataLoader: the source can be read only once, and it has been. Pass a function that makes a new one for each epoch.",
      );
    }
    this.#started = iterator;
    // Not the source: some give their iterator only once.
    return Symbol.asyncIterator in source
      ? { [Symbol.asyncIterator]: () => iterator as AsyncIterator<S> }
      : { [Symbol.iterator]: () => iterator as Iterator<S> };
  }
}

const isDataset = <S>(source: Samples<S>): source is Dataset<S> =>
  typeof source === "object" && "get" in source && typeof source.get === "function" && "length" in source;

const byIndex = <S>(source: Samples<S>): source is ArrayLike<S> | Dataset<S> =>
  typeof source === "object" && source !== null && "length" in source && typeof source.length === "number";

const isIterable = (source: unknown): boolean =>
  typeof source === "object" &&
  source !== null &&
  (Symbol.iterator in source || Symbol.asyncIterator in source);

function disposeTensors(batch: unknown): void {
  if (batch instanceof Tensor) batch.dispose();
  else if (typeof batch === "object" && batch !== null && !ArrayBuffer.isView(batch)) {
    for (const value of Object.values(batch)) disposeTensors(value);
  }
}
