"""Deepwave's side of the comparison.

    python deepwave_bench.py FOLDER

reads FOLDER/problem.json and its arrays (problem.py), then one command per line from standard input and answers each with one
line of JSON, {"seconds": …}:

    forward MODEL ORDER [SAVE]               gathers of the velocity MODEL
    gradient ORDER INTERVAL [SAVE]           gradient of ½ Σ (synthetic - observed)² at the model start, against observed

INTERVAL is the number of time steps between the stored samples of the forward field, 0 the code's own default. SAVE names the array
in FOLDER that takes the gathers [shot, receiver, time] or the gradient [nz, nx]. Both codes solve (1/v²) ∂²u/∂t² - ∇²u = s(t) δ(x - x_s).
ours/main.go speaks the same language.
"""

import importlib.metadata
import json
import pathlib
import sys
import time
import warnings

import numpy as np
import torch

import deepwave

# That pml_freq is far from 25 Hz, and the like: known and wanted.
warnings.filterwarnings("ignore", module="deepwave")


class Problem:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.description = d = json.loads((self.folder / "problem.json").read_text())
        torch.set_num_threads(d["threads"])
        # The wheel's library does not switch subnormal numbers off, and the weak field ahead of the wave front is full of them:
        # left alone, Deepwave takes four times as long. Threads inherit the setting from the one that makes them.
        if d["flush_subnormals"] and not torch.set_flush_denormal(True):
            raise SystemExit("this processor cannot flush subnormal numbers to zero")
        sources = torch.tensor(d["sources"])[:, None, :]
        self.shots = len(sources)
        receivers = torch.tensor(d["receivers"])[None].expand(self.shots, -1, -1).contiguous()
        wavelet = self.load("wavelet", d["nt"])
        # Deepwave adds -v^2 dt^2 times the amplitude to one cell: with this factor that is a line source of strength +wavelet.
        amplitudes = (-wavelet / d["spacing"] ** 2).expand(self.shots, 1, -1).contiguous()
        self.arguments = {
            "grid_spacing": d["spacing"],
            "dt": d["dt"],
            "source_amplitudes": amplitudes,
            "source_locations": sources,
            "receiver_locations": receivers,
            "pml_width": d["layer"],
            "pml_freq": d["layer_frequency"],
            "max_vel": d["vmax"],
        }
        _, ratio = deepwave.common.cfl_condition(d["spacing"], d["spacing"], d["dt"], d["vmax"])
        if ratio != 1:
            raise SystemExit(f"dt = {d['dt']} s makes Deepwave take {ratio} inner steps per step: the comparison would not be fair")

    def load(self, name, *shape):
        return torch.from_numpy(np.fromfile(self.folder / f"{name}.f32", "<f4").reshape(shape))

    def save(self, name, tensor):
        tensor.detach().numpy().tofile(self.folder / f"{name}.f32")

    def forward(self, model, order, save=None):
        velocity = self.load(model, *self.description["shape"])
        begin = time.perf_counter()
        gathers = deepwave.scalar(velocity, accuracy=order, **self.arguments)[-1]
        seconds = time.perf_counter() - begin
        if save:
            self.save(save, gathers)
        return seconds

    def gradient(self, order, interval, save=None):
        velocity = self.load("start", *self.description["shape"]).requires_grad_()
        observed = self.load("observed", self.shots, len(self.description["receivers"]), self.description["nt"])
        options = {"model_gradient_sampling_interval": interval} if interval else {}
        begin = time.perf_counter()
        gathers = deepwave.scalar(velocity, accuracy=order, **options, **self.arguments)[-1]
        (0.5 * (gathers - observed).square().sum()).backward()
        seconds = time.perf_counter() - begin
        if save:
            self.save(save, velocity.grad)
        return seconds


def main():
    problem = Problem(sys.argv[1])
    answer({"code": f"Deepwave {importlib.metadata.version('deepwave')}, PyTorch {torch.__version__}", "threads": torch.get_num_threads()})
    for line in sys.stdin:
        verb, *words = line.split()
        if verb == "forward":
            model, order, *save = words
            answer({"seconds": problem.forward(model, int(order), *save)})
        elif verb == "gradient":
            order, interval, *save = words
            answer({"seconds": problem.gradient(int(order), int(interval), *save)})
        else:
            raise SystemExit(f"unknown command {line!r}")


def answer(message):
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
