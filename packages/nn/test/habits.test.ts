/** Calls that TypeScript refuses, as JavaScript and unchecked TypeScript make them: a sentence, never an internal TypeError. */
import * as engine from "@ddad/tensor";
import { ones, type Tensor, tensor, Variable } from "@ddad/tensor";
import { expect } from "chai";
import * as library from "../src/index.ts";

type Loose = (...values: unknown[]) => unknown;

/** What `@ddad/nn` adds to the engine. */
const own = Object.entries(library).filter(
  ([name, value]) => !Object.hasOwn(engine, name) && typeof value === "function",
) as unknown as [name: string, value: Loose][];

const isClass = (value: unknown): boolean => /^class\b/.test(String(value));

/** Made by the library alone, or the base of others. */
const notMade = ["CheckpointError", "StateDictError", "Module", "Optimizer", "PyTorchCheckpoint"];

const x = (...shape: number[]): Tensor => ones(shape);

/** Functions that make a whole ResNet, which takes seconds: they are called with wrong options alone. */
const isNetwork = (name: string): boolean => /^(wideR|r)esnet\d/.test(name);

/** One of each class. */
const instances: Readonly<Record<string, () => object>> = {
  Adagrad: () => new library.Adagrad(linear()),
  Adam: () => new library.Adam(linear()),
  AdamW: () => new library.AdamW(linear()),
  AdaptiveAvgPool2d: () => new library.AdaptiveAvgPool2d(2),
  AdaptiveMaxPool2d: () => new library.AdaptiveMaxPool2d(2),
  AttentionBlock: () => new library.AttentionBlock({ channels: 32, heads: 2 }),
  AvgPool2d: () => new library.AvgPool2d(2),
  BatchNorm2d: () => new library.BatchNorm2d(3),
  CELU: () => new library.CELU(),
  ChannelAffine: () => new library.ChannelAffine(3),
  Checkpoint: () => new library.Checkpoint([], {}),
  Conv1d: () => new library.Conv1d(3, 4, 3),
  Conv2d: () => new library.Conv2d(3, 4, 3),
  ConvTranspose2d: () => new library.ConvTranspose2d(3, 4, 3),
  DataLoader: () => new library.DataLoader([1, 2, 3]),
  Downsample: () => new library.Downsample(),
  Dropout: () => new library.Dropout(),
  ELU: () => new library.ELU(),
  EMA: () => new library.EMA(linear()),
  Embedding: () => new library.Embedding(5, 4),
  Flatten: () => new library.Flatten(),
  GELU: () => new library.GELU(),
  GRU: () => new library.GRU(3, 4),
  GroupNorm: () => new library.GroupNorm(2, 4),
  Hardsigmoid: () => new library.Hardsigmoid(),
  Hardswish: () => new library.Hardswish(),
  Hardtanh: () => new library.Hardtanh(),
  HostRandom: () => new library.HostRandom(1),
  Identity: () => new library.Identity(),
  InstanceNorm2d: () => new library.InstanceNorm2d(3),
  LSTM: () => new library.LSTM(3, 4),
  LayerNorm: () => new library.LayerNorm(3),
  LeakyReLU: () => new library.LeakyReLU(),
  Linear: () => linear(),
  LogSigmoid: () => new library.LogSigmoid(),
  LogSoftmax: () => new library.LogSoftmax(),
  LossScale: () => new library.LossScale(),
  MaxPool2d: () => new library.MaxPool2d(2),
  Mish: () => new library.Mish(),
  ModuleList: () => new library.ModuleList([linear()]),
  MultiheadAttention: () => new library.MultiheadAttention(4, 2),
  PReLU: () => new library.PReLU(3),
  Parameter: () => new library.Parameter(tensor([1])),
  RMSNorm: () => new library.RMSNorm(3),
  RMSprop: () => new library.RMSprop(linear()),
  ReLU: () => new library.ReLU(),
  ReLU6: () => new library.ReLU6(),
  ResNet: () => new library.ResNet({ block: "basic", layers: [1], baseChannels: 4, numClasses: 2 }),
  ResidualBlock: () => new library.ResidualBlock({ inputs: 32, outputs: 32, timeFeatures: 4, dropout: 0 }),
  SELU: () => new library.SELU(),
  SGD: () => new library.SGD(linear()),
  Sequential: () => new library.Sequential(linear()),
  SiLU: () => new library.SiLU(),
  Sigmoid: () => new library.Sigmoid(),
  Softmax: () => new library.Softmax(),
  Softplus: () => new library.Softplus(),
  Softsign: () => new library.Softsign(),
  Tanh: () => new library.Tanh(),
  TimeEmbedding: () => new library.TimeEmbedding(4, 8),
  UNet: () =>
    new library.UNet({ imageSize: 8, baseChannels: 32, channelMultipliers: [1], blocksPerLevel: 1 }),
  Upsample: () => new library.Upsample(),
};

const linear = (): library.Linear => new library.Linear(3, 3);

/** For subclasses only, though JavaScript sees them. */
const isProtected = (object: object, name: string): boolean =>
  (object instanceof library.Optimizer && ["numbers", "update", "kept"].includes(name)) ||
  ((object instanceof library.LSTM || object instanceof library.GRU) &&
    ["cell", "inputBias", "run"].includes(name));

/** Methods that this package gives the object, those of its bases included. */
function methodsOf(object: object): [name: string, method: Loose][] {
  const methods = new Map<string, Loose>();
  const foreign = [Object.prototype, Map.prototype, Variable.prototype] as object[];
  for (
    let prototype = Object.getPrototypeOf(object) as object;
    !foreign.includes(prototype);
    prototype = Object.getPrototypeOf(prototype) as object
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name === "constructor" || name === "dispose" || typeof value !== "function") continue;
      if (!methods.has(name) && !isProtected(object, name)) methods.set(name, value as Loose);
    }
  }
  return [...methods];
}

/** All lists of `count` of `from`. */
const lists = (from: readonly unknown[], count: number): unknown[][] =>
  count === 0 ? [[]] : lists(from, count - 1).flatMap((list) => from.map((value) => [...list, value]));

/** Names in the parameter list of a function or constructor; undefined where it has none that is written down. */
function parametersOf(value: Loose): string[] {
  const text = String(value);
  const single = /^(?:async )?(\w+)\s*=>/.exec(text);
  const list =
    single ?? /^[^(]*\(([^)]*)/.exec(isClass(value) ? text.slice(text.indexOf("constructor(")) : text);
  return (list?.[1] ?? "").split(",").map((parameter) => parameter.trim());
}

const create =
  (type: Loose): Loose =>
  (...values) =>
    Reflect.construct(type, values) as unknown;

/** Everything to call: functions, constructors, and methods of one object of each class. */
const calls = (seen = new Set<Loose>()): [name: string, call: Loose, source: Loose][] => [
  ...own.flatMap(([name, value]): [string, Loose, Loose][] => {
    if (isNetwork(name)) return [];
    if (!isClass(value)) return [[name, value, value]];
    return notMade.includes(name) ? [] : [[`new ${name}`, create(value), value]];
  }),
  ...Object.entries(instances).flatMap(([type, make]) => {
    const object = make();
    // A method of a base is called on the first object that has it.
    const fresh = methodsOf(object).filter(([, method]) => !seen.has(method));
    for (const [, method] of fresh) seen.add(method);
    return fresh.map(([name, method]): [string, Loose, Loose] => [
      `${type}.${name}`,
      (...values) => method.apply(object, values),
      method,
    ]);
  }),
];

const messageOf = async (call: () => unknown): Promise<string | undefined> => {
  try {
    await call();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

describe("habits of other libraries and of JavaScript", () => {
  after(() => library.setSeed(0));

  it("every class has an object here, so that its methods are called", () => {
    const classes = own.filter(([, value]) => isClass(value)).map(([name]) => name);
    expect(Object.keys(instances)).to.have.members(classes.filter((name) => !notMade.includes(name)));
  });

  it("whatever takes a value of another kind names itself and the rule", async function () {
    this.timeout(120_000);
    const values: readonly unknown[] = [2, "a", [1, 2], { dim: 1 }, undefined, null];
    const fillers: readonly unknown[] = [4, x(2, 3), linear(), [x(3)]];
    const unclear: string[] = [];
    let count = 0;
    for (const [name, call, source] of calls()) {
      const positions = parametersOf(source).map((_, position) => position);
      for (const before of positions.flatMap((position) => lists(fillers, position))) {
        for (const value of values) {
          count++;
          const message = await messageOf(() => call(...before, value));
          if (message === undefined) continue;
          if (/^\w[\w.]*: /.test(message) && !/Cannot read prop|is not (a function|iterable)/.test(message))
            continue;
          const given = [...before.map((filler) => String(filler).split("\n")[0]), JSON.stringify(value)];
          unclear.push(`${name}(${given.join(", ")}): ${message}`);
        }
      }
    }
    expect(count).to.be.above(2000);
    await engine.evaluate(x(1)); // it waits for the optimisers, which move their parameters
    expect(unclear).to.deep.equal([]);
  });

  /** Arguments in front of options, of which one list at least fits. */
  const fitting = (): unknown[] => {
    const unet = instances["UNet"]!();
    const source = {
      name: "linear",
      module: linear(),
      inputs: { x: ["N", 3] },
      forward: ({ x }: Record<string, Tensor>) => ({ y: x }),
    };
    return [
      undefined,
      4,
      x(2, 3),
      x(2, 4, 4),
      linear(),
      unet,
      instances["ResNet"]!(),
      source,
      [x(3)],
      [2, 2],
      new Map(),
    ];
  };

  it("whatever has options refuses one that it does not know", async function () {
    this.timeout(120_000);
    const before = fitting();
    const withOptions = calls().flatMap(([name, call, source]) => {
      const parameters = parametersOf(source);
      expect(
        parameters.some((parameter) => parameter.startsWith("{")),
        `${name} takes its options apart before they are checked`,
      ).to.equal(false);
      const place = parameters.findIndex((parameter) => /^options\b/.test(parameter));
      return place < 0 ? [] : [{ name, call, place }];
    });
    expect(withOptions.length).to.be.above(50);
    const ignoring: string[] = [];
    for (const { name, call, place } of withOptions) {
      let refuses = false;
      for (const list of lists(before, place)) {
        const message = await messageOf(() => call(...list, { nonsense: 1 }));
        refuses = message?.includes(": there is no option nonsense. The options are ") ?? false;
        if (refuses) break;
      }
      if (!refuses) ignoring.push(name);
    }
    await engine.evaluate(x(1)); // it waits for the optimisers, which move their parameters
    expect(ignoring).to.deep.equal([]);
  });

  it("networks with a name refuse other options", async () => {
    const networks = own.filter(([name]) => isNetwork(name));
    expect(networks.length).to.be.above(7);
    for (const [name, make] of networks) {
      const refused = await messageOf(() => make({ nonsense: 1 }));
      expect(refused).to.match(new RegExp(`^${name}: there is no option nonsense\\.`));
      expect(await messageOf(() => make(2))).to.match(new RegExp(`^${name}: the options must be an object`));
      expect(await messageOf(() => make({ layers: [1] }))).to.match(/there is no option layers/);
    }
  });
});
