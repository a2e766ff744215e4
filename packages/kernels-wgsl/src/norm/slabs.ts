/**
 * The passes of group norm and batch norm. Both see x as [images, pixels, channels] with the channels in groups;
 * batch norm is one image with every channel a group of its own.
 *
 * A thread takes a slab of pixels and four neighbouring channels, so that neighbouring threads read neighbouring memory
 * whatever the size of a group is. Sums per slab and channel go through scratch; a second pass folds them to groups.
 */
import { type Call, type Capabilities, grid, type Pass, perThread } from "../kernel.ts";
import { perWorkgroup, workgroupFold } from "../reduce/workgroup.ts";
import { ceilDiv, type DType, spec, type TensorSpec } from "../spec.ts";
import { quotient, remainder, uniform } from "../uniform.ts";

export interface NormLayout {
  readonly images: number;
  readonly pixels: number;
  readonly channels: number;
  readonly groups: number;
  /** Type of the elements in storage; everything else is f32. */
  readonly dtype: DType;
}

/** How the passes of one variant are cut. */
export interface NormTiling {
  /** Smallest slab, in pixels. */
  readonly slab: number;
  /** Slabs grow until an image has at most this many. */
  readonly slabs: number;
  /** Pixels a thread writes, which share the loads of the statistics. */
  readonly strip: number;
  /** Lanes of a workgroup that folds one group; 1: a thread folds it alone. */
  readonly lanes: number;
}

export const serialTiling: NormTiling = { slab: 32, slabs: 64, strip: 16, lanes: 1 };
export const workgroupTiling: NormTiling = { slab: 8, slabs: 512, strip: 4, lanes: 64 };

/** The inputs of a variant's passes. */
type NormCall<I extends string, A> = Pick<Call<I, string, A>, "inputs" | "attrs">;

/**
 * The two variants of every normalisation: software adapters fold without barriers, GPUs by workgroups. Processor time on lavapipe, by
 * the first and by the second: batch norm [2, 16, 16, 64] 0.12 and 0.51 ms, group norm of rows [512, 384] 2.9 and 5.9.
 */
export const normVariants = <I extends string, A>(
  layoutOf: (call: NormCall<I, A>) => NormLayout,
  scratch: (slabs: Slabs) => Readonly<Record<string, TensorSpec>>,
  passes: (slabs: Slabs, attrs: A) => readonly Pass[],
) => {
  const variant = (tiling: NormTiling) => ({
    scratch: (_caps: Capabilities, call: NormCall<I, A>) => scratch(new Slabs(layoutOf(call), tiling)),
    passes: (_caps: Capabilities, call: NormCall<I, A>) =>
      passes(new Slabs(layoutOf(call), tiling), call.attrs),
  });
  return [
    {
      name: "serial fold",
      when: ({ adapterClass }: Capabilities) => adapterClass === "software",
      ...variant(serialTiling),
    },
    { name: "workgroup fold", ...variant(workgroupTiling) },
  ];
};

/** The uniform struct of all normalisations. */
export const normParams = { images: "u32", pixels: "u32", epsilon: "f32" } as const;

/**
 * The `width` channels at `column` of an array with `stride` numbers per `image` and group (bound as f32), of which the
 * `field`th; a vector where `width` is 4.
 */
export function perGroup(layout: NormLayout, width: number, name: string, stride = 1, field = 0): string {
  const members = layout.channels / layout.groups;
  const type = width === 4 ? "vec4<f32>" : "f32";
  const group = (lane: number) =>
    `(image * ${uniform("groups", layout.groups)} + (column * ${width}u + ${lane}u) / ${uniform("members", members)})`;
  const value = (lane: number) => `${name}[${group(lane)} * ${stride}u + ${field}u]`;
  if (width === 1 || members % 4 === 0) return `${type}(${value(0)})`;
  return `${type}(${[0, 1, 2, 3].map(value).join(", ")})`;
}

const workgroupSize = 64;

/** How the passes of one call share the work. */
export class Slabs {
  readonly layout: NormLayout;
  readonly tiling: NormTiling;
  /** Channels a thread takes: 4 where they divide evenly. */
  readonly width: number;
  /** WGSL type of that many channels, as a binding and as a constructor. */
  readonly type: string;
  /** The same for what is stored as the layout says: x, y and their gradients. */
  readonly stored: string;
  /** Columns of `width` channels in a pixel. */
  readonly columns: number;
  /** Channels in a group. */
  readonly members: number;
  /** Pixels in a slab: a power of two times the smallest, so that few pipelines serve many sizes. */
  readonly slab: number;
  readonly slabs: number;

  constructor(layout: NormLayout, tiling: NormTiling) {
    this.layout = layout;
    this.tiling = tiling;
    this.width = layout.channels % 4 === 0 ? 4 : 1;
    this.type = this.width === 4 ? "vec4<f32>" : "f32";
    this.stored = this.width === 4 ? `vec4<${layout.dtype}>` : layout.dtype;
    this.columns = layout.channels / this.width;
    this.members = layout.channels / layout.groups;
    let slab = tiling.slab;
    while (slab * tiling.slabs < layout.pixels) slab *= 2;
    this.slab = slab;
    this.slabs = ceilDiv(layout.pixels, slab);
  }

  /** Scratch with one value per image, slab and channel. */
  get partial(): TensorSpec {
    return spec([this.layout.images, this.slabs, this.layout.channels]);
  }

  /** {@link perGroup} of this thread's columns. */
  perGroup(name: string, stride = 1, field = 0): string {
    return perGroup(this.layout, this.width, name, stride, field);
  }

  /** One thread per channel: `body` sees the channel `i`. */
  perChannel(bindings: Pick<Pass, "label" | "read" | "write">, body: string): Pass {
    const { channels } = this.layout;
    return {
      ...bindings,
      workgroups: grid(ceilDiv(channels, workgroupSize)),
      code: perThread(workgroupSize, `  if (i >= ${uniform("channels", channels)}) { return; }${body}`),
    };
  }

  /** One thread per image, piece of `pixels` pixels, and column: `body` sees `image`, `column`, `first`, `end` and `i`. */
  perPiece(
    pixels: number,
    bindings: Pick<Pass, "label" | "read" | "write">,
    body: string,
    functions = "",
  ): Pass {
    const { images, pixels: total } = this.layout;
    const columns = uniform("columns", this.columns);
    const pieces = Math.max(1, ceilDiv(total, pixels));
    const all = images * pieces * this.columns;
    return {
      ...bindings,
      workgroups: grid(ceilDiv(all, workgroupSize)),
      code:
        functions +
        perThread(
          workgroupSize,
          /* wgsl */ `
  let pieces = (params.pixels + ${pixels - 1}u) / ${pixels}u;
  if (i >= params.images * pieces * ${columns}) { return; }
  let place = ${quotient("i", "columns", this.columns, all)};
  let column = ${remainder("i", "place", "columns", this.columns)};
  let image = ${quotient("place", "pieces", pieces, images * pieces)};
  let piece = place - image * pieces;
  let count = min(${pixels}u, params.pixels - piece * ${pixels}u);
  let first = (image * params.pixels + piece * ${pixels}u) * ${columns} + column;
  let end = first + count * ${columns};
${body}`,
        ),
    };
  }

  /**
   * One worker (a thread, or the lanes of a workgroup) per image and group: `body` sees `image`, `channel` (the group's
   * first), `slabs`, `worker` and `total(sum, worker)`, which adds up the sums of all workers.
   */
  perImageGroup(bindings: Pick<Pass, "label" | "read" | "write">, body: string, sumType: string): Pass {
    const { images, groups } = this.layout;
    const { lanes } = this.tiling;
    const items = images * groups;
    const count = uniform("groups", groups);
    const prologue = /* wgsl */ `
  let image = item / ${count};
  let channel = item % ${count} * ${uniform("members", this.members)};
  let slabs = (params.pixels + ${this.slab - 1}u) / ${this.slab}u;
`;
    const bound = `params.images * ${count}`;
    if (lanes > 1) {
      const code = perWorkgroup(lanes, bound, `  let worker = lane;${prologue}${body}`);
      return { ...bindings, workgroups: grid(items), code: workgroupFold("total", lanes, sumType) + code };
    }
    const alone = `fn total(value: ${sumType}, worker: u32) -> ${sumType} { return value; }\n`;
    const guard = `  let item = i;\n  let worker = 0u;\n  if (item >= ${bound}) { return; }`;
    return {
      ...bindings,
      workgroups: grid(ceilDiv(items, workgroupSize)),
      code: alone + perThread(workgroupSize, guard + prologue + body),
    };
  }
}
