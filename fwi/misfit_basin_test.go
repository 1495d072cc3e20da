package fwi

import (
	"math"
	"testing"
)

// basin returns how many periods a Ricker wavelet may come late before the misfit no longer pulls it back, up to four. Of a trace with two arrivals the first stays.
func basin(t *testing.T, name string, arrivals int) float64 {
	t.Helper()
	const nt, dt, peak = 600, 0.004, 8.0
	period := 1 / peak
	m, err := NewMisfit(name, MisfitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ricker := func(out []float32, at float64) {
		for i := range out {
			a := math.Pi * peak * (float64(i)*dt - at)
			out[i] += float32((1 - 2*a*a) * math.Exp(-a*a))
		}
	}
	trace := func(delay float64) []float32 {
		out := make([]float32, nt)
		ricker(out, 1+delay)
		if arrivals == 2 {
			ricker(out, 0.4)
		}
		return out
	}
	observed, adjoint := trace(0), make([]float32, nt)
	for delay := 0.02 * period; delay < 4*period; delay += 0.02 * period {
		s, later := trace(delay), trace(delay+1e-3*period)
		if _, err := m.Evaluate(adjoint, s, observed, nil, 1, nt, dt); err != nil {
			t.Fatal(err)
		}
		var slope float64
		for i, a := range adjoint {
			slope += float64(a) * float64(later[i]-s[i])
		}
		if slope <= 0 {
			return delay / period
		}
	}
	return 4
}

// Of a late wavelet least squares want more than half a period back, and pull the wrong way beyond; what is there for bad starts reaches further.
func TestMisfitsReachBeyondHalfAPeriod(t *testing.T) {
	for _, c := range []struct {
		name     string
		arrivals int
		low      float64
		high     float64
	}{
		{"least-squares", 1, 0.3, 0.6},
		{"correlation", 1, 0.3, 0.6},
		{"trace-normalised", 1, 0.3, 0.6},
		{"student-t", 1, 0.3, 0.6},
		{"envelope", 1, 0.8, 4},
		{"adaptive", 1, 2, 4},
		{"transport", 1, 2, 4},
		{"least-squares", 2, 0.3, 0.6},
		{"envelope", 2, 0.8, 4},
		{"adaptive", 2, 0, 4},
		{"transport", 2, 2, 4},
	} {
		got := basin(t, c.name, c.arrivals)
		t.Logf("%s, %d arrivals: %.2f periods", c.name, c.arrivals, got)
		if got < c.low || got > c.high {
			t.Errorf("%s pulls a late wavelet among %d arrivals back from up to %.2f periods, expected %.1f to %.1f", c.name, c.arrivals, got, c.low, c.high)
		}
	}
}
