package plot

import (
	"math"
	"slices"
)

// sampleLimit bounds the values that a percentile looks at: percentiles only
// steer colours, and sorting a whole large array would take seconds.
const sampleLimit = 200_000

// sample returns the finite values of the arrays, thinned evenly to about
// sampleLimit, as float64.
func sample(arrays ...[]float32) []float64 {
	var total int
	for _, a := range arrays {
		total += len(a)
	}
	// An odd step does not keep to the same few columns of an even row length.
	step := max(1, total/sampleLimit) | 1
	if total <= sampleLimit {
		step = 1
	}
	values := make([]float64, 0, total/step+len(arrays))
	for _, a := range arrays {
		for i := 0; i < len(a); i += step {
			v := float64(a[i])
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				values = append(values, v)
			}
		}
	}
	return values
}

// percentile returns the value below which the given percentage of the sorted
// values lie.
func percentile(sorted []float64, percent float64) float64 {
	at := percent / 100 * float64(len(sorted)-1)
	return sorted[int(math.Round(min(max(at, 0), float64(len(sorted)-1))))]
}

// spread returns a colour range that covers the arrays but for a thousandth at
// either end, and widens the range of constant or missing values to something
// a colour bar can show.
func spread(arrays ...[]float32) (lo, hi float64) {
	values := sample(arrays...)
	if len(values) == 0 {
		return 0, 1
	}
	slices.Sort(values)
	lo, hi = percentile(values, 0.1), percentile(values, 99.9)
	return widen(lo, hi)
}

// widen returns lo and hi, moved apart by a twentieth of their size when they
// are too close to divide by.
func widen(lo, hi float64) (float64, float64) {
	size := max(math.Abs(lo), math.Abs(hi))
	if hi-lo > 1e-6*size && hi > lo {
		return lo, hi
	}
	if size == 0 {
		return -1, 1
	}
	return lo - 0.05*size, hi + 0.05*size
}

// clip returns the given percentile of the magnitudes, the largest magnitude
// where that percentile is zero (a few spikes in silence), and 1 for arrays of
// zeros.
func clip(percent float64, arrays ...[]float32) float64 {
	values := sample(arrays...)
	for i, v := range values {
		values[i] = math.Abs(v)
	}
	if len(values) == 0 {
		return 1
	}
	slices.Sort(values)
	if c := percentile(values, percent); c > 0 {
		return c
	}
	if c := values[len(values)-1]; c > 0 {
		return c
	}
	return 1
}
