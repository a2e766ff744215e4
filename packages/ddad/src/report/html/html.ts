/** Markup whose texts are escaped unless they say that they are markup: names of files come from anywhere. */

/** Markup, safe to be put into a page. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

/** What can stand in a template; nothing is shown for `undefined` and `false`. */
export type HtmlValue = Html | string | number | undefined | false | readonly HtmlValue[];

/** Markup from a template. Everything put in is escaped, in texts and in quoted attributes, but `Html` itself. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(strings.map((part, i) => part + (i < values.length ? render(values[i]) : "")).join(""));
}

function render(value: HtmlValue): string {
  if (value === undefined || value === false) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(render).join("");
  return escapeText(String(value));
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Also takes out what no XML may hold: control characters, single surrogates, and two that are none. */
const escapeText = (text: string): string =>
  text
    .replace(/(?![\t\n\r])\p{Cc}|\p{Cs}|[\ufffe\uffff]/gu, "\ufffd")
    .replace(/[&<>"']/g, (character) => entities[character]!);
