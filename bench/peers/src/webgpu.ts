/** One Dawn for all libraries, defined as `navigator.gpu` before any of them is imported. */
import { create, globals } from "webgpu";
import { waitPatiently } from "../../../packages/tensor/dist/device/dawnEvents.js";

/** Those that this library itself asks for in Node, so that no peer runs with fewer. */
const toggles = [
  "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,use_vulkan_memory_model",
  "disable-dawn-features=timestamp_quantization",
];

/** Node 20 has no `navigator`, and the peers look at `navigator.userAgent` and at `self`. */
export function defineBrowserGlobals(): void {
  Object.assign(globalThis, globals);
  // What this library does with a Dawn of its own: without it a software adapter shares its processors with a loop.
  waitPatiently(globals as Readonly<Record<string, unknown>>);
  const adapter = process.env["DDAD_ADAPTER"];
  const gpu = create([...toggles, ...(adapter ? [`adapter=${adapter}`] : [])]);
  if (typeof navigator === "undefined") {
    const value = { userAgent: `Node.js/${process.versions.node}` };
    Object.defineProperty(globalThis, "navigator", { value, configurable: true });
  }
  Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
  Object.assign(globalThis, { self: globalThis });
  defineIteratorHelpers();
}

/** Methods of iterators that Node has from version 22 on and the `einsum` of jax-js uses. */
function defineIteratorHelpers(): void {
  const iterator = Object.getPrototypeOf(Object.getPrototypeOf([].values())) as object;
  if ("map" in iterator) return;
  const methods = {
    *map<A, B>(this: Iterable<A>, change: (item: A) => B): Generator<B> {
      for (const item of this) yield change(item);
    },
    *filter<A>(this: Iterable<A>, wanted: (item: A) => boolean): Generator<A> {
      for (const item of this) if (wanted(item)) yield item;
    },
  };
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(iterator, name, { value, configurable: true, writable: true });
  }
}
