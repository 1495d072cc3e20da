package wave

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"gofwi/internal/parallel"
)

// Regrid converts models between a fine and a coarse grid of the same region with a Kaiser-windowed sinc that cuts at the
// coarser grid's Nyquist wavenumber: reflections need the model at twice the wavenumber of the waves, where the usual
// triangle has lost half its amplitude already.
//
// Beyond its edges a model goes on with its outermost cells, as it does in the absorbing layers. Velocities are averaged
// as 1/v², the only coefficient of the constant-density equation, whose mean is the effective medium of layers thinner than a
// wavelength (homogenisation: Capdeville et al. 2010, GJI 182, 903-922).
type Regrid struct {
	Fine, Coarse Grid
	axes         []axisMap
}

// axisMap holds the weights along one axis: of fine cells in each coarse cell, and the other way round. Rows sum to one.
type axisMap struct {
	restrict, prolong []axisRow
}

type axisRow struct {
	begin  int
	weight []float64
}

// NewRegrid returns the operators between two grids; coarse may be as fine as fine, or finer.
func NewRegrid(fine, coarse Grid) *Regrid {
	r := &Regrid{Fine: fine, Coarse: coarse}
	for d := range fine.Shape {
		r.axes = append(r.axes, axisMap{restrict: axisRows(coarse, fine, d), prolong: axisRows(fine, coarse, d)})
	}
	return r
}

func (m axisMap) restriction() []axisRow  { return m.restrict }
func (m axisMap) prolongation() []axisRow { return m.prolong }

const (
	regridHalfWidth = 4 // cells of the coarser grid
	regridBeta      = 6.31
)

// axisRows returns the weights that interpolate, or average, from one grid's cells to another's along an axis.
func axisRows(to, from Grid, d int) []axisRow {
	n, h := from.Shape[d], from.Spacing[d]
	scale := max(h, to.Spacing[d])
	shift := to.Start(d) - from.Start(d)
	rows := make([]axisRow, to.Shape[d])
	for i := range rows {
		rows[i] = sincRow(n, (shift+float64(i)*to.Spacing[d])/h, scale/h)
	}
	return rows
}

// sincRow returns the weights of n values at 0 … n-1 in the one at x, for what is sampled every scale ≥ 1 of them.
func sincRow(n int, x, scale float64) axisRow {
	reach := regridHalfWidth * scale
	first, last := int(math.Ceil(x-reach)), int(math.Floor(x+reach))
	low, high := min(max(first, 0), n-1), min(max(last, 0), n-1)
	row := axisRow{begin: low, weight: make([]float64, high-low+1)}
	var sum float64
	for j := first; j <= last; j++ {
		t := (x - float64(j)) / scale
		w := sinc(t) * kaiser(t/regridHalfWidth, regridBeta)
		row.weight[min(max(j, low), high)-low] += w
		sum += w
	}
	for k := range row.weight {
		row.weight[k] /= sum
	}
	return row
}

// apply maps src, of the given shape, with the rows of each axis, one axis after the other from the first.
func (r *Regrid) apply(dst, src []float32, shape []int, rows func(axisMap) []axisRow) {
	from := widened(src)
	inner := len(src)
	outer := 1
	for d, n := range shape {
		inner /= n
		along := rows(r.axes[d])
		to := make([]float64, outer*len(along)*inner)
		parallel.Ranges(outer*len(along), func(first, last int) {
			for at := first; at < last; at++ {
				block, row, sum := from[at/len(along)*n*inner:], along[at%len(along)], to[at*inner:][:inner]
				if inner == 1 {
					sum[0] = floats.Dot(row.weight, block[row.begin:][:len(row.weight)])
					continue
				}
				for k, w := range row.weight {
					for j, v := range block[(row.begin+k)*inner:][:inner] {
						sum[j] += w * v
					}
				}
			}
		})
		from = to
		outer *= len(along)
	}
	for i, v := range from {
		dst[i] = float32(v)
	}
}

// applyTransposed is the transpose of apply: src is on the grid that apply maps to, dst has the given shape.
func (r *Regrid) applyTransposed(dst, src []float32, shape []int, rows func(axisMap) []axisRow) {
	from := widened(src)
	outer, inner := len(src), 1
	for d := len(shape) - 1; d >= 0; d-- {
		n := shape[d]
		along := rows(r.axes[d])
		outer /= len(along)
		to := make([]float64, outer*n*inner)
		for o := range outer {
			block := to[o*n*inner:]
			for i, row := range along {
				values := from[(o*len(along)+i)*inner:][:inner]
				for k, w := range row.weight {
					sum := block[(row.begin+k)*inner:][:inner]
					for j, v := range values {
						sum[j] += w * v
					}
				}
			}
		}
		from = to
		inner *= n
	}
	for i, v := range from {
		dst[i] = float32(v)
	}
}

func widened(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// Restrict averages a fine model onto the coarse grid.
func (r *Regrid) Restrict(coarse, fine []float32) {
	r.apply(coarse, fine, r.Fine.Shape, axisMap.restriction)
}

// RestrictAdjoint applies the transpose of Restrict: a gradient on the coarse grid becomes one on the fine grid.
func (r *Regrid) RestrictAdjoint(fine, coarse []float32) {
	r.applyTransposed(fine, coarse, r.Fine.Shape, axisMap.restriction)
}

// Prolong interpolates a coarse model onto the fine grid.
func (r *Regrid) Prolong(fine, coarse []float32) {
	r.apply(fine, coarse, r.Coarse.Shape, axisMap.prolongation)
}

// ProlongAdjoint applies the transpose of Prolong.
func (r *Regrid) ProlongAdjoint(coarse, fine []float32) {
	r.applyTransposed(coarse, fine, r.Coarse.Shape, axisMap.prolongation)
}

// Velocity restricts a velocity model as 1/v². At sharp contrasts, where the sinc overshoots, velocities stay within those
// of the fine model.
func (r *Regrid) Velocity(coarse, fine []float32) {
	slowness := make([]float32, len(fine))
	least, most := float32(math.Inf(1)), float32(0)
	for i, v := range fine {
		slowness[i] = 1e6 / (v * v)
		least, most = min(least, slowness[i]), max(most, slowness[i])
	}
	r.Restrict(coarse, slowness)
	for i, s := range coarse {
		coarse[i] = float32(1e3 / math.Sqrt(float64(min(max(s, least), most))))
	}
}

// VelocityGradient turns ∂J/∂v on the coarse grid into ∂J/∂v on the fine one, for v_coarse = Velocity(v_fine) where no
// overshoot was cut.
func (r *Regrid) VelocityGradient(fine, coarse, vFine, vCoarse []float32) {
	scaled := make([]float32, len(coarse))
	for i, g := range coarse {
		v := vCoarse[i] * 1e-3
		scaled[i] = g * v * v * v
	}
	r.RestrictAdjoint(fine, scaled)
	for i, v := range vFine {
		v *= 1e-3
		fine[i] /= v * v * v
	}
}
