"""The problem that both codes solve, written as problem.json and NAME.f32: raw little-endian float32 arrays, last index fastest."""

import json
import math
import pathlib

import numpy as np

NZ, NX = 200, 500  # cells; 240 x 540 with the absorbing layers
LAYER = 20
SPACING = 10.0  # m
DT, NT = 0.001, 1000
SHOTS = 8
PEAK = 10.0  # Hz
VMIN, VMAX = 1500.0, 4000.0
SEED = 20260


def section(rng):
    """A layered section with a smooth large-scale trend, [NZ, NX] in m/s."""
    x = np.linspace(0, 1, NX)
    depth = np.arange(NZ)[:, None]
    velocity = 1600 + 1700 * depth / NZ + np.zeros((NZ, NX))
    top = 15.0
    while top < NZ:
        interface = top + 8 * np.sin(2 * math.pi * (rng.uniform(0.5, 2) * x + rng.uniform()))
        velocity += np.where(depth >= interface, rng.uniform(-150, 200), 0)
        top += rng.uniform(12, 30)
    return np.clip(velocity, VMIN, VMAX)


def smooth(field, sigma):
    """Gaussian smoothing by sigma cells along both axes, edges repeated."""
    reach = int(4 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (reach, reach)
        field = np.apply_along_axis(np.convolve, axis, np.pad(field, pad, mode="edge"), kernel, "valid")
    return field


def write(folder, threads, flush_subnormals):
    """Write the problem to a folder and return its description."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    true = section(np.random.default_rng(SEED))
    start = smooth(true, 15)
    time = np.arange(NT) * DT - 1.2 / PEAK
    arg = (math.pi * PEAK * time) ** 2
    arrays = {
        "true": true,
        "start": start,
        "wavelet": (1 - 2 * arg) * np.exp(-arg),
    }
    for name, array in arrays.items():
        array.astype("<f4").tofile(folder / f"{name}.f32")
    description = {
        "shape": [NZ, NX],
        "spacing": SPACING,  # m
        "dt": DT,
        "nt": NT,
        "layer": LAYER,  # cells of absorbing layer on every side
        "layer_frequency": PEAK,
        "vmax": VMAX,
        "sources": [[2, round((i + 0.5) * NX / SHOTS)] for i in range(SHOTS)],  # cells (z, x)
        "receivers": [[1, i] for i in range(NX)],
        "threads": threads,
        "flush_subnormals": flush_subnormals,
        "points": (NZ + 2 * LAYER) * (NX + 2 * LAYER) * NT * SHOTS,  # absorbing layers counted, a gradient counts once
    }
    (folder / "problem.json").write_text(json.dumps(description, indent=1))
    return description
