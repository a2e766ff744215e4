/**
 * How {@link WorkgroupBlocks} are cut for a call, on a GPU. Times here are estimates, not measurements, for a multiprocessor that moves
 * some 100 GB/s through its caches and normalises some 10 elements a nanosecond with SiLU, and a dispatch of 3 to 5 µs.
 *
 * Whole images, in one dispatch: the 128 KB that a workgroup of 1024 lanes can keep, eight pixels of four channels each, come in 1.3 µs,
 * wait 3 µs for arithmetic and leave in 1.3 µs. That is less than the two or three dispatches that are spared, even where there are far
 * fewer workgroups than multiprocessors; where there are more, nothing is read twice. A larger block takes several times as long
 * while most of the GPU waits.
 *
 * Slabs of images, in two dispatches: the statistics of each, then all of them again in each workgroup, some KB beside the 32 or 64 of its
 * block. This saves one dispatch, which is little where the passes themselves take long: such calls are left to autotuning.
 */
import type { Capabilities } from "../kernel.ts";
import { wholeBlocks } from "./blocks.ts";
import type { NormLayout } from "./slabs.ts";
import { fewLanes, keptPixels, sectorBytes, WorkgroupBlocks } from "./workgroupBlocks.ts";

const mostLanes = 1024;
/** Lanes of a workgroup with a slab: two workgroups fit on a multiprocessor, so one computes while the other waits. */
const slabLanes = 512;
/** Most pixels of a lane that autotuning tries. */
const measuredPixels = 64;
/** Bytes of four channels in f32. */
const vectorBytes = 16;
/** Bytes of workgroup memory for each lane. */
const laneBytes = 2 * vectorBytes;
/** Bytes of a cache line. */
const lineBytes = 128;
/** Rows fill a cache line only if this many workgroups remain: several per multiprocessor of a large GPU. */
const plentyWorkgroups = 512;
/** Slabs are made smaller until there are so many workgroups, one for each multiprocessor. */
const wantedWorkgroups = 128;
/** Elements, 32 MB of them, that stay in the caches of a large GPU. */
const cachedElements = 2 ** 23;

/** A way to cut a layout into blocks; undefined where it does not apply. */
export type BlockChoice = (caps: Capabilities, layout: NormLayout) => WorkgroupBlocks | undefined;

/** Lanes that a workgroup can have, none on a software adapter, where barriers are expensive. */
const lanesOf = ({ adapterClass, maxInvocations, workgroupMemory }: Capabilities): number =>
  adapterClass === "software"
    ? 0
    : Math.min(mostLanes, maxInvocations, Math.floor(workgroupMemory / laneBytes));

/** Blocks of all pixels that leave a lane at most `most` of them, and no more bytes than these have at most. */
const imageBlocks =
  (most: number): BlockChoice =>
  (caps, layout) => {
    const lanes = lanesOf(caps);
    const possible = wholeBlocks(layout, 4 * lanes)
      .map((channels) => new WorkgroupBlocks(layout, channels, lanes))
      .filter(({ perLane, moved }) => perLane <= most && moved <= most * lanes * vectorBytes);
    const wide = possible.filter(
      (block) => block.rowBytes <= lineBytes && block.workgroups >= plentyWorkgroups,
    );
    const narrow = possible.find(({ rowBytes }) => rowBytes >= sectorBytes) ?? possible.at(-1);
    return narrow && [narrow, ...wide].reduce((a, b) => (b.rowBytes > a.rowBytes ? b : a));
  };

/** Blocks of slabs of which lanes keep all pixels, with rows that fill a cache line, if there can be such. */
const slabBlocks: BlockChoice = (caps, layout) => {
  const most = Math.min(slabLanes, lanesOf(caps));
  const possible = wholeBlocks(layout, 4 * Math.min(most, fewLanes));
  const lines = possible.filter(
    (channels) => new WorkgroupBlocks(layout, channels, most).rowBytes <= lineBytes,
  );
  const channels = lines.at(-1) ?? possible[0];
  if (channels === undefined) return undefined;
  const cut = (lanes: number): WorkgroupBlocks => {
    const rows = 2 ** Math.floor(Math.log2((4 * lanes) / channels));
    const blocks = new WorkgroupBlocks(layout, channels, lanes, Math.min(layout.pixels, rows * keptPixels));
    return lanes <= fewLanes || blocks.workgroups >= wantedWorkgroups ? blocks : cut(lanes / 2);
  };
  const blocks = cut(most);
  return blocks.slabs > 1 ? blocks : undefined;
};

const isCached = ({ images, pixels, channels }: NormLayout): boolean =>
  images * pixels * channels <= cachedElements;

/** The ways by the names of their variants: first those of the heuristic, then those left to autotuning. */
export const blockChoices = {
  "workgroup blocks": imageBlocks(keptPixels),
  "workgroup slabs": (caps, layout) => (isCached(layout) ? slabBlocks(caps, layout) : undefined),
} satisfies Readonly<Record<string, BlockChoice>>;

export const measuredBlockChoices = {
  "workgroup blocks, autotuned": (caps, layout) =>
    imageBlocks(keptPixels)(caps, layout) ? undefined : imageBlocks(measuredPixels)(caps, layout),
  "workgroup slabs, autotuned": (caps, layout) => (isCached(layout) ? undefined : slabBlocks(caps, layout)),
} satisfies Readonly<Record<string, BlockChoice>>;
