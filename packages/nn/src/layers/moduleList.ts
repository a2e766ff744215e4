import { Module } from "../module.ts";

/** Modules in a list; their names in state dicts are their numbers. A plain array as a property does the same. */
export class ModuleList<M extends Module = Module> extends Module {
  override readonly torchNames = { items: "" };
  readonly items: M[];

  constructor(items: Iterable<M> = []) {
    super();
    this.items = [...items];
  }

  get length(): number {
    return this.items.length;
  }

  at(index: number): M | undefined {
    return this.items.at(index);
  }

  push(...items: M[]): void {
    this.items.push(...items);
  }

  [Symbol.iterator](): IterableIterator<M> {
    return this.items[Symbol.iterator]();
  }
}
