package wave

import (
	"errors"
	"fmt"
	"math"
)

// Grid is a regular grid of cells, [nz, nx].
type Grid struct {
	Shape   []int     // number of cells per axis
	Spacing []float64 // m per axis
	Origin  []float64 // position of cell (0, 0) in m; nil is (0, 0)
}

// NewGrid2D returns the grid of nz by nx cells with the given spacings in metres and its first cell at the origin.
func NewGrid2D(nz, nx int, dz, dx float64) Grid {
	return Grid{Shape: []int{nz, nx}, Spacing: []float64{dz, dx}}
}

// Validate returns an error unless the grid is two-dimensional with cells of positive, finite size.
func (g Grid) Validate() error {
	if len(g.Shape) != 2 || len(g.Spacing) != 2 || len(g.Origin) != 0 && len(g.Origin) != 2 {
		return fmt.Errorf("a grid needs two axes (z, x), not shape %v, spacing %v, origin %v", g.Shape, g.Spacing, g.Origin)
	}
	for d := range g.Shape {
		if g.Shape[d] < 2 || !(g.Spacing[d] > 0) || math.IsInf(g.Spacing[d], 0) {
			return fmt.Errorf("a grid of shape %v with spacing %v m is impossible: each axis needs at least 2 cells and a positive spacing", g.Shape, g.Spacing)
		}
	}
	return nil
}

// Cells returns the number of cells.
func (g Grid) Cells() int {
	n := 1
	for _, s := range g.Shape {
		n *= s
	}
	return n
}

// NZ and NX return the number of cells down and across, DZ and DX their spacings in m.
func (g Grid) NZ() int     { return g.Shape[0] }
func (g Grid) NX() int     { return g.Shape[len(g.Shape)-1] }
func (g Grid) DZ() float64 { return g.Spacing[0] }
func (g Grid) DX() float64 { return g.Spacing[len(g.Spacing)-1] }

// Start returns the position of the first cell along an axis in m, End that of the last.
func (g Grid) Start(axis int) float64 {
	if g.Origin == nil {
		return 0
	}
	return g.Origin[axis]
}

// End returns the position of the last cell along an axis in m.
func (g Grid) End(axis int) float64 {
	return g.Start(axis) + float64(g.Shape[axis]-1)*g.Spacing[axis]
}

// Coarsen returns the grid that covers the same section with spacings as close below the given ones as whole cells allow,
// and never finer than g itself.
func (g Grid) Coarsen(dz, dx float64) Grid {
	out := Grid{Shape: make([]int, 2), Spacing: make([]float64, 2), Origin: g.Origin}
	for d, h := range []float64{dz, dx} {
		length := float64(g.Shape[d]-1) * g.Spacing[d]
		cells := min(max(int(math.Ceil(length/h-1e-9)), 1), g.Shape[d]-1)
		out.Shape[d] = cells + 1
		out.Spacing[d] = length / float64(cells)
	}
	return out
}

// ErrVelocity is wrapped by the errors about velocities that no propagator takes: not finite, not positive, or too fast for
// its time step.
var ErrVelocity = errors.New("unusable velocity")

// CheckVelocity returns the extremes of a velocity model, or an error that names the first bad cell.
func CheckVelocity[T float32 | float64](g Grid, vp []T) (vmin, vmax float64, err error) {
	if len(vp) != g.Cells() {
		return 0, 0, fmt.Errorf("%w: the model has %d values for a grid of %v = %d cells", ErrVelocity, len(vp), g.Shape, g.Cells())
	}
	vmin, vmax = math.Inf(1), 0
	for i, t := range vp {
		v := float64(t)
		if !(v > 0) || math.IsInf(v, 1) {
			return 0, 0, fmt.Errorf("%w: %g m/s in cell (z %d, x %d)", ErrVelocity, v, i/g.NX(), i%g.NX())
		}
		vmin, vmax = min(vmin, v), max(vmax, v)
	}
	return vmin, vmax, nil
}
