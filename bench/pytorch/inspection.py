"""DDAD's reconstruction and anomaly map in PyTorch, as @ddad/ddad's strict protocol has them. Images are [N, C, H, W]."""

import math

import torch
from torch.nn import functional as F

START, STRIDE, GUIDANCE = 250, 25, 2
ALPHA_BAR = [float(a) for a in torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)]
SAMPLING_STEPS = START // STRIDE


def reconstruct(denoiser, y):
    """Deterministic steps from the scaled image, each pulled towards the image but never beyond it."""
    x = y * math.sqrt(ALPHA_BAR[START])
    for t in reversed(range(0, START, STRIDE)):
        alpha, previous = ALPHA_BAR[t], ALPHA_BAR[t - STRIDE] if t > 0 else 1.0
        epsilon = denoiser(x, torch.full((len(y),), float(t), device=y.device))
        clean = (x - math.sqrt(1 - alpha) * epsilon) / math.sqrt(alpha)
        clean = torch.lerp(clean, y, min(1, GUIDANCE * (1 - alpha)))
        epsilon = (x - math.sqrt(alpha) * clean) / math.sqrt(1 - alpha)
        x = math.sqrt(previous) * clean + math.sqrt(1 - previous) * epsilon
    return x


def anomaly_map(extractor, a, b):
    """[N, 1, H, W]: the distances of features and of pixels, blurred."""
    size = a.shape[-1]
    total = (a - b).abs().mean(1, keepdim=True)
    for of, other in zip(extractor(a), extractor(b)):
        of, other = (F.avg_pool2d(features, 3, stride=1, padding=1) for features in (of, other))
        distance = 1 - F.cosine_similarity(of, other, dim=1)[:, None]
        total = total + F.interpolate(distance, size=(size, size), mode="bilinear", align_corners=True)
    sigma = size / 64
    reach = math.ceil(4 * sigma)
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=a.device) / sigma) ** 2)
    taps = taps / taps.sum()
    padded = F.pad(total, (reach, reach, reach, reach), mode="reflect")
    return F.conv2d(F.conv2d(padded, taps[None, None, None, :]), taps[None, None, :, None])


def inspect(denoiser, extractor, host_image):
    """The map and the reconstruction of an image on the host, both read back."""
    image = host_image.to(next(denoiser.parameters()).device)
    clean = reconstruct(denoiser, image)
    return anomaly_map(extractor, clean, image).cpu(), clean.cpu()
