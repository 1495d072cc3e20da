package wave

import "math"

// Regrid converts models between a fine and a coarse grid of the same section.
//
// Prolong interpolates linearly from coarse to fine, R is its transpose with rows normalised to one: a triangular average. Velocities are
// averaged as 1/v², the only coefficient of the constant-density equation, whose arithmetic mean is the effective medium of
// layers thinner than a wavelength (homogenisation: Capdeville et al. 2010, GJI 182, 903-922).
type Regrid struct {
	Fine, Coarse Grid
	z, x         axisMap
}

// axisMap holds, for each coarse cell, the fine cells within one coarse spacing and the triangle's weights on them.
type axisMap struct {
	begin     []int
	weight    [][]float64 // restriction, rows sum to one
	left      []int       // prolongation: the coarse cell before each fine one
	fraction  []float64   // and the way to the next
	nFine, nC int
}

// NewRegrid returns the operators between two grids; coarse may be as fine as fine, or finer.
func NewRegrid(fine, coarse Grid) *Regrid {
	return &Regrid{Fine: fine, Coarse: coarse, z: newAxisMap(fine, coarse, 0), x: newAxisMap(fine, coarse, 1)}
}

func newAxisMap(fine, coarse Grid, d int) axisMap {
	nf, nc := fine.Shape[d], coarse.Shape[d]
	hf, hc := fine.Spacing[d], coarse.Spacing[d]
	shift := coarse.Start(d) - fine.Start(d)
	m := axisMap{begin: make([]int, nc), weight: make([][]float64, nc), left: make([]int, nf), fraction: make([]float64, nf), nFine: nf, nC: nc}
	reach := math.Max(hf, hc)
	for i := range nc {
		x := shift + float64(i)*hc
		first := max(0, int(math.Floor((x-reach)/hf))+1)
		last := min(nf-1, int(math.Ceil((x+reach)/hf))-1)
		m.begin[i] = first
		var sum float64
		for j := first; j <= last; j++ {
			w := max(0, 1-math.Abs(x-float64(j)*hf)/reach)
			m.weight[i] = append(m.weight[i], w)
			sum += w
		}
		if sum == 0 { // outside the fine grid: its nearest cell
			m.begin[i] = min(max(int(math.Round(x/hf)), 0), nf-1)
			m.weight[i], sum = []float64{1}, 1
		}
		for k := range m.weight[i] {
			m.weight[i][k] /= sum
		}
	}
	for j := range nf {
		x := (float64(j)*hf - shift) / hc
		i := min(max(int(math.Floor(x)), 0), max(nc-2, 0))
		m.left[j] = i
		m.fraction[j] = min(max(x-float64(i), 0), 1)
	}
	return m
}

// Restrict averages fine [nz, nx] onto the coarse grid.
func (r *Regrid) Restrict(coarse, fine []float32) {
	nx, cx := r.Fine.NX(), r.Coarse.NX()
	row := make([]float64, nx)
	for i := range r.z.nC {
		clear(row)
		for k, w := range r.z.weight[i] {
			for j, v := range fine[(r.z.begin[i]+k)*nx : (r.z.begin[i]+k+1)*nx] {
				row[j] += w * float64(v)
			}
		}
		for j := range cx {
			var sum float64
			for k, w := range r.x.weight[j] {
				sum += w * row[r.x.begin[j]+k]
			}
			coarse[i*cx+j] = float32(sum)
		}
	}
}

// RestrictAdjoint applies the transpose of Restrict: a gradient on the coarse grid becomes one on the fine grid.
func (r *Regrid) RestrictAdjoint(fine, coarse []float32) {
	nx, cx := r.Fine.NX(), r.Coarse.NX()
	sum := make([]float64, len(fine))
	row := make([]float64, nx)
	for i := range r.z.nC {
		clear(row)
		for j := range cx {
			for k, w := range r.x.weight[j] {
				row[r.x.begin[j]+k] += w * float64(coarse[i*cx+j])
			}
		}
		for k, w := range r.z.weight[i] {
			out := sum[(r.z.begin[i]+k)*nx : (r.z.begin[i]+k+1)*nx]
			for j, v := range row {
				out[j] += w * v
			}
		}
	}
	for i, v := range sum {
		fine[i] = float32(v)
	}
}

// Prolong interpolates coarse [nz, nx] onto the fine grid.
func (r *Regrid) Prolong(fine, coarse []float32) {
	nx, cx := r.Fine.NX(), r.Coarse.NX()
	for i := range r.Fine.NZ() {
		a, t := r.z.left[i], float32(r.z.fraction[i])
		b := min(a+1, r.z.nC-1)
		for j := range nx {
			c, s := r.x.left[j], float32(r.x.fraction[j])
			d := min(c+1, cx-1)
			fine[i*nx+j] = (1-t)*((1-s)*coarse[a*cx+c]+s*coarse[a*cx+d]) + t*((1-s)*coarse[b*cx+c]+s*coarse[b*cx+d])
		}
	}
}

// ProlongAdjoint applies the transpose of Prolong.
func (r *Regrid) ProlongAdjoint(coarse, fine []float32) {
	nx, cx := r.Fine.NX(), r.Coarse.NX()
	sum := make([]float64, len(coarse))
	for i := range r.Fine.NZ() {
		a, t := r.z.left[i], r.z.fraction[i]
		b := min(a+1, r.z.nC-1)
		for j := range nx {
			c, s := r.x.left[j], r.x.fraction[j]
			d := min(c+1, cx-1)
			v := float64(fine[i*nx+j])
			sum[a*cx+c] += (1 - t) * (1 - s) * v
			sum[a*cx+d] += (1 - t) * s * v
			sum[b*cx+c] += t * (1 - s) * v
			sum[b*cx+d] += t * s * v
		}
	}
	for i, v := range sum {
		coarse[i] = float32(v)
	}
}

// Velocity restricts a velocity model as 1/v².
func (r *Regrid) Velocity(coarse, fine []float32) {
	slowness := make([]float32, len(fine))
	for i, v := range fine {
		slowness[i] = 1e6 / (v * v)
	}
	r.Restrict(coarse, slowness)
	for i, s := range coarse {
		coarse[i] = float32(1e3 / math.Sqrt(float64(s)))
	}
}

// VelocityGradient turns ∂J/∂v on the coarse grid into ∂J/∂v on the fine one, for v_coarse = Velocity(v_fine).
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
