/**
 * Python's pickle format, protocols 2 to 5. A pickle is a program for a machine with a stack; here its instructions can make
 * plain values and opaque ones, and nothing else: what it names is looked up in a table, never imported. A call of a name
 * that is not in the table makes an opaque value, whose items and attributes are dropped. The machine loops over bytes and
 * does not call itself, so no nesting is too deep for it.
 *
 * https://docs.python.org/3/library/pickletools.html lists the instructions.
 */
import type { ByteReader } from "./byteReader.ts";
import { Machine, type PickleHost } from "./machine.ts";
import { opaqueValue } from "./names.ts";
import {
  describe,
  Named,
  Opaque,
  type PickleValue,
  refuse,
  TensorRecord,
  UnreadableRecord,
} from "./values.ts";

/** Bytes of one pickle without long texts and arrays; a state dict of ten thousand tensors has about 2 MB. */
const largestPickle = 16 * 2 ** 20;

type Instruction = (machine: Machine, reader: ByteReader) => void;

/** Reads one pickle from where the reader stands, and leaves it behind the pickle's end. */
export function readPickle(reader: ByteReader, host: PickleHost): PickleValue {
  const start = reader.position - reader.passed;
  const machine = new Machine(host);
  for (;;) {
    const at = reader.position;
    if (at - reader.passed - start > largestPickle)
      refuse(`its pickle has more than ${largestPickle} bytes.`);
    const code = reader.byte();
    if (code === stop) return machine.pop();
    const instruction = instructions.get(code);
    if (!instruction) {
      const hexadecimal = `0x${code.toString(16).padStart(2, "0")}`;
      if (code >= 0x82 && code <= 0x84) {
        refuse(
          `byte ${at} of its pickle (EXT, ${hexadecimal}) names a class by a number that only the program knows that saved it. Save it without copyreg.add_extension.`,
        );
      }
      if (code === 0x97 || code === 0x98) {
        refuse(
          `byte ${at} of its pickle (${hexadecimal}) refers to data outside of the file. Save it without buffer_callback.`,
        );
      }
      refuse(`byte ${at} of its pickle is the instruction ${hexadecimal}, which torch.save does not write.`);
    }
    instruction(machine, reader);
  }
}

const stop = 0x2e;

const instructions = new Map<number, Instruction>([
  [0x80, (_, reader) => checkProtocol(reader.byte())], // PROTO
  [0x95, (_, reader) => void reader.uint64()], // FRAME: a hint for reading ahead

  [0x4e, (machine) => machine.push(null)], // NONE
  [0x88, (machine) => machine.push(true)], // NEWTRUE
  [0x89, (machine) => machine.push(false)], // NEWFALSE
  [0x4b, (machine, reader) => machine.push(reader.byte())], // BININT1
  [0x4d, (machine, reader) => machine.push(reader.uint16())], // BININT2
  [0x4a, (machine, reader) => machine.push(reader.int32())], // BININT
  [0x8a, (machine, reader) => machine.push(reader.integer(reader.byte()))], // LONG1
  [0x8b, (machine, reader) => machine.push(reader.integer(reader.uint32()))], // LONG4
  [0x47, (machine, reader) => machine.push(reader.float64BigEndian())], // BINFLOAT

  [0x8c, (machine, reader) => machine.push(reader.text(reader.byte()))], // SHORT_BINUNICODE
  [0x58, (machine, reader) => machine.push(reader.longText(reader.uint32()))], // BINUNICODE
  [0x8d, (machine, reader) => machine.push(reader.longText(reader.uint64()))], // BINUNICODE8
  [0x55, (machine, reader) => machine.push(oldText(reader.bytes(reader.byte())))], // SHORT_BINSTRING, of Python 2
  [0x54, (machine, reader) => machine.push(oldText(reader.bytes(reader.uint32())))], // BINSTRING, of Python 2
  [0x43, (machine, reader) => machine.push(reader.bytes(reader.byte()))], // SHORT_BINBYTES
  [0x42, (machine, reader) => machine.push(reader.bytes(reader.uint32()))], // BINBYTES
  [0x8e, (machine, reader) => machine.push(reader.bytes(reader.uint64()))], // BINBYTES8
  [0x96, (machine, reader) => machine.push(reader.bytes(reader.uint64()))], // BYTEARRAY8

  [0x30, (machine) => void machine.pop()], // POP: of values that contain themselves
  [0x31, (machine) => void machine.sinceMark()], // POP_MARK
  [0x28, (machine) => machine.mark()], // MARK
  [0x7d, (machine) => machine.push(new Map())], // EMPTY_DICT
  [0x5d, (machine) => machine.push([])], // EMPTY_LIST
  [0x29, (machine) => machine.push([])], // EMPTY_TUPLE
  [0x8f, (machine) => machine.push(new Set())], // EMPTY_SET
  [0x74, (machine) => machine.push(machine.sinceMark())], // TUPLE
  [0x85, (machine) => machine.push(machine.take(1))], // TUPLE1
  [0x86, (machine) => machine.push(machine.take(2))], // TUPLE2
  [0x87, (machine) => machine.push(machine.take(3))], // TUPLE3
  [0x91, (machine) => machine.push(new Set(machine.sinceMark()))], // FROZENSET
  [0x61, (machine) => append(machine, machine.take(1))], // APPEND
  [0x65, (machine) => append(machine, machine.sinceMark())], // APPENDS
  [0x73, (machine) => setItems(machine, machine.take(2))], // SETITEM
  [0x75, (machine) => setItems(machine, machine.sinceMark())], // SETITEMS
  [0x90, (machine) => addItems(machine, machine.sinceMark())], // ADDITEMS

  [0x71, (machine, reader) => machine.remember(reader.byte())], // BINPUT
  [0x72, (machine, reader) => machine.remember(reader.uint32())], // LONG_BINPUT
  [0x94, (machine) => machine.remember()], // MEMOIZE
  [0x68, (machine, reader) => machine.recall(reader.byte())], // BINGET
  [0x6a, (machine, reader) => machine.recall(reader.uint32())], // LONG_BINGET

  [0x63, (machine, reader) => pushNamed(machine, reader.line(), reader.line())], // GLOBAL
  [0x93, (machine) => pushNamed(machine, ...(machine.take(2) as [PickleValue, PickleValue]))], // STACK_GLOBAL
  [0x52, (machine) => call(machine, ...(machine.take(2) as [PickleValue, PickleValue]))], // REDUCE
  [0x81, (machine) => makeObject(machine, machine.take(2)[0]!)], // NEWOBJ
  [0x92, (machine) => makeObject(machine, machine.take(3)[0]!)], // NEWOBJ_EX
  [0x62, (machine) => setAttributes(machine, machine.pop())], // BUILD
  [0x51, (machine) => machine.push(machine.host.persistent(machine.pop()))], // BINPERSID
]);

function checkProtocol(protocol: number): void {
  if (protocol < 2 || protocol > 5) {
    refuse(`its pickle has protocol ${protocol}; torch.save writes 2 to 5.`);
  }
}

/** A byte string of Python 2: a text where it is one. */
function oldText(bytes: Uint8Array): string | Uint8Array {
  try {
    return bytes.length > 2 ** 16 ? bytes : new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return bytes;
  }
}

function append(machine: Machine, values: readonly PickleValue[]): void {
  const list = machine.top();
  if (list instanceof Opaque) return;
  if (!Array.isArray(list)) refuse(`its pickle is damaged: it appends to ${describe(list)}.`);
  for (const value of values) list.push(value);
}

function setItems(machine: Machine, pairs: readonly PickleValue[]): void {
  const dict = machine.top();
  if (dict instanceof Opaque) return;
  if (!(dict instanceof Map) || pairs.length % 2 !== 0) {
    refuse(`its pickle is damaged: it sets ${pairs.length / 2} items of ${describe(dict)}.`);
  }
  for (let i = 0; i < pairs.length; i += 2) dict.set(pairs[i]!, pairs[i + 1]!);
}

function addItems(machine: Machine, values: readonly PickleValue[]): void {
  const set = machine.top();
  if (set instanceof Opaque) return;
  if (!(set instanceof Set)) refuse(`its pickle is damaged: it adds members to ${describe(set)}.`);
  for (const value of values) set.add(value);
}

function pushNamed(machine: Machine, module: PickleValue, name: PickleValue): void {
  if (typeof module !== "string" || typeof name !== "string") {
    refuse(`its pickle is damaged: ${describe(module)}, ${describe(name)} is no name of Python's.`);
  }
  machine.push(machine.host.named(module, name));
}

/** A name of the table makes its value; any other makes an opaque one. Nothing is executed. */
function call(machine: Machine, made: PickleValue, args: PickleValue): void {
  if (!(made instanceof Named || made instanceof Opaque) || !Array.isArray(args)) {
    refuse(`its pickle is damaged: it calls ${describe(made)} with ${describe(args)}.`);
  }
  if (made instanceof Opaque || !made.make) {
    machine.push(opaqueValue(made, args));
    return;
  }
  for (const list of args) if (Array.isArray(list)) machine.charge(list.length); // it may be copied
  machine.push(made.make(args));
}

/** An object of a class. */
function makeObject(machine: Machine, type: PickleValue): void {
  if (!(type instanceof Named || type instanceof Opaque)) {
    refuse(`its pickle is damaged: it makes an object of ${describe(type)}.`);
  }
  machine.push(opaqueValue(type, []));
}

/** Attributes of dicts (`_metadata` of a state dict), tensors and opaque values carry no weights: they are left out. */
function setAttributes(machine: Machine, attributes: PickleValue): void {
  const target = machine.top();
  const mayHave = [Map, Set, Array, TensorRecord, UnreadableRecord, Opaque];
  if (!mayHave.some((kind) => target instanceof kind)) {
    refuse(`its pickle is damaged: it sets attributes (${describe(attributes)}) of ${describe(target)}.`);
  }
}
