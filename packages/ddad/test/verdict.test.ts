/** One rule for verdict and regions, and what an overlay shows of them. */
import { expect } from "chai";
import { storedCalibrationSchema } from "../src/detection/calibration.ts";
import { describeImage } from "../src/detection/imageDescription.ts";
import { fitLikeness } from "../src/detection/likeness.ts";
import { describeMissingLikeness, markDefects, unlikenessOf } from "../src/detection/verdict.ts";
import { createImage, type Image } from "../src/images/image.ts";
import { regionsOfMask } from "../src/report/defectRegions.ts";
import { textWidth, wrapText } from "../src/report/font.ts";
import { drawInspection, type InspectionOverlay } from "../src/report/inspectionOverlay.ts";
import { smallConfig } from "./small.ts";

const place = { mapSize: 4, size: 4, width: 4, height: 4 };
const thresholds = { image: 0.5, pixel: 0.6 };
const map = Float32Array.from([
  0.1, 0.1, 0.1, 0.1, 0.1, 0.7, 0.65, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.62,
]);

describe("verdict", () => {
  it("marks nothing in a good image, even where pixels reach their threshold", () => {
    expect(markDefects(map, false, thresholds).includes(1)).to.equal(false);
  });

  it("marks what reaches the threshold of pixels in a defective one", () => {
    const regions = regionsOfMask(map, markDefects(map, true, thresholds), place);
    expect(regions.map(({ box, area }) => [box.x, box.y, box.width, area])).to.deep.equal([
      [1, 1, 2, 2],
      [3, 3, 1, 1],
    ]);
  });

  it("marks the part around the largest value where none reaches it", () => {
    const regions = regionsOfMask(map, markDefects(map, true, { image: 0.5, pixel: 0.9 }), place);
    expect(regions).to.have.length(1);
    expect(regions[0]!.box).to.deep.equal({ x: 1, y: 1, width: 2, height: 1 });
    for (const value of [0, -1]) {
      const flat = new Float32Array(16).fill(value);
      expect(regionsOfMask(flat, markDefects(flat, true, thresholds), place), `all ${value}`).to.have.length(
        1,
      );
    }
  });

  it("gives every region a box of at least a pixel, where the image is smaller than the map", () => {
    const corner = new Float32Array(64 * 64);
    corner[64 * 64 - 1] = 1;
    const marked = markDefects(corner, true, { image: 0.5 });
    const [region] = regionsOfMask(corner, marked, { mapSize: 64, size: 64, width: 3, height: 2 });
    expect(region!.box).to.deep.equal({ x: 2, y: 1, width: 1, height: 1 });
    expect(region!.area).to.equal(1);
  });

  it("asks a score only of DDAD, and nothing of a calibration without a likeness", () => {
    const noisy = (seed: number): Image => ({
      ...createImage(16, 16, 3),
      data: Uint8Array.from({ length: 768 }, (_, i) => 100 + ((i * 37 + seed * 11) % 80)),
    });
    const usual = Array.from({ length: 22 }, (_, i) => describeImage(noisy(i)));
    const scores = usual.map((_, i) => 0.5 + i / 100);
    const likeness = fitLikeness(usual);
    expect(unlikenessOf({ method: "ddad" }, { likeness, scores }, usual[3]!, 0.6)).to.equal(undefined);
    expect(unlikenessOf({ method: "ddad" }, { likeness, scores }, usual[3]!, 0.01)).to.match(
      /score is far below/,
    );
    expect(unlikenessOf({ method: "patchcore" }, { likeness, scores }, usual[3]!, 0.01)).to.equal(undefined);
    const card = describeImage(createImage(16, 16, 3, [128, 128, 128]));
    expect(unlikenessOf({ method: "patchcore" }, { likeness, scores }, card, 0.6)).to.match(
      /contrast is far lower/,
    );
    expect(unlikenessOf({ method: "ddad" }, { scores }, card, 0.01)).to.equal(undefined);
  });
});

describe("a calibration of an earlier version", () => {
  const { features, sampling, detection: set } = smallConfig();
  const { falseAlarmRate: _, pixelFalseAlarmRate: __, ...detection } = set;
  const pixels = [{ fraction: 0.5, score: 1 }];
  const older = {
    scores: [1, 2, 3, 4],
    pixels,
    features: { network: features.network },
    sampling,
    detection,
  };
  it("is read without its likeness where that has other numbers, and says what is missing", () => {
    const stored = { ...older, likeness: { count: 4, means: [], detail: { mean: 1, std: 0 } } };
    const found = storedCalibrationSchema.parse(stored)!;
    expect(found).to.not.have.property("likeness");
    expect(found.scores).to.deep.equal(older.scores);
    expect(describeMissingLikeness(found)).to.match(
      /^The model was calibrated by an earlier version: .* ddad calibrate /,
    );
    expect(describeMissingLikeness({ scores: [1, 2, 3] }), "too few images for one").to.equal(undefined);
    const today = fitLikeness([1, 2, 3, 4].map((k) => describeImage(createImage(8, 8, 1, [k, k, k]))))!;
    const current = storedCalibrationSchema.parse({ ...older, likeness: today })!;
    expect(current.likeness).to.deep.equal(today);
    expect(describeMissingLikeness(current)).to.equal(undefined);
    expect(() => storedCalibrationSchema.parse({ ...older, likeness: { ...today, means: [] } })).to.throw();
  });
});

describe("drawInspection", () => {
  const size = 8;
  const spot = new Float32Array(64).fill(0.1);
  for (const i of [18, 19, 26, 27]) spot[i] = 0.9;
  const overlay = (image: Image, changes: Partial<InspectionOverlay> = {}): InspectionOverlay => {
    const decision = changes.decision === undefined ? "defective" : changes.decision;
    const marked = markDefects(spot, decision === "defective", { image: 0.5 });
    const at = { mapSize: size, size, width: image.width, height: image.height };
    const regions = regionsOfMask(spot, marked, at);
    const caption = "defective: score 0.9, threshold 0.5";
    return {
      ...at,
      map: spot,
      marked,
      regions,
      range: { from: 0.125, to: 0.875 },
      decision,
      caption,
      ...changes,
    };
  };
  const pixel = ({ width, data }: Image, x: number, y: number): number[] => [
    ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
  ];

  it("keeps size and colours where nothing was found, and adds a bar", () => {
    const image = createImage(320, 200, 3, [10, 120, 200]);
    const drawn = drawInspection(image, overlay(image));
    expect(drawn.width).to.equal(320);
    expect(drawn.height).to.be.within(210, 230);
    expect(pixel(drawn, 300, 190)).to.deep.equal([10, 120, 200]);
    expect(pixel(drawn, 319, drawn.height - 1)).to.deep.equal([176, 24, 32]);
  });

  it("heats, outlines and boxes the defect where it lies in the image", () => {
    const image = createImage(800, 400, 1, [128, 128, 128]);
    const drawn = drawInspection(image, overlay(image));
    const [red, , blue] = pixel(drawn, 300, 150) as [number, number, number]; // map (2 … 3, 2 … 3) of 8
    expect(red).to.be.above(blue);
    const colors = new Set<string>();
    for (let x = 100; x < 300; x++) colors.add(pixel(drawn, x, 150).join());
    expect(colors.has("255,255,255"), "contour").to.equal(true);
    expect(colors.has("255,64,64"), "box").to.equal(true);
    expect(pixel(drawn, 20, 150)).to.deep.equal([128, 128, 128]);
  });

  it("draws lines and text larger in a larger image, and enlarges a small one", () => {
    const barOf = (width: number, height: number): number => {
      const image = createImage(width, height, 1);
      return drawInspection(image, overlay(image)).height - height;
    };
    expect(barOf(1600, 1200)).to.be.above(3 * barOf(320, 300));
    const small = createImage(64, 48, 3, [9, 9, 9]);
    expect(drawInspection(small, overlay(small)).width).to.equal(512);
    const thin = createImage(300, 2, 1);
    expect(drawInspection(thin, overlay(thin)).width).to.equal(300);
  });

  it("shows a good image and an unlike one without any mark", () => {
    const image = createImage(300, 300, 3, [10, 120, 200]);
    const free = (decision: "good" | "unlike"): boolean => {
      const { data } = drawInspection(
        image,
        overlay(image, { decision, map: new Float32Array(64).fill(0.1) }),
      );
      return data.subarray(0, image.data.length).every((byte, i) => byte === image.data[i]);
    };
    expect(free("good")).to.equal(true);
    expect(free("unlike")).to.equal(true);
  });

  it("places a cropped map in the middle of the image", () => {
    const image = createImage(512, 512, 1, [128, 128, 128]);
    const at = { mapSize: 4, size: 8, width: 512, height: 512 };
    const hot = new Float32Array(16).fill(0.9);
    const marked = markDefects(hot, true, { image: 0.5 });
    const drawn = drawInspection(image, {
      ...overlay(image),
      ...at,
      map: hot,
      marked,
      regions: regionsOfMask(hot, marked, at),
    });
    expect(pixel(drawn, 60, 60)).to.deep.equal([128, 128, 128]);
    expect(pixel(drawn, 256, 256)).to.not.deep.equal([128, 128, 128]);
  });

  it("breaks its text between words", () => {
    const lines = wrapText("defective: score 0.9, threshold 0.5", 100);
    expect(lines.join(" ")).to.equal("defective: score 0.9, threshold 0.5");
    expect(lines.length).to.be.above(1);
    for (const line of lines) expect(textWidth(line)).to.be.at.most(100);
    expect(wrapText("unbreakable", 10)).to.deep.equal(["unbreakable"]);
  });
});
