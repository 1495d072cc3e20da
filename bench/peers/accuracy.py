"""Time to solution: `fwi run` against the same inversion written with Deepwave and PyTorch's optimisers, on one data file and one number of threads.

    python bench/peers/accuracy.py PROBLEM.h5     a problem or bare model; without one, small sections by `fwi demo`

Deepwave's side is written the way its documentation shows: the scalar propagator on the model's own grid, autograd, low-pass filtered data from low to
high frequencies, gradients masked in the water and, for Adam, clipped to a quantile, velocities clamped to bounds; PyTorch's L-BFGS (strong Wolfe) and
Adam. Learning rates are chosen on another generated section, by the model error after the same seconds. Each optimiser then runs until its model error is as
low as that of `fwi run` or until --limit times as many seconds have passed; the faster, or where none arrives the more accurate one, counts.
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
RATES = {"adam": [5.0, 15.0, 40.0], "lbfgs": [0.3, 1.0]}


class Enough(Exception):
    """The aim is reached or the time is over."""


def fwi(*arguments):
    return subprocess.run([FWI, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def ours(problem, folder, threads):
    """Invert with `fwi run` and return its summary and where it ended."""
    out = folder / "ours"
    fwi("run", problem, "--out", out, "--overwrite", "--quiet", "--threads", threads, "--backend", "cpu")
    return json.loads((out / "summary.json").read_text())


class Theirs:
    def __init__(self, problem, folder, dt):
        def read(name):
            file = folder / (name.strip("/").replace("/", "_") + ".npy")
            fwi("export", problem, file, "--dataset", name, "--overwrite")
            return np.load(file)

        self.spacing = [float(v) for v in re.search(r"cells? of ([\d.]+) × ([\d.]+) m", fwi("info", problem)).groups()]
        self.true, self.start = read("/vp").astype(np.float32), read("/start/vp").astype(np.float32)
        self.mask = torch.from_numpy(read("/update_mask").astype(np.float32))
        self.water = self.mask.numpy() == 0
        self.dt, self.observed = dt, torch.from_numpy(read("/data/observed").astype(np.float32))
        self.shots, _, self.nt = self.observed.shape
        cells = torch.tensor(self.spacing)
        sources = (torch.from_numpy(read("/survey/source_position")).float() / cells)[:, None, :]
        receivers = (torch.from_numpy(read("/survey/receiver_position")).float() / cells)[None].expand(self.shots, -1, -1)
        shape = list(self.true.shape)
        sources, self.receivers = Hicks(sources, model_shape=shape), Hicks(receivers.contiguous(), model_shape=shape)
        wavelet = torch.from_numpy(read("/survey/wavelet").astype(np.float32)).reshape(-1, self.nt)
        # Deepwave adds -v² dt² times the amplitude to a cell: with this factor that is a line source.
        amplitudes = (-wavelet / math.prod(self.spacing)).expand(self.shots, -1)[:, None, :]
        self.amplitudes = sources.source(amplitudes.contiguous())
        self.locations = sources.get_locations(), self.receivers.get_locations()
        low, high = 0.85 * self.start.min(), 1.4 * self.start.max()
        self.bounds = float(max(low, 1400)), float(high)
        spectrum = wavelet[0].abs().new_tensor(np.abs(np.fft.rfft(wavelet[0].numpy())))
        frequencies = torch.fft.rfftfreq(self.nt, dt)
        live = frequencies[spectrum > 0.1 * spectrum.max()]
        top, first = float(frequencies[spectrum > 0.01 * spectrum.max()].max()), 1.25 * float(live.min())
        steps = max(round(math.log(top / first) / math.log(1.36)), 1)
        self.bands = [first * (top / first) ** (i / steps) for i in range(steps + 1)]

    def forward(self, v):
        gathers = deepwave.scalar(v, self.spacing, self.dt, source_amplitudes=self.amplitudes, source_locations=self.locations[0], receiver_locations=self.locations[1],
                                  accuracy=4, pml_width=20, pml_freq=self.bands[-1] / 2, max_vel=self.bounds[1])[-1]
        return self.receivers.receiver(gathers)

    def lowpass(self, traces, cutoff):
        """A sixth-order Butterworth response without phase, as two passes of one of third order have it."""
        n = 2 * self.nt
        response = 1 / (1 + (torch.fft.rfftfreq(n, self.dt) / cutoff) ** 6)
        return torch.fft.irfft(torch.fft.rfft(traces, n) * response, n)[..., : self.nt]

    def error(self, v):
        return float(np.sqrt(np.mean((v - self.true)[~self.water].astype(float) ** 2)))

    def agreement(self):
        """The relative L2 difference between their gathers of the true model and the data."""
        with torch.no_grad():
            return float((self.forward(torch.from_numpy(self.true)) - self.observed).norm() / self.observed.norm())

    def invert(self, optimiser, rate, seconds, aim):
        """Run until the model error reaches aim or the time is over; return seconds, solves and the lowest model error."""
        v = torch.from_numpy(self.start.copy()).requires_grad_()
        best, solves, scoring, begun = self.error(self.start), 0, 0.0, time.perf_counter()
        reached = None

        def look():
            nonlocal best, scoring, reached
            t = time.perf_counter()
            best = min(best, self.error(v.detach().numpy()))
            spent = t - begun - scoring
            scoring += time.perf_counter() - t
            if best <= aim:
                reached = spent
            if best <= aim or spent > seconds:
                raise Enough

        try:
            per_band = seconds / len(self.bands)
            for number, cutoff in enumerate(self.bands):
                target = self.lowpass(self.observed, cutoff)
                scale = 1 / float(target.square().sum())
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
                    loss = scale * (self.lowpass(self.forward(v), cutoff) - target).square().sum()
                    loss.backward()
                    solves += 2
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

                while time.perf_counter() - begun - scoring < per_band * (number + 1):
                    method.step(closure)
                    if optimiser == "lbfgs":
                        with torch.no_grad():
                            v.copy_(base + unit * step)
                    clamp(v, self.bounds)
                    look()
        except Enough:
            pass
        return {"optimiser": optimiser, "rate": rate, "seconds": reached or time.perf_counter() - begun - scoring, "solves": solves, "error": best, "reached": reached is not None}


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
        fwi("model", source, out)
        return out

    tuning = problem("tuning", seed=11)
    reference = ours(tuning, folder, options.threads)["wall_seconds"]
    side = Theirs(tuning, folder, options.dt)
    rates = {}
    print(f"tuning on a generated section, {options.limit * reference / 2:.0f} s each; gathers of the true model differ by {side.agreement():.3f}", flush=True)
    for optimiser, choices in RATES.items():
        trials = [side.invert(optimiser, rate, options.limit * reference / 2, 0) for rate in choices]
        for t in trials:
            print(f"  {optimiser} {t['rate']:g}: {t['error']:.1f} m/s", flush=True)
        rates[optimiser] = min(trials, key=lambda t: t["error"])["rate"]

    target = problem("problem", options.problem)
    summary = ours(target, folder, options.threads)
    side = Theirs(target, folder, options.dt)
    print(f"gathers of the true model differ by {side.agreement():.3f}\n")
    print(f"| code | solves per shot | seconds | model error (start {summary['model_rms_start']:.1f} m/s) |\n|---|---|---|---|")
    print(f"| fwi run | {summary['wave_solves']:.0f} | {summary['wall_seconds']:.1f} | {summary['model_rms_final']:.1f} |", flush=True)
    trials = []
    for optimiser, rate in rates.items():
        t = side.invert(optimiser, rate, options.limit * summary["wall_seconds"], summary["model_rms_final"])
        trials.append(t)
        print(f"| Deepwave, {optimiser} {rate:g} | {t['solves']} | {t['seconds']:.1f}{'' if t['reached'] else ', not reached'} | {t['error']:.1f} |", flush=True)
    best = min(trials, key=lambda t: (not t["reached"], t["seconds"] if t["reached"] else t["error"]))
    bound = "" if best["reached"] else ">"
    print(f"seconds_ratio={bound}{best['seconds'] / summary['wall_seconds']:.2f} error_ours={summary['model_rms_final']:.1f} error_deepwave={best['error']:.1f}")


if __name__ == "__main__":
    main()
