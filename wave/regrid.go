package wave

import "math"

// Regrid converts models between a fine and a coarse grid of the same section with a Kaiser-windowed sinc that cuts at the
// coarser grid's Nyquist wavenumber: reflections need the model at twice the wavenumber of the waves, where the usual
// triangle has lost half its amplitude already.
//
// Beyond its edges a model goes on with its outermost cells, as it does in the absorbing layers. Velocities are averaged
// as 1/v², the only coefficient of the constant-density equation, whose mean is the effective medium of layers thinner than a
// wavelength (homogenisation: Capdeville et al. 2010, GJI 182, 903-922).
type Regrid struct {
	Fine, Coarse Grid
	z, x         axisMap
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
	return &Regrid{Fine: fine, Coarse: coarse, z: newAxisMap(fine, coarse, 0), x: newAxisMap(fine, coarse, 1)}
}

func newAxisMap(fine, coarse Grid, d int) axisMap {
	return axisMap{restrict: axisRows(coarse, fine, d), prolong: axisRows(fine, coarse, d)}
}

const (
	regridHalfWidth = 4 // cells of the coarser grid
	regridBeta      = 6.31
)

// axisRows returns the weights that interpolate, or average, from one grid's cells to another's along an axis.
func axisRows(to, from Grid, d int) []axisRow {
	n, h := from.Shape[d], from.Spacing[d]
	scale := max(h, to.Spacing[d])
	reach := regridHalfWidth * scale
	shift := to.Start(d) - from.Start(d)
	rows := make([]axisRow, to.Shape[d])
	for i := range rows {
		x := shift + float64(i)*to.Spacing[d]
		first, last := int(math.Ceil((x-reach)/h)), int(math.Floor((x+reach)/h))
		low, high := min(max(first, 0), n-1), min(max(last, 0), n-1)
		rows[i] = axisRow{begin: low, weight: make([]float64, high-low+1)}
		var sum float64
		for j := first; j <= last; j++ {
			t := (x - float64(j)*h) / scale
			w := sinc(t) * kaiser(t/regridHalfWidth, regridBeta)
			rows[i].weight[min(max(j, low), high)-low] += w
			sum += w
		}
		for k := range rows[i].weight {
			rows[i].weight[k] /= sum
		}
	}
	return rows
}

// apply maps from [., nx of from] to [., nx of to] with the rows of each axis.
func applyRows(to, from []float32, z, x []axisRow, fromNX int) {
	row := make([]float64, fromNX)
	nx := len(x)
	for i, rz := range z {
		clear(row)
		for k, w := range rz.weight {
			for j, v := range from[(rz.begin+k)*fromNX : (rz.begin+k+1)*fromNX] {
				row[j] += w * float64(v)
			}
		}
		for j, rx := range x {
			var sum float64
			for k, w := range rx.weight {
				sum += w * row[rx.begin+k]
			}
			to[i*nx+j] = float32(sum)
		}
	}
}

// applyTransposed is the transpose of applyRows.
func applyTransposed(from, to []float32, z, x []axisRow, fromNX int) {
	sum := make([]float64, len(from))
	row := make([]float64, fromNX)
	nx := len(x)
	for i, rz := range z {
		clear(row)
		for j, rx := range x {
			for k, w := range rx.weight {
				row[rx.begin+k] += w * float64(to[i*nx+j])
			}
		}
		for k, w := range rz.weight {
			out := sum[(rz.begin+k)*fromNX : (rz.begin+k+1)*fromNX]
			for j, v := range row {
				out[j] += w * v
			}
		}
	}
	for i, v := range sum {
		from[i] = float32(v)
	}
}

// Restrict averages fine [nz, nx] onto the coarse grid.
func (r *Regrid) Restrict(coarse, fine []float32) {
	applyRows(coarse, fine, r.z.restrict, r.x.restrict, r.Fine.NX())
}

// RestrictAdjoint applies the transpose of Restrict: a gradient on the coarse grid becomes one on the fine grid.
func (r *Regrid) RestrictAdjoint(fine, coarse []float32) {
	applyTransposed(fine, coarse, r.z.restrict, r.x.restrict, r.Fine.NX())
}

// Prolong interpolates coarse [nz, nx] onto the fine grid.
func (r *Regrid) Prolong(fine, coarse []float32) {
	applyRows(fine, coarse, r.z.prolong, r.x.prolong, r.Coarse.NX())
}

// ProlongAdjoint applies the transpose of Prolong.
func (r *Regrid) ProlongAdjoint(coarse, fine []float32) {
	applyTransposed(coarse, fine, r.z.prolong, r.x.prolong, r.Coarse.NX())
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
