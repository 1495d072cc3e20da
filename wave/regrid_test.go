package wave

import (
	"math"
	"math/rand/v2"
	"testing"
)

func noise32(n int, seed uint64) []float32 {
	out := make([]float32, n)
	for i, v := range noise(n, seed) {
		out[i] = float32(v)
	}
	return out
}

func dot32(a, b []float32) float64 { return dot(converted[float64](a), converted[float64](b)) }

func regridCases() []*Regrid {
	fine := Grid{Shape: []int{53, 131}, Spacing: []float64{4, 5}, Origin: []float64{10, -30}}
	var out []*Regrid
	for _, h := range []float64{1, 6, 11.3, 25, 90, 1e4} {
		out = append(out, NewRegrid(fine, fine.Coarsen(h, h)))
	}
	volume := Grid{Shape: []int{23, 18, 31}, Spacing: []float64{5, 8, 6}, Origin: []float64{10, 0, -30}}
	for _, h := range []float64{11.3, 25, 1e4} {
		out = append(out, NewRegrid(volume, volume.Coarsen(h)))
	}
	out = append(out, NewRegrid(volume, Grid{Shape: []int{45, 35, 61}, Spacing: []float64{2.5, 4, 3}, Origin: volume.Origin}))
	// a target finer than the model, as for modelling data
	return append(out, NewRegrid(fine, Grid{Shape: []int{105, 261}, Spacing: []float64{2, 2.5}, Origin: fine.Origin}))
}

func TestRestrictionAndProlongationPassDotProduct(t *testing.T) {
	for _, r := range regridCases() {
		f, c := noise32(r.Fine.Cells(), 1), noise32(r.Coarse.Cells(), 2)
		toC, toF := make([]float32, len(c)), make([]float32, len(f))
		scale := math.Sqrt(dot32(f, f) * dot32(c, c)) // float32 results: 6e-8 of the norms
		r.Restrict(toC, f)
		r.RestrictAdjoint(toF, c)
		if d := math.Abs(dot32(toC, c) - dot32(f, toF)); !(d < 1e-6*scale) {
			t.Errorf("%v: restriction and its adjoint differ by %g of %g", r.Coarse.Shape, d, scale)
		}
		r.Prolong(toF, c)
		r.ProlongAdjoint(toC, f)
		if d := math.Abs(dot32(toC, c) - dot32(f, toF)); !(d < 1e-6*scale) {
			t.Errorf("%v: prolongation and its adjoint differ by %g of %g", r.Coarse.Shape, d, scale)
		}
	}
}

func TestRegridKeepsConstantsAndProlongsLinearModels(t *testing.T) {
	for _, r := range regridCases() {
		coarse := make([]float32, r.Coarse.Cells())
		r.Velocity(coarse, constant(r.Fine.Cells(), 2345))
		for i, v := range coarse {
			if math.Abs(float64(v)-2345) > 0.001 { // two roundings to float32 of 1/v² and v
				t.Fatalf("%v: constant 2345 m/s becomes %g in cell %d", r.Coarse.Shape, v, i)
			}
		}
		linear := func(g Grid, cell int) (v, step float64) {
			for d, k := range g.Index(cell) {
				v += float64(1+2*d) * g.Spacing[d] * float64(k)
				step += float64(1+2*d) * g.Spacing[d]
			}
			return v, step
		}
		for i := range coarse {
			v, _ := linear(r.Coarse, i)
			coarse[i] = float32(v)
		}
		_, step := linear(r.Coarse, 0)
		fine := make([]float32, r.Fine.Cells())
		r.Prolong(fine, coarse)
		for i, v := range fine {
			edge := false
			for d, k := range r.Fine.Index(i) {
				margin := int(4*max(r.Coarse.Spacing[d]/r.Fine.Spacing[d], 1)) + 1
				edge = edge || k < margin || k >= r.Fine.Shape[d]-margin
			}
			if edge {
				continue // beyond the edges the model is constant, not linear
			}
			// the windowed sinc reproduces a line to some 2e-3 of a coarse cell's step
			if want, _ := linear(r.Fine, i); math.Abs(float64(v)-want) > 4e-3*step {
				t.Fatalf("%v: linear model is %g instead of %g in cell %d", r.Coarse.Shape, v, want, i)
			}
		}
	}
}

// Layers thinner than the coarse spacing must keep their travel time at normal incidence of long waves, which in
// constant density is that of the mean of 1/v².
func TestVelocityIsRestrictedAsSquaredSlowness(t *testing.T) {
	fine := NewGrid2D(801, 3, 1, 1)
	r := NewRegrid(fine, fine.Coarsen(20, 1))
	vp := make([]float32, fine.Cells())
	for i := range vp {
		vp[i] = 1500
		if (i/3)%2 == 1 {
			vp[i] = 3000
		}
	}
	coarse := make([]float32, r.Coarse.Cells())
	r.Velocity(coarse, vp)
	want := 1 / math.Sqrt((1/1500.0/1500+1/3000.0/3000)/2)
	if got := float64(coarse[20*3]); math.Abs(got-want) > 1 {
		t.Errorf("the effective velocity is %g instead of %g", got, want)
	}
}

func TestVelocityGradientMatchesFiniteDifferences(t *testing.T) {
	for _, r := range []*Regrid{regridCases()[2], regridCases()[6]} {
		checkVelocityGradient(t, r)
	}
}

func checkVelocityGradient(t *testing.T, r *Regrid) {
	rng := rand.New(rand.NewPCG(3, 3))
	vp, dv := make([]float32, r.Fine.Cells()), noise32(r.Fine.Cells(), 9)
	for i := range vp {
		vp[i] = 2000 + 500*rng.Float32()
	}
	weight := noise32(r.Coarse.Cells(), 5) // J = ⟨weight, coarse velocity⟩
	objective := func(h float32) float64 {
		v := append([]float32{}, vp...)
		for i := range v {
			v[i] += h * dv[i]
		}
		coarse := make([]float32, r.Coarse.Cells())
		r.Velocity(coarse, v)
		return dot32(weight, coarse)
	}
	coarse, gradient := make([]float32, r.Coarse.Cells()), make([]float32, len(vp))
	r.Velocity(coarse, vp)
	r.VelocityGradient(gradient, weight, vp, coarse)
	got, want := dot32(gradient, dv), (objective(20)-objective(-20))/40
	if math.Abs(got-want) > 1e-3*math.Abs(want) { // float32 models: 1e-4 m/s in 20 m/s
		t.Errorf("slope %g, finite differences %g", got, want)
	}
}
