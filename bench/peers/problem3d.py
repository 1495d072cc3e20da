"""The 3D problem of run3d.py, in the format of problem.py, for one shot."""

import json
import math
import pathlib

import numpy as np

LAYER = 20
SPACING = 10.0  # m
DT, NT = 0.001, 240
PEAK = 15.0  # Hz
VMAX = 3500.0
SEED = 20263


def model(rng, n):
    """Dipping layers that thicken downwards, [n, n, n] in m/s."""
    z, y, x = np.meshgrid(*[np.arange(n) / n] * 3, indexing="ij", sparse=True)
    depth = z + 0.05 * np.sin(2 * math.pi * (x + 0.4 * y)) + 0.08 * y
    velocity = 1600 + 1200 * depth
    for top in np.cumsum(rng.uniform(0.06, 0.14, 9)):
        velocity += np.where(depth > top, rng.uniform(-150, 220), 0)
    return np.clip(velocity, 1500, VMAX)


def write(folder, n, threads, interval):
    """Write the problem on n^3 cells to a folder and return its description."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    true = model(np.random.default_rng(SEED), n)
    start = np.broadcast_to(true.mean(axis=(1, 2), keepdims=True), true.shape)
    arg = (math.pi * PEAK * (np.arange(NT) * DT - 1.2 / PEAK)) ** 2
    for name, array in {"true": true, "start": start, "wavelet": (1 - 2 * arg) * np.exp(-arg)}.items():
        array.astype("<f4").tofile(folder / f"{name}.f32")
    middle = n // 2
    description = {
        "shape": [n, n, n],
        "spacing": SPACING,  # m
        "dt": DT,
        "nt": NT,
        "layer": LAYER,  # cells of absorbing layer on every side
        "layer_frequency": PEAK,
        "vmax": VMAX,
        "sources": [[4, middle, middle]],  # cells (z, y, x)
        "receivers": [[2, y, x] for y in range(4, n, 8) for x in range(4, n, 8)],
        "threads": threads,
        "interval": interval,  # steps between stored samples in gradients
        "points": (n + 2 * LAYER) ** 3 * NT,  # absorbing layers counted, a gradient counts once
    }
    (folder / "problem.json").write_text(json.dumps(description, indent=1))
    return description
