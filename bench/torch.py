#!/usr/bin/env python3
"""The layers and the large kernels of `npm run bench` in PyTorch, eager: `python3 bench/torch.py --json torch.json`.

The file has the form of `npm run bench -- --json`, so that `node bench/dist/compare.js ours.json torch.json` prints ratios.
PyTorch may use TF32 for f32 and cuDNN's own choice of algorithms; "mixed" is autocast, with a gradient scaler for float16 and
with f16 weights where nothing is trained.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

# This file has the library's name: its folder must not be searched.
folder = Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != folder]
sys.path.insert(0, str(folder / "pytorch"))
sys.dont_write_bytecode = True

import torch  # noqa: E402
from cases import Settings, all_families  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

WARM_UP_SECONDS, SAMPLE_MS, LONG_MS = 1.0, 50, 500


def clock(device, run, repeats):
    """Milliseconds of one run, from the first call until the device is done with the last."""
    if device != "cuda":
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        return 1000 * (time.perf_counter() - start) / repeats
    torch.cuda.synchronize()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / repeats


def measure(case, settings):
    """Minimum and median, after a warm-up in which algorithms are chosen and a gradient scaler finds its scale."""
    result = case.run()
    if tuple(result.shape) != case.shape or not bool(torch.isfinite(result).all()):
        raise SystemExit(f"{case.name}: gives {tuple(result.shape)} and not finite numbers of shape {case.shape}.")
    with FlopCounterMode(display=False) as counter:
        case.run()
    started, warm = time.perf_counter(), []
    while len(warm) < 2 or time.perf_counter() - started < WARM_UP_SECONDS:
        warm.append(clock(settings.device, case.run, 1))
    fastest = min(warm)
    repeats = max(1, round(SAMPLE_MS / fastest)) if case.repeats else 1
    fewest, seconds = (3, 0.2) if settings.quick or fastest > LONG_MS else (7, 0.8)
    started, samples = time.perf_counter(), []
    while len(samples) < fewest or time.perf_counter() - started < seconds:
        samples.append(clock(settings.device, case.run, repeats))
    return min(samples), statistics.median(samples), counter.get_total_flops()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", help="write the results there")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--filter", default="", help="only cases whose name contains this text")
    parser.add_argument("--quick", action="store_true", help="fewer samples, and none of the largest sizes")
    parser.add_argument("--half", default="float16", choices=["float16", "bfloat16"], help='the type of "mixed"')
    parser.add_argument("--channels-last", action="store_true", help="memory format of images and weights")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch.py: PyTorch finds no CUDA device; --device cpu measures the small sizes on the processor.")
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    settings = Settings(
        options.device, getattr(torch, options.half), layout, small=options.device == "cpu", quick=options.quick
    )
    name = torch.cuda.get_device_name() if options.device == "cuda" else f"{torch.get_num_threads()} threads of a CPU"
    order = "channels last" if options.channels_last else "channels first"
    adapter = f"{name}, PyTorch {torch.__version__} eager, TF32 allowed, mixed {options.half}, {order}"
    print(f"adapter: {adapter}\n\n{'':84} {'ms':>9} {'median':>9} {'GFLOP/s':>9}")
    results = []
    wanted = options.filter.lower()
    for names, make in all_families(settings):
        if not any(wanted in name.lower() for name in names):
            continue
        cases = make()
        if [case.name for case in cases] != names:
            raise SystemExit(f"torch.py: the cases are {[case.name for case in cases]}, but should be {names}.")
        for case in cases:
            if wanted not in case.name.lower():
                continue
            ms, median, flops = measure(case, settings)
            gflops = flops / ms / 1e6
            print(f"{case.name:84} {ms:9.4g} {median:9.4g} {gflops:9.4g}", flush=True)
            result = {"name": case.name, "ms": ms, "gflops": gflops, "gbps": 0, "medianMs": median, "percent": 0}
            size = {} if case.parameters is None else {"parameters": case.parameters}
            results.append({**result, "note": "PyTorch", **size})
    if not results:
        sys.exit(f"torch.py: --filter {options.filter}: no case has this text in its name.")
    if options.json:
        content = {"adapter": adapter, "ceilings": None, "cases": results, "engine": []}
        Path(options.json).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
