"""Deepwave on the GPU, on the problem of survey_2d in main.go: a line of JSON for each order.

Needs PyTorch with CUDA and Deepwave. Both codes' points count the absorbing layers.
"""

import json
import sys
import time

try:
    import deepwave
    import torch
except ImportError as e:
    sys.exit(f"skipped: {e}")
if not torch.cuda.is_available():
    sys.exit("skipped: PyTorch sees no GPU")

NZ, NX, SHOTS, NT, SPACING, DT, LAYER = 200, 500, 64, 1000, 10.0, 0.001, 20
device = torch.device("cuda")
depth = torch.arange(NZ, dtype=torch.float32)[:, None] / NZ
cell = torch.arange(NZ * NX, dtype=torch.float32).reshape(NZ, NX)
velocity = (1600 + 1700 * depth + 100 * torch.sin(cell / 50)).to(device)
sources = torch.tensor([[[2, int(NX * (i + 0.5) / SHOTS)]] for i in range(SHOTS)], device=device)
receivers = torch.tensor([[[1, i] for i in range(NX)]], device=device).expand(SHOTS, -1, -1).contiguous()
wavelet = deepwave.wavelets.ricker(10.0, NT, DT, 0.1).expand(SHOTS, 1, -1).contiguous().to(device)


def propagate(v, order, interval):
    return deepwave.scalar(
        v, SPACING, DT, source_amplitudes=wavelet, source_locations=sources, receiver_locations=receivers, accuracy=order,
        pml_width=LAYER, max_vel=4000.0, model_gradient_sampling_interval=interval,
    )[-1]


def gradient(order, interval):
    v = velocity.clone().requires_grad_()
    d = propagate(v, order, interval)
    d.backward(d.detach())


def median(f):
    times = []
    for i in range(4):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        f()
        torch.cuda.synchronize()
        if i:
            times.append(time.perf_counter() - begun)
    return sorted(times)[1]


points = (NZ + 2 * LAYER) * (NX + 2 * LAYER) * NT * SHOTS
for order in (4, 8):
    with torch.no_grad():
        forward = median(lambda: propagate(velocity, order, 1))
    figures = {"name": "deepwave_2d", "order": order, "shots": SHOTS, "forward_seconds": forward, "forward_points_per_second": points / forward}
    for interval in (1, 8):
        seconds = median(lambda: gradient(order, interval))
        figures[f"gradient_seconds_interval_{interval}"] = seconds
        figures[f"gradient_points_per_second_interval_{interval}"] = points / seconds
    print(json.dumps(figures), flush=True)
