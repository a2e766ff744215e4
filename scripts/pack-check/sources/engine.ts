// What a user of the engine writes. Every wrong line is marked: a declaration that became `any` would accept it.
import * as kernels from "@ddad/kernels-wgsl";
import * as nn from "@ddad/nn";
import { type Device, setupDevice, type Tensor, tensor } from "@ddad/tensor";
import { nodeOf } from "@ddad/tensor/internal";

const device: Device = await setupDevice();
const gpu: GPUDevice = device.gpu;
const x: Tensor = tensor([1, 2, 3]).mul(2).add(1);
const sum: number = await x.sum().item();
const values: Float32Array = await nn.tensor([1, 2]).data();

// @ts-expect-error a tensor is no string
const text: string = x.mul(2);
// @ts-expect-error operations take tensors and numbers
x.add("1");
// @ts-expect-error there is no such method
x.multiply(2);
// @ts-expect-error a device is no string
const name: string = device.gpu;
// @ts-expect-error a number is no string
const item: string = await x.sum().item();

// What the sibling packages need is not shown to users.
const recorded: boolean = nodeOf(x) !== undefined;
// @ts-expect-error an internal member
x.source;
// @ts-expect-error an internal member
device.pipelines;
// @ts-expect-error an internal name
nn.flattenParameters;

export { gpu, item, kernels, name, recorded, sum, text, values };
