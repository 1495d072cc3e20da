package wave

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Grid is a regular grid of cells, [nz, nx] or [nz, ny, nx].
type Grid struct {
	Shape   []int     // number of cells per axis
	Spacing []float64 // m per axis
	Origin  []float64 // position of the first cell in m; nil is zero
}

// NewGrid2D returns the grid of nz by nx cells with the given spacings in metres and its first cell at the origin.
func NewGrid2D(nz, nx int, dz, dx float64) Grid {
	return Grid{Shape: []int{nz, nx}, Spacing: []float64{dz, dx}}
}

// NewGrid3D returns the grid of nz by ny by nx cells with the given spacings in metres and its first cell at the origin.
func NewGrid3D(nz, ny, nx int, dz, dy, dx float64) Grid {
	return Grid{Shape: []int{nz, ny, nx}, Spacing: []float64{dz, dy, dx}}
}

// AxisNames returns the names of the axes of a grid with so many of them: z, x or z, y, x.
func AxisNames(axes int) []string {
	if axes == 3 {
		return []string{"z", "y", "x"}
	}
	return []string{"z", "x"}
}

// Validate returns an error unless the grid has two or three axes with cells of positive, finite size.
func (g Grid) Validate() error {
	axes := len(g.Shape)
	if axes != 2 && axes != 3 || len(g.Spacing) != axes || len(g.Origin) != 0 && len(g.Origin) != axes {
		return fmt.Errorf("a grid needs the axes (z, x) or (z, y, x), not shape %v, spacing %v, origin %v", g.Shape, g.Spacing, g.Origin)
	}
	for d := range g.Shape {
		if g.Shape[d] < 2 || !(g.Spacing[d] > 0) || math.IsInf(g.Spacing[d], 0) {
			return fmt.Errorf("a grid of shape %v with spacing %v m is impossible: each axis needs at least 2 cells and a positive spacing", g.Shape, g.Spacing)
		}
	}
	return nil
}

// Axes returns the number of axes.
func (g Grid) Axes() int { return len(g.Shape) }

// Cells returns the number of cells.
func (g Grid) Cells() int {
	n := 1
	for _, s := range g.Shape {
		n *= s
	}
	return n
}

// NZ and NX return the number of cells down and along x, DZ and DX their spacings in m.
func (g Grid) NZ() int     { return g.Shape[0] }
func (g Grid) NX() int     { return g.Shape[len(g.Shape)-1] }
func (g Grid) DZ() float64 { return g.Spacing[0] }
func (g Grid) DX() float64 { return g.Spacing[len(g.Spacing)-1] }

// Columns returns the number of cells at one depth: cell i has the depth of row i / Columns(), and the cell below it is
// i + Columns().
func (g Grid) Columns() int { return g.Cells() / g.Shape[0] }

// Index returns the position of a cell in the grid, counted in cells along each axis.
func (g Grid) Index(cell int) []int {
	index := make([]int, len(g.Shape))
	for d := len(g.Shape) - 1; d >= 0; d-- {
		index[d] = cell % g.Shape[d]
		cell /= g.Shape[d]
	}
	return index
}

// CellName names a cell for people, as in (z 3, x 14).
func (g Grid) CellName(cell int) string {
	index := g.Index(cell)
	parts := make([]string, len(index))
	for d, name := range AxisNames(len(index)) {
		parts[d] = fmt.Sprintf("%s %d", name, index[d])
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// CellSize returns the area of a cell in m², or its volume in m³.
func (g Grid) CellSize() float64 {
	size := 1.0
	for _, h := range g.Spacing {
		size *= h
	}
	return size
}

// MaxSpacing returns the largest spacing in m.
func (g Grid) MaxSpacing() float64 { return slices.Max(g.Spacing) }

// Times joins numbers as people write the sizes of arrays, each in the given format: 51 × 101.
func Times[T any](format string, values []T) string {
	parts := make([]string, len(values))
	for d, v := range values {
		parts[d] = fmt.Sprintf(format, v)
	}
	return strings.Join(parts, " × ")
}

// String describes the grid, as in 51 × 101 cells of 20 × 20 m.
func (g Grid) String() string {
	return Times("%d", g.Shape) + " cells of " + Times("%.4g", g.Spacing) + " m"
}

// SameShape reports whether two grids have as many cells along every axis.
func (g Grid) SameShape(o Grid) bool { return slices.Equal(g.Shape, o.Shape) }

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

// Coarsen returns the grid that covers the same region with spacings (m; one for all axes or one for each) as close below the given
// ones as whole cells allow, and never finer than g itself.
func (g Grid) Coarsen(spacing ...float64) Grid {
	out := Grid{Shape: make([]int, len(g.Shape)), Spacing: make([]float64, len(g.Shape)), Origin: g.Origin}
	for d := range g.Shape {
		h := spacing[min(d, len(spacing)-1)]
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
			return 0, 0, fmt.Errorf("%w: %g m/s in cell %s", ErrVelocity, v, g.CellName(i))
		}
		vmin, vmax = min(vmin, v), max(vmax, v)
	}
	return vmin, vmax, nil
}
