/// <reference lib="esnext.disposable" preserve="true" />
/** Tensors: immutable values that are computed on demand; and variables, mutable cells. */
import {
  type DType,
  type Float,
  isFloat,
  type Kernel,
  type Shape,
  ShapeError,
  show,
  sizeOf,
  type TensorSpec,
} from "@ddad/kernels-wgsl";
import type { Device } from "./device/device.ts";
import { DeviceLostError, OutOfMemoryError, StaleValueError, UsageError } from "./errors.ts";
import type { Composition, zeroGradient } from "./record.ts";
import type { Storage } from "./storage.ts";

/** Gradients of an operation: input → function from the gradients of the outputs to that of the input, or the mark of a zero. */
export type Gradients = Readonly<
  Record<string, ((outputGradients: Readonly<Record<string, Tensor>>) => Tensor) | typeof zeroGradient>
>;

/** A tensor of any type. `Tensor` alone is one of floats. */
export type AnyTensor = Tensor<DType>;

/** One recorded use of a kernel, or (without a kernel) the same elements under another shape. */
export interface Node {
  /** Rises in the order of recording, which therefore is an order in which nodes can run. */
  readonly id: number;
  /** Of the operation, for messages and labels. */
  readonly name: string;
  /** What runs; undefined for a view, which is the buffer of its input `x` under another shape. */
  readonly kernel: Kernel | undefined;
  /** The kernel's options. */
  readonly attrs: unknown;
  /** Values of the kernel's uniform struct. */
  readonly params: Readonly<Record<string, number>>;
  /** Numbers of the caller's, see `Call`. */
  readonly constants: readonly number[];
  /** What it reads, by the names of the kernel; of a view `x`. */
  readonly inputs: Readonly<Record<string, AnyTensor>>;
  /** What it gives, by the kernel's names. */
  readonly outputs: Record<string, AnyTensor>;
  /** Rules towards the inputs. */
  readonly gradients: Gradients;
  /** The outputs in terms of simpler operations, for gradients that `gradients` does not give. */
  readonly composition?: Composition;
  /** What gradients are keyed by, where it differs from `inputs` (`recompute`). */
  readonly differentiable?: Readonly<Record<string, AnyTensor>>;
}

/** Where the elements of a tensor come from. */
export type Source =
  | { readonly kind: "node"; readonly node: Node }
  | { readonly kind: "storage"; readonly storage: Storage; readonly version: number }
  | { readonly kind: "argument"; readonly index: number };

const forgotten = new FinalizationRegistry<Storage>((storage) => storage.release());

/**
 * A dense, row-major, immutable array of numbers. Recorded first; computed by `evaluate` or `data`.
 *
 * @template D the type of its elements, where the compiler knows it; default floats
 */
export class Tensor<D extends DType = Float> {
  /** Extents of the axes, outermost first; [] for one number. */
  readonly shape: Shape;
  /** Type of the elements. */
  readonly dtype: D;
  #source: Source;

  /** What operations call. To make a tensor, call `tensor`, `zeros`, `arange` or an operation. */
  constructor({ shape, dtype }: TensorSpec & { readonly dtype: D }, source: Source) {
    this.shape = shape;
    this.dtype = dtype;
    this.#source = source;
    if (source.kind === "storage") forgotten.register(this, source.storage.retain(), this);
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** @internal */
  get source(): Source {
    return this.#source;
  }

  /** Whether the elements are in a buffer (not merely recorded). */
  get evaluated(): boolean {
    return this.source.kind === "storage";
  }

  /** @internal From recorded to computed. Releases the graph behind it. */
  materialize(storage: Storage): void {
    this.#source = { kind: "storage", storage: storage.retain(), version: storage.version };
    forgotten.register(this, storage, this);
  }

  /** Frees the buffer now, not at the next garbage collection. Using the tensor afterwards is an error. */
  dispose(): void {
    if (this.#source.kind === "storage" && this.release())
      this.#source = { ...this.#source, version: Number.NaN };
  }

  /** @internal Stops holding the buffer; returns whether it was held. For contents that are overwritten. */
  release(): boolean {
    const source = this.#source;
    if (source.kind !== "storage" || !forgotten.unregister(this)) return false;
    source.storage.release();
    return true;
  }

  /** `dispose` at the end of the block that declares it by `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Type and shape, without values: `Tensor f32 [2, 3]`. `await x.data()` gives these. */
  toString(): string {
    return `Tensor ${this.dtype} ${show(this.shape)}`;
  }
}

/** Whether the elements are floats, so that gradients towards them exist. */
export const isFloatTensor = (tensor: AnyTensor): tensor is Tensor => isFloat(tensor.dtype);

/** The buffer of an evaluated tensor. Throws where it is gone: disposed of, overwritten, or on a lost device; or never was. */
export function storageOf(tensor: AnyTensor, device: Device): Storage {
  const { source } = tensor;
  if (source.kind !== "storage") throw new UsageError(`${tensor} has no buffer yet; evaluate it first.`);
  const { storage, version } = source;
  if (storage.device !== device) {
    throw new DeviceLostError(
      `${tensor} lives on a device that is gone. Make or load it again on the new one.`,
    );
  }
  if (Number.isNaN(version)) throw new StaleValueError(`${tensor} was disposed of.`);
  if (storage.refused) throw withoutMemory(`${tensor}`);
  if (storage.version !== version) {
    throw new StaleValueError(
      `${tensor} reads the value that a variable had before a later assignment, and that value is overwritten. ` +
        "Evaluate it before, or together with, the variable.",
    );
  }
  return storage;
}

/** What to say of a tensor that was made when the adapter was out of memory. */
export const withoutMemory = (what: string): OutOfMemoryError =>
  new OutOfMemoryError(
    `${what} has no memory: the adapter was out of memory. Use a smaller micro-batch or smaller images, and make it again.`,
  );

/** A variable of any type. */
export type AnyVariable = Variable<DType>;

/**
 * A mutable cell. It can be used wherever a tensor can and then stands for its value at that moment. `assign` gives it
 * a new value; `evaluate(variable)` writes that value into the variable's storage, its place in a buffer.
 */
export class Variable<D extends DType = Float> extends Tensor<D> {
  /** What was assigned and is not yet in the buffer. */
  #assigned: Tensor<D> | undefined;
  /** Made on demand: a replayed training step changes thousands of variables, and rarely needs them. */
  #committed: Tensor<D> | undefined;
  /** The tensor that was written into the storage last, as long as it is there. */
  #written: Tensor<D> | undefined;
  readonly #storage: Storage;

  /** Takes over the value of an evaluated tensor (which must not be used any more). */
  constructor(initial: Tensor<D>) {
    if (!(initial instanceof Tensor))
      throw new UsageError("variable: the initial value must be a tensor. Make one by tensor(values).");
    const { source } = initial;
    if (source.kind !== "storage") throw new UsageError("variable: evaluate the initial tensor first.");
    super(initial, source);
    this.#storage = source.storage;
    this.#storage.owner = new WeakRef<AnyVariable>(this);
    initial.dispose();
  }

  override dispose(): void {
    this.committed.dispose();
    this.#written?.dispose();
    super.dispose();
  }

  /** The tensor that this variable stands for now. */
  get value(): Tensor<D> {
    // A traced function reads the homes of variables, which are written before it runs.
    if (sandbox && !sandbox.has(this)) return this.committed;
    const source = this.#assigned?.source;
    if (source?.kind === "storage" && source.storage.refused) this.reset(); // there never was such a value
    return this.#assigned ?? this.committed;
  }

  /** @internal */
  override get source(): Source {
    return this.value.source;
  }

  /** @internal Whether a value was assigned that is not yet in the buffer. */
  get pending(): boolean {
    const { source } = this;
    return this.#assigned !== undefined && !(source.kind === "storage" && source.storage === this.#storage);
  }

  /**
   * What all values of this variable are written into. Its place may change: `flattenParameters`, `swap`.
   * @internal
   */
  get storage(): Storage {
    return this.#storage;
  }

  /** @internal The tensor that stands for what the buffer holds now: the value, unless one is pending. */
  get committed(): Tensor<D> {
    this.#committed ??= new Tensor(this, {
      kind: "storage",
      storage: this.#storage,
      version: this.#storage.version,
    });
    return this.#committed;
  }

  /** From here on the variable stands for `value`, which must have its shape and type. */
  assign(value: Tensor<D>): void {
    if (value.dtype !== this.dtype || show(value.shape) !== show(this.shape)) {
      throw new ShapeError(
        `assign: the variable is ${this.dtype} ${show(this.shape)} but the value is ${value.dtype} ${show(value.shape)}.`,
      );
    }
    const next = resolve(value);
    if (sandbox && !sandbox.has(this)) sandbox.set(this, this.#assigned);
    this.#assigned = next;
  }

  /** @internal What was assigned and not committed since. */
  get assigned(): Tensor<D> | undefined {
    return this.#assigned;
  }

  /**
   * After the storage was overwritten. What was assigned while that was on its way stays assigned.
   *
   * @param replaced what was assigned when the work was recorded
   * @param written the tensor whose elements the storage has now, where there is one
   * @internal
   */
  commit(replaced: Tensor<D> | undefined, written?: Tensor<D>): void {
    this.#committed?.release();
    this.#committed = undefined;
    this.#written?.release();
    this.#written = undefined;
    this.#storage.version++;
    if (this.#assigned === replaced) this.#assigned = undefined;
    if (written?.source.kind !== "node") return;
    // What was recorded on the new value reads it here.
    written.materialize(this.#storage);
    this.#written = written;
  }

  /** @internal Back to what the buffer holds, or to what was assigned before. */
  reset(assigned?: Tensor<D>): void {
    this.#assigned = assigned;
  }
}

/**
 * Two variables swap their values, without copying anything. Tensors that were computed from the old values and are pending
 * can no longer be evaluated. Throws ShapeError where shape or type differ, and where a value assigned is not evaluated yet;
 * StaleValueError where a variable was disposed of.
 */
export function swap(a: AnyVariable, b: AnyVariable): void {
  if (a.dtype !== b.dtype || show(a.shape) !== show(b.shape)) {
    throw new ShapeError(
      `swap: the variables are ${a.dtype} ${show(a.shape)} and ${b.dtype} ${show(b.shape)}, but must have one shape and type.`,
    );
  }
  if (a.pending || b.pending)
    throw new ShapeError("swap: evaluate what was assigned to the variables first.");
  for (const { committed } of [a, b]) storageOf(committed, a.storage.device); // throws where it is gone
  a.storage.swap(b.storage);
  a.commit(a.assigned);
  b.commit(b.assigned);
}

/** The plain tensor behind a variable; a tensor itself. */
export const resolve = <D extends DType>(tensor: Tensor<D>): Tensor<D> =>
  tensor instanceof Variable ? (tensor as Variable<D>).value : tensor;

/** Variables assigned in the current sandbox, and what was assigned to each before. */
let sandbox: Map<AnyVariable, AnyTensor | undefined> | undefined;

/**
 * Runs `work`, which may assign variables; afterwards, also where it throws, they are as before. A variable that it has not assigned stands
 * for what its storage holds, though another value may be pending.
 *
 * @param work is given a function that lists the variables assigned so far
 */
export function sandboxed<T>(work: (assigned: () => AnyVariable[]) => T): T {
  const outer = sandbox;
  const before = new Map<AnyVariable, AnyTensor | undefined>();
  sandbox = before;
  try {
    return work(() => [...before.keys()]);
  } finally {
    sandbox = outer;
    for (const [variable, assigned] of before) variable.reset(assigned);
  }
}

/** Whether `sandboxed` is running, as it is while `compile` records a function. */
export const isTracing = (): boolean => sandbox !== undefined;
