"""Devito's side of the comparison in 3D (peer.py tells the commands). A gradient's INTERVAL must be that of the problem.

The equation is (1/v²) ∂²u/∂t² + (damping) ∂u/∂t - ∇²u = s(t) δ(x - x_s): Devito leaves absorbing boundaries to its user, and a damping layer
is what its own examples have. It costs one more array to read, less than a CPML with its memory variables, and absorbs less. Operators are compiled and their
blocks tuned before the first timing.
"""

import math
import os
import sys
import time

os.environ.update(DEVITO_ARCH="gcc", DEVITO_LANGUAGE="openmp", DEVITO_LOGGING="ERROR")

import devito  # noqa: E402
import numpy as np  # noqa: E402
from devito import ConditionalDimension, Eq, Function, Grid, Inc, Operator, SparseTimeFunction, TimeFunction, solve  # noqa: E402

import peer  # noqa: E402


class Problem(peer.Problem):
    def __init__(self, folder):
        super().__init__(folder)
        d = self.description
        self.layer, h = d["layer"], d["spacing"]
        shape = [n + 2 * self.layer for n in d["shape"]]
        self.grid = Grid(shape=shape, extent=[(n - 1) * h for n in shape], dtype=np.float32)
        self.wavelet = self.load("wavelet", d["nt"])
        self.damping = Function(name="damp", grid=self.grid, space_order=0)
        self.damping.data[:] = self.profile(shape)
        self.tuned = {}
        self.operators = {}

    def profile(self, shape):
        """1/v² times the rate of damping, growing with the square of the depth in the layer, 1e-3 of reflection in theory."""
        d = self.description
        strength = 1.5 * math.log(1e3) / (self.layer * d["spacing"] * d["vmax"])
        total = np.zeros(shape, np.float32)
        for axis, n in enumerate(shape):
            i = np.arange(n)
            depth = np.maximum(0, np.maximum(self.layer - i, i - (n - 1 - self.layer))) / self.layer
            total += (2 * strength * depth**2).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        return total

    def points(self, name, cells):
        """Points on cells (without layers), with traces."""
        points = SparseTimeFunction(name=name, grid=self.grid, npoint=len(cells), nt=self.description["nt"])
        points.coordinates.data[:] = (np.array(cells) + self.layer) * self.description["spacing"]
        return points

    def build(self, order):
        """The operators of an order in space: forward, forward that saves, adjoint that images."""
        if order in self.operators:
            return self.operators[order]
        d = self.description
        grid, dt = self.grid, self.grid.stepping_dim.spacing
        m = Function(name="m", grid=grid, space_order=order)
        fields = {"time_order": 2, "space_order": order, "grid": grid}
        u, v = TimeFunction(name="u", **fields), TimeFunction(name="v", **fields)
        sampled = ConditionalDimension("sampled", parent=grid.time_dim, factor=d["interval"])
        slots = (d["nt"] + d["interval"] - 1) // d["interval"]
        saved = TimeFunction(name="saved", grid=grid, space_order=0, time_order=0, save=slots, time_dim=sampled)
        gradient = Function(name="gradient", grid=grid, space_order=0)
        source, receiver, residual = (self.points(*p) for p in (("src", d["sources"]), ("rec", d["receivers"]), ("res", d["receivers"])))
        source.data[:] = self.wavelet[:, None]
        volume = d["spacing"] ** 3
        step = Eq(u.forward, solve(m * u.dt2 - u.laplace + self.damping * u.dt, u.forward))
        record = [step, source.inject(field=u.forward, expr=source * dt**2 / m / volume), receiver.interpolate(expr=u)]
        back = Eq(v.backward, solve(m * v.dt2 - v.laplace + self.damping * v.dt.T, v.backward))
        # ∂J/∂m = -Σ u v.dt2 over the steps, with u every INTERVAL-th step
        image = Inc(gradient, -saved * v.dt2 * d["interval"])
        self.operators[order] = {
            "m": m, "u": u, "v": v, "saved": saved, "gradient": gradient, "receiver": receiver, "residual": residual,
            "forward": Operator(record, name="Forward"),
            "saving": Operator([*record, Eq(saved, u)], name="Saving"),
            "adjoint": Operator([back, residual.inject(field=v.backward, expr=residual * dt**2 / m), image], name="Adjoint"),
        }
        return self.operators[order]

    def apply(self, operator, **arguments):
        """Runs an operator over all steps with tuned blocks and returns the seconds."""
        arguments.update(dt=self.description["dt"], time_m=1 if operator.name == "Adjoint" else 0, time_M=self.description["nt"] - 1)
        if operator not in self.tuned:
            operator.apply(autotune=("aggressive", "runtime"), **arguments)
            tuning = operator._state.get("autotuning") or [{}]
            self.tuned[operator] = dict(tuning[-1].get("tuned", {}))
            print(f"{operator.name}: blocks {self.tuned[operator]}", file=sys.stderr)
        begin = time.perf_counter()
        operator.apply(autotune="off", **arguments, **self.tuned[operator])
        return time.perf_counter() - begin

    def set_model(self, operators, name):
        velocity = np.pad(self.load(name, *self.description["shape"]), self.layer, mode="edge")
        operators["m"].data[:] = 1 / velocity**2
        return velocity

    def run(self, operators, name, *fields):
        """Runs an operator from silence. The first call of each is a warming one that also tunes its blocks."""
        for attempt in range(1 if operators[name] in self.tuned else 2):
            for f in fields:
                operators[f].data[:] = 0
            seconds = self.apply(operators[name])
        return seconds

    def forward(self, model, order, save=None):
        operators = self.build(order)
        self.set_model(operators, model)
        seconds = self.run(operators, "forward", "u")
        self.save(save, operators["receiver"].data.T)
        return seconds

    def gradient(self, order, interval, save=None):
        if interval != self.description["interval"]:
            raise SystemExit(f"the problem stores every {self.description['interval']} steps, not every {interval}")
        operators = self.build(order)
        velocity = self.set_model(operators, "start")
        observed = self.load("observed", len(self.description["receivers"]), self.description["nt"])
        taper = self.load("taper", self.description["nt"], 1)
        seconds = self.run(operators, "saving", "u")
        begin = time.perf_counter()
        operators["residual"].data[:] = taper * (operators["receiver"].data - observed.T)
        seconds += time.perf_counter() - begin
        seconds += self.run(operators, "adjoint", "v", "gradient")
        if save:
            inside = tuple(slice(self.layer, -self.layer) for _ in range(3))
            by_velocity = -2 / velocity**3 * operators["gradient"].data
            self.save(save, by_velocity[inside])
        return seconds


if __name__ == "__main__":
    peer.serve(Problem(sys.argv[1]), f"Devito {devito.__version__}", int(os.environ["OMP_NUM_THREADS"]))
