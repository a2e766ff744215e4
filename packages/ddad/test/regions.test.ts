/** Where defects are, and maps as files for other programs. */
import { expect } from "chai";
import { defectRegions } from "../src/report/defectRegions.ts";
import { encodeNpy } from "../src/report/npy.ts";

describe("defectRegions", () => {
  const map = new Float32Array(64);
  for (const [i, value] of [
    [0, 2],
    [9, 5], // touches the first at a corner
    [62, 3],
    [63, 1],
  ] as const) {
    map[i] = value;
  }

  it("gives connected parts in pixels of the image, the highest first", () => {
    const regions = defectRegions(map, { mapSize: 8, size: 8, width: 80, height: 40, threshold: 2 });
    expect(regions).to.deep.equal([
      { box: { x: 0, y: 0, width: 20, height: 10 }, area: 100, score: 5 },
      { box: { x: 60, y: 35, width: 10, height: 5 }, area: 50, score: 3 },
    ]);
  });

  it("counts from the image's corner where the map shows only its middle", () => {
    const [region] = defectRegions(map, { mapSize: 8, size: 12, width: 12, height: 12, threshold: 4 });
    expect(region).to.deep.equal({ box: { x: 3, y: 3, width: 1, height: 1 }, area: 1, score: 5 });
  });

  it("finds nothing below the threshold", () => {
    const options = { mapSize: 8, size: 8, width: 8, height: 8 };
    expect(defectRegions(map, { ...options, threshold: Infinity })).to.deep.equal([]);
  });
});

describe("encodeNpy", () => {
  it("writes the header that NumPy writes, and the values", () => {
    const bytes = encodeNpy(new Float32Array([1, 2, 3, 4, 5, -6.5]), [2, 3]);
    expect([...bytes.subarray(0, 10)]).to.deep.equal([0x93, 78, 85, 77, 80, 89, 1, 0, 118, 0]);
    const header = new TextDecoder().decode(bytes.subarray(10, 128));
    expect(header).to.match(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3\), \} +\n$/);
    expect([...new Float32Array(bytes.slice(128).buffer)]).to.deep.equal([1, 2, 3, 4, 5, -6.5]);
  });

  it("refuses values that do not fill the shape", () => {
    expect(() => encodeNpy(new Float32Array(5), [2, 3])).to.throw(
      RangeError,
      /5 values do not fill \[2, 3\]/,
    );
  });
});
