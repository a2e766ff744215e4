import { checkIterable, checkKind } from "../arguments.ts";
import { Module } from "../module.ts";

/** Modules in a list; their names in state dicts are their numbers. A plain array as a property does the same. */
export class ModuleList<M extends Module = Module> extends Module {
  override readonly torchNames = { items: "" };
  /** The modules, in their order. */
  readonly items: M[];

  /** @throws UsageError where one of them is no module */
  constructor(items: Iterable<M> = []) {
    super();
    checkIterable("ModuleList", "the modules", items);
    this.items = [];
    this.push(...items);
  }

  /** Number of modules. */
  get length(): number {
    return this.items.length;
  }

  /** The module at a place; negative ones count from the end. */
  at(index: number): M | undefined {
    return this.items.at(index);
  }

  /** Appends modules. */
  push(...items: M[]): void {
    for (const item of items) checkKind("ModuleList", "an item", item, item instanceof Module, "a Module");
    this.items.push(...items);
  }

  /** The modules in their order. */
  [Symbol.iterator](): IterableIterator<M> {
    return this.items[Symbol.iterator]();
  }
}
