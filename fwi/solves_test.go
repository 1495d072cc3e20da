package fwi

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// Where the data fit, the Hessian of a sum of squares is JᵀJ: the product must be the derivative of the gradient.
func TestHessianProductIsTheGradientsDerivativeWhereTheDataFit(t *testing.T) {
	p, c := smallProblem(t, nil)
	for _, name := range []string{"least-squares", "trace-normalised"} {
		stage := Stage{MaxFrequency: 5.5, Iterations: 1, Misfit: name}
		l, err := newLevel(background, p, c, stage, c.during(stage, p.Start))
		if err != nil {
			t.Fatal(err)
		}
		defer l.propagator.Close()
		x := l.restrict(c, p.Start)
		shots := l.survey.AllShots()
		if l.observed, err = l.propagator.Forward(background, x, shots); err != nil {
			t.Fatal(err)
		}
		smooth, err := NewSmoother(l.grid.Shape, l.grid.Spacing, []float64{150, 150}, l.mask)
		if err != nil {
			t.Fatal(err)
		}
		vector := func(seed uint64) []float32 {
			rng := rand.New(rand.NewPCG(seed, 1))
			v := make([]float32, len(x))
			for i := range v {
				v[i] = 60 * float32(rng.NormFloat64())
			}
			smooth.Apply(v, v)
			Multiply(v, v, l.mask)
			return v
		}
		u, v := vector(1), vector(2)
		multiply := func(v []float32) []float32 {
			e, err := l.multiply(background, x, v, shots)
			if err != nil {
				t.Fatal(err)
			}
			return e.Gradient
		}
		gradient := func(factor float32) []float32 {
			moved := make([]float32, len(x))
			for i := range x {
				moved[i] = x[i] + factor*v[i]
			}
			e, err := l.evaluate(background, moved, shots, true)
			if err != nil || e.Err != nil {
				t.Fatal(err, e.Err)
			}
			return e.Gradient
		}
		product, other := multiply(v), multiply(u)
		ahead, behind := gradient(0.1), gradient(-0.1)
		var difference, norm float64
		for i, h := range product {
			d := float64(ahead[i]-behind[i]) / 0.2
			difference += (d - float64(h)) * (d - float64(h))
			norm += d * d
		}
		// What the step of a tenth of some 10 m/s leaves of third derivatives, and float32.
		if e := math.Sqrt(difference / norm); !(e < 0.02) {
			t.Errorf("%s: the product differs from the difference of gradients by %.1e", name, e)
		}
		a, b := dot32(u, product), dot32(v, other)
		// Snapshots are taken at intervals: Born and its adjoint are each other's to that accuracy.
		if e := math.Abs(a-b) / math.Sqrt(dot32(u, other)*dot32(v, product)); !(e < 1e-3) {
			t.Errorf("%s: u·H v = %g and v·H u = %g differ by %.1e", name, a, b, e)
		}
		fmt.Printf("verification: product with the Gauss-Newton Hessian of %s against differences of gradients: %.1e\n", name, math.Sqrt(difference/norm))
	}
}

func dot32(a, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

func TestGaussNewtonRefusesMisfitsThatAreNotQuadratic(t *testing.T) {
	_, err := Config{Method: "gauss-newton", Stages: []Stage{{MaxFrequency: 5, Iterations: 1, Misfit: "envelope"}}}.withDefaults()
	if err == nil || !strings.Contains(err.Error(), "quadratic in the residuals") || !strings.Contains(err.Error(), "envelope") {
		t.Errorf("gauss-newton with an envelope misfit gives %v", err)
	}
}

func TestGaussNewtonTakesFewerIterationsThanLBFGS(t *testing.T) {
	h, c := spread(40, 1e3)
	f := quadratic(h, c)
	iterations := map[string]int{}
	for _, name := range []string{"lbfgs", "gauss-newton"} {
		m := mustMethod(t, name, MethodOptions{FirstChange: 1, MaxChange: 10})
		start := f(cells(40)).Misfit
		drive(t, m, f, cells(40), 1e-6*start, 2000, nil)
		s := m.Status()
		if s.Misfit > 1e-6*start {
			t.Fatalf("%s: misfit %g of %g after %+v", name, s.Misfit, start, s)
		}
		iterations[name] = s.Iteration
		if want := 2*s.Gradients + s.Misfits + 4*s.Products; s.Solves() != want || (s.Products > 0) != (name == "gauss-newton") {
			t.Errorf("%s: %d solves of %+v", name, s.Solves(), s)
		}
	}
	if 2*iterations["gauss-newton"] > iterations["lbfgs"] {
		t.Errorf("iterations: %v", iterations)
	}
}

func TestBarzilaiBorweinNeedsOneGradientAnIteration(t *testing.T) {
	h, c := spread(40, 1e2)
	f := quadratic(h, c)
	m := mustMethod(t, "bb", MethodOptions{FirstChange: 0.1, MaxChange: 10})
	rises, last := 0, math.Inf(1)
	start := f(cells(40)).Misfit
	drive(t, m, f, cells(40), 1e-6*start, 400, func(r Request, _ []float32) {
		if now := m.Status().Misfit; r == Accept {
			if now > last {
				rises++
			}
			last = now
		}
	})
	s := m.Status()
	if s.Misfit > 1e-6*start || s.Misfits > 0 || float64(s.Gradients) > 1.2*float64(s.Iteration)+2 {
		t.Errorf("misfit %g of %g after %+v", s.Misfit, start, s)
	}
	if rises == 0 {
		t.Error("the misfit never rose: steps that must pay at once are not Barzilai and Borwein's")
	}
}

func TestMiniBatchesGrowWhileTheirGradientsDiffer(t *testing.T) {
	size := func(variance float64) int {
		p, c := smallProblem(t, func(c *Config) {
			c.Iterations, c.Stages = 0, []Stage{{MaxFrequency: 5.5, Iterations: 9, Shots: 2, Variance: variance}}
		})
		r := NewRun(p, c)
		if _, err := r.Invert(background); err != nil {
			t.Fatal(err)
		}
		return len(r.state.Shots)
	}
	if n := size(0.1); n <= 2 {
		t.Errorf("batches that differ by more than a tenth keep %d shots", n)
	}
	if n := size(1e3); n != 2 {
		t.Errorf("batches that may differ as they like have %d shots, not 2", n)
	}
}

func TestReachOfReceiversRaisesWhatTheyHearLittleOf(t *testing.T) {
	reach := []float32{4, 2, 1, 1}
	p, err := NewPreconditioner(PreconditionerOptions{Shape: []int{4, 1}, Spacing: []float64{10, 10}, IlluminationPower: 1, IlluminationFloor: 1e-6, Reach: reach})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetIllumination([]float32{1, 1, 1, 1}); err != nil {
		t.Fatal(err)
	}
	out := make([]float32, 4)
	p.Apply(out, []float32{1, 1, 1, 1})
	for i, v := range out {
		if want := out[0] * reach[0] / reach[i]; math.Abs(float64(v/want-1)) > 1e-4 { // the floor
			t.Errorf("cell %d is weighted by %g, not %g", i, v, want)
		}
	}
}

func TestReachFallsWithTheDistance(t *testing.T) {
	for name, make := range map[string]func() (*Problem, Config){
		"section": func() (*Problem, Config) { return smallProblem(t, nil) },
		"volume":  func() (*Problem, Config) { return smallVolume(t, nil) },
	} {
		p, c := make()
		for i := range p.Survey.Shots { // one receiver, in the middle of the surface
			s := &p.Survey.Shots[i]
			s.Receivers = s.Receivers[len(s.Receivers)/2 : len(s.Receivers)/2+1]
			p.Observed[i] = p.Observed[i][:p.Survey.NT]
		}
		l, err := newLevel(background, p, c, c.Stages[0], c.during(c.Stages[0], p.Start))
		if err != nil {
			t.Fatal(err)
		}
		defer l.propagator.Close()
		at := p.Survey.Shots[0].Receivers[0]
		near, far := math.Inf(1), 0.0
		r := l.reach()
		axes := float64(l.grid.Axes() - 1)
		var constant float64
		for i, v := range r {
			var square float64
			for axis, k := range l.grid.Index(i) {
				d := l.grid.Start(axis) + float64(k)*l.grid.Spacing[axis] - at[axis]
				square += d * d
			}
			distance := math.Sqrt(square)
			if distance < 2*l.grid.MaxSpacing() {
				continue
			}
			near, far = min(near, distance), max(far, distance)
			c := float64(v) * math.Pow(distance, axes)
			if constant == 0 {
				constant = c
			}
			if math.Abs(c/constant-1) > 1e-5 { // float32
				t.Fatalf("%s: at %g m the reach is %g, not as the distance to the power -%g", name, distance, v, axes)
			}
		}
		if far < 5*near {
			t.Errorf("%s: distances from %g to %g m test nothing", name, near, far)
		}
	}
}
