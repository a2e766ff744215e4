import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { decodePng } from "../../node/src/images/png.ts";
import { writePanel } from "../../node/src/images/writePanel.ts";
import { createImage, type Image } from "../src/images/image.ts";
import { heatColor } from "../src/report/colorMap.ts";
import { detectionRow, rowCaptions } from "../src/report/detectionRow.ts";
import { drawText, fontHeight, textWidth } from "../src/report/font.ts";
import { heatMap, outlineMask, overlayHeat } from "../src/report/overlay.ts";
import { composePanel } from "../src/report/panel.ts";
import {
  fencedText,
  formatResults,
  formatTable,
  markdownText,
  type ResultRow,
} from "../src/report/results.ts";

const pixel = ({ width, data }: Image, x: number, y: number): number[] => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];

/** CIE lightness of an sRGB colour, 0 … 100. */
function lightness(color: readonly number[]): number {
  const [r, g, b] = color.map((byte) => {
    const value = byte / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  return luminance > 0.008856 ? 116 * Math.cbrt(luminance) - 16 : 903.3 * luminance;
}

describe("heat colours", () => {
  it("get evenly lighter with the score", () => {
    const steps = Array.from({ length: 11 }, (_, i) => lightness(heatColor(i / 10)));
    for (let i = 1; i < steps.length; i++) expect(steps[i]! - steps[i - 1]!, `step ${i}`).to.be.within(5, 14);
    expect(steps[0]).to.be.below(6);
    expect(steps[10]).to.be.above(92);
  });

  it("end at the ends", () => {
    expect(heatColor(-1)).to.deep.equal(heatColor(0));
    expect(heatColor(7)).to.deep.equal(heatColor(1));
  });
});

describe("overlays", () => {
  const gray = createImage(2, 1, 1, [100, 100, 100]);

  it("show a map on the caller's scale", () => {
    const map = heatMap([0, 5], 2, 1, { from: 0, to: 10 });
    expect(pixel(map, 0, 0)).to.deep.equal([...heatColor(0)]);
    expect(pixel(map, 1, 0)).to.deep.equal([...heatColor(0.5)]);
    expect(heatMap([5, 20], 2, 1, { from: 5, to: 5 }).data).to.deep.equal(
      heatMap([0, 1], 2, 1, { from: 0, to: 1 }).data,
    );
  });

  it("cover more where the score is higher", () => {
    const { data } = overlayHeat(gray, [0, 1], { from: 0, to: 1 });
    expect([...data.subarray(0, 3)]).to.deep.equal(heatColor(0).map((byte) => Math.round(75 + byte * 0.25)));
    expect([...data.subarray(3)]).to.deep.equal(heatColor(1).map((byte) => Math.round(15 + byte * 0.85)));
  });

  it("draw a mask's border on its outermost pixels", () => {
    const mask = [1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0];
    const image = outlineMask(createImage(4, 3, 3), mask, [255, 0, 0]);
    const red = Array.from({ length: 12 }, (_, i) => Number(image.data[i * 3] === 255));
    expect(red).to.deep.equal([1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0]);
  });

  it("refuse values that do not fit the image", () => {
    expect(() => heatMap([1], 2, 1, { from: 0, to: 1 })).to.throw(RangeError, "2×1 pixels, but 1 values");
    expect(() => overlayHeat(gray, [1], { from: 0, to: 1 })).to.throw(RangeError, "overlayHeat");
    expect(() => outlineMask(gray, [1], [0, 0, 0])).to.throw(RangeError, "outlineMask");
  });
});

describe("text", () => {
  const draw = (text: string, scale = 1): string[] => {
    const image = createImage(textWidth(text) * scale, fontHeight * scale, 3);
    drawText(image, text, 0, 0, scale, [255, 255, 255]);
    return Array.from({ length: image.height }, (_, y) =>
      Array.from({ length: image.width }, (_, x) => (pixel(image, x, y)[0] === 255 ? "#" : ".")).join(""),
    );
  };

  it("is drawn in pixels", () => {
    expect(draw("Ag")).to.deep.equal([
      "...........",
      "...........",
      ".###...####",
      "....#.#...#",
      ".####.#...#",
      "#...#.#...#",
      ".####..####",
      "..........#",
      ".......###.",
    ]);
  });

  it("grows by whole pixels", () => {
    const doubled = draw("k", 1).flatMap((row) => {
      const wide = [...row].map((dot) => dot + dot).join("");
      return [wide, wide];
    });
    expect(draw("k", 2)).to.deep.equal(doubled);
  });

  it("is cut at the border and leaves gaps for what it cannot draw", () => {
    const image = createImage(4, 4, 3);
    drawText(image, "MMMM", -3, -3, 1, [1, 2, 3]);
    const drawn = [0, 1, 2, 3].map((x) => pixel(image, x, 0)[0]);
    expect(drawn).to.deep.equal([0, 1, 0, 1]);
    expect(draw("a a")[3]).to.equal("....#...........#");
    expect(draw("aßa")[3]).to.equal("....#...........#");
  });
});

describe("composePanel", () => {
  const red = createImage(2, 2, 3, [255, 0, 0]);
  const gray = createImage(3, 3, 1, [9, 9, 9]);

  it("puts rows of tiles on a background", () => {
    const panel = composePanel(
      [
        [{ image: red }, { image: gray }],
        [undefined, { image: red }],
      ],
      { tileSize: 4, gap: 1 },
    );
    expect([panel.width, panel.height]).to.deep.equal([11, 11]);
    expect(pixel(panel, 0, 0)).to.deep.equal([255, 255, 255]);
    expect(pixel(panel, 1, 1)).to.deep.equal([255, 0, 0]);
    expect(pixel(panel, 4, 4)).to.deep.equal([255, 0, 0]);
    expect(pixel(panel, 5, 4)).to.deep.equal([255, 255, 255]);
    expect(pixel(panel, 6, 1)).to.deep.equal([9, 9, 9]);
    expect(pixel(panel, 1, 6)).to.deep.equal([255, 255, 255]);
    expect(pixel(panel, 6, 9)).to.deep.equal([255, 0, 0]);
  });

  it("makes room for captions only where there are any", () => {
    const panel = composePanel([[{ image: red, caption: "x" }], [{ image: red }]], { tileSize: 6, gap: 2 });
    expect(panel.height).to.equal(2 + (fontHeight + 2 + 6) + 2 + 6 + 2);
    expect(pixel(panel, 2, 2 + fontHeight + 2)).to.deep.equal([255, 0, 0]);
    expect(pixel(panel, 2, 2 + fontHeight + 1)).to.deep.equal([255, 255, 255]);
  });

  it("resizes smoothly, smaller and larger", () => {
    const { data } = createImage(8, 8, 1);
    for (let i = 0; i < data.length; i += 2) data[i] = 200; // every second column
    const stripes = { width: 8, height: 8, channels: 1, data } as const;
    const small = composePanel([[{ image: stripes }]], { tileSize: 4, gap: 0 });
    for (const value of small.data) expect(value).to.be.within(60, 140);
    const large = composePanel([[{ image: stripes }]], { tileSize: 16, gap: 0 });
    expect(pixel(large, 2, 0)[0]).to.equal(50);
    expect(pixel(large, 4, 0)[0]).to.equal(150);
  });

  it("refuses to show nothing", () => {
    expect(() => composePanel([])).to.throw(RangeError, "no tile");
  });

  it("takes the row of an inspected image and is written as PNG", () => {
    const folder = mkdtempSync(join(tmpdir(), "ddad-report-"));
    try {
      const image = { input: red, reconstruction: red, map: [0, 1, 2, 3], range: { from: 0, to: 4 } };
      expect(detectionRow(image)).to.have.length(3);
      const row = detectionRow({ ...image, mask: [0, 0, 0, 1], marked: [0, 0, 0, 1] }, rowCaptions);
      expect(row.map(({ caption }) => caption)).to.deep.equal([
        "input",
        "reconstruction",
        "anomaly map",
        "ground truth",
      ]);
      writePanel(join(folder, "panel.png"), [row], { tileSize: 32 });
      expect(readdirSync(folder)).to.deep.equal(["panel.png"]);
      expect(decodePng(readFileSync(join(folder, "panel.png")))).to.deep.equal(
        composePanel([row], { tileSize: 32 }),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the row of an inspected image", () => {
  const [width, height] = [64, 64];
  const gray = createImage(width, height, 3, [100, 100, 100]);
  const square = Uint8Array.from({ length: width * height }, (_, i) =>
    Number(i % width >= 20 && i % width < 30 && i >= 40 * width && i < 44 * width),
  );
  const inspected = { input: gray, map: Float32Array.from(square), range: { from: 0, to: 1 } };

  it("enlarges a small one by a whole factor, the regions of map and masks to their places", () => {
    const [input, map, mask] = detectionRow({ ...inspected, mask: square });
    for (const tile of [input, map, mask])
      expect(tile!.image).to.include({ width: 3 * width, height: 3 * height });
    const inside = [...mask!.image.data].flatMap((value, i) => (value > 0 ? [i] : []));
    expect(Math.min(...inside.map((i) => i % (3 * width)))).to.equal(60);
    expect(Math.max(...inside.map((i) => i % (3 * width)))).to.equal(89);
    expect(Math.floor(inside[0]! / (3 * width))).to.equal(120);
    expect(Math.floor(inside.at(-1)! / (3 * width))).to.equal(131);
    expect(new Set(mask!.image.data)).to.deep.equal(new Set([0, 255]));
    const heat = (x: number, y: number): number => pixel(map!.image, x, y)[0]!;
    expect(heat(75, 126)).to.equal(Math.round(100 * 0.15 + heatColor(1)[0] * 0.85));
    expect(heat(90, 126), "smooth at the border").to.be.within(heat(96, 126) + 10, heat(75, 126) - 10);
  });

  it("leaves a large one as it is", () => {
    const large = createImage(200, 200, 3, [7, 8, 9]);
    const [input] = detectionRow({ ...inspected, input: large, map: new Float32Array(40_000) });
    expect(input!.image).to.deep.equal(large);
  });

  it("draws a thin line around what is marked, none of it inside", () => {
    const [, plain] = detectionRow(inspected);
    const [, lined] = detectionRow({ ...inspected, marked: square });
    const changed = (x: number, y: number): boolean =>
      pixel(plain!.image, x, y).join() !== pixel(lined!.image, x, y).join();
    expect(pixel(lined!.image, 59, 125)).to.deep.equal([255, 255, 255]);
    expect(pixel(lined!.image, 58, 125)).to.deep.equal([0, 0, 0]);
    expect(changed(57, 125)).to.equal(false);
    for (let x = 60; x < 90; x++) expect(changed(x, 125), `x ${x}`).to.equal(false);
  });

  it("keeps marked lines of one pixel, straight or slanted, in one piece", () => {
    for (const step of [0, 1]) {
      const line = new Uint8Array(width * height);
      for (let x = 10; x < 50; x++) line[(10 + step * (x - 10)) * width + x] = 1;
      const mask = detectionRow({ ...inspected, mask: line })[2]!.image;
      const seen = (x: number, y: number): boolean => mask.data[y * 3 * width + x] === 255;
      for (let x = 32; x < 148; x++) {
        const y = step === 0 ? 31 : 31 + (x - 31);
        expect(seen(x, y), `step ${step}, x ${x}`).to.equal(true);
      }
    }
  });
});

describe("tables", () => {
  it("are aligned in text and valid in Markdown", () => {
    expect(formatTable(["a", "long"], [["first", "1"], ["b"]])).to.equal(
      "a      long\n─────  ────\nfirst     1\nb",
    );
    expect(formatTable(["a", "n"], [["b", "12"]], "markdown")).to.equal(
      "| a   |   n |\n| --- | --: |\n| b   |  12 |",
    );
  });

  const result: ResultRow = {
    protocol: "strict",
    category: "gear",
    images: 32,
    image: { auroc: 0.98765, ap: 1, f1Max: 0.9 },
    pixel: { auroc: 0.5, ap: 0.25, aupro30: 0.125, aupro05: 0.0625 },
    msPerImage: { p50: 12.4, p95: 20 },
  };

  it("give results in percent with their protocol, and the mean of several", () => {
    const lines = formatResults([
      result,
      { ...result, category: "wood", protocol: "paper", image: { auroc: 1, ap: 1, f1Max: 1 } },
    ]).split("\n");
    expect(lines).to.have.length(5);
    expect(lines[2]).to.match(/^gear +strict +32 +98\.8 +100\.0 +90\.0 +50\.0 +25\.0 +12\.5 +6\.3 +12$/);
    expect(lines[3]).to.match(/^wood +paper/);
    expect(lines[4]).to.match(/^mean +99\.4 +100\.0 +95\.0/);
  });

  it("stay within the width of a terminal, in several parts that each name their rows", () => {
    const results = [result, { ...result, category: "tile (runs/tile/evaluation)" }];
    const parts = formatResults(results, "text", 80).split("\n\n");
    expect(parts.map((part) => part.split("\n")[0]!.split(/ {2,}/))).to.deep.equal([
      ["category", "protocol", "images", "image AUROC", "AP", "F1-max"],
      ["category", "pixel AUROC", "AP", "AUPRO 0.3", "AUPRO 0.05", "ms/image"],
    ]);
    for (const width of [70, 80, 104, 140]) {
      const lines = formatResults(results, "text", width).split("\n");
      expect(Math.max(...lines.map(({ length }) => length))).to.be.at.most(width);
      for (const { category } of results) {
        const own = lines.filter((line) => line.startsWith(`${category}  `));
        expect(own.join(" ").match(/\b(98\.8|100\.0|90\.0|50\.0|25\.0|12\.5|6\.3)\b/g)).to.have.length(7);
      }
    }
    expect(formatResults(results, "markdown", 80)).to.equal(formatResults(results, "markdown"));
  });

  it("hold text of folders and files in Markdown, and nothing that it marks", () => {
    const evil = "a|b <img src=x onerror=alert(1)>\n# `c` *d* _e_ [f](g) \\ &lt; part_01 100 % 部品";
    const category =
      "a\\|b &lt;img src=x onerror=alert(1)&gt; # \\`c\\` \\*d\\* \\_e\\_ \\[f\\](g) \\\\ &amp;lt; part_01 100 % 部品";
    expect(markdownText(evil)).to.equal(category);
    const lines = formatResults([{ ...result, category: evil }], "markdown").split("\n");
    expect(lines).to.have.length(3);
    expect(lines[2]).to.satisfy((line: string) => line.startsWith(`| ${category} | `));
    expect(lines[2]!.split(/(?<!\\)\|/).length).to.equal(lines[0]!.split("|").length);
  });

  it("stand beside blocks that no text ends", () => {
    expect(fencedText("x", "json")).to.equal("```json\nx\n```");
    expect(fencedText("a\n````\nb", "text")).to.equal("`````text\na\n````\nb\n`````");
  });

  it("leave out what is not known, in the mean, too", () => {
    const { pixel: _, ...without } = result;
    const lines = formatResults([without, result], "markdown").split("\n");
    expect(lines[2]).to.match(/\| +90\.0 \| +– \| +– \| +– \| +– \| +12 \|$/);
    expect(lines[4]).to.match(/\| +90\.0 \| +– \|/);
    expect(formatResults([result]).split("\n")).to.have.length(3);
  });
});
