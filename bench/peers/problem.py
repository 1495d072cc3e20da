"""The problems that the codes solve, written as problem.json and NAME.f32: raw little-endian float32 arrays, last index fastest."""

import json
import math
import pathlib

import numpy as np

LAYER = 20  # cells of absorbing layer on every side
SPACING = 10.0  # m
DT = 0.001  # s


def section(rng, nz, nx):
    """A layered section with a smooth large-scale trend, [nz, nx] in m/s."""
    x = np.linspace(0, 1, nx)
    depth = np.arange(nz)[:, None]
    velocity = 1600 + 1700 * depth / nz + np.zeros((nz, nx))
    top = 15.0
    while top < nz:
        interface = top + 8 * np.sin(2 * math.pi * (rng.uniform(0.5, 2) * x + rng.uniform()))
        velocity += np.where(depth >= interface, rng.uniform(-150, 200), 0)
        top += rng.uniform(12, 30)
    return np.clip(velocity, 1500, 4000)


def volume(rng, n):
    """Dipping layers that thicken downwards, [n, n, n] in m/s."""
    z, y, x = np.meshgrid(*[np.arange(n) / n] * 3, indexing="ij", sparse=True)
    depth = z + 0.05 * np.sin(2 * math.pi * (x + 0.4 * y)) + 0.08 * y
    velocity = 1600 + 1200 * depth
    for top in np.cumsum(rng.uniform(0.06, 0.14, 9)):
        velocity += np.where(depth > top, rng.uniform(-150, 220), 0)
    return np.clip(velocity, 1500, 3500)


def smooth(field, sigma):
    """Gaussian smoothing by sigma cells along all axes, edges repeated."""
    reach = int(4 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in range(field.ndim):
        pad = [(0, 0)] * field.ndim
        pad[axis] = (reach, reach)
        field = np.apply_along_axis(np.convolve, axis, np.pad(field, pad, mode="edge"), kernel, "valid")
    return field


def write_2d(folder, threads, flush_subnormals):
    """Eight shots over 200 x 500 cells, 240 x 540 with the layers."""
    nz, nx, shots = 200, 500, 8
    true = section(np.random.default_rng(20260), nz, nx)
    return write(
        folder, true, smooth(true, 15), nt=1000, peak=10.0, vmax=4000.0, threads=threads, taper=0,
        sources=[[2, round((i + 0.5) * nx / shots)] for i in range(shots)],
        receivers=[[1, i] for i in range(nx)],
        flush_subnormals=flush_subnormals,
    )


def write_3d(folder, n, threads, interval, inside=False):
    """One shot over n^3 cells from the surface, or inside from the middle and so short that from 64 cells on nothing comes back from the layers.

    The record ends while waves pass, which the gradient must not see as a step: sampled, it would alias.
    """
    true = volume(np.random.default_rng(20263), n)
    middle = n // 2
    if inside:
        nt, sources = 200, [[middle, middle, middle]]
        lines = range(n // 4, 3 * n // 4, 6)
        receivers = [[middle + 4, y, x] for y in lines for x in lines]
    else:
        nt, sources = 720, [[4, middle, middle]]
        receivers = [[2, y, x] for y in range(4, n, 8) for x in range(4, n, 8)]
    return write(
        folder, true, np.broadcast_to(true.mean(axis=(1, 2), keepdims=True), true.shape), nt=nt, peak=15.0, vmax=3500.0, threads=threads, taper=60,
        sources=sources,
        receivers=receivers,
        interval=interval,  # steps between stored samples in gradients
    )


def write(folder, true, start, *, nt, peak, vmax, threads, taper, sources, receivers, **more):
    """Write a problem to a folder and return its description. Positions are cells, layers not counted."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arg = (math.pi * peak * (np.arange(nt) * DT - 1.2 / peak)) ** 2
    weight = np.ones(nt)
    if taper:
        weight[-taper:] = np.cos(0.5 * math.pi * (np.arange(taper) + 1) / taper) ** 2
    arrays = {"true": true, "start": start, "wavelet": (1 - 2 * arg) * np.exp(-arg), "taper": weight}
    for name, array in arrays.items():
        array.astype("<f4").tofile(folder / f"{name}.f32")
    description = {
        "shape": true.shape,
        "spacing": SPACING,
        "dt": DT,
        "nt": nt,
        "layer": LAYER,
        "layer_frequency": peak,
        "vmax": vmax,
        "sources": sources,
        "receivers": receivers,
        "threads": threads,
        "points": math.prod(n + 2 * LAYER for n in true.shape) * nt * len(sources),  # absorbing layers counted, a gradient counts once
        **more,
    }
    (folder / "problem.json").write_text(json.dumps(description, indent=1))
    return description
