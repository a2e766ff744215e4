/** Recurrent layers, step by step: where the library's own layers fit they are used. */
import type { Tensor } from "@ddad/nn";
import type { Call, Operator, Operators, Result } from "../call.ts";
import { countUse, loading, nn } from "../counted.ts";

/** Everything that the three operators share, for one direction. */
interface Sequence {
  /** x [T][N, I]. */
  readonly steps: readonly Tensor[];
  /** [gates · H, I] and [gates · H, H]. */
  readonly w: Tensor;
  readonly r: Tensor;
  /** [gates · H] each. */
  readonly wBias: Tensor;
  readonly rBias: Tensor;
  readonly hidden: Tensor;
  readonly size: number;
}

async function sequence(call: Call, gates: number): Promise<Sequence> {
  if (call.text("direction", "forward") !== "forward") call.notExpressible("recurrence in both directions");
  const first = call.int("layout", 0) === 1;
  const x = first ? nn.permute(call.x(), [1, 0, 2]) : call.x();
  const [time, batch, inputs] = x.shape as [number, number, number];
  const size = call.int("hidden_size", 0);
  const lengths = (await call.numbers(4)) ?? [];
  if (lengths.some((length) => length !== time))
    call.notExpressible("sequences of several lengths in one batch");
  const biases = call.maybe(3) ?? nn.zeros([1, 2 * gates * size]);
  const [wBias, rBias] = loading(() => nn.split(nn.reshape(biases, [2, gates * size]), 1, 0)) as [
    Tensor,
    Tensor,
  ];
  const state = call.maybe(5);
  return {
    steps: loading(() => nn.split(x, 1, 0)).map((step) => nn.reshape(step, [batch, inputs])),
    w: nn.reshape(call.x(1), [gates * size, inputs]),
    r: nn.reshape(call.x(2), [gates * size, size]),
    wBias,
    rBias,
    hidden: state ? nn.reshape(state, [batch, size]) : nn.zeros([batch, size]),
    size,
  };
}

/** Y [T, 1, N, H] and Y_h [1, N, H], or batch first. */
function outputs(call: Call, states: readonly Tensor[]): (Tensor | undefined)[] {
  const [batch, size] = states[0]!.shape as [number, number];
  const first = call.int("layout", 0) === 1;
  const all = call.wants(0)
    ? nn.concat(
        states.map((state) => nn.reshape(state, first ? [batch, 1, 1, size] : [1, 1, batch, size])),
        first ? 1 : 0,
      )
    : undefined;
  return [all, nn.reshape(states.at(-1)!, first ? [batch, 1, size] : [1, batch, size])];
}

const gatesOf = (x: Tensor, count: number): Tensor[] => nn.split(x, x.shape[1]! / count, 1);
const times = (x: Tensor, w: Tensor): Tensor => nn.matmul(x, w, { transposeB: true });

/** RNN with tanh, its default. */
const rnn: Operator = async (call) => {
  const { steps, w, r, wBias, rBias, hidden } = await sequence(call, 1);
  let h = hidden;
  const states = steps.map((x) => {
    h = nn.tanh(nn.add(nn.add(times(x, w), wBias), nn.add(times(h, r), rBias)));
    return h;
  });
  return outputs(call, states);
};

/** GRU with gates z, r, h. ONNX's default applies r before the product with R, where PyTorch applies it behind. */
const gru: Operator = async (call) => {
  if (call.int("linear_before_reset", 0)) call.notExpressible("a reset gate behind the product");
  const { steps, w, r, wBias, rBias, hidden, size } = await sequence(call, 3);
  const [recurrent, candidate] = nn.split(r, [2 * size, size], 0) as [Tensor, Tensor];
  const [recurrentBias, candidateBias] = nn.split(rBias, [2 * size, size], 1) as [Tensor, Tensor];
  let h = hidden;
  const states = steps.map((x) => {
    const [zx, rx, hx] = gatesOf(nn.add(times(x, w), wBias), 3) as [Tensor, Tensor, Tensor];
    const [zh, rh] = gatesOf(nn.add(times(h, recurrent), recurrentBias), 2) as [Tensor, Tensor];
    const z = nn.sigmoid(nn.add(zx, zh));
    const reset = nn.sigmoid(nn.add(rx, rh));
    const next = nn.tanh(nn.add(hx, nn.add(times(nn.mul(reset, h), candidate), candidateBias)));
    h = nn.add(nn.mul(nn.sub(1, z), next), nn.mul(z, h));
    return h;
  });
  return outputs(call, states);
};

/** The rows of i, o, f, c [4 · H, …] as PyTorch's columns i, f, c, o [..., 4 · H]. */
function torchGates(x: Tensor, size: number): Tensor {
  const [i, o, f, c] = nn.split(x, size, 0) as [Tensor, Tensor, Tensor, Tensor];
  const rows = nn.concat([i, f, c, o], 0);
  return rows.shape.length === 2 ? nn.permute(rows, [1, 0]) : rows;
}

/** The layer of the library, which has no peepholes. */
function lstmLayer(call: Call, { w, r, wBias, rBias, steps, size }: Sequence): Result {
  const layer = new nn.LSTM(w.shape[1]!, size);
  const first = call.int("layout", 0) === 1;
  const x = first ? call.x() : nn.permute(call.x(), [1, 0, 2]);
  loading(() => {
    layer.weights["weight_ih_l0"]!.assign(torchGates(w, size));
    layer.weights["weight_hh_l0"]!.assign(torchGates(r, size));
    layer.weights["bias_ih_l0"]!.assign(torchGates(nn.reshape(wBias, [-1]), size));
    layer.weights["bias_hh_l0"]!.assign(torchGates(nn.reshape(rBias, [-1]), size));
  });
  const { output, hidden } = layer.forward(x);
  countUse("LSTM");
  const [batch, time] = [steps[0]!.shape[0]!, steps.length];
  return [
    first
      ? nn.reshape(output, [batch, time, 1, size])
      : nn.reshape(nn.permute(output, [1, 0, 2]), [time, 1, batch, size]),
    first ? nn.permute(hidden, [1, 0, 2]) : hidden,
  ];
}

/** LSTM with gates i, o, f, c and peepholes i, o, f. */
const lstm: Operator = async (call) => {
  const parts = await sequence(call, 4);
  if ([5, 6, 7].every((place) => !call.values[place])) return lstmLayer(call, parts);
  const { steps, w, r, wBias, rBias, hidden, size } = parts;
  const batch = hidden.shape[0]!;
  const cell = call.maybe(6);
  const peepholes = call.maybe(7);
  const [pi, po, pf] = nn.split(peepholes ?? nn.zeros([1, 3 * size]), size, 1) as [Tensor, Tensor, Tensor];
  let h = hidden;
  let c = cell ? nn.reshape(cell, [batch, size]) : nn.zeros([batch, size]);
  const states = steps.map((x) => {
    const gates = nn.add(nn.add(times(x, w), wBias), nn.add(times(h, r), rBias));
    const [i, o, f, g] = gatesOf(gates, 4) as [Tensor, Tensor, Tensor, Tensor];
    const kept = nn.mul(nn.sigmoid(nn.add(f, nn.mul(pf, c))), c);
    c = nn.add(kept, nn.mul(nn.sigmoid(nn.add(i, nn.mul(pi, c))), nn.tanh(g)));
    h = nn.mul(nn.sigmoid(nn.add(o, nn.mul(po, c))), nn.tanh(c));
    return h;
  });
  return outputs(call, states);
};

export const recurrent: Operators = { RNN: rnn, GRU: gru, LSTM: lstm };
