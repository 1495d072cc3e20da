package fwi

import (
	"math"
	"testing"
)

// What a record lacks after its end must not change a stage's traces before it: a causal filter looks back only. With zero phase the
// same cut reaches back by the length of the filter's response.
func TestStageFilterLooksOnlyBack(t *testing.T) {
	const nt, dt, high = 1000, 0.004, 4.2
	band := Stage{MaxFrequency: high}.band()
	long := make([]float32, nt)
	for i := range long {
		s := float64(i) * dt
		long[i] = float32(math.Sin(2*math.Pi*3.1*s) + 20*math.Sin(2*math.Pi*11*s*s/4)) // a sweep through the band and beyond
	}
	cut := make([]float32, nt)
	const end = 700
	copy(cut, long[:end])
	change := func(causal bool) float64 {
		c := newConverter(nt, dt, nt, dt, high, func(f float64) float64 { return f }, band.Amplitude, causal)
		a, b := c.apply(long), c.apply(cut)
		var difference, energy float64
		for i := range end - 25 { // a tenth of a second: the sharp end of the stop band rings
			difference += math.Pow(float64(a[i]-b[i]), 2)
			energy += math.Pow(float64(a[i]), 2)
		}
		return math.Sqrt(difference / energy)
	}
	causal, zero := change(true), change(false)
	// stopBand times the ratio of 20 of what lies beyond the band, with a margin of 2.5
	if !(causal < 5e-3 && zero > 10*causal) {
		t.Errorf("cutting off the end changes the rest by %.2e with a causal filter, by %.2e with zero phase", causal, zero)
	}
}

// The phase must leave the amplitudes as they are and delay what passes by less than the filter's response is long.
func TestMinimumPhaseIsEarly(t *testing.T) {
	const nt, dt, high, at = 1000, 0.004, 4.2, 200
	band := Stage{MaxFrequency: high}.band()
	impulse := make([]float32, nt)
	impulse[at] = 1
	c := newConverter(nt, dt, nt, dt, high, func(f float64) float64 { return f }, band.Amplitude, true)
	out := c.apply(impulse)
	var before, early, all float64
	for i, v := range out {
		e := float64(v) * float64(v)
		all += e
		if i < at-12 {
			before += e
		}
		if i < at+125 {
			early += e
		}
	}
	// Before: the amplitude of the stop band, 1e-4, where it ends at once. Early: half a second is two periods of the band's upper end.
	if !(before < 1e-4*all && early > 0.8*all) {
		t.Errorf("of the energy %.1e comes 0.05 s and more before the impulse and %.3f up to 0.5 s after it", before/all, early/all)
	}
}
