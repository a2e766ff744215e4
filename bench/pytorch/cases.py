"""What is measured, under the names of `npm run bench`. Every case says what it must give, and a network how large it is."""

import contextlib
import copy
from dataclasses import dataclass
from typing import Callable, Optional

import torch
from inspection import ALPHA_BAR, SAMPLING_STEPS, inspect, reconstruct
from networks import AttentionBlock, PlainResidualBlock, ResNet, UNet
from torch.nn import functional as F


@dataclass
class Case:
    name: str
    # One run of the work; gives a tensor of `shape`.
    run: Callable[[], torch.Tensor]
    shape: tuple
    parameters: Optional[int] = None
    # Kernels are repeated in a sample; layers are called once, on an idle device.
    repeats: bool = False


@dataclass
class Settings:
    device: str
    half: torch.dtype
    layout: torch.memory_format
    # A CPU: sizes that can be waited for, as on the software adapters of `npm run bench`.
    small: bool
    quick: bool


def count(network, expected):
    """The network's parameters. Another network than the one that `npm run bench` measures must not be timed."""
    found = sum(parameter.numel() for parameter in network.parameters())
    if found != expected:
        raise SystemExit(f"{type(network).__name__} has {found} parameters, but that of npm run bench {expected}.")
    return found


def placed(value, settings):
    """On the device, in the memory format that was asked for."""
    value = value.to(settings.device)
    four = isinstance(value, torch.nn.Module) or value.dim() == 4
    return value.to(memory_format=settings.layout) if four else value


def all_families(settings):
    """For each family the names of its cases, and a function that makes them."""
    yield from block_families(settings)
    for size in [64] if settings.quick else [64, 256]:
        for mixed in (False, True):
            yield denoiser_family(settings, size, mixed)
    yield from inspection_families(settings, 64, "resnet18", 2782784)
    if not (settings.quick or settings.small):
        yield from inspection_families(settings, 256, "wide_resnet101_2", 82865984)
    yield from kernel_families(settings)


def block_families(settings):
    def block(name, network, parameters, shape):
        network = placed(network, settings)
        x = placed(torch.randn(shape), settings).requires_grad_()
        found = count(network, parameters)

        def forward():
            with torch.no_grad():
                return network(x)

        def both():
            x.grad = None
            network.zero_grad(set_to_none=True)
            loss = network(x).square().mean()
            loss.backward()
            return loss.detach()

        return [Case(f"{name} forward", forward, shape, found), Case(f"{name} forward + backward", both, (), found)]

    def residual():
        return block("residual block", PlainResidualBlock(64), 74112, (2, 64, 32, 32))

    def attention():
        return block("attention block", AttentionBlock(128, 4), 66304, (2, 128, 16, 16))

    def small_unet():
        unet = UNet(32, dropout=0, multipliers=(1, 2, 2), blocks=1)
        network, found = placed(unet, settings), count(unet, 1326947)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=settings.device == "cuda")
        images, noise = (placed(torch.randn(2, 3, 32, 32), settings) for _ in range(2))
        times = placed(torch.arange(2.0), settings)

        def forward():
            with torch.no_grad():
                return network(images, times)

        def step():
            loss = F.mse_loss(network(images, times), noise)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return [
            Case("small UNet forward", forward, (2, 3, 32, 32), found),
            Case("small UNet training step", step, (), found),
        ]

    for name, make in (("residual block", residual), ("attention block", attention)):
        yield [f"{name} forward", f"{name} forward + backward"], make
    yield ["small UNet forward", "small UNet training step"], small_unet


def denoiser_family(settings, size, mixed):
    batch = {64: 2, 256: 1}[size] if settings.small else 16
    how = ", mixed" if mixed else ""
    names = [
        f"DDAD-S {size}²: forward pass, batch 1{how}",
        f"DDAD-S {size}²: training step, batch {batch}{how}",
    ]

    def make():
        unet = UNet(size)
        network, found = placed(unet, settings), count(unet, {64: 6077539, 256: 8257731}[size])
        # The paper's training: Adam with coupled weight decay, the loss a sum over pixels.
        optimizer = torch.optim.Adam(
            network.parameters(), lr=3e-4, weight_decay=0.05, fused=settings.device == "cuda"
        )
        scaler = torch.amp.GradScaler(settings.device, enabled=mixed and settings.half == torch.float16)
        single, images = (placed(torch.randn(n, 3, size, size), settings) for n in (1, batch))
        time = placed(torch.tensor([225.0]), settings)
        steps = [k * 37 % 1000 for k in range(batch)]
        times = placed(torch.tensor([float(t) for t in steps]), settings)
        alpha = placed(torch.tensor([ALPHA_BAR[t] for t in steps])[:, None, None, None], settings)

        def precision():
            return torch.autocast(settings.device, settings.half) if mixed else contextlib.nullcontext()

        # A network that is not trained keeps f16 weights, to avoid a cast in every call.
        sampling = copy.deepcopy(network).eval()
        if mixed:
            for module in sampling.modules():
                if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
                    module.to(settings.half)
        network.train()

        def forward():
            with torch.no_grad(), precision():
                return sampling(single, time)

        def step():
            noise = torch.randn_like(images)
            noised = alpha.sqrt() * images + (1 - alpha).sqrt() * noise
            with precision():
                predicted = network(noised, times)
            loss = (noise - predicted.float()).square().sum() / batch
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            return loss.detach()

        return [Case(names[0], forward, (1, 3, size, size), found), Case(names[1], step, (), found)]

    return names, make


def inspection_families(settings, size, network, parameters):
    def eval_unet():
        unet = UNet(size).eval()
        return placed(unet, settings), count(unet, {64: 6077539, 256: 8257731}[size])

    host_image = torch.randn(1, 3, size, size)
    whole = f"DDAD-S {size}²: reconstruction of one image, {SAMPLING_STEPS} sampling steps"
    features = f"{network} {size}²: features of one image"
    inspection = f"DDAD-S {size}² with {network}: inspection of one image"

    def without_gradients(work):
        def run():
            with torch.no_grad():
                return work()

        return run

    def make_reconstruction():
        denoiser, found = eval_unet()
        image = placed(host_image, settings)
        return [Case(whole, without_gradients(lambda: reconstruct(denoiser, image)), (1, 3, size, size), found)]

    def make_inspection():
        denoiser, _ = eval_unet()
        extractor = placed(ResNet(network).eval(), settings)
        image, found = placed(host_image, settings), count(extractor, parameters)
        last = 256 if network == "resnet18" else 1024
        return [
            Case(features, without_gradients(lambda: extractor(image)[1]), (1, last, size // 16, size // 16), found),
            Case(
                inspection,
                without_gradients(lambda: inspect(denoiser, extractor, host_image)[0]),
                (1, 1, size, size),
                found,
            ),
        ]

    yield [whole], make_reconstruction
    yield [features, inspection], make_inspection


def kernel_families(settings):
    def convolution(name, n, size, inputs, outputs, half=False):
        """Shapes as `npm run bench` writes them: [N, H, W, C]."""
        names = [f"{kernel} {name}" for kernel in ("conv2d", "conv2dInputGradient", "conv2dWeightGradient")]

        def make():
            dtype = settings.half if half else torch.float32
            x, gradient = (placed(torch.randn(n, c, size, size, dtype=dtype), settings) for c in (inputs, outputs))
            weight = placed(torch.randn(outputs, inputs, 3, 3, dtype=dtype), settings)
            bias = placed(torch.randn(outputs, dtype=dtype), settings)

            def backward(mask, index):
                arguments = (None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask)
                return lambda: torch.ops.aten.convolution_backward(gradient, x, weight, *arguments)[index]

            runs = [
                lambda: F.conv2d(x, weight, bias, padding=1),
                backward([True, False, False], 0),
                backward([False, True, False], 1),
            ]
            shapes = [gradient.shape, x.shape, weight.shape]
            return [Case(*case, repeats=True) for case in zip(names, runs, map(tuple, shapes))]

        return names, make

    def group_norm(n, size, channels):
        name = f"groupNorm [{n}, {size}, {size}, {channels}], 32 groups, SiLU"

        def make():
            x = placed(torch.randn(n, channels, size, size), settings)
            weight, bias = (placed(torch.randn(channels), settings) for _ in range(2))
            run = lambda: F.silu(F.group_norm(x, 32, weight, bias))
            return [Case(name, run, tuple(x.shape), repeats=True)]

        return [name], make

    def attention(n, tokens, heads, depth):
        name = f"attention [{n}, {tokens}, {heads}, {depth}]"

        def make():
            q, k, v = (torch.randn(n, tokens, heads, depth, device=settings.device).transpose(1, 2) for _ in range(3))
            return [Case(name, lambda: F.scaled_dot_product_attention(q, k, v), tuple(q.shape), repeats=True)]

        return [name], make

    yield convolution("residual block", 2, 32, 64, 64)
    if not settings.quick:
        yield convolution("[1, 256, 256, 64] to 64 channels", 1, 256, 64, 64)
        yield convolution("[4, 64, 64, 128] to 128 channels", 4, 64, 128, 128)
        yield convolution("[16, 16, 16, 256] to 256 channels", 16, 16, 256, 256)
        yield convolution("[4, 64, 64, 128] to 128 channels, f16", 4, 64, 128, 128, half=True)
    yield group_norm(2, 32, 64)
    yield attention(2, 256, 4, 32)
    if not settings.quick:
        yield group_norm(4, 128, 64)
        yield attention(1, 1024, 4, 64)
        yield attention(4, 256, 4, 128)
