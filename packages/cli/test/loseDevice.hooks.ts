/** Loaded before the command in a process of its own: the device is lost in the step after the file LOSE_AFTER is there. */
import { existsSync } from "node:fs";
import { setupDevice } from "@ddad/nn";

const { gpu } = await setupDevice();
const submit = gpu.queue.submit.bind(gpu.queue);
gpu.queue.submit = (buffers) => {
  submit(buffers);
  if (existsSync(process.env["LOSE_AFTER"]!)) gpu.destroy();
};
