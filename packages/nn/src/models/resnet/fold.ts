/** Folding: convolution and batch norm in evaluation mode are one convolution. */
import { evaluate, UsageError } from "@ddad/tensor";
import { checkKind } from "../../arguments.ts";
import type { BatchNorm2d } from "../../layers/batchNorm2d.ts";
import { ResNet } from "./resnet.ts";

/**
 * A frozen copy of a network that computes what the network does in evaluation mode, without batch norms: with
 * norm(y) = y · scale + shift for the running statistics of this moment, norm(conv(x, W)) = conv(x, W · scale) + shift.
 * In a pre-activation network the norms that follow a sum (`bn1` of blocks) and zero padding's border (`bn_data`) cannot
 * move into a convolution; they become one scale and shift a channel.
 *
 * @param net left as it is; training it later does not change the copy
 * @returns an evaluated network with buffers of its own; `dispose()` frees them
 * @throws UsageError where `net` is folded already, or no ResNet
 */
export async function foldBatchNorm(net: ResNet): Promise<ResNet> {
  checkKind("foldBatchNorm", "the network", net, net instanceof ResNet, "a ResNet");
  if (net.options.foldedBatchNorm)
    throw new UsageError("foldBatchNorm: this network is folded already; use it as it is.");
  const folded = new ResNet({ ...net.options, foldedBatchNorm: true, init: "zeros" }).eval().freeze();
  const from = net.parts;
  const to = folded.parts;
  for (const [k, { convolution, norm }] of from.normed.entries()) {
    const target = to.normed[k]!.convolution;
    const { scale, shift } = norm!.affine();
    target.weight.assign(convolution.weight.mul(scale));
    target.bias!.assign(shift);
  }
  for (const [k, { weight }] of from.convolutions.entries()) to.convolutions[k]!.weight.assign(weight);
  for (const [k, norm] of from.norms.entries()) {
    const { scale, shift } = (norm as BatchNorm2d).affine();
    to.norms[k]!.weight.assign(scale);
    to.norms[k]!.bias.assign(shift);
  }
  if (net.fc) {
    folded.fc!.weight.assign(net.fc.weight);
    folded.fc!.bias!.assign(net.fc.bias!);
  }
  await evaluate(...folded.namedState().values());
  return folded;
}
