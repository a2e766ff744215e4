/** Throws RangeError unless `groups` is a whole number that divides the channels in and out. */
export function checkGroups(layer: string, groups: number, inputs: number, outputs: number): void {
  if (Number.isInteger(groups) && groups >= 1 && inputs % groups === 0 && outputs % groups === 0) return;
  throw new RangeError(
    `${layer}: groups must divide inputs (${inputs}) and outputs (${outputs}), but is ${groups}.`,
  );
}
