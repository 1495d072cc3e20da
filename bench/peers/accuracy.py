"""Time to solution: `fwi run` against the same inversion written with Deepwave and PyTorch's optimisers, on one data file and one number of threads.

    python bench/peers/accuracy.py PROBLEM.h5     a problem or bare model; without one, small sections by `fwi demo`

Deepwave's side is written the way its documentation shows: the scalar propagator on one grid, autograd, low-pass filtered data from low to
high frequencies, gradients masked in the water and, for Adam, clipped to a quantile, velocities clamped to bounds; PyTorch's L-BFGS (strong Wolfe) and
Adam, on all shots or on batches drawn at random. It is given what makes it fast and the documentation leaves to its user: a grid of --points points in the shortest
wavelength, or --spacing, whatever the file's, gradients sampled at four times the highest frequency, subnormal numbers flushed, and the next band as soon as the loss stops
falling, at the latest after an equal share of the time. Rates and batches are chosen on another generated section, by the model error after the same seconds.
Each optimiser then runs until its model error is as low as that of `fwi run` or until --limit times as many seconds have passed; the faster, or where none
arrives the more accurate one, counts. The last line also tells when `fwi run` had passed the error at which Deepwave ended.
Seconds are wall time of the inversions, without reading, modelling or scoring. A solve is a forward or an adjoint run of all shots.
"""

import argparse
import json
import math
import os
import pathlib
import re
import subprocess
import time
import warnings

import numpy as np
import torch

import deepwave
from deepwave.location_interpolation import Hicks

warnings.filterwarnings("ignore", module="deepwave")
MARGIN = 4  # cells above and beside Deepwave's model
CHOICES = {"adam": [(rate, share) for share in (1, 4) for rate in (10.0, 20.0, 40.0, 80.0, 160.0)], "lbfgs": [(0.5, 1), (1.0, 1)]}  # rate, 1 / share of the shots in a batch


class Enough(Exception):
    """The aim is reached or the time is over."""


def fwi(*arguments):
    return subprocess.run([FWI, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def ours(problem, folder, threads):
    """Invert with `fwi run` and return its summary, with seconds and model errors on the way."""
    out = folder / "ours"
    fwi("run", problem, "--out", out, "--overwrite", "--quiet", "--threads", threads, "--backend", "cpu")
    summary = json.loads((out / "summary.json").read_text())
    for name in ("seconds", "model_rms"):
        file = folder / f"ours_{name}.npy"
        fwi("export", out / "result.h5", file, "--dataset", f"/history/{name}", "--overwrite")
        summary[name] = np.load(file).ravel()
    return summary


class Coarse:
    """Nodes h metres apart on a grid of finer spacing: restriction by averages over triangles 2h wide, bilinear interpolation back."""

    def __init__(self, shape, spacing, h):
        self.mean, self.between = [], []
        for n, d in zip(shape, spacing):
            fine, nodes = np.arange(n) * d, np.arange(int((n - 1) * d / h) + 1) * h
            near = np.maximum(0, 1 - np.abs(fine[None] - nodes[:, None]) / max(h, d))
            self.mean.append(near / near.sum(axis=1, keepdims=True))
            clipped = np.minimum(fine, nodes[-1])
            hat = np.maximum(0, 1 - np.abs(clipped[:, None] - nodes[None]) / h)
            self.between.append(hat / hat.sum(axis=1, keepdims=True))

    def restrict(self, v):
        return self.mean[0] @ v.astype(float) @ self.mean[1].T

    def interpolate(self, v):
        return self.between[0] @ v @ self.between[1].T


class Theirs:
    def __init__(self, problem, folder, dt, points, h=None):
        def read(name):
            file = folder / (name.strip("/").replace("/", "_") + ".npy")
            fwi("export", problem, file, "--dataset", name, "--overwrite")
            return np.load(file)

        spacing = [float(v) for v in re.search(r"cells? of ([\d.]+) × ([\d.]+) m", fwi("info", problem)).groups()]
        self.true, start, mask = (read(name).astype(np.float32) for name in ("/vp", "/start/vp", "/update_mask"))
        self.water = mask == 0
        self.dt, self.observed = dt, torch.from_numpy(read("/data/observed").astype(np.float32))
        self.shots, _, self.nt = self.observed.shape
        wavelet = torch.from_numpy(read("/survey/wavelet").astype(np.float32)).reshape(-1, self.nt)
        self.plan_bands(wavelet)
        h = h or max(max(spacing), float(self.true.min()) / (points * self.bands[-1]))
        self.spacing, self.grid = [h, h], Coarse(self.true.shape, spacing, h)
        self.start = (1 / self.grid.restrict(1 / start)).astype(np.float32)
        self.restricted = (1 / self.grid.restrict(1 / self.true)).astype(np.float32)
        self.mask = torch.from_numpy((self.grid.restrict(mask) > 0.5).astype(np.float32))
        cells = torch.tensor(self.spacing)
        self.sources = (torch.from_numpy(read("/survey/source_position")).float() / cells)[:, None, :] + MARGIN
        self.receivers = (torch.from_numpy(read("/survey/receiver_position")).float() / cells)[None] + MARGIN
        # Deepwave adds -v² dt² times the amplitude to a cell: with this factor that is a line source.
        self.amplitudes = (-wavelet / math.prod(self.spacing)).expand(self.shots, -1)[:, None, :].contiguous()
        low, high = 0.85 * self.start.min(), 1.4 * self.start.max()
        self.bounds = float(max(low, 1400)), float(high)
        self.sampling = max(1, int(1 / (4 * self.bands[-1] * self.dt)))

    def plan_bands(self, wavelet):
        spectrum = np.abs(np.fft.rfft(wavelet[0].numpy()))
        frequencies = np.fft.rfftfreq(self.nt, self.dt)
        live = frequencies[spectrum > 0.1 * spectrum.max()]
        top, first = float(frequencies[spectrum > 0.01 * spectrum.max()].max()), 1.25 * float(live.min())
        steps = max(round(math.log(top / first) / math.log(1.36)), 1)
        self.bands = [first * (top / first) ** (i / steps) for i in range(steps + 1)]

    def forward(self, v, shots):
        # Sources and receivers above the first node, or within a few of the sides, act on cells beyond: the model goes on there.
        v, n = torch.nn.functional.pad(v[None, None], (MARGIN, MARGIN, MARGIN, 0), mode="replicate")[0, 0], len(shots)
        shape = list(v.shape)
        sources, at = Hicks(self.sources[shots], model_shape=shape), self.receivers.expand(n, -1, -1).contiguous()
        on_nodes = bool((at - at.round()).abs().max() < 1e-3)
        receivers = None if on_nodes else Hicks(at, model_shape=shape)  # 64 cells a receiver and sample
        gathers = deepwave.scalar(v, self.spacing, self.dt, source_amplitudes=sources.source(self.amplitudes[shots]), source_locations=sources.get_locations(),
                                  receiver_locations=at.round().long() if on_nodes else receivers.get_locations(), accuracy=8, pml_width=20,
                                  pml_freq=self.bands[-1] / 2, max_vel=self.bounds[1], model_gradient_sampling_interval=self.sampling)[-1]
        return gathers if on_nodes else receivers.receiver(gathers)

    def lowpass(self, traces, cutoff):
        """A sixth-order Butterworth response without phase, as two passes of one of third order have it."""
        n = 2 * self.nt
        response = 1 / (1 + (torch.fft.rfftfreq(n, self.dt) / cutoff) ** 6)
        return torch.fft.irfft(torch.fft.rfft(traces, n) * response, n)[..., : self.nt]

    def error(self, v):
        return float(np.sqrt(np.mean((self.grid.interpolate(v) - self.true)[~self.water].astype(float) ** 2)))

    def agreement(self):
        """The relative L2 difference between their gathers of the true model and the data."""
        with torch.no_grad():
            return float((self.forward(torch.from_numpy(self.restricted), range(self.shots)) - self.observed).norm() / self.observed.norm())

    def invert(self, optimiser, choice, seconds, aim):
        """Run until the model error reaches aim or the time is over; return seconds, solves and the lowest model error."""
        rate, parts = choice
        v = torch.from_numpy(self.start.copy()).requires_grad_()
        best, solves, scoring, begun = self.error(self.start), 0.0, 0.0, time.perf_counter()
        reached = None
        draw = np.random.default_rng(7)

        def spent():
            return time.perf_counter() - begun - scoring

        def look():
            nonlocal best, scoring, reached
            t = time.perf_counter()
            best = min(best, self.error(v.detach().numpy()))
            scoring += time.perf_counter() - t
            if best <= aim:
                reached = spent()
            if best <= aim or spent() > seconds:
                raise Enough

        try:
            for number, cutoff in enumerate(self.bands):
                target = self.lowpass(self.observed, cutoff)
                scale = 1 / float(target.square().sum())
                batch = list(range(self.shots))
                if optimiser == "adam":
                    method = torch.optim.Adam([v], lr=rate)
                else:
                    base, step = v.detach().clone(), torch.zeros_like(v, requires_grad=True)
                    method = torch.optim.LBFGS([step], lr=rate, max_iter=1, history_size=20, line_search_fn="strong_wolfe")
                unit = None

                def closure():
                    nonlocal solves, unit
                    if optimiser == "lbfgs":
                        with torch.no_grad():
                            v.copy_(base + (unit or 0) * step)
                    clamp(v, self.bounds)
                    v.grad = None
                    loss = scale * (self.lowpass(self.forward(v, batch), cutoff) - target[batch]).square().sum()
                    loss.backward()
                    solves += 2 * len(batch) / self.shots
                    v.grad *= self.mask
                    limit = torch.quantile(v.grad.abs().flatten(), 0.98)
                    if optimiser == "adam":
                        v.grad.clamp_(-limit, limit)
                        return loss
                    # PyTorch's first step is the gradient over its 1-norm: the unit makes that a change of 50 m/s. Clipped, value and gradient
                    # would not fit together, which the line search needs.
                    unit = unit or 50 * float(v.grad.abs().sum() / v.grad.abs().max())
                    step.grad = v.grad * unit
                    return loss

                losses = []  # of passes over all shots
                end = spent() + (seconds - spent()) / (len(self.bands) - number)
                last = number == len(self.bands) - 1
                while spent() < end and (last or len(losses) < 4 or losses[-1] < 0.95 * losses[-4]):
                    losses.append(0.0)
                    for batch in np.array_split(draw.permutation(self.shots), parts):
                        batch = sorted(map(int, batch))
                        losses[-1] += float(method.step(closure).detach())
                        if optimiser == "lbfgs":
                            with torch.no_grad():
                                v.copy_(base + unit * step)
                        clamp(v, self.bounds)
                        look()
        except Enough:
            pass
        return {"optimiser": optimiser, "choice": choice, "seconds": reached or spent(), "solves": solves, "error": best, "reached": reached is not None}


def clamp(v, bounds):
    with torch.no_grad():
        v.clamp_(*bounds)


def main():
    global FWI
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem", nargs="?", help="HDF5; without it a small demonstration problem")
    parser.add_argument("--folder", default="build/accuracy")
    parser.add_argument("--fwi", default="bin/fwi")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dt", type=float, default=0.004, help="sampling interval of the problem's data in s")
    parser.add_argument("--limit", type=float, default=10, help="seconds for Deepwave, in units of those of fwi run")
    parser.add_argument("--least", type=float, default=60, help="seconds for each choice in tuning, at least")
    parser.add_argument("--config", help="YAML for fwi model: the survey of a bare model")
    parser.add_argument("--spacing", type=float, help="of Deepwave's grid in m, such that receivers lie on its nodes; default by --points")
    parser.add_argument("--points", type=float, default=5, help="of Deepwave's grid in the shortest wavelength")
    parser.add_argument("--size", default="small", help="of the generated sections: small or medium")
    options = parser.parse_args()
    FWI = str(pathlib.Path(options.fwi).resolve())
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    folder = pathlib.Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)

    def problem(name, source=None, seed=5):
        if source is None:
            source = folder / f"{name}-model.h5"
            fwi("demo", source, "--size", options.size, "--seed", seed, "--overwrite")
        out = folder / f"{name}.h5"
        out.unlink(missing_ok=True)
        fwi("model", source, out, *(["--config", options.config] if options.config else []))
        return out

    tuning = problem("tuning", seed=11)
    reference = ours(tuning, folder, options.threads)["wall_seconds"]
    side = Theirs(tuning, folder, options.dt, options.points)
    chosen = {}
    budget = max(options.limit / 2 * reference, options.least)
    print(f"tuning on a generated section, {budget:.0f} s each where fwi run took {reference:.0f}; gathers of the true model differ by {side.agreement():.3f}", flush=True)
    for optimiser, choices in CHOICES.items():
        trials = [side.invert(optimiser, choice, budget, 0) for choice in choices]
        for t in trials:
            print(f"  {optimiser}, rate {t['choice'][0]:g}, 1/{t['choice'][1]} of the shots: {t['error']:.1f} m/s", flush=True)
        chosen[optimiser] = min(trials, key=lambda t: t["error"])["choice"]

    target = problem("problem", options.problem)
    summary = ours(target, folder, options.threads)
    side = Theirs(target, folder, options.dt, options.points, options.spacing)
    print(f"Deepwave's grid: {side.start.shape} cells of {side.spacing[0]:g} m; gathers of the true model differ by {side.agreement():.3f}\n")
    print(f"| code | solves per shot | seconds | model error (start {summary['model_rms_start']:.1f} m/s) |\n|---|---|---|---|")
    print(f"| fwi run | {summary['wave_solves']:.0f} | {summary['wall_seconds']:.1f} | {summary['model_rms_final']:.1f} |", flush=True)
    trials = []
    for optimiser, choice in chosen.items():
        t = side.invert(optimiser, choice, options.limit * summary["wall_seconds"], summary["model_rms_final"])
        trials.append(t)
        print(f"| Deepwave, {optimiser}, rate {choice[0]:g}, 1/{choice[1]} of the shots | {t['solves']:.0f} | {t['seconds']:.1f}{'' if t['reached'] else ', not reached'} | {t['error']:.1f} |", flush=True)
    best = min(trials, key=lambda t: (not t["reached"], t["seconds"] if t["reached"] else t["error"]))
    passed = next((float(t) for t, e in zip(summary["seconds"], summary["model_rms"]) if e <= best["error"]), float("nan"))
    bound = "" if best["reached"] else ">"
    print(f"seconds_ratio={bound}{best['seconds'] / summary['wall_seconds']:.2f} error_ours={summary['model_rms_final']:.1f} error_deepwave={best['error']:.1f} "
          f"ours_passed_it_after={passed:.1f} deepwave_seconds={best['seconds']:.1f}")


if __name__ == "__main__":
    main()
