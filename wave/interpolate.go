package wave

import (
	"math"
	"slices"

	"gofwi/kernels"
)

// Hicks (2002), Geophysics 67, 156-165: a point between cells acts on 8 of them along each axis with a Kaiser-windowed sinc, b = 6.31
// for half-width 4.
const (
	hicksHalfWidth = 4
	hicksBeta      = 6.31
	onCell         = 1e-6 // cells: a point so close to a cell acts on it alone
)

// axisWeights returns the first cell and the weights of position x (in cells) along one axis; a single cell if x is on it.
func axisWeights(x float64) (first int, weight []float64) {
	nearest := math.Round(x)
	if math.Abs(x-nearest) < onCell {
		return int(nearest), []float64{1}
	}
	first = int(math.Floor(x)) - hicksHalfWidth + 1
	for k := range 2 * hicksHalfWidth {
		d := x - float64(first+k)
		weight = append(weight, sinc(d)*kaiser(d/hicksHalfWidth, hicksBeta))
	}
	return first, weight
}

// cellWeight is the weight of one cell along an axis.
type cellWeight struct {
	cell   int
	weight float64
}

// leadingWeights returns the cells, in order, and their weights along an axis other than x of the solver's grid. Above a free
// surface, on axis 0, a cell's odd image takes its place; what falls outside the grid otherwise is dropped.
func (l *layout) leadingWeights(axis int, x float64) []cellWeight {
	first, weights := axisWeights(x)
	surface := axis == 0 && l.freeSurface
	var out []cellWeight
	for k, w := range weights {
		cell := first + k
		if cell < 0 && surface {
			cell, w = -cell, -w
		}
		if cell < 0 || cell >= l.shape[axis] || cell == 0 && surface {
			continue
		}
		// images fall on cells that may be among the neighbours already
		at := slices.IndexFunc(out, func(c cellWeight) bool { return c.cell == cell })
		if at < 0 {
			out = append(out, cellWeight{cell, w})
		} else {
			out[at].weight += w
		}
	}
	slices.SortFunc(out, func(a, b cellWeight) int { return a.cell - b.cell })
	return out
}

// rowWeights returns the rows of the solver's grid on which a position acts, numbered in the order of memory, and the weight of each.
func (l *layout) rowWeights(p Position) []cellWeight {
	rows := []cellWeight{{0, 1}}
	for axis := range len(l.shape) - 1 {
		var next []cellWeight
		for _, r := range rows {
			for _, c := range l.leadingWeights(axis, l.inCells(p, axis)) {
				next = append(next, cellWeight{r.cell*l.shape[axis] + c.cell, r.weight * c.weight})
			}
		}
		rows = next
	}
	return rows
}

// inCells returns a position along one axis in cells of the solver's grid.
func (l *layout) inCells(p Position, axis int) float64 {
	if axis == 0 && l.stretch != nil {
		return l.stretch.row(p[0])
	}
	return (p[axis]-l.grid.Start(axis))/l.grid.Spacing[axis] + float64(l.added[axis][0])
}

// interpolate returns the cells of the solver's grid on which the positions act, as one run along x in each row.
func interpolate[T float32 | float64](l *layout, positions []Position) kernels.Points[T] {
	points := kernels.Points[T]{Begin: []int32{0}}
	x := len(l.shape) - 1
	nx := l.shape[x]
	for _, p := range positions {
		x0, wx := axisWeights(l.inCells(p, x))
		if len(wx) == 1 {
			wx = append(wx, make([]float64, kernels.Run-1)...)
		}
		if x0 < 0 { // cells left of the grid are dropped
			wx, x0 = append(wx[min(-x0, len(wx)):], make([]float64, min(-x0, len(wx)))...), 0
		}
		for _, row := range l.rowWeights(p) {
			points.Cell = append(points.Cell, int32(row.cell*nx+x0))
			for k, v := range wx {
				if x0+k >= nx {
					v = 0
				}
				points.Weight = append(points.Weight, T(row.weight*v))
			}
		}
		points.Begin = append(points.Begin, int32(len(points.Cell)))
	}
	return points
}
