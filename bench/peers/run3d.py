"""Time this project and Devito side by side on one 3D shot of order 8, alternating between them so that noise hits both alike.

The table gives the median of the repeats, with the fastest and the slowest, and what the forward field costs in a gradient that stores it
every INTERVAL steps in both codes. Points per second count the absorbing layers, which are as wide in both: a CPML here, a damping layer in Devito. Devito's
compilation and the tuning of its blocks are not timed. The last line holds the ratios of speed ours/theirs, the relative L2 difference of
the gathers and the correlation of the gradients within the grid.
"""

import argparse
import os
import pathlib
import statistics
import sys

import numpy as np

import problem3d
from run import HERE, Worker, processor

INTERVAL = 8  # steps between stored samples
CASES = {"forward_3d_o8": "forward start 8", "gradient_3d_o8": f"gradient 8 {INTERVAL}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default="build/peers3d", help="where the problem and the results go")
    parser.add_argument("--ours", default="build/peers/ours", help="our program")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cells", type=int, default=200, help="along each axis, without layers")
    options = parser.parse_args()

    folder = pathlib.Path(options.folder).resolve()
    points = problem3d.write(folder, options.cells, options.threads, INTERVAL)["points"]
    ours = Worker("ours", [pathlib.Path(options.ours).resolve()], folder, options.threads)
    theirs = Worker("devito", [sys.executable, HERE / "devito_bench.py"], folder, options.threads)
    theirs.seconds("forward true 8 observed")

    workers = [ours, theirs]
    print(f"{theirs.code} (damping layer) against {ours.code} (CPML), {options.threads} threads each")
    print(f"{processor()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f} before")
    print(f"{points / 1e9:.3f} Gpoint a run, absorbing layers counted; median of {options.repeats} alternating runs\n")
    print(f"{'':15}" + "".join(f"  {w.name + ': s (min-max)':>24} {'Gpt/s':>6}" for w in workers) + f"  {'ratio':>6}", flush=True)
    ratio, results = {}, {}
    for case, command in CASES.items():
        times = {w: [] for w in workers}
        for w in workers:  # the first run warms up and leaves its result
            w.seconds(f"{command} {case}_{w.name}")
        for _ in range(options.repeats):
            for w, seconds in times.items():
                seconds.append(w.seconds(command))
        results[case] = [np.fromfile(folder / f"{case}_{w.name}.f32", "<f4").astype(float) for w in workers]
        median = {w: statistics.median(s) for w, s in times.items()}
        ratio[case] = median[theirs] / median[ours]
        cells = "".join(f"  {f'{median[w]:.3f} ({min(s):.3f}-{max(s):.3f})':>24} {points / median[w] / 1e9:6.2f}" for w, s in times.items())
        print(f"{case:15}{cells}  {ratio[case]:6.2f}", flush=True)
    for w in workers:
        w.close()
    (a, b), (g, h) = results.values()
    print(f"\nload {os.getloadavg()[0]:.2f} after")
    print(
        " ".join(f"{case}={r:.2f}" for case, r in ratio.items())
        + f" agree_gathers_3d={np.linalg.norm(a - b) / np.linalg.norm(b):.2e} corr_gradient_3d={np.corrcoef(g, h)[0, 1]:.6f}"
    )


if __name__ == "__main__":
    main()
