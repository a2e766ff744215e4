/** The engine in a browser: one check for each of its parts, on numbers worked out by hand or on the host. */
import { calibrate, createDenoiser, decodeBlob, evaluateControls, inspect, resolveConfig } from "@ddad/ddad";
import {
  AdamW,
  arange,
  compile,
  conv2d,
  deviceDescriptor,
  evaluate,
  grad,
  listAdapters,
  memory,
  mseLoss,
  randomKeys,
  randomNormal,
  setupDevice,
  type Tensor,
  tensor,
  tune,
  UNet,
  variable,
} from "@ddad/nn";
import { heldBytes } from "@ddad/nn/internal";
import { assert, check, finish } from "./harness.ts";

function assertClose(got: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assert(got.length === expected.length, `${expected.length} numbers expected, got ${got.length}`);
  for (let i = 0; i < expected.length; i++) {
    const close = Math.abs(got[i]! - expected[i]!) <= tolerance;
    assert(close, `element ${i}: expected ${expected[i]}, got ${got[i]}`);
  }
}

await check("the browser gives a device", async () => {
  const { name, capabilities } = await setupDevice();
  assert(capabilities.maxInvocations >= 128, `${name} allows ${capabilities.maxInvocations} invocations`);
});

await check("sums of more elements than a workgroup has threads", async () => {
  assertClose(await arange(5000).sum().data(), [12497500], 1);
  assertClose(await arange(6).reshape([2, 3]).sum(1).data(), [3, 12], 0);
});

await check("gradients are those worked out by hand, and so are their gradients", async () => {
  const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
  const weight = tensor([0.5, -1, 2]);
  const loss = x
    .mul(weight)
    .sum(1)
    .sub(tensor([1, 2]))
    .square()
    .mean();
  const [gradient] = grad(loss, [weight]);
  const [second] = grad(gradient!.square().sum(), [weight]);
  await evaluate(loss, gradient!, second!);
  assertClose(await loss.data(), [30.625], 1e-4);
  assertClose(await gradient!.data(), [31.5, 42, 52.5], 1e-4);
  assertClose(await second!.data(), [5754, 7602, 9450], 0.1);
});

await check("a convolution is the sum over its window, and its gradient the window itself", async () => {
  const [height, width, inputs, outputs] = [5, 6, 3, 4];
  const key = randomKeys(1, [{ stream: 0, step: 0 }]);
  const x = randomNormal(key, [1, height, width, inputs]);
  const weight = randomNormal(key, [1, 9 * inputs * outputs]).reshape([3, 3, inputs, outputs]);
  const y = conv2d(x, weight, { padding: 1 });
  const [gradient] = grad(y.sum(), [weight]);
  await evaluate(x, weight, y, gradient!);
  const [pixels, weights] = [await x.data(), await weight.data()];
  const expected = new Float32Array(height * width * outputs);
  const expectedGradient = new Float32Array(weights.length);
  for (let at = 0; at < expected.length * 9 * inputs; at++) {
    const digit = (place: number, extent: number): number => Math.floor(at / place) % extent;
    const [output, input] = [digit(1, outputs), digit(outputs, inputs)];
    const tap = digit(outputs * inputs, 9);
    const [column, row] = [digit(outputs * inputs * 9, width), digit(outputs * inputs * 9 * width, height)];
    const [i, j] = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1];
    if (i < 0 || j < 0 || i >= height || j >= width) continue;
    const pixel = pixels[(i * width + j) * inputs + input]!;
    const index = (tap * inputs + input) * outputs + output;
    expected[(row * width + column) * outputs + output]! += pixel * weights[index]!;
    expectedGradient[index]! += pixel;
  }
  assertClose(await y.data(), expected, 1e-4);
  assertClose(await gradient!.data(), expectedGradient, 1e-4);
});

await check("a compiled function runs once and updates its variable at every call", async () => {
  const total = variable(tensor(0));
  let recordings = 0;
  const step = compile((x: Tensor) => {
    recordings++;
    total.assign(total.add(x.sum()));
    return total.mul(10);
  });
  for (const values of [
    [1, 2],
    [3, 4],
    [5, 6],
  ])
    await step(tensor(values));
  assertClose(await total.data(), [21], 0);
  assert(recordings === 1, `recorded ${recordings} times`);
});

await check("a small UNet learns the noise of an image", async () => {
  const small = { baseChannels: 32, channelMultipliers: [1], blocksPerLevel: 1, attentionSizes: [] };
  const network = new UNet({ imageSize: 8, ...small, seed: 1 });
  const optimizer = new AdamW(network, { learningRate: 2e-3 });
  const noise = randomNormal(randomKeys(2, [{ stream: 0, step: 0 }]), [1, 8, 8, 3]);
  const step = compile((x: Tensor, t: Tensor, control: Tensor) => {
    const loss = mseLoss(network.forward(x, t), noise);
    optimizer.step(grad(loss, optimizer.parameters), { control });
    return loss;
  });
  await evaluate(noise);
  const losses: number[] = [];
  for (let index = 0; index < 8; index++) {
    const loss = await step(noise.mul(0.6).add(0.2), tensor([200]), optimizer.control());
    losses.push(await loss.item());
  }
  const shown = losses.map((loss) => loss.toFixed(3)).join(", ");
  assert(losses.at(-1)! < 0.8 * losses[0]!, `losses: ${shown}`);
  const before = memory().liveBytes;
  const held = heldBytes(optimizer.variables);
  network.dispose();
  optimizer.dispose();
  const freed = before - memory().liveBytes;
  assert(freed >= held, `${freed} bytes freed of the ${held} that network and optimiser held`);
});

await check("an image is decoded by the platform", async () => {
  const canvas = new OffscreenCanvas(2, 1);
  const context = canvas.getContext("2d");
  assert(context !== null, "the canvas has no 2d context");
  context.fillStyle = "#0a141e";
  context.fillRect(0, 0, 2, 1);
  const { width, height, data } = await decodeBlob(await canvas.convertToBlob());
  assert(`${width} ${height} ${data}` === "2 1 10,20,30,10,20,30", `got ${width} × ${height}: ${data}`);
});

await check("an image is turned by its EXIF orientation unless it is to stay as it is stored", async () => {
  const canvas = new OffscreenCanvas(2, 1);
  const context = canvas.getContext("2d");
  assert(context !== null, "the canvas has no 2d context");
  context.fillStyle = "#0a141e";
  context.fillRect(0, 0, 1, 1);
  context.fillStyle = "#28323c";
  context.fillRect(1, 0, 1, 1);
  const png = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
  // A chunk eXIf with one entry, orientation 8: to be turned by 90° counter-clockwise.
  const exif = [
    ...[0, 0, 0, 26, 0x65, 0x58, 0x49, 0x66, 0x4d, 0x4d, 0, 0x2a, 0, 0, 0, 8, 0, 1],
    ...[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ];
  const header = 33;
  const file = new Blob([png.subarray(0, header), Uint8Array.from(exif), png.subarray(header)]);
  const shown = await decodeBlob(file);
  assert(
    `${shown.width} ${shown.height} ${shown.data}` === "1 2 40,50,60,10,20,30",
    `got ${shown.width} × ${shown.height}: ${shown.data}`,
  );
  const stored = await decodeBlob(file, "a.png", { orientation: "stored" });
  assert(
    `${stored.width} ${stored.height} ${stored.data}` === "2 1 10,20,30,40,50,60",
    `got ${stored.width} × ${stored.height}: ${stored.data}`,
  );
});

await check("an image is reconstructed, compared and scored", async () => {
  const config = resolveConfig({
    data: { root: "parts", imageSize: 8 },
    model: { baseChannels: 32, heads: 1, channelMultipliers: [1], blocksPerLevel: 1 },
    sampling: { start: 100, stride: 50 },
    detection: { blurSigma: 0.5 },
  });
  using denoiser = createDenoiser(config);
  const images = { count: 3, size: 8, data: Uint8Array.from({ length: 3 * 192 }, (_, i) => (i * 37) % 256) };
  const named = { images, ids: ["a", "b", "c"] };
  const detector = { config, denoiser: denoiser.eval() };
  const calibration = await calibrate(detector, named);
  const scores: number[] = [];
  for await (const { score, map } of inspect({ ...detector, calibration }, named)) {
    assert(map.length === 64 && Math.max(...map) === score, "the score is not the largest value of the map");
    scores.push(score);
  }
  assertClose([...scores].sort(), calibration.scores, 0);
});

await check("scores without a network are measured beside a model", async () => {
  const size = 32;
  const pixels = size * size;
  const config = resolveConfig({
    ...{ data: { root: "parts", imageSize: size }, detection: { blurSigma: 0.5 } },
    model: { baseChannels: 32, heads: 1, channelMultipliers: [1] },
  });
  // Two gray images, and two with a light pixel, which only the others lack.
  const data = new Uint8Array(4 * pixels * 3).fill(100);
  for (const image of [2, 3]) data.fill(200, 3 * (image * pixels + 200), 3 * (image * pixels + 201));
  const samples = [0, 1, 2, 3].map((i) => {
    const label = i < 2 ? (0 as const) : (1 as const);
    return { id: `${i}.png`, label, kind: label === 0 ? "good" : "spot" };
  });
  const masks = samples.map(({ label }) => new Uint8Array(pixels).fill(label, 200, 201));
  const test = { dataset: "parts", category: "tile", samples, images: { count: 4, size, data }, masks };
  const good = { count: 2, size, data: data.subarray(0, 2 * pixels * 3) };
  const controls = await evaluateControls(config, test, { good, bootstrap: { resamples: 10 } });
  const names = controls.map(({ name }) => name).join(", ");
  assert(names === "brightness, blur residual, mean image, nearest good image", `got ${names}`);
  for (const { name, image, pixel } of controls) {
    const values = [image.auroc, image.ap, ...(pixel ? [pixel.auroc, pixel.ap, pixel.aupro30] : [])];
    assert(values.length === (name === "brightness" ? 2 : 5), `${name} has ${values.length} metrics`);
    assertClose(values, new Float32Array(values.length).fill(1), 0);
  }
});

await check("choices of variants outlive the device", async () => {
  const x = arange(64 * 48).reshape([64, 48]);
  await evaluate(x);
  const { rows, unsaved } = await tune(() => x.matmul(x, { transposeA: true }).data());
  assert(unsaved === undefined, `the choices are not kept: ${unsaved}`);
  assert(rows.length > 0 && rows.every(({ chosen }) => chosen !== undefined), "nothing was chosen");
  const failed = rows.flatMap(({ rejected }) => rejected.map(({ variant, why }) => `${variant}: ${why}`));
  assert(failed.length === 0, failed.join("; "));
  const first = await setupDevice();
  const known = first.tuning.choices.size;
  first.destroy();
  const { tuning } = await setupDevice();
  assert(tuning.choices.size === known, `${tuning.choices.size} of ${known} choices are known again`);
});

await check("a device of the page's own is used, and left alive", async () => {
  (await setupDevice()).destroy();
  const [first] = await listAdapters();
  const adapter = await navigator.gpu.requestAdapter();
  assert(first !== undefined && adapter !== null, "the browser lists no adapter");
  const own = await adapter!.requestDevice(deviceDescriptor(adapter!));
  const device = await setupDevice({ device: own });
  assert(device.gpu === own, "another device was set up");
  assert(device.name === first!.name, `the adapter is ${first!.name}, but the device says ${device.name}`);
  assertClose(await arange(5).add(1).data(), [1, 2, 3, 4, 5], 0);
  device.destroy();
  const later = own.createBuffer({ size: 4, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  await later.mapAsync(GPUMapMode.READ); // rejects where the device is gone
  own.destroy();
});

finish();
