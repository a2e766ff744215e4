/**
 * WGSL functions that rows of the table call. Shader compilers may assume that NaN and infinity do not occur, so these are detected
 * by their bits; and WGSL's own functions may be far off (sin by 2⁻¹¹, atan by 4096 units in the last place), so some are written here.
 */

interface Types {
  /** `f32` or `vec4<f32>`; and in the same width `u32`, `bool`. */
  readonly F: string;
  readonly U: string;
  readonly B: string;
}

/** By name. A function may call others of this table. */
const functions: Readonly<Record<string, (types: Types) => string>> = {
  is_nan: ({ F, U, B }) =>
    `fn is_nan(x: ${F}) -> ${B} { return (bitcast<${U}>(x) & ${U}(0x7fffffffu)) > ${U}(0x7f800000u); }`,
  is_inf: ({ F, U, B }) =>
    `fn is_inf(x: ${F}) -> ${B} { return (bitcast<${U}>(x) & ${U}(0x7fffffffu)) == ${U}(0x7f800000u); }`,
  is_finite: ({ F, U, B }) =>
    `fn is_finite(x: ${F}) -> ${B} { return (bitcast<${U}>(x) & ${U}(0x7f800000u)) != ${U}(0x7f800000u); }`,
  // Whether neither is NaN, so that a comparison has a meaning.
  ordered: ({ F, U, B }) => `fn ordered(a: ${F}, b: ${F}) -> ${B} {
  let bits = max(bitcast<${U}>(a) & ${U}(0x7fffffffu), bitcast<${U}>(b) & ${U}(0x7fffffffu));
  return bits <= ${U}(0x7f800000u);
}`,
  nan_or: ({ F }) => `fn nan_or(x: ${F}, value: ${F}) -> ${F} { return select(value, x, is_nan(x)); }`,
  nan_of: ({ F }) =>
    `fn nan_of(a: ${F}, b: ${F}, value: ${F}) -> ${F} { return select(select(value, b, is_nan(b)), a, is_nan(a)); }`,
  logistic: ({ F }) =>
    `fn logistic(x: ${F}) -> ${F} { return select(1.0 / (1.0 + exp(-x)), ${F}(0.0), x < ${F}(-88.0)); }`,
  // log(1 + x): by atanh's series, x / (2 + x) and its powers, where 1 + x would round.
  log_1p: ({ F }) => `fn log_1p(x: ${F}) -> ${F} {
  let s = x / (2.0 + x);
  let q = s * s;
  let near = 2.0 * s * (1.0 + q * (1.0 / 3.0 + q * (0.2 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0))))));
  return select(log(1.0 + x), near, abs(x) < ${F}(0.5));
}`,
  exp_m1: ({ F }) => `fn exp_m1(x: ${F}) -> ${F} {
  let near = x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x * (1.0 / 720.0 + x * (1.0 / 5040.0)))))));
  return select(exp(x) - 1.0, near, abs(x) < ${F}(0.4));
}`,
  soft_plus: ({ F }) =>
    `fn soft_plus(x: ${F}) -> ${F} { return nan_or(x, max(x, ${F}(0.0)) + log_1p(exp(-abs(x)))); }`,
  // By halves of the exponent, so that it overflows where the result does.
  hyperbolic_sine: ({ F }) => `fn hyperbolic_sine(x: ${F}) -> ${F} {
  let e = exp_m1(abs(x));
  let t = exp(0.5 * abs(x));
  let size = select((0.5 * t) * t - 0.5 / (t * t), 0.5 * (e + e / (e + 1.0)), abs(x) < ${F}(1.0));
  return nan_or(x, select(size, -size, x < ${F}(0.0)));
}`,
  hyperbolic_cosine: ({ F }) => `fn hyperbolic_cosine(x: ${F}) -> ${F} {
  let t = exp(0.5 * abs(x));
  return nan_or(x, (0.5 * t) * t + 0.5 / (t * t));
}`,
  hyperbolic_tangent: ({ F }) =>
    `fn hyperbolic_tangent(x: ${F}) -> ${F} { return nan_or(x, tanh(clamp(x, ${F}(-20.0), ${F}(20.0)))); }`,
  inverse_sinh: ({ F }) => `fn inverse_sinh(x: ${F}) -> ${F} {
  let a = abs(x);
  let near = log_1p(a + a * a / (1.0 + sqrt(a * a + 1.0)));
  let size = select(near, log(a) + 0.6931471805599453, a > ${F}(1e8));
  return nan_or(x, select(size, -size, x < ${F}(0.0)));
}`,
  inverse_cosh: ({ F }) => `fn inverse_cosh(x: ${F}) -> ${F} {
  let t = x - 1.0;
  return select(log_1p(t + sqrt(t) * sqrt(t + 2.0)), log(x) + 0.6931471805599453, x > ${F}(1e8));
}`,
  inverse_tanh: ({ F }) => `fn inverse_tanh(x: ${F}) -> ${F} {
  let a = abs(x);
  let size = 0.5 * log_1p(2.0 * a / (1.0 - a));
  return select(size, -size, x < ${F}(0.0));
}`,
  // Cephes' sinf and cosf (Moshier) on what is left of x by quarters of a turn, taken off in three parts: 1e-7 up to some thousand
  // turns. `quarters` more of them make a cosine of a sine.
  turned: ({ F }) => `fn turned(x: ${F}, quarters: f32) -> ${F} {
  let k = round(x * 0.6366197723675814);
  let r = ((x - k * 1.5703125) - k * 4.837512969970703e-4) - k * 7.549789954891882e-8;
  let z = r * r;
  let s = r + r * z * ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1);
  let c = 1.0 - 0.5 * z + z * z * ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2);
  let q = k + quarters - 4.0 * floor((k + quarters) * 0.25);
  let odd = (q == ${F}(1.0)) | (q == ${F}(3.0));
  let size = select(s, c, odd);
  return select(size, -size, q >= ${F}(2.0));
}`,
  // Cephes' atanf and asinf (Moshier): 2e-7.
  arc_tangent: ({ F }) => `fn arc_tangent(x: ${F}) -> ${F} {
  let a = abs(x);
  let far = a > ${F}(2.414213562373095);
  let middle = a > ${F}(0.4142135623730950);
  let t = select(select(a, (a - 1.0) / (a + 1.0), middle), -1.0 / a, far);
  let base = select(select(${F}(0.0), ${F}(0.7853981633974483), middle), ${F}(1.5707963267948966), far);
  let z = t * t;
  let size = base + (((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1) * z * t + t;
  return nan_or(x, select(size, -size, x < ${F}(0.0)));
}`,
  arc_sine_near: ({ F }) => `fn arc_sine_near(x: ${F}) -> ${F} {
  let z = x * x;
  return x + x * z * ((((4.2163199048e-2 * z + 2.4181311049e-2) * z + 4.5470025998e-2) * z + 7.4953002686e-2) * z + 1.6666752422e-1);
}`,
  arc_sine: ({ F }) => `fn arc_sine(x: ${F}) -> ${F} {
  let a = abs(x);
  let far = 1.5707963267948966 - 2.0 * arc_sine_near(sqrt(0.5 * (1.0 - a)));
  let size = select(far, arc_sine_near(a), a <= ${F}(0.5));
  return nan_or(x, select(size, -size, x < ${F}(0.0)));
}`,
  arc_cosine: ({ F }) => `fn arc_cosine(x: ${F}) -> ${F} {
  let a = abs(x);
  let far = 2.0 * arc_sine_near(sqrt(0.5 * (1.0 - a)));
  let mirrored = select(far, 3.141592653589793 - far, x < ${F}(0.0));
  return nan_or(x, select(mirrored, 1.5707963267948966 - arc_sine_near(x), a <= ${F}(0.5)));
}`,
  arc_tangent_2: ({ F, U, B }) => `fn arc_tangent_2(y: ${F}, x: ${F}) -> ${F} {
  let a = abs(x);
  let b = abs(y);
  let steep = b > a;
  let larger = select(a, b, steep);
  let ratio = select(select(select(b, a, steep) / larger, ${F}(0.0), larger == ${F}(0.0)), ${F}(1.0), is_inf(a) & is_inf(b));
  let angle = arc_tangent(ratio);
  let first = select(angle, 1.5707963267948966 - angle, steep);
  let left: ${B} = (bitcast<${U}>(x) >> ${U}(31u)) != ${U}(0u);
  let half = select(first, 3.141592653589793 - first, left);
  return nan_of(y, x, select(half, -half, (bitcast<${U}>(y) >> ${U}(31u)) != ${U}(0u)));
}`,
  // C's pow, with a negative base for whole exponents; others give NaN.
  power: ({ F, U }) => `fn power(a: ${F}, b: ${F}) -> ${F} {
  let size = exp2(b * log2(abs(a)));
  let whole = floor(b) == b;
  let odd = whole & (abs(b - 2.0 * floor(b * 0.5)) == ${F}(1.0));
  let negative = a < ${F}(0.0);
  let signed = select(size, -size, negative & odd);
  let zero = select(select(${F}(0.0), 1.0 / abs(a), b < ${F}(0.0)), a, odd & (b > ${F}(0.0)));
  let value = select(signed, select(zero, 1.0 / a, odd & (b < ${F}(0.0))), a == ${F}(0.0));
  let no_number = bitcast<${F}>(bitcast<${U}>(a) | ${U}(0x7fc00000u));
  let real = select(value, no_number, negative & !whole & !is_inf(a) & !is_inf(b));
  let one = (a == ${F}(1.0)) | (b == ${F}(0.0)) | ((a == ${F}(-1.0)) & is_inf(b));
  return select(nan_of(a, b, real), ${F}(1.0), one & !(is_nan(a) & (b != ${F}(0.0))) & !(is_nan(b) & (a != ${F}(1.0))));
}`,
  // By products of halves of 12 bits, which are exact as long as the quotient fits into 24 bits (fma need not be fused). The quotient
  // may have been rounded to the next number.
  trunc_mod: ({ F, U }) => `fn trunc_mod(a: ${F}, b: ${F}) -> ${F} {
  let size = abs(b);
  let quotient = trunc(abs(a) / size);
  let q = bitcast<${F}>(bitcast<${U}>(quotient) & ${U}(0xfffff000u));
  let s = bitcast<${F}>(bitcast<${U}>(size) & ${U}(0xfffff000u));
  let first = (((abs(a) - q * s) - q * (size - s)) - (quotient - q) * s) - (quotient - q) * (size - s);
  let raised = select(first, first + size, first < ${F}(0.0));
  let rest = select(raised, raised - size, raised >= size);
  let signed = select(rest, -rest, a < ${F}(0.0));
  return nan_of(a, b, select(signed, a, is_inf(b) & is_finite(a)));
}`,
  floor_mod: ({ F }) => `fn floor_mod(a: ${F}, b: ${F}) -> ${F} {
  let r = trunc_mod(a, b);
  return select(r, r + b, (r != ${F}(0.0)) & ((r < ${F}(0.0)) != (b < ${F}(0.0))));
}`,
  // Abramowitz and Stegun 7.1.26 loses the relative precision near zero; there the series takes over.
  error_function: ({ F }) => `fn error_function(x: ${F}) -> ${F} {
  let s = x * x;
  let near = x * (1.1283791671 + s * (-0.3761263890 + s * (0.1128379167 + s * (-0.0268661706 + s * (0.0052239776 - s * 0.0008548327)))));
  let z = min(abs(x), ${F}(9.0));
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let far = sign(x) * (1.0 - p * exp(-z * z));
  return nan_or(x, select(far, near, abs(x) < ${F}(0.5)));
}`,
};

const names = Object.keys(functions);
const mentioned = (code: string): string[] => names.filter((name) => new RegExp(`\\b${name}\\(`).test(code));

/** The functions that some WGSL calls, and those that they call. @param width elements in a register */
export function declareFunctions(code: string, width: 1 | 4): string {
  const wide = (scalar: string): string => (width === 4 ? `vec4<${scalar}>` : scalar);
  const types: Types = { F: wide("f32"), U: wide("u32"), B: wide("bool") };
  const declared = new Map<string, string>();
  const declare = (name: string): void => {
    if (declared.has(name)) return;
    const own = functions[name]!(types);
    declared.set(name, own);
    for (const other of mentioned(own)) declare(other);
  };
  for (const name of mentioned(code)) declare(name);
  return [...declared.values()].map((text) => `${text}\n`).join("");
}
