/** The state of the machine that a pickle is a program for: a stack with marks, and a memory of values to use again. */
import { type Named, type PickleValue, refuse } from "./values.ts";

/** What the machine asks of the format around it. */
export interface PickleHost {
  /** What a name of Python's stands for. */
  named(module: string, name: string): Named;
  /** The object outside of the pickle that `id` names; torch.save keeps its storages there. */
  persistent(id: PickleValue): PickleValue;
}

/** Containers and objects made by one pickle; a tensor takes about seven. */
const mostObjects = 1_000_000;
/** Values kept to be used again, texts among them. */
const mostKept = 2_000_000;
/** Marks at a time: Python nests a thousand objects at most. */
const mostMarks = 10_000;

export class Machine {
  readonly host: PickleHost;
  readonly #memo = new Map<number, PickleValue>();
  #stack: PickleValue[] = [];
  /** The stacks below the marks. */
  readonly #below: PickleValue[][] = [];
  #objects = 0;

  constructor(host: PickleHost) {
    this.host = host;
  }

  push(value: PickleValue): void {
    if (typeof value === "object" && value !== null) this.charge(1);
    this.#stack.push(value);
  }

  /** Counts objects that are made, so that a small file cannot ask for much memory. */
  charge(objects: number): void {
    this.#objects += objects;
    if (this.#objects > mostObjects) refuse(`its pickle makes more than ${mostObjects} objects.`);
  }

  pop(): PickleValue {
    return this.take(1)[0]!;
  }

  top(): PickleValue {
    this.#need(1);
    return this.#stack.at(-1)!;
  }

  /** The last `count` values, oldest first. */
  take(count: number): PickleValue[] {
    this.#need(count);
    return this.#stack.splice(this.#stack.length - count);
  }

  mark(): void {
    if (this.#below.length >= mostMarks) refuse(`its pickle nests more than ${mostMarks} values.`);
    this.#below.push(this.#stack);
    this.#stack = [];
  }

  /** All values since the last mark. */
  sinceMark(): PickleValue[] {
    const values = this.#stack;
    const below = this.#below.pop();
    if (below === undefined) refuse("its pickle is damaged: there is no mark where one is needed.");
    this.#stack = below;
    return values;
  }

  remember(index = this.#memo.size): void {
    this.#memo.set(index, this.top());
    if (this.#memo.size > mostKept) refuse(`its pickle keeps more than ${mostKept} values.`);
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) refuse(`its pickle is damaged: it recalls value ${index}, which it never kept.`);
    this.#stack.push(value);
  }

  #need(count: number): void {
    if (this.#stack.length < count)
      refuse("its pickle is damaged: an instruction finds no value to work on.");
  }
}
