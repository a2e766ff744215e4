// The entries for anomaly detection.
import * as ddad from "@ddad/ddad";
import * as node from "@ddad/node";

export const score: number = ddad.auroc([true, false], [1, 0]);
export { node };

// @ts-expect-error a number is no string
export const text: string = ddad.auroc([true, false], [1, 0]);
