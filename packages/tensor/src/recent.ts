/** A least-recently-used cache. */
export class RecentMap<K, V> {
  readonly #most: number;
  /** A map lists its keys in the order in which they were set. */
  readonly #entries = new Map<K, V>();

  /** @param most entries that are kept */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Counts as a use. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  /** Counts as none. */
  has(key: K): boolean {
    return this.#entries.has(key);
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#most) return;
    const { value: oldest } = this.#entries.keys().next();
    this.#entries.delete(oldest!);
  }

  /** Forgets all but one. */
  keepOnly(key: K): void {
    for (const other of this.#entries.keys()) if (other !== key) this.#entries.delete(other);
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }
}
