/** The networks of a model as files for PyTorch. */
import { DataError, type Model, unetOptions } from "@ddad/ddad/internal";
import { CheckpointError, type StateDict, writeSafetensors } from "@ddad/nn";
import { matchLayout, unetLayout, withPrefix } from "@ddad/nn/internal";
import { writeWhole } from "../files.ts";

/** One file written. */
export type ExportedFile = { network: "unet" | "extractor"; path: string; tensors: number };

/** Options of `exportSafetensors`. */
export interface ExportOptions {
  /** Starts every name with `module.`, as DataParallel wants it. Default false. */
  readonly modulePrefix?: boolean | undefined;
}

type Networks = { readonly unet: StateDict; readonly extractor: StateDict | undefined };

/** The weights of a model by network, under PyTorch's own names. */
function networksOf({ config, weights, extractor }: Model, out: string): Networks {
  const { missing, reshaped, unknown } = matchLayout(weights, unetLayout(unetOptions(config)));
  const wrong = [...missing, ...reshaped, ...unknown];
  if (wrong.length > 0) {
    throw new CheckpointError(
      `The model to write as ${out} holds other tensors than its configuration says, such as ${wrong[0]}.`,
    );
  }
  return { unet: weights, extractor };
}

/**
 * Writes what `load_state_dict(safetensors.torch.load_file(path))` takes in PyTorch: the UNet to `out`, the extractor, where
 * the model has one, beside it as `<out>-extractor.safetensors`.
 *
 * @param model as `openModel` gives it
 * @param out file to write, .safetensors
 * @returns the files that were written
 * @throws DataError where `out` has another ending, or cannot be written
 */
export function exportSafetensors(
  model: Model,
  out: string,
  { modulePrefix = false }: ExportOptions = {},
): ExportedFile[] {
  const { config } = model;
  const networks = networksOf(model, out);
  if (!out.endsWith(".safetensors")) {
    throw new DataError(
      out.endsWith(".onnx")
        ? `${out} ends in .onnx: add --onnx to write ONNX, or name a file that ends in .safetensors.`
        : `${out} must end in .safetensors, which is what is written.`,
    );
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
