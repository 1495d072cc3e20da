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
		mask := make([]float32, g.Cells()) // a frozen layer on top, and a frozen block
		for i := range mask {
			if z := i / (g.Cells() / g.Shape[0]); z > 1 && (z != 3 || i%7 > 2) {
				mask[i] = 1
			}
		}
		for _, c := range []RegularisationConfig{
			{Tikhonov: 0.3, Horizontal: 0.5, Reference: "model"}, {Tikhonov: 0.3, Horizontal: 0.5, Reference: "start"},
			{Tikhonov: 0.3, Horizontal: 5, Smoothing: 30, Reference: "model"}, {Tikhonov: 0.3, Horizontal: 5, Smoothing: 30, Reference: "start"},
		} {
			reference := c.Reference
			start, x, dx := narrow(randomModel(g.Cells(), 1)), narrow(randomModel(g.Cells(), 2)), narrow(randomModel(g.Cells(), 3))
			r, err := newRegulariser(g, c, mask, start)
			if err != nil {
				t.Fatal(err)
			}
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
			// What is frozen is another matter: a layer that differs from all below it costs nothing.
			frozen := slices.Clone(x)
			for i, m := range mask {
				if m == 0 {
					frozen[i] += 500
				}
			}
			if again := r.add(nil, frozen); again != j {
				t.Errorf("%v, %+v: the penalty is %g with another velocity in the frozen cells, %g before", g.Shape, c, again, j)
			}
		}
	}
}

// What each promises of the final model: less roughness than without, and a total variation within its limit.
func TestRegularisedInversions(t *testing.T) {
	roughness := func(p *Problem, vp []float32) (square, variation float64) {
		r, err := newRegulariser(p.Grid, RegularisationConfig{Tikhonov: 2, Horizontal: 1, Reference: "model"}, slices.Repeat([]float32{1}, p.Grid.Cells()), vp)
		if err != nil {
			t.Fatal(err)
		}
		return r.add(nil, vp), r.tv.value(func() []float64 {
			out := make([]float64, len(vp))
			for i, v := range vp {
				out[i] = float64(v)
			}
			return out
		}())
	}
	p, c := smallProblem(t, func(c *Config) { c.Regularisation.Tikhonov = -1 })
	without := invert(t, p, c)
	plain, _ := roughness(p, without.Model)
	p, c = smallProblem(t, func(c *Config) {
		c.Regularisation = RegularisationConfig{Tikhonov: 0.05, Horizontal: 1, Smoothing: -1, Reference: "model"}
	})
	with := invert(t, p, c)
	if smooth, _ := roughness(p, with.Model); !(smooth < 0.9*plain) {
		t.Errorf("the mean square of the derivatives is %.3g with Tikhonov, %.3g without", smooth, plain)
	}
	if a, b := with.History[0].Misfit, without.History[0].Misfit; math.Abs(a-b) > 1e-9*b {
		t.Errorf("the history begins with the misfit %g, without the penalty %g: it is to be that of the data", a, b)
	}
	p, c = smallProblem(t, func(c *Config) {
		c.Regularisation = RegularisationConfig{Tikhonov: -1, TotalVariation: 1.02}
	})
	last, err := newLevel(background, p, c, c.Stages[len(c.Stages)-1], c.during(c.Stages[len(c.Stages)-1], p.Start))
	if err != nil {
		t.Fatal(err)
	}
	defer last.propagator.Close()
	onGrid := func(vp []float32) float64 {
		q := *p
		q.Grid = last.grid
		_, v := roughness(&q, last.restrict(c, vp))
		return v
	}
	start := onGrid(p.Start)
	bound, free := onGrid(invert(t, p, c).Model)/start, onGrid(without.Model)/start
	// The limit holds for the stage's iterate, which the model's restriction to its grid resembles but where water and rock share a cell.
	if !(free > 1.3) || !(bound < 1.1) {
		t.Errorf("the total variation is %.4g of the start's with a limit of 1.02, %.4g without", bound, free)
	}
}

// A schedule made by default regularises while the lowest frequency is fitted; one that is given only if asked.
func TestDefaultRegularisation(t *testing.T) {
	given := func(adjust func(*Config)) (*Problem, Config) {
		return smallProblem(t, func(c *Config) {
			c.Stages = nil
			if adjust != nil {
				adjust(c)
			}
		})
	}
	p, c := given(nil)
	r, first := c.Regularisation, c.Stages[0].MaxFrequency
	if r.Tikhonov != tikhonovScale/(first*first) || r.Horizontal != 10 || r.Reference != "start" || !(r.Smoothing > 0.4*1400/first && r.Smoothing < 0.4*1600/first) {
		t.Errorf("from %g Hz on the regularisation is %+v", first, r)
	}
	for i, s := range c.Stages {
		want := 0.0
		if s.MaxFrequency > 2*first {
			want = -1
		} else if s.MaxFrequency > first || s.MaxOffset == 0 && !s.Window.any() {
			want = releasedTikhonov
		}
		if s.Tikhonov != want {
			t.Errorf("stage %d has %g times the weight, not %g", i+1, s.Tikhonov, want)
		}
		if weight := r.of(s).Tikhonov; weight != r.Tikhonov*map[float64]float64{0: 1, -1: 0, releasedTikhonov: releasedTikhonov}[want] {
			t.Errorf("stage %d has the weight %g of %g", i+1, weight, r.Tikhonov)
		}
	}
	var again Config
	if err := again.Merge(c.YAML()); err != nil {
		t.Fatal(err)
	}
	if resolved, err := Prepare(background, p, again, nil, nil); err != nil || !slices.Equal(resolved.Stages, c.Stages) || resolved.Regularisation != r {
		t.Errorf("resolved again: %+v, %v", resolved.Regularisation, err)
	}
	for name, adjust := range map[string]func(*Config){
		"another misfit": func(c *Config) { c.Misfit = "correlation" },
		"a negative one": func(c *Config) { c.Regularisation.Tikhonov = -1 },
		"given stages":   func(c *Config) { c.Stages = []Stage{{MaxFrequency: 5.5, Iterations: 3}} },
	} {
		if _, c := given(adjust); c.Regularisation.Tikhonov > 0 || c.Stages[0].Tikhonov != 0 {
			t.Errorf("%s: the weight is %g", name, c.Regularisation.Tikhonov)
		}
	}
	if _, c := given(func(c *Config) { c.Regularisation.Tikhonov = 0.1 }); c.Regularisation.Tikhonov != 0.1 || c.Stages[len(c.Stages)-1].Tikhonov != 0 {
		t.Errorf("0.1 given, the weight is %g, in the last stage %g times it", c.Regularisation.Tikhonov, c.Stages[len(c.Stages)-1].Tikhonov)
	}
}
