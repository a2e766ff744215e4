/** Finds the weights among the tensors of a file, and their names. */

import { plain, quoted } from "../words.ts";
import { type PickleValue, refuse } from "./values.ts";
import {
  type AnyRecord,
  deepest,
  join,
  type OpaqueValue,
  opaqueIn,
  opaqueType,
  textOf,
  Walker,
} from "./walker.ts";

/** The weights of a file. */
export interface Choice {
  /** Dotted path of the dict that was taken; "" is the whole file. */
  readonly entry: string;
  readonly tensors: Map<string, AnyRecord>;
  /** The entries beside that path, and how many tensors each holds. */
  readonly leftOut: LeftOut[];
  /** Values of unknown classes anywhere in the file. */
  readonly opaque: OpaqueValue[];
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

/** Names of what scripts keep beside the weights, which are never the weights. */
const besideWeights = /optim|sched|scaler/i;

/**
 * Takes `entry`, where it is given. Otherwise walks down from the top: into a dict of a usual name (`state_dict`, `model`,
 * …), else into the only dict that holds tensors where no tensor lies beside it. The tensors of the dict where this ends are
 * named by their keys, joined with dots where dicts or lists are nested.
 */
export function chooseTensors(root: PickleValue, entry?: string): Choice {
  const walker = new Walker();
  const { path, value, leftOut } = entry === undefined ? walkDown(root, walker) : find(root, entry, walker);
  const tensors = new Map<string, AnyRecord>();
  for (const [name, tensor] of walker.tensors(value, "", 0)) {
    if (tensors.has(name)) refuse(`it holds two tensors called ${quoted(name)}.`);
    tensors.set(name, tensor);
  }
  if (tensors.size === 0) {
    refuse(`${path === "" ? "it" : quoted(path)} holds no tensor.${advice(opaqueIn(value, path))}`);
  }
  return { entry: path, tensors, leftOut, opaque: opaqueIn(root, "") };
}

/** What is there in place of tensors, and the cure. */
function advice(opaque: readonly OpaqueValue[]): string {
  if (opaque.length === 0) return "";
  const first = opaque.slice(0, 3).map(({ path, type }) => `${path === "" ? "it" : quoted(path)} is ${type}`);
  const rest = opaque.length > first.length ? ", …" : "";
  const cure = opaque.some(({ type }) => type === "numpy.ndarray")
    ? "convert arrays with torch.from_numpy(array) and save them again"
    : "save the weights alone: torch.save(model.state_dict(), path)";
  return ` Objects are not read: ${first.join(", ")}${rest}. In Python, ${cure}.`;
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
  const object = usualNames.find((name) => opaqueType(dict.get(name)) !== undefined);
  if (object !== undefined && holding.every(([name]) => besideWeights.test(textOf(name)))) {
    const where: OpaqueValue = { path: object, type: opaqueType(dict.get(object))! };
    refuse(`it holds no weights that are read.${advice([where])}`);
  }
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
        `it has no entry "${entry}": ${path === "" ? "the top" : quoted(path)} holds ${
          keys
            .slice(0, 12)
            .map((name) => plain(textOf(name)))
            .join(", ") || "no names"
        }.`,
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
