"""What the programs on the peers' side have in common: the problem's files and the language of commands.

    python CODE_bench.py FOLDER

reads FOLDER/problem.json and its arrays (problem.py), then one command per line from standard input and answers each with one
line of JSON, {"seconds": …}:

    forward MODEL ORDER [SAVE]               gathers of the velocity MODEL
    gradient ORDER INTERVAL [SAVE]           gradient of ½ Σ taper (synthetic - observed)² at the model start, against observed

INTERVAL is the number of time steps between the stored samples of the forward field, 0 the code's own default. SAVE names the array
in FOLDER that takes the gathers [shot, receiver, time] or the gradient, an array on the grid. All codes solve
(1/v²) ∂²u/∂t² - ∇²u = s(t) δ(x - x_s). ours/main.go speaks the same language.
"""

import json
import pathlib
import sys

import numpy as np


class Problem:
    """A code's problem. Its methods forward(model, order, save) and gradient(order, interval, save) return seconds."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.description = json.loads((self.folder / "problem.json").read_text())

    def load(self, name, *shape):
        return np.fromfile(self.folder / f"{name}.f32", "<f4").reshape(shape)

    def save(self, name, array):
        if name:
            np.ascontiguousarray(array, "<f4").tofile(self.folder / f"{name}.f32")


def serve(problem, code, threads):
    """Answer commands until standard input ends."""
    answer({"code": code, "threads": threads})
    for line in sys.stdin:
        verb, *words = line.split()
        if verb == "forward":
            model, order, *save = words
            seconds = problem.forward(model, int(order), *save)
        elif verb == "gradient":
            order, interval, *save = words
            seconds = problem.gradient(int(order), int(interval), *save)
        else:
            raise SystemExit(f"unknown command {line!r}")
        answer({"seconds": seconds})


def answer(message):
    print(json.dumps(message), flush=True)
