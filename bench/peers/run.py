"""Time this project and Deepwave side by side on one problem, alternating between them so that noise hits both alike.

This project runs twice: as it is, leaving out cells that the wave has not reached yet, and made to step the whole grid ("whole").

The table gives the median of the repeats, with the fastest and the slowest. Points per second are the cells of the problem's grid, absorbing
layers counted, times its time steps, whether or not a cell was stepped; a gradient counts its time steps once. The ratios are
seconds of Deepwave over seconds of this project. The last two lines hold the ratios (for gradients that of the less favourable order),
the largest relative L2 difference of the gathers and the smallest correlation of the gradients.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

import numpy as np

import problem

HERE = pathlib.Path(__file__).resolve().parent
INTERVAL = 8  # steps between stored samples, for the comparison at equal storage
CASES = {
    "forward_o4": "forward start 4",
    "forward_o8": "forward start 8",
    "gradient_default_o4": "gradient 4 0",
    "gradient_default_o8": "gradient 8 0",
    "gradient_sampled_o4": f"gradient 4 {INTERVAL}",
    "gradient_sampled_o8": f"gradient 8 {INTERVAL}",
}


class Worker:
    """A program that answers commands (deepwave_bench.py tells which)."""

    def __init__(self, name, command, folder, threads):
        self.name = name
        self.process = subprocess.Popen(
            [*command, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ, OMP_NUM_THREADS=str(threads), GOMAXPROCS=str(threads)),
        )
        greeting = self.answer()
        if greeting["threads"] != threads:
            raise SystemExit(f"{name} uses {greeting['threads']} threads instead of {threads}")
        self.code = greeting["code"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} stopped with exit code {self.process.wait()}")
        return json.loads(line)

    def seconds(self, command):
        print(command, file=self.process.stdin, flush=True)
        return self.answer()["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default="build/peers", help="where the problem and the results go, and the program ours lies")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep-subnormals", action="store_true", help="leave Deepwave's handling of subnormal numbers as installed (slower)")
    options = parser.parse_args()

    folder = pathlib.Path(options.folder).resolve()
    points = problem.write(folder, options.threads, not options.keep_subnormals)["points"]
    ours = Worker("ours", [folder / "ours"], folder, options.threads)
    whole = Worker("whole", [folder / "ours", "-whole-grid"], folder, options.threads)
    theirs = Worker("deepwave", [sys.executable, HERE / "deepwave_bench.py"], folder, options.threads)
    theirs.seconds("forward true 8 observed")

    print(f"{theirs.code} against {ours.code}, {options.threads} threads each")
    print(f"{processor()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f} before")
    print(f"{points / 1e9:.3f} Gpoint a run, absorbing layers and cells not yet reached counted; median of {options.repeats} alternating runs\n")
    workers = [ours, whole, theirs]
    print(f"{'':20}" + "".join(f"  {w.name + ': s (min-max)':>24} {'Gpt/s':>6}" for w in workers) + f"  {'ratio':>6} {'whole':>6}  {'difference':>11}", flush=True)
    ratio, difference, correlation = {ours: {}, whole: {}}, [], []
    for case, command in CASES.items():
        times = {w: [] for w in workers}
        for worker in workers:  # the first run warms up and leaves its result
            worker.seconds(f"{command} {case}_{worker.name}")
        for _ in range(options.repeats):
            for worker, seconds in times.items():
                seconds.append(worker.seconds(command))
        a, b, c = (np.fromfile(folder / f"{case}_{w.name}.f32", "<f4").astype(float) for w in (ours, theirs, whole))
        relative = np.linalg.norm(a - b) / np.linalg.norm(b)
        if np.linalg.norm(a - c) > 1e-6 * np.linalg.norm(c):  # round-off
            raise SystemExit(f"{case}: leaving cells out changed the result by {np.linalg.norm(a - c) / np.linalg.norm(c):.1e}")
        if case.startswith("forward"):
            difference.append(relative)
        else:
            correlation.append(np.corrcoef(a, b)[0, 1])
        median = {w: statistics.median(s) for w, s in times.items()}
        for w in ratio:
            ratio[w][case] = median[theirs] / median[w]
        cells = "".join(f"  {f'{median[w]:.3f} ({min(s):.3f}-{max(s):.3f})':>24} {points / median[w] / 1e9:6.2f}" for w, s in times.items())
        print(f"{case:20}{cells}  {ratio[ours][case]:6.2f} {ratio[whole][case]:6.2f}  {relative:11.2e}", flush=True)
    for worker in workers:
        worker.close()

    print(f"\nload {os.getloadavg()[0]:.2f} after")
    for worker, name in ((whole, "whole_grid_"), (ours, "")):
        r = ratio[worker]
        gradient = {kind: min(r[f"gradient_{kind}_o4"], r[f"gradient_{kind}_o8"]) for kind in ("default", "sampled")}
        print(
            f"{name}forward_o4={r['forward_o4']:.2f} {name}forward_o8={r['forward_o8']:.2f} "
            f"{name}gradient_default={gradient['default']:.2f} {name}gradient_sampled={gradient['sampled']:.2f}",
            end="\n" if name else f" agree_gathers={max(difference):.2e} corr_gradient={min(correlation):.6f}\n",
        )


if __name__ == "__main__":
    main()
