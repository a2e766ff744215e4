/** `ddad export --onnx`: the networks of a model as ONNX files, compared with what they do here. */

import { DataError, type Model } from "@ddad/ddad/internal";
import {
  compareOnnx,
  exportOnnx,
  HostRandom,
  imageNetMean,
  imageNetStd,
  type OnnxArray,
  type OnnxArrays,
  type OnnxDifference,
  type OnnxRuntime,
  type OnnxSource,
  onnxRuntimeRunner,
  resNetOnnx,
  setupDevice,
  unetOnnx,
} from "@ddad/nn";
import { notice, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { loadExtractor } from "./detector.ts";
import { loadDenoiser } from "./open.ts";

/** One file written. `parity` is absent where there is no ONNX Runtime to compare with. */
export type OnnxFile = {
  network: "unet" | "extractor";
  path: string;
  bytes: number;
  parity?: OnnxDifference[];
};

export type OnnxReport = {
  /** What ran the files, such as `onnxruntime-web`; null where neither package is installed. */
  runtime: string | null;
  files: OnnxFile[];
};

/** Differences of rounding stay below 1e-5 of the largest value; more than this is a wrong file. */
const mostDifference = 1e-3;

/**
 * Writes the denoiser to `out` and the extractor, where the model has one, beside it as `<out>-extractor.onnx`.
 *
 * @param model as `openModel` gives it
 * @param out file to write, .onnx
 * @returns the files, and how far ONNX Runtime's results differ where it is installed
 * @throws DataError where `out` has another ending, or cannot be written
 * @throws Error where the files do not give what the networks give here
 */
export async function exportOnnxFiles(
  model: Model,
  out: string,
  options: StageOptions = {},
): Promise<OnnxReport> {
  if (!out.endsWith(".onnx")) {
    throw new DataError(`${out} must end in .onnx, which is what is written.`);
  }
  const found = await findRuntime();
  if (!found) {
    notice(
      options,
      `nothing was compared, because neither ${runtimes.join(" nor ")} is installed; npm install one of them`,
    );
  }
  await setupDevice();
  const { config } = model;
  const { imageSize } = config.data;
  const runtime = found?.runtime;
  using denoiser = loadDenoiser(model);
  const files = [
    await writeOne("unet", out, unetOnnx(denoiser, { imageSize }), runtime, {
      model: JSON.stringify({ imageSize, ...config.model }),
      protocol: config.protocol,
      input: "x: noised images, RGB in [-1, 1] before noise; t: time steps",
    }),
  ];
  if (model.extractor) {
    using extractor = (await loadExtractor(config, model.extractor))!;
    const beside = out.replace(/\.onnx$/, "-extractor.onnx");
    files.push(
      await writeOne("extractor", beside, resNetOnnx(extractor, { imageSize }), runtime, {
        architecture: config.features.network,
        input: `x: (RGB in [0, 1] - [${imageNetMean.join(", ")}]) / [${imageNetStd.join(", ")}]`,
      }),
    );
  }
  return { runtime: found?.name ?? null, files };
}

/** One file for people: what it is, and how far its outputs are from this program's. */
export const describeOnnx = ({ network, path, bytes, parity = [] }: OnnxFile): string =>
  [
    `wrote ${path}: ${network}, ${(bytes / 1e6).toFixed(1)} MB`,
    ...parity.map(({ output, shape, absolute, relative }) => {
      const fraction = `${relative.toExponential(1)} of the largest value`;
      return `  ${output} [${shape.join(", ")}] differs by at most ${absolute.toExponential(1)}, ${fraction}`;
    }),
  ].join("\n");

async function writeOne(
  network: OnnxFile["network"],
  path: string,
  source: OnnxSource,
  runtime: OnnxRuntime | undefined,
  metadata: Readonly<Record<string, string>>,
): Promise<OnnxFile> {
  const bytes = await exportOnnx(source, { metadata });
  const parity = runtime && (await compared(source, bytes, runtime));
  const wrong = parity?.find(({ relative }) => !(relative <= mostDifference));
  if (wrong) {
    throw new Error(
      `${path} was not written, as it would not be what the network is: ${wrong.output} differs by ${wrong.relative.toExponential(1)} of its largest value.`,
    );
  }
  writeWhole(path, bytes);
  return { network, path, bytes: bytes.length, ...(parity && { parity }) };
}

async function compared(
  source: OnnxSource,
  bytes: Uint8Array,
  runtime: OnnxRuntime,
): Promise<OnnxDifference[]> {
  const session = await onnxRuntimeRunner(runtime, bytes);
  try {
    return await compareOnnx(source, testInputs(source), session.run);
  } finally {
    await session.release();
  }
}

/** One image of normal numbers, and the time step in the middle. */
function testInputs({ inputs }: OnnxSource): OnnxArrays {
  const arrays = Object.entries(inputs).map(([name, extents]): [string, OnnxArray] => {
    const shape = extents.map((extent) => (extent === "N" ? 1 : extent));
    if (shape.length === 1) return [name, { shape, data: Float32Array.of(500) }];
    const [height, width, channels] = shape.slice(1) as [number, number, number];
    const data = new HostRandom(1).normal(height * width * channels, 1);
    return [name, { shape: [1, channels, height, width], data }];
  });
  return Object.fromEntries(arrays);
}

const runtimes = ["onnxruntime-node", "onnxruntime-web"] as const;

/** What is installed beside this program. It depends on neither: each is larger than all of it. */
async function findRuntime(): Promise<{ name: string; runtime: OnnxRuntime } | undefined> {
  for (const name of runtimes) {
    try {
      const runtime = (await import(name as string)) as OnnxRuntime & {
        readonly env: { readonly wasm?: { numThreads?: number } };
      };
      if (name === "onnxruntime-web") runtime.env.wasm!.numThreads = 1; // workers would keep Node from ending
      return { name, runtime };
    } catch (error) {
      // The second code is that of onnxruntime-node without its binary, which an install script downloads.
      const { code } = error as { code?: string };
      if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  return undefined;
}
