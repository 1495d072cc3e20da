package fwi

import (
	"math"
	"slices"
)

// onset is the level, as a fraction of a trace's largest magnitude, that its first arrival exceeds first.
const onset = 0.1

// firstArrivals picks the first arrival of each trace [receiver, nt] in s: the time at which its magnitude first exceeds `onset` of its largest, the
// median of five neighbouring receivers'. Traces of zeros have none: infinity.
func firstArrivals(traces []float32, nt int, dt float64) []float64 {
	picks := make([]float64, len(traces)/nt)
	for r := range picks {
		trace := traces[r*nt : (r+1)*nt]
		var peak float32
		for _, v := range trace {
			peak = max(peak, v, -v)
		}
		picks[r] = math.Inf(1)
		for i, v := range trace {
			if peak > 0 && max(v, -v) >= onset*peak {
				picks[r] = float64(i) * dt
				break
			}
		}
	}
	smooth := make([]float64, len(picks))
	for r := range picks {
		near := slices.Clone(picks[max(r-2, 0):min(r+3, len(picks))])
		slices.Sort(near)
		smooth[r] = near[len(near)/2]
	}
	return smooth
}

// damp multiplies traces [receiver, nt] by exp(-(t - pick)/time) after each one's first arrival.
func damp(traces []float32, picks []float64, nt int, dt, time float64) {
	factor := math.Exp(-dt / time)
	for r, pick := range picks {
		if math.IsInf(pick, 1) {
			continue
		}
		first := max(int(math.Ceil(pick/dt)), 0)
		w := math.Exp(-(float64(first)*dt - pick) / time)
		trace := traces[r*nt : (r+1)*nt]
		for i := first; i < nt; i++ {
			trace[i] *= float32(w)
			w *= factor
		}
	}
}
