package wave

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gofwi/kernels"
)

// layeredDensity rises in steps and varies along the layers.
func layeredDensity(g Grid) []float32 {
	rng := rand.New(rand.NewPCG(3, 4))
	out := make([]float32, g.Cells())
	for i := range out {
		at := g.Index(i)
		out[i] = float32(1000 + 500*math.Floor(float64(at[0])/5) + 200*math.Sin(float64(at[len(at)-1])/5) + 40*rng.NormFloat64())
		out[i] = min(max(out[i], 900), 2600)
	}
	return out
}

func TestReflectionFromAStepInDensityHasItsCoefficient(t *testing.T) {
	// With one velocity on both sides the coefficient is (ρ2-ρ1)/(ρ2+ρ1) at every angle: the reflection is that part of what the image of the source sends.
	g := NewGrid2D(101, 121, 10, 10)
	vp, rho := make([]float32, g.Cells()), make([]float32, g.Cells())
	const upper, lower = 1000, 2200
	for i := range vp {
		vp[i], rho[i] = 2000, upper
		if i/g.NX() >= 60 { // the step lies half-way between rows 59 and 60
			rho[i] = lower
		}
	}
	const nt, dt, floor = 350, 0.002, 595.0
	source, receiver := Position{200, 600}, Position{250, 700}
	model := func(at Position, density []float32) []float32 {
		s := FixedSpread([]Position{at}, []Position{receiver}, Ricker(15, dt, nt, 0.08), dt)
		p, err := NewPropagator(g, s, Options{MaxVelocity: 2000, MaxFrequency: 40, Density: density})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		d, err := p.Forward(background, vp, []int{0})
		if err != nil {
			t.Fatal(err)
		}
		return d[0]
	}
	with, without := model(source, rho), model(source, nil)
	image := model(Position{2*floor - source[0], source[1]}, nil)
	const want = float64(lower-upper) / (lower + upper)
	var difference, energy float64
	for i := range with {
		r := want * float64(image[i])
		difference += math.Pow(float64(with[i])-float64(without[i])-r, 2)
		energy += r * r
	}
	// At 13 to 5 cells a wavelength the step, a cell wide, is short but no point: measured 3 %.
	if e := math.Sqrt(difference / energy); !(e < 0.05) {
		t.Errorf("the reflection is off by %.3f of the exact one", e)
	}
	constant := make([]float32, len(rho))
	for i := range constant {
		constant[i] = 2000
	}
	for i, v := range model(source, constant) {
		if math.Abs(float64(v-without[i])) > 1e-5*math.Sqrt(energy) { // round-off of the sources' and receivers' factors
			t.Fatalf("a constant density of 2000 kg/m³ changes sample %d from %g to %g", i, without[i], v)
		}
	}
}

func TestDensityKeepsAdjointsAndGradientsExact(t *testing.T) {
	for name, s := range map[string]testSetup{"2D": newTestSetup(1), "3D": newTestSetup3D(1)} {
		checkAdjointsAndGradients(t, name, s, Options{Density: layeredDensity(s.grid)})
	}
}

// checkAdjointsAndGradients checks that Born is the derivative of Forward and BornAdjoint its adjoint, with the options given.
func checkAdjointsAndGradients(t *testing.T, name string, s testSetup, o Options) {
	t.Helper()
	for _, order := range []int{2, 8} {
		for _, surface := range []bool{false, true} {
			o.MaxVelocity, o.Order, o.FreeSurface, o.Layer, o.Storage = 3200, order, surface, 6, EveryStep
			p, err := NewPropagatorOf[float64](s.grid, s.survey, o)
			if err != nil {
				t.Fatal(err)
			}
			born, err := p.Born(background, s.vp, s.dv, []int{0})
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(5, 6))
			residual := make([]float64, len(born[0]))
			var left, right float64
			for i := range residual {
				residual[i] = rng.NormFloat64()
				left += residual[i] * born[0][i]
			}
			back, err := p.BornAdjoint(background, s.vp, [][]float64{residual}, []int{0})
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range back {
				right += v * s.dv[i]
			}
			if e := math.Abs(left-right) / math.Abs(left); !(e < 1e-11) {
				t.Errorf("%s, order %d, free surface %v: the dot products differ by %.1e", name, order, surface, e)
			}
			// Born is the derivative of Forward: the remainder falls with the square of the step.
			var remainder [2]float64
			at, err := p.Forward(background, s.vp, []int{0})
			if err != nil {
				t.Fatal(err)
			}
			for k, h := range []float64{1e-2, 1e-3} {
				vp := make([]float64, len(s.vp))
				for i := range vp {
					vp[i] = s.vp[i] + h*s.dv[i]
				}
				moved, err := p.Forward(background, vp, []int{0})
				if err != nil {
					t.Fatal(err)
				}
				for i, v := range moved[0] {
					remainder[k] += math.Pow(v-at[0][i]-h*born[0][i], 2)
				}
			}
			if slope := math.Log10(remainder[0]/remainder[1]) / 2; math.Abs(slope-2) > 0.05 {
				t.Errorf("%s, order %d, free surface %v: the remainder falls with order %.3f", name, order, surface, slope)
			}
			p.Close()
		}
	}
}

func TestDensityIsSteppedAlikeByAllKernelsAndStorages(t *testing.T) {
	for name, s := range map[string]testSetup{"2D": newTestSetup(1), "3D": newTestSetup3D(1)} {
		checkKernelsAndStorages(t, name, s, Options{Density: layeredDensity(s.grid)})
	}
}

// checkKernelsAndStorages checks fast kernels and storages against the reference, with the options given.
func checkKernelsAndStorages(t *testing.T, name string, s testSetup, of Options) {
	t.Helper()
	gradient := func(storage Storage, reference bool) ([]float64, float64) {
		o := of
		o.MaxVelocity, o.Layer, o.FreeSurface, o.Storage, o.Reference, o.SnapshotInterval = 3200, 6, true, storage, reference, 4
		p, err := NewPropagatorOf[float64](s.grid, s.survey, o)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		g, err := p.Gradient(background, s.vp, []int{0}, func(_ int, synthetic, adjoint []float64) (float64, error) {
			var sum float64
			for i, v := range synthetic {
				adjoint[i], sum = v, sum+v*v/2
			}
			return sum, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return g.VP, g.Misfit
	}
	want, misfit := gradient(EveryKth, true)
	var norm float64
	for _, v := range want {
		norm += v * v
	}
	for _, c := range []struct {
		storage   Storage
		tolerance float64
	}{{EveryKth, 1e-10}, {Boundary, 1e-8}, {Revolve, 1e-10}, {Disk, 1e-10}, {SixteenBit, 5e-3}} { // round-off; bfloat16 has 8 bits
		got, j := gradient(c.storage, false)
		var difference float64
		for i, v := range got {
			difference += (v - want[i]) * (v - want[i])
		}
		if e := math.Sqrt(difference / norm); !(e < c.tolerance) || math.Abs(j/misfit-1) > 1e-10 {
			t.Errorf("%s, storage %s: the gradient differs from the reference's by %.1e, the misfit by %.1e", name, c.storage, e, j/misfit-1)
		}
	}
	o := of
	o.MaxVelocity, o.Layer = 3200, 6
	fast, err := NewPropagator(s.grid, s.survey, o)
	if err != nil {
		t.Fatal(err)
	}
	defer fast.Close()
	o.Reference = true
	slow, err := NewPropagatorOf[float64](s.grid, s.survey, o)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	narrow := make([]float32, len(s.vp))
	for i, v := range s.vp {
		narrow[i] = float32(v)
	}
	a, err := fast.Forward(background, narrow, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	b, err := slow.Forward(background, s.vp, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	var difference, energy float64
	for i, v := range b[0] {
		difference += math.Pow(float64(a[0][i])-v, 2)
		energy += v * v
	}
	if e := math.Sqrt(difference / energy); !(e < 2e-4) { // hundreds of steps in float32
		t.Errorf("%s: float32 differs from the reference by %.1e", name, e)
	}
}

func TestPotentialBoundsTheStepAndRefusesWhatWouldGrow(t *testing.T) {
	// Power iteration on M (D2 - W) in two dimensions against the bound of LimitWithPotential.
	rng := rand.New(rand.NewPCG(1, 2))
	for _, order := range []int{2, 4, 8} {
		d := kernels.Domain{Shape: []int{24, 20}, Spacing: []float64{10, 12}, Order: order, A: make([][]float64, 2), B: make([][]float64, 2)}
		for axis, n := range d.Shape {
			d.A[axis], d.B[axis] = make([]float64, n), make([]float64, n)
		}
		rho := make([]float64, d.Cells())
		for i := range rho {
			rho[i] = 1500 + 700*rng.Float64()
			if i/20%6 > 2 {
				rho[i] = 2800
			}
		}
		potential, err := kernels.Potential(&d, rho)
		if err != nil {
			t.Fatal(err)
		}
		const v = 2000.0
		free := kernels.MaxTimeStep(d.SecondDifference(), v, d.Spacing...)
		limit := kernels.LimitWithPotential(free, v, potential)
		for _, c := range []struct {
			dt    float64
			grows bool
		}{{0.999 * limit, false}, {1.1 * free, true}} {
			d.Potential = potential
			s, err := kernels.NewReference(d)
			if err != nil {
				t.Fatal(err)
			}
			m := make([]float64, d.Cells())
			for i := range m {
				m[i] = v * v * c.dt * c.dt
			}
			s.SetModel(m)
			const steps = 600
			shot := &kernels.Shot[float64]{NT: steps, Wavelet: make([]float64, steps), Record: make([]float64, steps)}
			point := kernels.Points[float64]{Begin: []int32{0, 1}, Cell: []int32{247}, Weight: []float64{1, 0, 0, 0, 0, 0, 0, 0}}
			shot.Sources, shot.Receivers, shot.Wavelet[0] = point, point, 1
			if err := s.Forward(shot, 0, steps, nil); err != nil {
				t.Fatal(err)
			}
			var most float64
			for _, x := range shot.Record {
				most = max(most, math.Abs(x))
			}
			if grows := !(most < 1e3*m[0]); grows != c.grows {
				t.Errorf("order %d, dt %.4g s (limit %.4g, %.4g at constant density): grows %v, up to %g", order, c.dt, limit, free, grows, most)
			}
		}
		rho[210] = 600000
		if _, err := kernels.Potential(&d, rho); (err != nil) != (order > 2) || err != nil && !strings.Contains(err.Error(), "smooth it") {
			t.Errorf("order %d: a cell hundreds of times as dense as its neighbours: %v", order, err)
		}
	}
	if _, _, err := CheckDensity(NewGrid2D(1, 2, 1, 1), []float32{1, 2.2}); err == nil || !strings.Contains(err.Error(), "g/cm³") {
		t.Errorf("2.2 passes for kg/m³: %v", err)
	}
}
