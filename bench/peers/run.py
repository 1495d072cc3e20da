"""Time this project side by side with Deepwave in 2D and with Devito in 3D, alternating between them so that noise hits all alike.

This project runs twice: as it is, leaving out cells that the wave has not reached yet, and made to step the whole grid ("whole").
In 3D its absorbing layers are a CPML, Devito's a damping layer of the same width, and Devito's compilation and the tuning of its blocks are not
timed.

The tables give the median of the repeats, with the fastest and the slowest. Points per second are the cells of the problem's grid, absorbing
layers counted, times its time steps, whether or not a cell was stepped; a gradient counts its time steps once. The ratios are
seconds of the peer over seconds of this project. The last lines hold the ratios (for 2D gradients that of the less favourable order),
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
INTERVAL = 8  # steps between stored samples, for comparisons at equal storage
CASES_2D = {
    "forward_o4": "forward start 4",
    "forward_o8": "forward start 8",
    "gradient_default_o4": "gradient 4 0",
    "gradient_default_o8": "gradient 8 0",
    "gradient_sampled_o4": f"gradient 4 {INTERVAL}",
    "gradient_sampled_o8": f"gradient 8 {INTERVAL}",
}
CASES_3D = {"forward_3d_o8": "forward start 8", "gradient_3d_o8": f"gradient 8 {INTERVAL}"}


class Worker:
    """A program that answers commands (peer.py tells which)."""

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


class Comparison:
    """Runs of a problem by the workers, of which the last is the peer."""

    def __init__(self, folder, description, cases, workers, repeats):
        self.workers, self.peer = workers, workers[-1]
        self.peer.seconds("forward true 8 observed")
        self.ratio = {w.name: {} for w in workers[:-1]}
        self.difference, self.correlation = [], []
        points = description["points"]
        print(f"\n{self.peer.code} against {workers[0].code}, {description['threads']} threads each, load {os.getloadavg()[0]:.2f} before")
        print(f"{points / 1e9:.3f} Gpoint a run; median of {repeats} alternating runs\n")
        print(f"{'':20}" + "".join(f"  {w.name + ': s (min-max)':>24} {'Gpt/s':>6}" for w in workers) + "".join(f"  {w.name:>6}" for w in workers[:-1]) + f"  {'difference':>11}", flush=True)
        for case, command in cases.items():
            times = {w: [] for w in workers}
            for w in workers:  # the first run warms up and leaves its result
                w.seconds(f"{command} {case}_{w.name}")
            for _ in range(repeats):
                for w, seconds in times.items():
                    seconds.append(w.seconds(command))
            difference = self.compare(case, [np.fromfile(folder / f"{case}_{w.name}.f32", "<f4").astype(float) for w in workers])
            median = {w: statistics.median(s) for w, s in times.items()}
            for w in workers[:-1]:
                self.ratio[w.name][case] = median[self.peer] / median[w]
            cells = "".join(f"  {f'{median[w]:.3f} ({min(s):.3f}-{max(s):.3f})':>24} {points / median[w] / 1e9:6.2f}" for w, s in times.items())
            print(f"{case:20}{cells}" + "".join(f"  {r[case]:6.2f}" for r in self.ratio.values()) + f"  {difference:11.2e}", flush=True)
        for w in workers:
            w.close()
        print(f"\nload {os.getloadavg()[0]:.2f} after")

    def compare(self, case, results):
        """Keep how far ours is from the peer's, and return the relative difference."""
        ours, *others, theirs = results
        for other in others:
            if np.linalg.norm(ours - other) > 1e-6 * np.linalg.norm(other):  # round-off
                raise SystemExit(f"{case}: leaving cells out changed the result by {np.linalg.norm(ours - other) / np.linalg.norm(other):.1e}")
        difference = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
        if case.startswith("forward"):
            self.difference.append(difference)
        else:
            self.correlation.append(np.corrcoef(ours, theirs)[0, 1])
        return difference


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def compare_2d(options, ours, folder):
    description = problem.write_2d(folder, options.threads, not options.keep_subnormals)
    workers = [
        Worker("ours", [ours], folder, options.threads),
        Worker("whole", [ours, "-whole-grid"], folder, options.threads),
        Worker("deepwave", [sys.executable, HERE / "deepwave_bench.py"], folder, options.threads),
    ]
    c = Comparison(folder, description, CASES_2D, workers, options.repeats)
    lines = []
    for name, prefix in (("whole", "whole_grid_"), ("ours", "")):
        r = c.ratio[name]
        least = {kind: min(r[f"gradient_{kind}_o4"], r[f"gradient_{kind}_o8"]) for kind in ("default", "sampled")}
        lines.append(
            f"{prefix}forward_o4={r['forward_o4']:.2f} {prefix}forward_o8={r['forward_o8']:.2f} "
            f"{prefix}gradient_default={least['default']:.2f} {prefix}gradient_sampled={least['sampled']:.2f}"
        )
    return lines[0], f"{lines[1]} agree_gathers={max(c.difference):.2e} corr_gradient={min(c.correlation):.6f}"


def compare_3d(options, ours, folder):
    description = problem.write_3d(folder, options.cells, options.threads, INTERVAL, options.inside)
    workers = [
        Worker("ours", [ours], folder, options.threads),
        Worker("whole", [ours, "-whole-grid"], folder, options.threads),
        Worker("devito", [options.devito, HERE / "devito_bench.py"], folder, options.threads),
    ]
    c = Comparison(folder, description, CASES_3D, workers, options.repeats)
    whole = " ".join(f"whole_grid_{case}={r:.2f}" for case, r in c.ratio["whole"].items())
    ours = " ".join(f"{case}={r:.2f}" for case, r in c.ratio["ours"].items())
    return whole, f"{ours} agree_gathers_3d={max(c.difference):.2e} corr_gradient_3d={min(c.correlation):.6f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default="build/peers", help="where the problems, the results and this project's program go")
    parser.add_argument("--only", choices=["2d", "3d"], help="leave out the other comparison")
    parser.add_argument("--devito", default="build/devito-venv/bin/python", help="Python that has Devito")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cells", type=int, default=200, help="of the 3D problem along each axis, without layers")
    parser.add_argument("--inside", action="store_true", help="3D problem away from the layers, in which the codes differ")
    parser.add_argument("--keep-subnormals", action="store_true", help="leave Deepwave's handling of subnormal numbers as installed (slower)")
    options = parser.parse_args()

    folder = pathlib.Path(options.folder).resolve()
    subprocess.run(["go", "build", "-o", folder / "ours", "./bench/peers/ours"], cwd=HERE.parent.parent, check=True)
    print(f"{processor()}, {os.cpu_count()} CPUs")
    last = []
    if options.only != "3d":
        last.append(compare_2d(options, folder / "ours", folder / "2d"))
    if options.only != "2d":
        last.append(compare_3d(options, folder / "ours", folder / "3d"))
    for lines in zip(*last):
        print(" ".join(lines))


if __name__ == "__main__":
    main()
