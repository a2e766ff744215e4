/** All images of a test, sorted by their scores, with the threshold between them. */
import type { ScoredImage } from "../../evaluation/evaluation.ts";
import { type Html, html } from "./html.ts";

/** Most images that a page lists of one run: the nearest to the threshold, on both sides of it. */
export const listLimit = 2000;

/** Images by falling scores, at most `listLimit`: those nearest to the threshold. */
export function nearestToThreshold(
  scores: readonly ScoredImage[],
  threshold: number,
  limit: number = listLimit,
): ScoredImage[] {
  const distance = ({ score }: ScoredImage): number => Math.abs(score - threshold);
  return [...scores]
    .sort((a, b) => distance(a) - distance(b))
    .slice(0, limit)
    .sort((a, b) => b.score - a.score);
}

/**
 * The list, the highest score first.
 *
 * @param thumbnails data URLs by the images' ids; an image without one is listed without it
 */
export function imageList(
  scores: readonly ScoredImage[],
  threshold: number,
  thumbnails: ReadonlyMap<string, string>,
): Html {
  const images = nearestToThreshold(scores, threshold);
  const defective = images.filter(({ score }) => score >= threshold);
  const good = images.slice(defective.length);
  const left = scores.length - images.length;
  const part = left > 0 ? `, of ${scores.length} those nearest to the threshold` : "";
  return html`<h3>All images by their scores (${images.length}${part})</h3>
<div class="list">
${defective.map((image) => card(image, true, thumbnails))}<p class="line">threshold ${threshold.toPrecision(4)}: above it called defective, below it good</p>
${good.map((image) => card(image, false, thumbnails))}</div>`;
}

function card(
  { id, kind, label, score }: ScoredImage,
  called: boolean,
  thumbnails: ReadonlyMap<string, string>,
): Html {
  const source = thumbnails.get(id);
  const mistake = called === (label === 1) ? undefined : called ? "false alarm" : "missed";
  const image = source !== undefined && html`<img class="thumbnail" src="${source}" alt="" />`;
  return html`<figure class="${mistake ? "card wrong" : "card"}">${image}<figcaption><strong>${score.toPrecision(4)}</strong> ${mistake && html`<strong class="mistake">${mistake}</strong> `}<bdi>${kind}</bdi> <span class="faint"><bdi>${id}</bdi></span></figcaption></figure>
`;
}
