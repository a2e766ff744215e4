"""The networks of bench/src/layers in PyTorch, with the names that published checkpoints have. Images are [N, C, H, W]."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def zeroed(layer):
    """A last layer: a block starts as nothing but its direct path."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class PlainResidualBlock(nn.Module):
    """Group norm and SiLU and a 3×3 convolution, twice, and the input added."""

    def __init__(self, channels):
        super().__init__()
        layers = []
        for _ in range(2):
            layers += [nn.GroupNorm(32, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.layers(x)


class ResidualBlock(nn.Module):
    """The same with the time step's features, dropout, resampling by 0.5 or 2, and another number of channels."""

    def __init__(self, inputs, outputs, time_features, dropout, scale=None):
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(32, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.embed_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_features, outputs))
        last = zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.out_layers = nn.Sequential(nn.GroupNorm(32, outputs), nn.SiLU(), nn.Dropout(dropout), last)
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.scale = scale

    def resized(self, x):
        if self.scale is None:
            return x
        return F.interpolate(x, scale_factor=2) if self.scale == 2 else F.avg_pool2d(x, 2)

    def forward(self, x, embedding):
        norm, activation, convolution = self.in_layers
        h = convolution(self.resized(activation(norm(x))))
        h = self.out_layers(h + self.embed_layers(embedding)[:, :, None, None])
        return self.skip_connection(self.resized(x)) + h


class AttentionBlock(nn.Module):
    """Self-attention over all pixels with a residual; q, k, v of the first head come first, then those of the second."""

    def __init__(self, channels, heads):
        super().__init__()
        self.norm = nn.GroupNorm(32, channels)
        self.to_qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))
        self.heads = heads

    def forward(self, x):
        n, channels = x.shape[:2]
        qkv = self.to_qkv(self.norm(x).reshape(n, channels, -1))
        q, k, v = qkv.reshape(n, self.heads, -1, qkv.shape[-1]).transpose(2, 3).chunk(3, dim=-1)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(n, channels, -1)
        return x + self.proj_out(mixed).reshape(x.shape)


class Sinusoids(nn.Module):
    """[sin | cos] of a time step."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.register_buffer("frequencies", torch.exp(-math.log(1e4) * torch.arange(half) / half), persistent=False)

    def forward(self, t):
        angles = t[:, None] * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)


MULTIPLIERS = {256: (1, 1, 2, 2, 4, 4), 64: (1, 2, 3, 4), 32: (1, 2, 3, 4)}


class UNet(nn.Module):
    """The denoiser; the defaults are DDAD-S."""

    def __init__(self, image_size, base=32, heads=2, dropout=0.3, multipliers=None, blocks=2):
        super().__init__()
        levels = [base * multiplier for multiplier in multipliers or MULTIPLIERS[image_size]]
        factors = {image_size // size for size in (32, 16, 8)}
        features = 4 * base
        self.time_embedding = nn.Sequential(
            Sinusoids(base), nn.Linear(base, features), nn.SiLU(), nn.Linear(features, features)
        )

        def residual(inputs, outputs, scale=None):
            return ResidualBlock(inputs, outputs, features, dropout, scale)

        def stage(inputs, outputs, level):
            attention = [AttentionBlock(outputs, heads)] if 2**level in factors else []
            return nn.ModuleList([residual(inputs, outputs), *attention])

        channels = levels[0]
        skips = [channels]
        down = [nn.ModuleList([nn.Conv2d(3, channels, 3, padding=1)])]
        for level, outputs in enumerate(levels):
            for _ in range(blocks):
                down.append(stage(channels, outputs, level))
                channels = outputs
                skips.append(channels)
            if level < len(levels) - 1:
                down.append(nn.ModuleList([residual(channels, channels, 0.5)]))
                skips.append(channels)
        up = []
        middle = [residual(channels, channels), AttentionBlock(channels, heads), residual(channels, channels)]
        for level, outputs in reversed(list(enumerate(levels))):
            for block in range(blocks + 1):
                layers = stage(channels + skips.pop(), outputs, level)
                channels = outputs
                if level > 0 and block == blocks:
                    layers.append(residual(channels, channels, 2))
                up.append(layers)
        self.down, self.middle, self.up = nn.ModuleList(down), nn.ModuleList(middle), nn.ModuleList(up)
        self.out = nn.Sequential(nn.GroupNorm(32, channels), nn.SiLU(), zeroed(nn.Conv2d(channels, 3, 3, padding=1)))

    def forward(self, x, t):
        embedding = self.time_embedding(t)

        def run(layers, h):
            for layer in layers:
                h = layer(h, embedding) if isinstance(layer, ResidualBlock) else layer(h)
            return h

        h, skips = x, []
        for layers in self.down:
            h = run(layers, h)
            skips.append(h)
        h = run(self.middle, h)
        for layers in self.up:
            h = run(layers, torch.cat([h, skips.pop()], dim=1))
        return self.out(h)


class ResNetBlock(nn.Module):
    """Of two 3×3 convolutions, or of a bottleneck of `width` channels."""

    def __init__(self, inputs, outputs, stride, width=None):
        super().__init__()
        if width is None:
            sizes = [(inputs, outputs, 3, stride), (outputs, outputs, 3, 1)]
        else:
            sizes = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        layers = []
        for size in sizes:
            layers += [*normed(*size), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers[:-1])
        direct = stride == 1 and inputs == outputs
        self.direct = nn.Identity() if direct else nn.Sequential(*normed(inputs, outputs, 1, stride))

    def forward(self, x):
        return F.relu(self.layers(x) + self.direct(x))


def normed(inputs, outputs, size, stride):
    """A convolution and its batch norm."""
    convolution = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


RESNETS = {
    "resnet18": {"layers": (2, 2, 2), "expansion": 1, "width": None},
    "wide_resnet101_2": {"layers": (3, 4, 23), "expansion": 4, "width": 128},
}


class ResNet(nn.Module):
    """torchvision's, up to its compared features: for images in [−1, 1] those of its second and third stage."""

    def __init__(self, name):
        super().__init__()
        layers, expansion, width = RESNETS[name].values()
        self.stem = nn.Sequential(*normed(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)
        stages, inputs = [], 64
        for stage, count in enumerate(layers):
            outputs = 64 * 2**stage * expansion
            blocks = []
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(ResNetBlock(inputs, outputs, stride, width and width * 2**stage))
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x):
        first, second, third = self.stages
        layer2 = second(first(self.stem(((x + 1) / 2 - self.mean) / self.deviation)))
        return layer2, third(layer2)
