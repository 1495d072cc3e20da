package fwi

import (
	"math"
	"slices"
	"testing"

	"gofwi/wave"
)

// The penalty is a quadratic: central differences are exact but for the float32 of gradients, and its product with a change is the difference of two gradients.
func TestTikhonovsDerivatives(t *testing.T) {
	for _, g := range []wave.Grid{wave.NewGrid2D(12, 17, 20, 30), wave.NewGrid3D(5, 6, 7, 20, 30, 25)} {
		for _, reference := range []string{"model", "start"} {
			start, x, dx := narrow(randomModel(g.Cells(), 1)), narrow(randomModel(g.Cells(), 2)), narrow(randomModel(g.Cells(), 3))
			r := newRegulariser(g, RegularisationConfig{Tikhonov: 0.3, Horizontal: 0.5, Reference: reference}, start)
			gradient, other, product := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(x))
			moved := slices.Clone(x)
			for i := range moved {
				moved[i] += dx[i]
			}
			j := r.add(gradient, x)
			up := r.add(other, moved)
			r.product(product, dx)
			slope, curvature := dot(gradient, dx), dot(product, dx)
			if e := math.Abs(up-j-slope-0.5*curvature) / up; !(e < 1e-5) {
				t.Errorf("%v, %s: the quadratic is off by %.1e", g.Shape, reference, e)
			}
			var worst float64
			for i := range product {
				worst = max(worst, math.Abs(float64(other[i]-gradient[i]-product[i])))
			}
			if scale := math.Sqrt(dot(product, product) / float64(len(product))); worst > 1e-4*scale {
				t.Errorf("%v, %s: the product is off by %.1e of its RMS", g.Shape, reference, worst/scale)
			}
			if reference == "start" && r.add(nil, start) != 0 {
				t.Error("the start is penalised")
			}
		}
	}
}

// What each promises of the final model: less roughness than without, and a total variation within its limit.
func TestRegularisedInversions(t *testing.T) {
	roughness := func(p *Problem, vp []float32) (square, variation float64) {
		r := newRegulariser(p.Grid, RegularisationConfig{Tikhonov: 2, Horizontal: 1}, vp)
		return r.add(nil, vp), r.tv.value(func() []float64 {
			out := make([]float64, len(vp))
			for i, v := range vp {
				out[i] = float64(v)
			}
			return out
		}())
	}
	p, c := smallProblem(t, nil)
	plain, plainTV := roughness(p, invert(t, p, c).Model)
	p, c = smallProblem(t, func(c *Config) { c.Regularisation.Tikhonov = 0.05 })
	if smooth, _ := roughness(p, invert(t, p, c).Model); !(smooth < 0.9*plain) {
		t.Errorf("the mean square of the derivatives is %.3g with Tikhonov, %.3g without", smooth, plain)
	}
	p, c = smallProblem(t, func(c *Config) { c.Regularisation.TotalVariation = 1.02 })
	_, startTV := roughness(p, p.Start)
	_, boundTV := roughness(p, invert(t, p, c).Model)
	// The limit holds on the stage's grid. On the user's, twice as fine, what was changed is interpolated: 8 % are left of the 20 % without it.
	if !(plainTV > 1.15*startTV) || !(boundTV < 1.1*startTV) {
		t.Errorf("the total variation is %.4g of the start's with a limit of 1.02, %.4g without", boundTV/startTV, plainTV/startTV)
	}
}
