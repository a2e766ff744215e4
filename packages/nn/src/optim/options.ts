/** Checks options of optimisers from JavaScript code: a misspelt one must not be ignored. */

/** Names of options in other libraries. */
const otherNames: Readonly<Record<string, string>> = {
  lr: "learningRate",
  rate: "learningRate",
  learning_rate: "learningRate",
  betas: "beta1 and beta2",
  eps: "epsilon",
  alpha: "decay",
  rho: "decay",
  weight_decay: "weightDecay",
  average: "ema",
};

/** Throws TypeError for an option that `op` does not have, naming the right one. */
export function checkOptions(op: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const meant = otherNames[name];
    const cure =
      meant !== undefined && known.includes(meant.split(" ")[0]!)
        ? `Use ${meant}.`
        : `The options are ${known.join(", ")}.`;
    throw new TypeError(`${op}: there is no option ${name}. ${cure}`);
  }
}
