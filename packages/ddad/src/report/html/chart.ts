/** Plots as SVG markup, without a DOM: two axes, and marks in their coordinates. */
import { ticks } from "d3-array";
import { type Html, html } from "./html.ts";

export type Axis = {
  readonly label: string;
  readonly from: number;
  readonly to: number;
  /** What a tick is labelled with; its number without it. */
  readonly format?: (value: number) => string;
};

/** From the coordinates of the axes to those of the image. */
export type Scales = { readonly x: (value: number) => number; readonly y: (value: number) => number };

export type Chart = {
  /** Said to those who cannot see it. */
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly marks: (scales: Scales) => readonly Html[];
};

export const chartSize = { width: 340, height: 260 };
const margins = { left: 44, right: 12, top: 10, bottom: 38 };

/** A plot of `chartSize`; colours and fonts are those of the page's style. */
export function chart({ title, x, y, marks }: Chart): Html {
  const { width, height } = chartSize;
  const right = width - margins.right;
  const bottom = height - margins.bottom;
  const scales: Scales = {
    x: scaleOf(x, margins.left, right),
    y: scaleOf(y, bottom, margins.top),
  };
  const xTicks = ticks(x.from, x.to, 6).map((value) => {
    const at = round(scales.x(value));
    return html`<path class="grid" d="M${at},${margins.top}V${bottom}" /><text class="tick x" x="${at}" y="${bottom + 14}">${textOf(x, value)}</text>`;
  });
  const yTicks = ticks(y.from, y.to, 5).map((value) => {
    const at = round(scales.y(value));
    return html`<path class="grid" d="M${margins.left},${at}H${right}" /><text class="tick y" x="${margins.left - 5}" y="${at + 3.5}">${textOf(y, value)}</text>`;
  });
  const middle = { x: (margins.left + right) / 2, y: (margins.top + bottom) / 2 };
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<title>${title}</title>
${xTicks}${yTicks}
<path class="frame" d="M${margins.left},${margins.top}V${bottom}H${right}" />
${marks(scales)}
<text class="label" x="${middle.x}" y="${height - 6}">${x.label}</text>
<text class="label" transform="translate(11 ${middle.y}) rotate(-90)">${y.label}</text>
</svg>`;
}

/** A line through points in the coordinates of the axes, as the data of a path. */
export const linePath = (points: readonly (readonly [x: number, y: number])[], { x, y }: Scales): string =>
  points.map(([a, b], i) => `${i === 0 ? "M" : "L"}${round(x(a))},${round(y(b))}`).join("");

/** To hundredths of a pixel: what is finer nobody sees. */
export const round = (value: number): number => Math.round(value * 100) / 100;

const scaleOf =
  ({ from, to }: Axis, start: number, end: number) =>
  (value: number): number =>
    start + ((value - from) / (to - from)) * (end - start);

const textOf = ({ format = String }: Axis, value: number): string => format(value);
