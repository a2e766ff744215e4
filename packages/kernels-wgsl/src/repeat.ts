/** Text of `count` repetitions, for shaders whose loops are written out. */
export const repeat = (count: number, line: (index: number) => string, between = "\n"): string =>
  Array.from({ length: count }, (_, index) => line(index)).join(between);
