/** Texts of files in messages. */

const longest = 80;

/** A text of a file for a message: quoted, control characters escaped, and cut where it is long. */
export const quoted = (text: string): string => `"${plain(text)}"`;

/** The same without quotes. */
export function plain(text: string): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal
  return cut.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** A list of numbers and the like as JSON writes it, cut where it is long or deep. */
export function listed(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (!Array.isArray(value)) return "an object";
  const items = value
    .slice(0, 8)
    .map((item) => (typeof item === "object" && item !== null ? "…" : listed(item)));
  return `[${items.join(", ")}${value.length > 8 ? ", …" : ""}]`;
}

/** A shape in a message. */
export const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;
