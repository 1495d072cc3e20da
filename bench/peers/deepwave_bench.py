"""Deepwave's side of the comparison in 2D (peer.py tells the commands)."""

import importlib.metadata
import sys
import time
import warnings

import torch

import deepwave
import peer

# That pml_freq is far from 25 Hz, and the like: known and wanted.
warnings.filterwarnings("ignore", module="deepwave")


class Problem(peer.Problem):
    def __init__(self, folder):
        super().__init__(folder)
        d = self.description
        torch.set_num_threads(d["threads"])
        # The wheel's library does not switch subnormal numbers off, and the weak field ahead of the wave front is full of them:
        # left alone, Deepwave takes four times as long. Threads inherit the setting from the one that makes them.
        if d["flush_subnormals"] and not torch.set_flush_denormal(True):
            raise SystemExit("this processor cannot flush subnormal numbers to zero")
        sources = torch.tensor(d["sources"])[:, None, :]
        self.shots = len(sources)
        receivers = torch.tensor(d["receivers"])[None].expand(self.shots, -1, -1).contiguous()
        wavelet = torch.from_numpy(self.load("wavelet", d["nt"]))
        # Deepwave adds -v^2 dt^2 times the amplitude to one cell: with this factor that is a line source of strength +wavelet.
        amplitudes = (-wavelet / d["spacing"] ** 2).expand(self.shots, 1, -1).contiguous()
        self.taper = torch.from_numpy(self.load("taper", d["nt"]))
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

    def velocity(self, name):
        return torch.from_numpy(self.load(name, *self.description["shape"]))

    def forward(self, model, order, save=None):
        velocity = self.velocity(model)
        begin = time.perf_counter()
        gathers = deepwave.scalar(velocity, accuracy=order, **self.arguments)[-1]
        seconds = time.perf_counter() - begin
        self.save(save, gathers.numpy())
        return seconds

    def gradient(self, order, interval, save=None):
        velocity = self.velocity("start").requires_grad_()
        observed = torch.from_numpy(self.load("observed", self.shots, len(self.description["receivers"]), self.description["nt"]))
        options = {"model_gradient_sampling_interval": interval} if interval else {}
        begin = time.perf_counter()
        gathers = deepwave.scalar(velocity, accuracy=order, **options, **self.arguments)[-1]
        (0.5 * (self.taper * (gathers - observed).square()).sum()).backward()
        seconds = time.perf_counter() - begin
        self.save(save, velocity.grad.numpy())
        return seconds


if __name__ == "__main__":
    peer.serve(Problem(sys.argv[1]), f"Deepwave {importlib.metadata.version('deepwave')}, PyTorch {torch.__version__}", torch.get_num_threads())
