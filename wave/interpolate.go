package wave

import (
	"math"

	"gofwi/kernels"
)

// Hicks (2002), Geophysics 67, 156-165: a point between cells acts on 8 × 8 of them with a Kaiser-windowed sinc, b = 6.31
// for half-width 4.
const (
	hicksHalfWidth = 4
	hicksBeta      = 6.31
)

// axisWeights returns the first cell and the weights of position x (in cells) along one axis; a single cell if x is on it.
func axisWeights(x float64) (first int, weight []float64) {
	nearest := math.Round(x)
	if math.Abs(x-nearest) < 1e-6 {
		return int(nearest), []float64{1}
	}
	first = int(math.Floor(x)) - hicksHalfWidth + 1
	for k := range 2 * hicksHalfWidth {
		d := x - float64(first+k)
		weight = append(weight, sinc(d)*kaiser(d/hicksHalfWidth, hicksBeta))
	}
	return first, weight
}

// interpolate returns the cells of the solver's grid on which the positions act. Above a free surface a cell's odd image
// takes its place; what falls outside the grid otherwise is dropped.
func interpolate[T float32 | float64](l *layout, positions []Position) kernels.Points[T] {
	points := kernels.Points[T]{Begin: []int32{0}}
	for _, p := range positions {
		z := (p[0]-l.grid.Start(0))/l.grid.DZ() + float64(l.top)
		x := (p[1]-l.grid.Start(1))/l.grid.DX() + float64(l.left)
		z0, wz := axisWeights(z)
		x0, wx := axisWeights(x)
		rows := map[int]float64{} // images fold onto rows that may be among the neighbours already
		for k, w := range wz {
			row := z0 + k
			if row < 0 && l.freeSurface {
				row, w = -row, -w
			}
			if row >= 0 && row < l.nz && !(row == 0 && l.freeSurface) {
				rows[row] += w
			}
		}
		if len(wx) == 1 {
			wx = append(wx, make([]float64, kernels.Run-1)...)
		}
		if x0 < 0 { // cells left of the grid are dropped
			wx, x0 = append(wx[min(-x0, len(wx)):], make([]float64, min(-x0, len(wx)))...), 0
		}
		for row := range l.nz { // in order, so that sums always have the same bits
			w, ok := rows[row]
			if !ok {
				continue
			}
			points.Cell = append(points.Cell, int32(row*l.nx+x0))
			for k, v := range wx {
				if x0+k >= l.nx {
					v = 0
				}
				points.Weight = append(points.Weight, T(w*v))
			}
		}
		points.Begin = append(points.Begin, int32(len(points.Cell)))
	}
	return points
}
