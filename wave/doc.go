// Package wave models seismic waves: a grid, a velocity model, a survey, and a propagator that turns them into gathers and
// gradients.
//
// With F the modelling operator and J its Jacobian, an inversion code needs four calls:
//
//	d  = F(v)      p.Forward(ctx, v, shots)
//	g  = Jᵀ r      p.Gradient(ctx, v, shots, misfit), r = ∂misfit/∂d
//	δd = J δv      p.Born(ctx, v, dv, shots)
//	g  = Jᵀ δd     p.BornAdjoint(ctx, v, gathers, shots)
//
// Units are metres, seconds, m/s and Hz. Grids have two or three axes: arrays are [nz, nx] or [nz, ny, nx], x fastest, z down;
// positions are metres in the order (z, x) or (z, y, x); a gather is [receiver, time]. The gradient is that of the discrete scheme, absorbing layers, interpolation of positions
// and resampling of traces included, so dot-product and Taylor tests hold to round-off.
//
// A gradient needs the forward field at every k-th step. How it is kept (Options.Storage) is chosen by a planner from the memory allowed:
// in memory, in 16 bits, in strips from which the interior is stepped back, or as checkpoints from which it is stepped again; on
// disk where that is asked for. Plan says what was chosen, the bytes part by part and the recomputation.
//
// The equation is (1/v²) ∂²u/∂t² - ∇²u = s(t) δ(x - x_s): pressure u of constant density of a line source s in 2D, a point
// source in 3D. Amplitudes do not depend on the grid or the time step.
package wave
