/** Finds the weights among the tensors of a file, and their names. */
import { describe, type PickleValue, refuse, TensorRecord } from "./values.ts";

/** The weights of a file. */
export interface Choice {
  /** Dotted path of the dict that was taken; "" is the whole file. */
  readonly entry: string;
  readonly tensors: Map<string, TensorRecord>;
  /** The entries beside that path, and how many tensors each holds. */
  readonly leftOut: LeftOut[];
}

/** A part of a file that was not taken. */
export interface LeftOut {
  /** Dotted path in the file. */
  readonly path: string;
  /** 0 for numbers, texts and what else holds no tensor. */
  readonly tensors: number;
}

/** Names under which training scripts keep the weights, the likeliest first. */
const usualNames = [
  "state_dict",
  "model_state_dict",
  "model_state",
  "model",
  "net",
  "network",
  "weights",
  "module",
];

const deepest = 64;
const mostVisits = 1_000_000;

/**
 * Takes `entry`, where it is given. Otherwise walks down from the top: into a dict of a usual name (`state_dict`, `model`,
 * …), else into the only dict that holds tensors where no tensor lies beside it. The tensors of the dict where this ends are
 * named by their keys, joined with dots where dicts or lists are nested.
 */
export function chooseTensors(root: PickleValue, entry?: string): Choice {
  const walker = new Walker();
  const { path, value, leftOut } = entry === undefined ? walkDown(root, walker) : find(root, entry, walker);
  const tensors = new Map<string, TensorRecord>();
  for (const [name, tensor] of walker.tensors(value, "", 0)) {
    if (tensors.has(name)) refuse(`it holds two tensors called "${name}".`);
    tensors.set(name, tensor);
  }
  if (tensors.size === 0) refuse(`${path === "" ? "it" : `"${path}"`} holds no tensor.`);
  return { entry: path, tensors, leftOut };
}

interface Place {
  readonly path: string;
  readonly value: PickleValue;
  readonly leftOut: LeftOut[];
}

function walkDown(root: PickleValue, walker: Walker): Place {
  let place: Place = { path: "", value: root, leftOut: [] };
  for (let depth = 0; place.value instanceof Map && depth < deepest; depth++) {
    const key = weightsAmong(place.value, walker);
    if (key === undefined) break;
    place = below(place, place.value, key, walker);
  }
  return place;
}

/** The key to go down to, if any. */
function weightsAmong(dict: ReadonlyMap<PickleValue, PickleValue>, walker: Walker): PickleValue | undefined {
  const isWeights = (value: PickleValue | undefined): value is PickleValue =>
    value instanceof Map && walker.count(value) > 0;
  const usual = usualNames.find((name) => isWeights(dict.get(name)));
  if (usual !== undefined) return usual;
  const holding = [...dict].filter(([, value]) => walker.count(value) > 0);
  return holding.length === 1 && isWeights(holding[0]![1]) ? holding[0]![0] : undefined;
}

function find(root: PickleValue, entry: string, walker: Walker): Place {
  let place: Place = { path: "", value: root, leftOut: [] };
  for (const name of entry.split(".")) {
    const { path, value } = place;
    const keys: PickleValue[] = value instanceof Map ? [...value.keys()] : [];
    const key = keys.find((candidate) => textOf(candidate) === name);
    if (!(value instanceof Map) || key === undefined) {
      refuse(
        `it has no entry "${entry}": ${path === "" ? "the top" : `"${path}"`} holds ${keys.slice(0, 12).map(textOf).join(", ") || "no names"}.`,
      );
    }
    place = below(place, value, key, walker);
  }
  return place;
}

function below(
  { path, leftOut }: Place,
  dict: ReadonlyMap<PickleValue, PickleValue>,
  key: PickleValue,
  walker: Walker,
): Place {
  const others = [...dict].filter(([other]) => other !== key);
  return {
    path: join(path, key),
    value: dict.get(key)!,
    leftOut: [
      ...leftOut,
      ...others.map(([other, value]) => ({ path: join(path, other), tensors: walker.count(value) })),
    ],
  };
}

/** Keys that are no texts or numbers name nothing that anyone asks for. */
const textOf = (key: PickleValue): string => (typeof key === "string" ? key : describe(key));

const join = (path: string, key: PickleValue): string =>
  path === "" ? textOf(key) : `${path}.${textOf(key)}`;

/** Goes through nested containers. They may contain themselves, or each other many times over: both end in a sentence. */
class Walker {
  #visits = 0;
  readonly #counts = new Map<PickleValue, number>();

  /** The tensors in a value. */
  count(value: PickleValue): number {
    if (value instanceof TensorRecord) return 1;
    if (!isContainer(value)) return 0;
    const known = this.#counts.get(value);
    if (known !== undefined) return known;
    let count = 0;
    for (const _ of this.tensors(value, "", 0)) count++;
    this.#counts.set(value, count);
    return count;
  }

  *tensors(value: PickleValue, path: string, depth: number): Generator<[name: string, TensorRecord]> {
    if (++this.#visits > mostVisits) refuse(`it nests more than ${mostVisits} values in each other.`);
    if (value instanceof TensorRecord) {
      yield [path === "" ? "tensor" : path, value];
    } else if (isContainer(value)) {
      if (depth >= deepest) refuse(`its containers are nested more than ${deepest} deep.`);
      const items = value instanceof Map ? value : [...value].entries();
      for (const [key, item] of items) yield* this.tensors(item, join(path, key), depth + 1);
    }
  }
}

type Container = Map<PickleValue, PickleValue> | PickleValue[] | Set<PickleValue>;

const isContainer = (value: PickleValue): value is Container =>
  value instanceof Map || value instanceof Set || Array.isArray(value);
