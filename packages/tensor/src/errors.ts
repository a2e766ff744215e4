/** The ways in which a call or the device can fail, each a class so that programs can react to it. */

/** A call that the library cannot answer as it was made: the message names the rule and the cure. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A fault of the library itself, not of the program that uses it: please report it. */
export class InternalError extends Error {
  override name = "InternalError";
}

class DeviceError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No WebGPU adapter was found, or none fits the request. */
export class NoAdapterError extends DeviceError {}

/** The device went away (driver reset, unplugged, destroyed). Tensors on it are gone: set up a new one and reload. */
export class DeviceLostError extends DeviceError {}

/** The adapter could not give the memory asked for. */
export class OutOfMemoryError extends DeviceError {}

/** A tensor or a kernel needs more than one of the adapter's limits allows. */
export class LimitError extends DeviceError {}

/** The WebGPU implementation refused what the library asked of it. */
export class ValidationError extends DeviceError {}

/** A pending tensor reads a value that has been overwritten (assigned or disposed of) since it was recorded. */
export class StaleValueError extends DeviceError {}
