package wave

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// negligibleSetup is a section that waves take half of the record to cross, with a source that emits to the record's end, so that each row still has waves when they can no longer be
// heard, and a receiver at depth.
func negligibleSetup() testSetup {
	g := NewGrid2D(101, 301, 10, 10)
	s := testSetup{grid: g, vp: make([]float64, g.Cells())}
	for i := range s.vp {
		z, x := i/g.NX(), i%g.NX()
		s.vp[i] = 1500 + 15*float64(z) + 100*math.Sin(float64(x)/9)
	}
	const nt, dt = 400, 0.004
	wavelet := make([]float32, nt)
	for k := 0; k < nt; k += 20 {
		for n, v := range Ricker(12, dt, nt, 0.1+float64(k)*dt) {
			wavelet[n] += v * float32(math.Sin(float64(k)))
		}
	}
	s.survey = FixedSpread([]Position{{20, 300}, {15, 2900}}, append(Line(40, 23, 50, 2950), Position{420, 1000}), wavelet, dt)
	return s
}

func TestWhatIsNegligibleIsNotMissed(t *testing.T) {
	s := negligibleSetup()
	shots := s.survey.AllShots()
	var worst, worstGradient [2]float64
	more, less := 1.0, 1.0
	for name, o := range map[string]Options{
		"even rows":              {},
		"free surface":           {FreeSurface: true},
		"uneven rows":            {RowSlowest: deeper(s.grid, 2), PointsPerWavelength: 4, Courant: 0.99},
		"order 4, reflecting":    {Order: 4, Reflecting: map[Side]bool{Bottom: true}},
		"boundary":               {Storage: Boundary},
		"revolve, thin snapshot": {Storage: Revolve, SnapshotInterval: 3},
	} {
		t.Run(name, func(t *testing.T) {
			o.MaxVelocity, o.Layer, o.MaxFrequency, o.Threads = 3300, 10, 30, 1
			exact := solveAll(t, s.grid, s.survey, o, s.vp, shots)
			plain := solveAll(t, s.grid, s.survey, o, converted[float32](s.vp), shots)
			o.Negligible = 1e-9
			got := solveAll(t, s.grid, s.survey, o, converted[float32](s.vp), shots)
			for i := range shots {
				e, of := relative(got.gathers[i], exact.gathers[i]), relative(plain.gathers[i], exact.gathers[i])
				worst[0], worst[1] = max(worst[0], e), max(worst[1], of)
				// 1e-9 of what is injected is less than float32 rounds the waves by.
				if !(e < 1.1*of) {
					t.Errorf("the gather of shot %d is off by %.2e, with all waves by %.2e", i, e, of)
				}
				if got.wavelets[i] != nil || plain.wavelets[i] == nil {
					t.Errorf("shot %d: the wavelet's gradient is %v, without Negligible %v", i, got.wavelets[i], plain.wavelets[i])
				}
			}
			e, of := relative(got.gradient, exact.gradient), relative(plain.gradient, exact.gradient)
			worstGradient[0], worstGradient[1] = max(worstGradient[0], e), max(worstGradient[1], of)
			if !(e < 1.1*of) {
				t.Errorf("the gradient is off by %.2e, with all waves by %.2e", e, of)
			}
			// Illumination scales gradients and is no part of them. Rows that are left stand still, which the rows above see as a wave until they are left too.
			most := slices.Max(exact.illumination)
			for i, v := range got.illumination {
				if w := exact.illumination[i]; w > 1e-9*most {
					more, less = max(more, v/w), min(less, v/w)
				}
			}
		})
	}
	fmt.Printf("verification: float32 leaving out what is negligible, against float64: gathers off by %.1e at most, gradients by %.1e; leaving out nothing %.1e and %.1e; illumination of a cell %.2g to %.6g of what it is\n", worst[0], worstGradient[0], worst[1], worstGradient[1], less, more)
	if !(more < 1.01 && less > 0.5) {
		t.Errorf("the illumination of a cell is %.2g to %.6g of what it is with all waves", less, more)
	}
}

type solved struct {
	gathers                [][]float64
	gradient, illumination []float64
	wavelets               [][][]float64
}

// solveAll models the shots and takes their data's energy's gradient.
func solveAll[T float32 | float64](t *testing.T, g Grid, survey *Survey, o Options, vp []T, shots []int) (out solved) {
	t.Helper()
	p, err := NewPropagatorOf[T](g, survey, o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	gathers, err := p.Forward(background, vp, shots)
	if err != nil {
		t.Fatal(err)
	}
	for _, gather := range gathers {
		out.gathers = append(out.gathers, converted[float64](gather))
	}
	gradient, err := p.Gradient(background, vp, shots, func(shot int, synthetic, adjoint []T) (float64, error) {
		copy(adjoint, synthetic) // every sample, to the last
		return 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out.gradient, out.illumination = converted[float64](gradient.VP), converted[float64](gradient.Illumination)
	for _, of := range gradient.Wavelets {
		var wavelets [][]float64
		for _, w := range of {
			wavelets = append(wavelets, converted[float64](w))
		}
		out.wavelets = append(out.wavelets, wavelets)
	}
	return out
}

// Rows that a receiver stands in matter to the end, others until a wave at their bounds no longer comes to one.
func TestLastStepsFollowTheRowsVelocities(t *testing.T) {
	s := negligibleSetup()
	for _, o := range []Options{{}, {RowSlowest: deeper(s.grid, 2), RowFastest: deeper(s.grid, 2)}} {
		for i := range o.RowFastest {
			o.RowFastest[i] *= 170 // 1700 to 3400 m/s
		}
		o.MaxVelocity, o.Layer, o.Negligible = 3400, 10, 1e-9
		p, err := NewPropagator(s.grid, s.survey, o)
		if err != nil {
			t.Fatal(err)
		}
		steps := p.plan.Steps
		last := p.silentShot(&s.survey.Shots[0]).Until
		if len(last) != p.domain.Shape[0] {
			t.Fatalf("%d last steps for %d rows", len(last), p.domain.Shape[0])
		}
		if last[10] != int32(steps) {
			t.Errorf("at the surface the last step is %d of %d", last[10], steps)
		}
		// From the bottom, 1000 m deep, to the receiver at 420 m: no sooner than at the fastest velocity.
		least, most := 580/3400.0, 580/1700.0
		if after := float64(steps-int(last[10+p.plan.Rows-1])) * p.plan.DT; after > least && o.RowFastest == nil || after > most || after < least/2 {
			t.Errorf("the last row counts until %.3f s before the end, waves take %.3f to %.3f s from there", after, least, most)
		}
		p.Close()
	}
}
