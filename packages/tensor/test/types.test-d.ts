/** What the compiler must know and must refuse. Compiled by `npm run typecheck`, never run. */
import {
  type AnyTensor,
  arange,
  cast,
  compile,
  evaluate,
  grad,
  less,
  setupDevice,
  sum,
  type Tensor,
  tensor,
  type Variable,
  variable,
  zeros,
} from "@ddad/tensor";

/** Compiles where `T` is exactly `Expected`. */
type Same<T, Expected> =
  (<X>() => X extends T ? 1 : 2) extends <X>() => X extends Expected ? 1 : 2 ? true : false;
const same = <T, Expected>(_: Same<T, Expected>): void => undefined;

const floats = tensor([1, 2, 3]);
const integers = tensor(new Int32Array(3));
const truths = tensor([true, false]);

// The dtype follows the data, and the type of `data()` the dtype.
same<typeof floats, Tensor>(true);
const floatData: Promise<Float32Array> = floats.data();
const integerData: Promise<Int32Array> = integers.data();
// @ts-expect-error integers are read as Int32Array
const wrongData: Promise<Float32Array> = integers.data();

// Comparisons give booleans, casts what they are asked for.
same<ReturnType<typeof floats.less>, Tensor<"bool">>(true);
const below: Tensor<"bool"> = less(floats, 2);
const whole: Tensor<"i32"> = cast(floats, "i32");
// @ts-expect-error a cast to integers is no tensor of floats
const notFloats: Tensor = cast(floats, "i32");

// Any tensor is an AnyTensor, not the other way round.
const any: readonly AnyTensor[] = [floats, integers, truths];
// @ts-expect-error it may be of integers
const onlyFloats: Tensor = any[0]!;

// Operands are tensors and numbers.
// @ts-expect-error a string is none
floats.add("1");
// @ts-expect-error an array is none
floats.mul([1, 2, 3]);
// @ts-expect-error dtypes are f32, f16, i32, u32 and bool
zeros([2], { dtype: "float32" });

// There are gradients towards floats only.
const gradients: Tensor[] = grad(sum(floats), [floats]);
// @ts-expect-error there is no gradient towards integers
grad(sum(floats), [integers]);

// A variable takes values of its own type.
const cell: Variable = variable(zeros([3]));
cell.assign(floats.mul(2));
// @ts-expect-error the cell holds floats
cell.assign(integers);
// @ts-expect-error shapes do not change
cell.shape.push(1);
// @ts-expect-error a tensor's dtype does not change
floats.dtype = "f16";

// A compiled function takes and gives what the function does, later.
const step = compile((x: Tensor) => ({ loss: x.sum() }));
const outcome: Promise<{ loss: Tensor }> = step(floats);
// @ts-expect-error it takes tensors
step(1);

const done: Promise<void> = evaluate(floats, integers, cell);
// @ts-expect-error only tensors are evaluated
evaluate(1);
// @ts-expect-error a power preference is one of two words
setupDevice({ powerPreference: "fast" });
// @ts-expect-error numbers, not words
arange("10");

export { below, done, floatData, gradients, integerData, notFloats, onlyFloats, outcome, whole, wrongData };
