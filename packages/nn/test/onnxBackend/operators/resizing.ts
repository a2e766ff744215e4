/** Images of another size, and images sampled at points. */
import type { Tensor } from "@ddad/nn";
import type { Call, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { channelsFirst, channelsLast } from "./layout.ts";

type Coordinates =
  | "half_pixel"
  | "pytorch_half_pixel"
  | "align_corners"
  | "asymmetric"
  | "tf_half_pixel_for_nn"
  | "tf_crop_and_resize";

/** How one axis is resized. */
interface Axis {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  /** Whether the model states the factor, and not the size. */
  readonly given: boolean;
  /** Start and end of the part that is resized, for tf_crop_and_resize. */
  readonly roi: readonly [start: number, end: number];
}

/** Where an output's centre lies among the inputs. */
function source({ from, to, scale, roi }: Axis, at: number, mode: Coordinates): number {
  switch (mode) {
    case "align_corners":
      // By the exact length: what is cut off its fraction moves nothing.
      return to === 1 ? 0 : (at * (from - 1)) / (from * scale - 1);
    case "asymmetric":
      return at / scale;
    case "tf_half_pixel_for_nn":
      return (at + 0.5) / scale;
    case "tf_crop_and_resize":
      return to > 1
        ? roi[0] * (from - 1) + (at * (roi[1] - roi[0]) * (from - 1)) / (to - 1)
        : 0.5 * (roi[0] + roi[1]) * (from - 1);
    case "pytorch_half_pixel":
      return to > 1 ? (at + 0.5) / scale - 0.5 : 0;
    case "half_pixel":
      return (at + 0.5) / scale - 0.5;
  }
}

/** The nearest input of every output. */
function nearest(axis: Axis, mode: Coordinates, rounding: string): number[] {
  const round: Readonly<Record<string, (x: number) => number>> = {
    floor: Math.floor,
    ceil: Math.ceil,
    round_prefer_floor: (x) => Math.ceil(x - 0.5),
    round_prefer_ceil: (x) => Math.floor(x + 0.5),
  };
  return Array.from({ length: axis.to }, (_, at) => {
    // A factor that is a f32 leaves its error on coordinates that lie on a pixel's edge.
    const x = Number(source(axis, at, mode).toFixed(5));
    return Math.min(axis.from - 1, Math.max(0, round[rounding]!(x)));
  });
}

/** Weights [to, from] of the inputs for every output: linear, or Keys's cubic. */
function weights(axis: Axis, mode: Coordinates, kernel: (x: number) => number, outside: boolean): number[] {
  const rows = Array.from({ length: axis.to }, (_, at) => {
    const x = source(axis, at, mode);
    const row = Array<number>(axis.from).fill(0);
    for (let near = Math.floor(x) - 1; near <= Math.floor(x) + 2; near++) {
      if (outside && (near < 0 || near >= axis.from)) continue;
      row[Math.min(axis.from - 1, Math.max(0, near))]! += kernel(x - near);
    }
    const total = row.reduce((a, b) => a + b, 0);
    return outside ? row.map((weight) => weight / total) : row;
  });
  return rows.flat();
}

const linear = (x: number): number => Math.max(0, 1 - Math.abs(x));
const cubic =
  (a: number) =>
  (x: number): number => {
    const d = Math.abs(x);
    if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
    return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
  };

/** x · weightsᵀ along the last two axes, one after the other: resizing is a product with a matrix along each. */
function byMatrices(x: Tensor, [vertical, horizontal]: readonly number[][], axes: readonly Axis[]): Tensor {
  const [h, w] = axes as [Axis, Axis];
  const wide = nn.matmul(x, nn.tensor(horizontal!, [w.to, w.from]), { transposeB: true });
  const turned = nn.permute(wide, [0, 1, 3, 2]);
  return nn.permute(
    nn.matmul(turned, nn.tensor(vertical!, [h.to, h.from]), { transposeB: true }),
    [0, 1, 3, 2],
  );
}

async function axesOf(call: Call, scalesAt: number, sizesAt: number): Promise<Axis[]> {
  const scales = (await call.numbers(scalesAt)) ?? call.floats("scales");
  const sizes = await call.numbers(sizesAt);
  const roi = (sizesAt === 3 ? await call.numbers(1) : undefined) ?? [];
  const { rank } = call;
  if (rank !== 4) call.notExpressible("resizing of other things than images");
  return call.shape().map((from, k): Axis => {
    const to = sizes?.length ? sizes[k]! : Math.floor(from * scales![k]!);
    const scale = sizes?.length ? to / from : scales![k]!;
    return { from, to, scale, given: !sizes?.length, roi: [roi[k] ?? 0, roi[rank + k] ?? 1] };
  });
}

function resize(call: Call, all: readonly Axis[], mode: Coordinates, rounding: string): Tensor {
  const axes = all.slice(2);
  const size = axes.map(({ to }) => to) as [number, number];
  const scale = axes.map((axis) => axis.scale) as [number, number];
  const by = axes.every(({ given }) => given) ? { scaleFactor: scale } : { size };
  const kind = call.text("mode", "nearest");
  if (kind === "nearest") {
    const wanted = axes.map((axis) => nearest(axis, mode, rounding));
    // PyTorch's rule: the pixel that an output's upper left corner lies in.
    const usual = axes.map((axis) => nearest(axis, "asymmetric", "floor"));
    if (JSON.stringify(wanted) === JSON.stringify(usual))
      return channelsFirst(nn.upsample(channelsLast(call.x()), by));
    return wanted.reduce(
      (x, index, k) => nn.gather(x, nn.tensor(index, [index.length], { dtype: "i32" }), 2 + k),
      call.x(),
    );
  }
  const a = call.float("cubic_coeff_a", -0.75);
  const outside = call.int("exclude_outside", 0) === 1;
  const exact = axes.every(({ from, to, scale }) => Math.abs(scale - to / from) < 1e-5);
  const aligned = mode === "align_corners";
  const ordinary = (exact || !aligned) && (mode !== "pytorch_half_pixel" || axes.every(({ to }) => to > 1));
  const usual = mode === "half_pixel" || mode === "pytorch_half_pixel" || aligned;
  if (usual && ordinary && !outside && (kind === "linear" || a === -0.75)) {
    const how = kind === "linear" ? "bilinear" : "bicubic";
    return channelsFirst(nn.upsample(channelsLast(call.x()), { ...by, mode: how, alignCorners: aligned }));
  }
  const kernel = kind === "linear" ? linear : cubic(a);
  const matrices = axes.map((axis) => weights(axis, mode, kernel, outside));
  const y = byMatrices(call.x(), matrices, axes);
  if (mode !== "tf_crop_and_resize") return y;
  // What lies outside of the image has a value of its own.
  const beyond = axes.map((axis) =>
    Array.from({ length: axis.to }, (_, at) => source(axis, at, mode)).map((x) => x < 0 || x > axis.from - 1),
  );
  const mask = beyond[0]!.flatMap((row) => beyond[1]!.map((column) => row || column));
  return nn.where(nn.tensor(mask, size, { dtype: "bool" }), call.float("extrapolation_value", 0), y);
}

export const resizing: Operators = {
  Resize: async (call) => {
    const axes = await axesOf(call, 2, 3);
    const mode = call.text("coordinate_transformation_mode", "half_pixel") as Coordinates;
    return resize(call, axes, mode, call.text("nearest_mode", "round_prefer_floor"));
  },

  Upsample: async (call) => resize(call, await axesOf(call, 1, -1), "asymmetric", "floor"),

  GridSample: (call) =>
    channelsFirst(
      nn.gridSample(channelsLast(call.x()), call.x(1), {
        mode: call.text("mode", "bilinear") as "bilinear" | "nearest" | "bicubic",
        paddingMode: call.text("padding_mode", "zeros") as "zeros" | "border" | "reflection",
        alignCorners: call.int("align_corners", 0) === 1,
      }),
    ),

  RoiAlign: async (call) => {
    const [height, width] = [call.int("output_height", 1), call.int("output_width", 1)];
    const ratio = call.int("sampling_ratio", 0);
    if (ratio < 1 || call.text("mode", "avg") !== "avg")
      call.notExpressible("RoiAlign with adaptive sampling");
    const [rois, scale] = [(await call.numbers(1))!, call.float("spatial_scale", 1)];
    const offset = call.text("coordinate_transformation_mode", "half_pixel") === "half_pixel" ? 0.5 : 0;
    const [h, w] = call.shape().slice(2) as [number, number];
    const count = rois.length / 4;
    const line = (low: number, high: number, bins: number, extent: number): number[] => {
      const [from, to] = [low * scale - offset, high * scale - offset];
      const length = offset ? to - from : Math.max(1, to - from);
      return Array.from({ length: bins * ratio }, (_, k) => {
        const x = from + ((k + 0.5) * length) / (bins * ratio);
        return (2 * Math.max(0, x)) / (extent - 1) - 1;
      });
    };
    const grid = Array.from({ length: count }, (_, k) => {
      const [x1, y1, x2, y2] = rois.slice(4 * k, 4 * k + 4) as [number, number, number, number];
      const xs = line(x1, x2, width, w);
      return line(y1, y2, height, h).flatMap((y) => xs.flatMap((x) => [x, y]));
    });
    const images = nn.gather(channelsLast(call.x()), call.index(2));
    const points = nn.tensor(grid.flat(), [count, height * ratio, width * ratio, 2]);
    const sampled = nn.gridSample(images, points, { paddingMode: "border", alignCorners: true });
    return channelsFirst(nn.averagePool(sampled, { kernelSize: ratio }));
  },
};
