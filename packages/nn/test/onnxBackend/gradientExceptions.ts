/** Models whose data lie where a derivative does not exist, or is a matter of choice. */

const excuses: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/test_(floor|ceil|round|sign)(_example|_model)?$/, "the data lie on jumps"],
  [/test_thresholdedrelu_example$/, "the data lie on the threshold, where the function jumps"],
  [/test_(elu|leakyrelu|selu)_example$/, "one of the data is 0, where the slope changes"],
  [/test_gridsample_(aligncorners_true|bilinear)$/, "some points lie on pixels, where the slope changes"],
  [/test_gridsample_nearest$/, "some points lie between pixels, where the nearest changes"],
  [/test_hardmax_one_hot$/, "the largest is there twice"],
  [/test_acosh_example$/, "one of the data is 1, where the slope is infinite"],
  [/test_onehot_/, "its indices are floats, and cut to integers"],
  [/test_(pow|operator_pow|operator_sqrt)$/, "roots of negative numbers are NaN"],
  [/test_operator_add(constant|_.*broadcast)$/, "some f64 data are beyond f32, and infinite there"],
];

/** Why the derivative of this model need not fit a difference, or "". */
export const kinks = (name: string): string => excuses.find(([pattern]) => pattern.test(name))?.[1] ?? "";
