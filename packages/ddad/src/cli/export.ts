/** `ddad export`: the networks of a model as files for other programs. */
import { CheckpointError, type StateDict, writeSafetensors } from "@ddad/nn";
import { matchLayout, unetLayout, withPrefix } from "@ddad/nn/internal";
import { unetOptions } from "../denoiser.ts";
import { DataError } from "../errors.ts";
import { writeWhole } from "../files.ts";
import type { Model } from "../modelFile.ts";
import { type ModelOptions, openModel } from "./model.ts";
import { printResult } from "./terminal.ts";

export type ExportOptions = ModelOptions & {
  readonly out: string;
  readonly modulePrefix?: boolean;
  readonly onnx?: boolean;
  readonly json?: boolean;
};

/** One file written. */
export type ExportedFile = { network: "unet" | "extractor"; path: string; tensors: number };

export async function runExport(options: ExportOptions): Promise<void> {
  const { path, model } = await openModel(options);
  if (model.config.method === "patchcore") {
    throw new DataError(
      `${path} is PatchCore's, a bank of patches without a network of its own; its file is safetensors as it is.`,
    );
  }
  const networks = networksOf(model, path);
  if (options.onnx) {
    if (options.modulePrefix)
      throw new DataError("--module-prefix is for PyTorch; leave it out with --onnx.");
    const { describeOnnx, exportOnnxFiles } = await import("./exportOnnx.ts");
    const report = await exportOnnxFiles(model, options.out);
    const text = report.files.map(describeOnnx).join("\n");
    printResult(options.json, { checkpoint: path, ...report }, text);
    return;
  }
  const files = exportSafetensors(model, networks, options);
  printResult(
    options.json,
    { checkpoint: path, files },
    files.map((file) => `wrote ${file.path}: ${file.network}, ${file.tensors} tensors`).join("\n"),
  );
}

type Networks = { readonly unet: StateDict; readonly extractor: StateDict | undefined };

/** The weights of a model by network, under PyTorch's own names. */
function networksOf({ config, weights, extractor }: Model, path: string): Networks {
  const { missing, reshaped, unknown } = matchLayout(weights, unetLayout(unetOptions(config)));
  const wrong = [...missing, ...reshaped, ...unknown];
  if (wrong.length > 0) {
    throw new CheckpointError(
      `${path} holds other tensors than its configuration says, such as ${wrong[0]}.`,
    );
  }
  return { unet: weights, extractor };
}

/**
 * Writes what `load_state_dict(safetensors.torch.load_file(path))` takes in PyTorch: the UNet to `out`, the extractor, where
 * the model has one, beside it as `<out>-extractor.safetensors`.
 */
function exportSafetensors({ config }: Model, networks: Networks, options: ExportOptions): ExportedFile[] {
  const { out, modulePrefix } = options;
  if (!out.endsWith(".safetensors")) {
    throw new DataError(`--out ${out} must end in .safetensors, which is what is written.`);
  }
  const beside = out.replace(/\.safetensors$/, "-extractor.safetensors");
  const unet = { imageSize: config.data.imageSize, ...config.model };
  const planned = [
    { network: "unet" as const, path: out, weights: networks.unet, about: { model: JSON.stringify(unet) } },
    ...(networks.extractor
      ? [
          {
            network: "extractor" as const,
            path: beside,
            weights: networks.extractor,
            about: { architecture: config.features.network },
          },
        ]
      : []),
  ];
  return planned.map(({ network, path, weights, about }) => {
    // PyTorch's own tools look for this format in the header.
    const dict = modulePrefix ? withPrefix(weights, "module.") : weights;
    writeWhole(path, writeSafetensors(dict, { format: "pt", ...about }));
    return { network, path, tensors: weights.size };
  });
}
