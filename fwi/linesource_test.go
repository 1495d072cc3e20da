package fwi

import (
	"math"
	"testing"

	"gofwi/wave"
)

func TestLineSourceTurnsAPointSourcesGreensFunctionIntoALineSources(t *testing.T) {
	const nt, dt, c = 500, 0.004, 2000.0
	ricker := func(t float64) float64 {
		x := math.Pow(math.Pi*12*(t-0.1), 2)
		return (1 - 2*x) * math.Exp(-x)
	}
	for _, r := range []float64{600, 2000} {
		trace, want := make([]float32, nt), make([]float64, nt)
		for i := range nt {
			at := float64(i) * dt
			trace[i] = float32(ricker(at-r/c) / (4 * math.Pi * r))
			// ∫ w(t-τ) / (2π √(τ²-r²/c²)) dτ, with τ = (r/c) cosh y
			const steps = 4000
			top := math.Acosh(max(at*c/r, 1))
			for k := range steps {
				y := top * (float64(k) + 0.5) / steps
				want[i] += ricker(at-r/c*math.Cosh(y)) / (2 * math.Pi) * top / steps
			}
		}
		if err := LineSource(trace, nt, dt); err != nil {
			t.Fatal(err)
		}
		var difference, energy float64
		for i, v := range trace {
			d := float64(v)*c*math.Sqrt(2*math.Pi) - want[i]
			difference += d * d
			energy += want[i] * want[i]
		}
		// The far field's error is 1/(8 ω r/c), 0.5 % at 600 m, and the gain √t is taken at the wavelet's time, which is 0.1 s late.
		if e := math.Sqrt(difference / energy); !(e < 0.2) {
			t.Errorf("at %g m the trace is off by %.3f", r, e)
		}
	}
	if err := LineSource(make([]float32, 7), 3, dt); err == nil {
		t.Error("seven values pass for traces of three samples")
	}
}

func TestFirstArrivalsGiveTheModelThatTheDataWereModelledIn(t *testing.T) {
	truth := Layered{WaterVelocity: 1480, WaterDepth: 300, Top: 1800, Gradient: 0.7}
	g := wave.NewGrid2D(97, 300, 12.5, 12.5)
	const nt, dt = 500, 0.004
	wavelet := wave.Ricker(20, dt, nt, 0.06)
	var receivers []wave.Position
	for x := 300.0; x <= 3300; x += 50 {
		receivers = append(receivers, wave.Position{10, 3600 - x})
	}
	s := wave.FixedSpread([]wave.Position{{10, 3600}}, receivers, wavelet, dt)
	p, err := wave.NewPropagator(g, s, wave.Options{MaxVelocity: 2700, FreeSurface: true, MaxFrequency: 40})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	data, err := p.Forward(background, truth.Model(g, 2600), []int{0})
	if err != nil {
		t.Fatal(err)
	}
	unknown := math.NaN()
	l, err := FitFirstArrivals(s, data, unknown, unknown)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v", l)
	// The onset of a 20 Hz wavelet is found to within half a period, 18 m of water; as the direct wave grows weaker with the offset, it is picked later, which
	// makes the water up to 2 % slower.
	if math.Abs(l.WaterVelocity-1480) > 30 || math.Abs(l.WaterDepth-300) > 20 || math.Abs(l.Top-1800) > 90 || l.Error > 0.01 {
		t.Errorf("fitted %+v to data of %+v", l, truth)
	}
	known, err := FitFirstArrivals(s, data, 300, 1480)
	if err != nil || known.WaterDepth != 300 || known.WaterVelocity != 1480 {
		t.Errorf("with the water given: %+v, %v", known, err)
	}
	if _, err := FitFirstArrivals(s, [][]float32{make([]float32, len(data[0]))}, unknown, unknown); err == nil {
		t.Error("a model is fitted to silence")
	}
}
