package kernels

import (
	"math"
	"testing"
)

// Chebyshev's criterion: no other weights have a smaller largest deviation than those whose deviation takes its extremes, with alternating
// signs, once more than there are weights.
func TestMinimaxWeightsAlternate(t *testing.T) {
	for order := 2; order <= 2*MaxRadius; order += 2 {
		for _, points := range []float64{2.5, 3, 4, 6, 8} {
			d2, err := MinimaxWeights(order, points)
			if err != nil {
				t.Fatal(err)
			}
			if len(d2) != order/2+1 {
				t.Fatalf("order %d has %d weights", order, len(d2))
			}
			const samples = 20000
			var extremes []float64
			for i := samples / 1000; i <= samples; i++ { // not where round-off is divided by κ²
				kappa := 2 * math.Pi / points * float64(i) / samples
				e := symbol(d2, kappa)/(kappa*kappa) - 1
				switch n := len(extremes); {
				case n == 0 || e*extremes[n-1] < 0:
					extremes = append(extremes, e)
				case math.Abs(e) > math.Abs(extremes[n-1]):
					extremes[n-1] = e
				}
			}
			if len(extremes) != order/2+1 {
				t.Errorf("order %d, %g points: the deviation has %d extremes of alternating sign, want %d: %.3g", order, points, len(extremes), order/2+1, extremes)
				continue
			}
			low, high := math.Inf(1), 0.0
			for _, e := range extremes {
				low, high = min(low, math.Abs(e)), max(high, math.Abs(e))
			}
			// 1e-3: extremes are sought on samples; 3e-10: round-off of the symbol over κ²
			if high-low > 1e-3*high+3e-10 {
				t.Errorf("order %d, %g points: extremes from %.6g to %.6g", order, points, low, high)
			}
			_, taylor := Weights(order)
			kappa := 2 * math.Pi / points
			if of := math.Abs(symbol(taylor, kappa)/(kappa*kappa) - 1); high > 2*of/3 { // half of it for one weight, whose deviation is nearly a parabola
				t.Errorf("order %d, %g points: deviation %.3g, Taylor's weights have %.3g", order, points, high, of)
			}
			t.Logf("order %d, %g points: largest deviation %.2e", order, points, high)
		}
	}
}

func TestMinimaxWeightsRefuse(t *testing.T) {
	for _, points := range []float64{0, 2, -3, math.NaN(), math.Inf(1)} {
		if _, err := MinimaxWeights(8, points); err == nil {
			t.Errorf("%g points per wavelength are accepted", points)
		}
	}
	if _, err := MinimaxWeights(7, 4); err == nil {
		t.Error("order 7 is accepted")
	}
}
