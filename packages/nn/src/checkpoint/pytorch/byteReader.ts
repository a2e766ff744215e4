/** Reads numbers and texts one after another; every length is checked against what is left before anything is made. */
import { refuse } from "./values.ts";

/** Texts and bytes above this are not made into values: no name is so long. */
const longestText = 2 ** 16;

export class ByteReader {
  position = 0;
  /** Bytes passed so far in long texts and arrays of bytes, which take no memory here. */
  passed = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;

  /** @param what the name of the bytes in errors. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  /** A view of the next bytes, not a copy. */
  bytes(count: number): Uint8Array {
    const start = this.#advance(count);
    if (count > longestText) this.passed += count;
    return this.#bytes.subarray(start, start + count);
  }

  byte(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** 64 bits; above 2^53 not exact, but then larger than any file. */
  uint64(): number {
    return this.uint32() + this.uint32() * 2 ** 32;
  }

  float64BigEndian(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** A signed little-endian number of `count` bytes. */
  integer(count: number): number | bigint {
    if (count > 128) refuse(`${this.#what} holds a whole number of ${count} bytes.`);
    let value = 0n;
    const bytes = this.bytes(count);
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    return plainInteger(BigInt.asIntN(8 * count, value));
  }

  /** A text; of a long one only a view of its bytes. */
  longText(count: number): string | Uint8Array {
    return count > longestText ? this.bytes(count) : this.text(count);
  }

  text(count: number): string {
    const start = this.position;
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.bytes(count));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return refuse(`${this.#what} is damaged: the text at byte ${start} is no UTF-8.`);
    }
  }

  /** The text up to the end of the line, which is skipped. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.position);
    if (end < 0) refuse(`${this.#what} is cut off: a line that starts at byte ${this.position} has no end.`);
    const text = this.text(end - this.position);
    this.position++;
    return text;
  }

  #advance(count: number): number {
    const start = this.position;
    if (count > this.#bytes.length - start) {
      refuse(
        `${this.#what} is cut off: ${count} bytes are needed at byte ${start}, and it has ${this.#bytes.length}.`,
      );
    }
    this.position += count;
    return start;
  }
}

/** A number where it is exact, otherwise a bigint. */
const plainInteger = (value: bigint): number | bigint =>
  Number.isSafeInteger(Number(value)) ? Number(value) : value;
