/** Error classes for failures of calls and of the device. */

/** An invalid call: the message names the rule and the cure. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A bug in the library itself: please report it. */
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
