/** Values that are kept from one pass over images to the next, as long as there is room. */

/** Values by a key; what does not fit is not kept. */
export class Remembered<K, T> {
  readonly #values = new Map<K, T>();
  #room: number;

  constructor(bytes: number) {
    this.#room = bytes;
  }

  /** @param arrays what takes the room */
  keep(key: K, value: T, arrays: readonly Float32Array[]): void {
    const bytes = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (bytes > this.#room) return;
    this.#room -= bytes;
    this.#values.set(key, value);
  }

  get(key: K): T | undefined {
    return this.#values.get(key);
  }

  clear(): void {
    this.#values.clear();
  }
}
