package fwi

import (
	"math"
	"math/rand/v2"
	"testing"

	"gofwi/wave"
)

func randomModel(n int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 5))
	out := make([]float64, n)
	for i := range out {
		out[i] = 2500 + 300*rng.NormFloat64()
	}
	return out
}

func TestTotalVariationsGradientHasItsTranspose(t *testing.T) {
	for _, g := range []wave.Grid{wave.NewGrid2D(9, 14, 20, 30), wave.NewGrid3D(5, 6, 7, 20, 30, 25)} {
		tv := newTotalVariation(g)
		x, p, d, out := randomModel(g.Cells(), 1), tv.field(), tv.field(), make([]float64, g.Cells())
		for axis := range p {
			copy(p[axis], randomModel(g.Cells(), uint64(2+axis)))
		}
		tv.gradient(d, x)
		tv.transpose(out, p)
		var left, right float64
		for axis := range p {
			left += dot(d[axis], p[axis])
		}
		right = dot(x, out)
		if e := math.Abs(left-right) / math.Abs(left); !(e < 1e-11) {
			t.Errorf("%v: ⟨∇x, p⟩ = %.15e and ⟨x, ∇ᵀp⟩ = %.15e", g.Shape, left, right)
		}
	}
}

// The minimum's duality gap is zero: with it below 1e-8 the denoised model is within √(2·1e-8) of the minimum, and no other model has less.
func TestDenoisingMinimises(t *testing.T) {
	g := wave.NewGrid2D(20, 30, 20, 20)
	tv := newTotalVariation(g)
	x, y := randomModel(g.Cells(), 3), make([]float64, g.Cells())
	const weight = 3000.0
	if gap := tv.denoise(y, x, weight, tv.field(), 1e-8, 5000); !(gap <= 1e-8) {
		t.Fatalf("the duality gap is %.1e after 5000 iterations", gap)
	}
	cost := func(y []float64) float64 {
		sum := weight * tv.value(y) * float64(tv.cells)
		for i := range y {
			sum += 0.5 * (y[i] - x[i]) * (y[i] - x[i])
		}
		return sum
	}
	least := cost(y)
	rng := rand.New(rand.NewPCG(8, 8))
	for range 50 {
		near := make([]float64, len(y))
		step := math.Pow(10, -2+4*rng.Float64())
		for i := range near {
			near[i] = y[i] + step*rng.NormFloat64()
		}
		if c := cost(near); c < least*(1-1e-7) {
			t.Fatalf("a model %g m/s off costs %.9g, the minimum %.9g", step, c, least)
		}
	}
}

// Two blocks with noise: the projection to the clean model's total variation takes most of the noise away and leaves the edge, which smoothing would not.
func TestProjectionKeepsEdges(t *testing.T) {
	g := wave.NewGrid2D(24, 32, 20, 20)
	tv := newTotalVariation(g)
	clean, noisy := make([]float64, g.Cells()), make([]float32, g.Cells())
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range clean {
		clean[i] = 2000
		if i%32 >= 16 {
			clean[i] = 3000
		}
		noisy[i] = float32(clean[i] + 100*rng.NormFloat64())
	}
	limit := tv.value(clean)
	tv.project(noisy, limit)
	var error, after float64
	y := make([]float64, len(noisy))
	for i, v := range noisy {
		y[i] = float64(v)
		error += (y[i] - clean[i]) * (y[i] - clean[i]) / float64(len(y))
	}
	if after = tv.value(y); after > limit*(1+2*tvSlack) {
		t.Errorf("the total variation is %g after projection to %g", after, limit)
	}
	if rms := math.Sqrt(error); rms > 30 {
		t.Errorf("of 100 m/s of noise %.0f are left", rms)
	}
	inside := append([]float32(nil), noisy...)
	tv.project(inside, 1.1*limit)
	for i := range inside {
		if inside[i] != noisy[i] {
			t.Fatal("a model within the limit was changed")
		}
	}
}
