/** Operators whose results depend on shapes and parameters alone. */
import type { Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { elementType } from "../proto.ts";
import { dtypeOf, Value } from "../values.ts";

const integers = (values: readonly number[], shape: readonly number[]): Value =>
  Value.constant({ type: "int64", shape: [...shape], values: [...values] });

export const constants: Operators = {
  Constant: (call) => {
    const whole = call.tensorAttribute("value");
    if (whole) return Value.constant(whole);
    const [attribute] = call.node.attributes.values();
    const { name = "", int, float, ints = [], floats = [] } = attribute ?? {};
    if (name === "value_int") return integers([int ?? 0], []);
    if (name === "value_ints") return integers(ints, [ints.length]);
    if (name === "value_float") return Value.constant({ type: "float", shape: [], values: [float ?? 0] });
    return Value.constant({ type: "float", shape: [floats.length], values: [...floats] });
  },

  ConstantOfShape: async (call) => {
    const shape = (await call.numbers(0)) ?? [];
    const value = call.tensorAttribute("value");
    return nn.full(shape, value?.values[0] ?? 0, { dtype: value ? dtypeOf(value.type) : "f32" });
  },

  Shape: (call) => {
    const extents = call.shape().slice(call.int("start", 0), call.int("end", call.rank));
    return integers(extents, [extents.length]);
  },

  Size: (call) => integers([call.shape().reduce((a, b) => a * b, 1)], []),

  Range: async (call) => {
    const [start, limit, delta] = [await call.number(0), await call.number(1), await call.number(2)];
    const count = Math.max(0, Math.ceil((limit! - start!) / delta!));
    const { dtype } = call.value(0);
    return nn.tensor(
      Array.from({ length: count }, (_, index) => start! + index * delta!),
      [count],
      { dtype },
    );
  },

  EyeLike: (call) => {
    const [rows, columns] = call.shape() as [number, number];
    const offset = call.int("k", 0);
    const type = call.node.attributes.get("dtype")?.int;
    const values = Array.from({ length: rows * columns }, (_, index) =>
      (index % columns) - Math.floor(index / columns) === offset ? 1 : 0,
    );
    return nn.tensor(values, [rows, columns], {
      dtype: type === undefined ? call.value(0).dtype : dtypeOf(elementType(type)),
    });
  },
};
