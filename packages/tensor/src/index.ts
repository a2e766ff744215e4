export { type AdapterOptions, adapterName, environment } from "./device/adapter.ts";
export { currentDevice, Device, setupDevice } from "./device/device.ts";
export * from "./errors.ts";
