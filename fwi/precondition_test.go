package fwi

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func testPreconditioner(t *testing.T) (*Preconditioner, []float32) {
	t.Helper()
	const nz, nx = 24, 30
	mask := layerOfWater(nz, nx)
	mask[nz*nx/2] = 0.5 // a taper
	p, err := NewPreconditioner(PreconditionerOptions{
		Shape: []int{nz, nx}, Spacing: []float64{10, 10}, Mask: mask, IlluminationPower: 0.75, IlluminationSmoothing: 15,
		DepthPower: 1, Smoothing: []float64{20, 30},
	})
	if err != nil {
		t.Fatal(err)
	}
	illumination := noise(rand.New(rand.NewPCG(4, 4)), nz*nx)
	for i, v := range illumination {
		illumination[i] = v * v * float32(math.Exp(-float64(i/nx)/4)) // decays downwards over orders of magnitude
	}
	if err := p.SetIllumination(illumination); err != nil {
		t.Fatal(err)
	}
	return p, mask
}

func TestPreconditionerIsSymmetricAndPositive(t *testing.T) {
	p, mask := testPreconditioner(t)
	rng := rand.New(rand.NewPCG(5, 5))
	for range 20 {
		x, y := noise(rng, len(mask)), noise(rng, len(mask))
		px, py := make([]float32, len(x)), make([]float32, len(x))
		p.Apply(px, x)
		p.Apply(py, y)
		a, b := dot(px, y), dot(x, py)
		// Four roundings to float32 on the way.
		if scale := math.Sqrt(dot(px, px) * dot(y, y)); math.Abs(a-b) > 1e-6*scale {
			t.Errorf("⟨Px, y⟩ = %.9g, ⟨x, Py⟩ = %.9g", a, b)
		}
		if !(dot(px, x) > 0) {
			t.Errorf("⟨Px, x⟩ = %g", dot(px, x))
		}
		for i, m := range mask {
			if m == 0 && px[i] != 0 {
				t.Fatalf("the frozen cell %d becomes %g", i, px[i])
			}
		}
	}
}

func TestPreconditionerIsLinearAndMayWorkInPlace(t *testing.T) {
	p, mask := testPreconditioner(t)
	rng := rand.New(rand.NewPCG(6, 6))
	x, y := noise(rng, len(mask)), noise(rng, len(mask))
	sum := make([]float32, len(x))
	for i := range x {
		sum[i] = 2*x[i] - y[i]
	}
	px, py := make([]float32, len(x)), make([]float32, len(x))
	p.Apply(px, x)
	p.Apply(py, y)
	p.Apply(sum, sum)
	peak := slices.Max(sum)
	for i := range sum {
		if math.Abs(float64(sum[i]-2*px[i]+py[i])) > 1e-5*float64(peak) {
			t.Fatalf("cell %d: P(2x - y) = %g, 2Px - Py = %g", i, sum[i], 2*px[i]-py[i])
		}
	}
}

func TestPreconditionerServesLBFGS(t *testing.T) {
	// The deep half of the model has a Hessian 10⁴ times weaker, as under poor illumination: the preconditioner knows that.
	const nz, nx = 20, 10
	h, c := make([]float64, nz*nx), make([]float64, nz*nx)
	illumination := make([]float32, nz*nx)
	for i := range h {
		h[i] = math.Pow(10, -4*float64(i/nx)/nz)
		c[i] = math.Sin(float64(i/nx)/3) * math.Cos(float64(i%nx)/3)
		illumination[i] = float32(h[i])
	}
	f := quadratic(h, c)
	target := 1e-5 * f(cells(nz*nx)).Misfit
	solves := func(o MethodOptions) int {
		o.FirstChange, o.MaxChange = 0.3, 10
		m := mustMethod(t, "lbfgs", o)
		drive(t, m, f, cells(nz*nx), target, 2000, nil)
		if m.Status().Misfit > target {
			t.Fatalf("misfit %g of %g: %+v", m.Status().Misfit, target, m.Status())
		}
		return m.Status().Solves()
	}
	p, err := NewPreconditioner(PreconditionerOptions{Shape: []int{nz, nx}, Spacing: []float64{1, 1}, IlluminationPower: 1, IlluminationFloor: 1e-4})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetIllumination(illumination); err != nil {
		t.Fatal(err)
	}
	plain, preconditioned := solves(MethodOptions{}), solves(MethodOptions{Precondition: p.Apply})
	if !(3*preconditioned < plain) {
		t.Errorf("%d solves with the preconditioner, %d without", preconditioned, plain)
	}
}

func TestIlluminationWeightInvertsTheIllumination(t *testing.T) {
	w, err := IlluminationWeight([]float32{0, 1, 3, 100}, []float32{1, 1, 1, 0}, 1, 0.01)
	if err != nil {
		t.Fatal(err)
	}
	mean := 4.0 / 3 // the last cell is masked
	for i, s := range []float64{0, 1, 3, 100} {
		if want := 1.01 / (s/mean + 0.01); math.Abs(float64(w[i])-want) > 1e-6*want {
			t.Errorf("cell %d has weight %g, not %g", i, w[i], want)
		}
	}
	if w, err = IlluminationWeight([]float32{0, 0}, nil, 1, 0.01); err != nil || !slices.Equal(w, []float32{1, 1}) {
		t.Errorf("no illumination at all gives %v (%v)", w, err)
	}
	for _, bad := range []float32{-1, float32(math.NaN()), float32(math.Inf(1))} {
		if _, err := IlluminationWeight([]float32{1, bad}, nil, 1, 0.01); err == nil {
			t.Errorf("an illumination of %g was accepted", bad)
		}
	}
}

func TestDepthWeightGrowsWithDepth(t *testing.T) {
	if w := DepthWeight([]int{4, 2}, 2); !slices.Equal(w, []float32{1. / 16, 1. / 16, 0.25, 0.25, 9. / 16, 9. / 16, 1, 1}) {
		t.Errorf("the weights are %v", w)
	}
	if w := DepthWeight([]int{2, 1}, 0); !slices.Equal(w, []float32{1, 1}) {
		t.Errorf("power 0 weighs %v", w)
	}
}

func TestNormaliseAndClip(t *testing.T) {
	x := []float32{1, -4, 2}
	Normalise(x, x)
	if !slices.Equal(x, []float32{0.25, -1, 0.5}) {
		t.Errorf("normalised: %v", x)
	}
	Clip(x, x, 0.4)
	if !slices.Equal(x, []float32{0.25, -0.4, 0.4}) {
		t.Errorf("clipped: %v", x)
	}
	zero := []float32{0, 0}
	Normalise(zero, zero)
	if !slices.Equal(zero, []float32{0, 0}) {
		t.Errorf("zeros normalised: %v", zero)
	}
}

func TestPreconditionerNamesItsFactorsAndRefusesBadInput(t *testing.T) {
	p, _ := testPreconditioner(t)
	for _, factor := range []string{"mask", "illumination^-0.75", "depth^1", "smoothing [20 30] m"} {
		if !strings.Contains(p.String(), factor) {
			t.Errorf("%q does not name %s", p, factor)
		}
	}
	if err := p.SetIllumination(make([]float32, 3)); err == nil {
		t.Error("an illumination of another size was accepted")
	}
	for what, o := range map[string]PreconditionerOptions{
		"no grid":        {},
		"short mask":     {Shape: []int{2, 2}, Spacing: []float64{1, 1}, Mask: []float32{1}},
		"mask above one": {Shape: []int{1, 2}, Spacing: []float64{1, 1}, Mask: []float32{1, 2}},
		"negative floor": {Shape: []int{1, 2}, Spacing: []float64{1, 1}, IlluminationFloor: -1},
		"short sigma":    {Shape: []int{1, 2}, Spacing: []float64{1, 1}, Smoothing: []float64{1}},
	} {
		if _, err := NewPreconditioner(o); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
}
