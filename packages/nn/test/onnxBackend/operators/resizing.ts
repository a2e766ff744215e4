/** Images of another size, and images sampled at positions. */
import type { Call, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { channelsFirst, channelsLast } from "./layout.ts";

type Pair = readonly [number, number];

/** How a side of an image is resized: `scale` is what positions are computed with. */
interface Side {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
}

/** The pixel that ONNX's nearest mode reads. */
function nearestPixel(
  { from, to, scale }: Side,
  o: number,
  transformation: string,
  rounding: string,
): number {
  const area = to > 1 || transformation !== "pytorch_half_pixel" ? (o + 0.5) / scale - 0.5 : 0;
  const corners = to === 1 ? 0 : (o * (from - 1)) / (to - 1);
  const position =
    transformation === "asymmetric" ? o / scale : transformation === "align_corners" ? corners : area;
  const rounds: Readonly<Record<string, (x: number) => number>> = {
    floor: Math.floor,
    ceil: Math.ceil,
    round_prefer_floor: (x) => Math.ceil(x - 0.5),
    round_prefer_ceil: (x) => Math.floor(x + 0.5),
  };
  return Math.min(Math.max(rounds[rounding]!(position), 0), from - 1);
}

function nearest(call: Call, sides: readonly Side[]): void {
  const transformation = call.text("coordinate_transformation_mode", "half_pixel");
  const rounding = call.text("nearest_mode", "round_prefer_floor");
  for (const side of sides)
    for (let o = 0; o < side.to; o++)
      if (
        nearestPixel(side, o, transformation, rounding) !==
        Math.min(Math.floor(o / side.scale), side.from - 1)
      )
        call.notExpressible(`nearest pixels by ${transformation} and ${rounding}`);
}

function smooth(call: Call, mode: string, sides: readonly Side[]): { alignCorners: boolean } {
  const transformation = call.text("coordinate_transformation_mode", "half_pixel");
  const alignCorners = transformation === "align_corners";
  if (alignCorners && sides.some(({ from, to, scale }) => Math.abs(from * scale - to) > 1e-6))
    call.notExpressible("aligned corners of an image between two sizes");
  const half =
    transformation === "half_pixel" ||
    (transformation === "pytorch_half_pixel" && sides.every(({ to }) => to > 1));
  if (!alignCorners && !half) call.notExpressible(`resizing by ${transformation}`);
  if (
    mode === "cubic" &&
    (call.float("cubic_coeff_a", -0.75) !== -0.75 || call.int("exclude_outside", 0) === 1)
  )
    call.notExpressible("bicubic resizing with other weights");
  return { alignCorners };
}

async function resize(
  call: Call,
  scales: readonly number[] | undefined,
  sizes: readonly number[] | undefined,
) {
  if (call.rank !== 4) call.notExpressible(`resizing of ${call.rank - 2} dimensions`);
  const shape = call.shape();
  const factors = scales?.length ? scales : sizes!.map((size, axis) => size / shape[axis]!);
  if (factors[0] !== 1 || factors[1] !== 1) call.notExpressible("resizing of channels");
  const sides = [2, 3].map((axis): Side => {
    const to = sizes?.length ? sizes[axis]! : Math.floor(shape[axis]! * factors[axis]!);
    return { from: shape[axis]!, to, scale: factors[axis]! };
  });
  const mode = call.text("mode", "nearest");
  const size = sides.map(({ to }) => to) as unknown as Pair;
  const by = scales?.length ? { scaleFactor: sides.map(({ scale }) => scale) as unknown as Pair } : { size };
  const x = channelsLast(call.x());
  if (mode === "nearest") {
    nearest(call, sides);
    return channelsFirst(nn.upsample(x, by));
  }
  const options = smooth(call, mode, sides);
  return channelsFirst(
    nn.upsample(x, { ...by, ...options, mode: mode === "cubic" ? "bicubic" : "bilinear" }),
  );
}

export const resizing: Operators = {
  Resize: async (call) => {
    const [scales, sizes] = [await call.numbers(call.opset < 11 ? 1 : 2), await call.numbers(3)];
    return resize(call, scales, sizes);
  },
  GridSample: (call) => {
    if (call.rank !== 4) call.notExpressible(`sampling of ${call.rank - 2} dimensions`);
    const mode = { bilinear: "bilinear", nearest: "nearest", bicubic: "bicubic" } as const;
    const paddingMode = { zeros: "zeros", border: "border", reflection: "reflection" } as const;
    return channelsFirst(
      nn.gridSample(channelsLast(call.x()), call.x(1), {
        mode: mode[call.text("mode", "bilinear") as keyof typeof mode],
        paddingMode: paddingMode[call.text("padding_mode", "zeros") as keyof typeof paddingMode],
        alignCorners: call.int("align_corners", 0) === 1,
      }),
    );
  },
};
