/** A small pixel font, so that an image can carry its captions wherever it goes. */
import type { Color, Image } from "../images/image.ts";

/**
 * Up to nine rows of five pixels a letter, the last two below the line. Every row is a digit in base 32 whose highest
 * bit is the left pixel.
 */
const letters: { readonly [letter: string]: string } = {
  a: "00e1fhf",
  b: "ggmphhu",
  c: "00ehghe",
  d: "11djhhf",
  e: "00ehvge",
  f: "698s888",
  g: "00fhhhf1e",
  h: "ggmphhh",
  i: "40c444e",
  j: "2062222ic",
  k: "ggikoki",
  l: "c44444e",
  m: "00qllll",
  n: "00mphhh",
  o: "00ehhhe",
  p: "00uhhhugg",
  q: "00fhhhf11",
  r: "00mpggg",
  s: "00fge1u",
  t: "88s8896",
  u: "00hhhjd",
  v: "00hhha4",
  w: "00hllla",
  x: "00ha4ah",
  y: "00hhhhf1e",
  z: "00v248v",
  0: "ehjlphe",
  1: "4c4444e",
  2: "eh1248v",
  3: "v2421he",
  4: "26aiv22",
  5: "vgu11he",
  6: "68guhhe",
  7: "v124888",
  8: "ehhehhe",
  9: "ehhf12c",
  ".": "00000cc",
  ",": "00000cc48",
  ":": "0cc0cc0",
  "-": "000e000",
  "+": "044v440",
  "/": "01248g0",
  "%": "op248j3",
  "(": "2488842",
  ")": "8422248",
  "=": "00v0v00",
  "<": "248g842",
  ">": "8421248",
  "?": "eh12404",
  "!": "4444404",
  "'": "4480000",
  _: "0000000v",
};

/** Rows of a line of text at scale 1. */
export const fontHeight = 9;

/** Columns a letter takes, with the gap after it. */
const advance = 6;

/** Columns that a text takes at scale 1. */
export const textWidth = (text: string): number => Math.max(text.length * advance - 1, 0);

/**
 * A text in lines that are no wider than `width` columns at scale 1, broken between words; a word that is wider stays whole.
 */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && textWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * Draws a text onto an RGB image, which it changes; what would lie outside is left out.
 *
 * @param text letters are drawn small; a space or an unknown sign leaves a gap.
 * @param scale pixels of the image for one of the font.
 */
export function drawText(
  image: Image,
  text: string,
  left: number,
  top: number,
  scale: number,
  color: Color,
): void {
  [...text.toLowerCase()].forEach((letter, position) => {
    const rows = letters[letter] ?? "";
    for (let y = 0; y < rows.length * scale; y++) {
      const row = Number.parseInt(rows[Math.floor(y / scale)]!, 32);
      for (let x = 0; x < 5 * scale; x++) {
        if ((row & (16 >> Math.floor(x / scale))) === 0) continue;
        const [column, line] = [left + position * advance * scale + x, top + y];
        if (column < 0 || line < 0 || column >= image.width || line >= image.height) continue;
        image.data.set(color, (line * image.width + column) * 3);
      }
    }
  });
}
