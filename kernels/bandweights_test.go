package kernels

import (
	"math"
	"testing"
)

// phaseError returns the root of the mean square of the phase error over a distance of a shortest wavelength, of waves as BandWeights weighs them, by the midpoint rule
// on other points than those.
func phaseError(d2 []float64, points float64) float64 {
	const samples = 1777
	var sum, all float64
	for i := range samples {
		part := (float64(i) + 0.5) / samples
		kappa := 2 * math.Pi / points * part
		a := 1.0
		if part > 0.75 {
			a = 0.5 + 0.5*math.Cos(math.Pi*(part-0.75)/0.25)
		}
		e := a * kappa / 2 * (symbol(d2, kappa)/(kappa*kappa) - 1) * points
		sum += e * e
		all += a * a
	}
	return math.Sqrt(sum / all)
}

// A minimum of a quadratic: no small change of a weight, or of two, makes the error less.
func TestBandWeightsAreBest(t *testing.T) {
	for order := 2; order <= 2*MaxRadius; order += 2 {
		for _, points := range []float64{2.5, 3, 4, 5} {
			d2, err := BandWeights(order, points)
			if err != nil {
				t.Fatal(err)
			}
			best := phaseError(d2, points)
			for k := 1; k < len(d2); k++ {
				for j := 1; j <= k; j++ {
					for _, step := range []float64{1e-3, -1e-3} {
						changed := append([]float64{}, d2...)
						changed[k] += step
						changed[j] -= step / 3
						changed[0] = 0
						for _, w := range changed[1:] {
							changed[0] -= 2 * w
						}
						if e := phaseError(changed, points); e <= best {
							t.Errorf("order %d, %g points: the error is %.6g, with weights %d and %d changed %.6g", order, points, best, k, j, e)
						}
					}
				}
			}
			_, taylor := Weights(order)
			t.Logf("order %d, %g points: phase error of %.1e over a wavelength, Taylor's %.1e", order, points, best, phaseError(taylor, points))
		}
	}
}

// What three points per wavelength rest upon: they are better than four were.
func TestBandWeightsOfThreePointsAreBetterThanTaylorsOfFour(t *testing.T) {
	d2, err := BandWeights(8, 3)
	if err != nil {
		t.Fatal(err)
	}
	_, taylor := Weights(8)
	if three, four := phaseError(d2, 3), phaseError(taylor, 4); !(three < 0.4*four) {
		t.Errorf("phase error over a wavelength: %.2e, Taylor's with four points %.2e", three, four)
	}
}

func TestBandWeightsRefuse(t *testing.T) {
	for _, points := range []float64{0, 2, -3, math.NaN(), math.Inf(1)} {
		if _, err := BandWeights(8, points); err == nil {
			t.Errorf("%g points per wavelength are accepted", points)
		}
	}
	if _, err := BandWeights(7, 4); err == nil {
		t.Error("order 7 is accepted")
	}
}

func TestLongWaveWeightsAreExactInTheirBandAndSmallBeyond(t *testing.T) {
	const tolerance = 2e-3
	for _, c := range []struct{ points, most float64 }{{5, 4.6}, {6, 2.8}, {7, 2.65}} { // least possible, by linear programming: 4.02, 2.75, 2.54
		d2 := LongWaveWeights(8, c.points, tolerance)
		if d2 == nil {
			t.Fatalf("%g points: no weights", c.points)
		}
		top := 2 * math.Pi / c.points
		for i := 1; i <= 1000; i++ {
			kappa := math.Pi * float64(i) / 1000
			s := symbol(d2, kappa)
			if kappa <= 0.95*top && math.Abs(s/(kappa*kappa)-1) > tolerance*1.01 {
				t.Errorf("%g points: the symbol is off by %.1e at κ = %.3f", c.points, s/(kappa*kappa)-1, kappa)
			}
			if s > c.most || kappa > top && s < 0.99*top*top {
				t.Errorf("%g points: the symbol is %.3f at κ = %.3f, between %.3f and %.3f are allowed", c.points, s, kappa, top*top, c.most)
			}
		}
		if got := MaxSymbol(d2); got > c.most {
			t.Errorf("%g points: the largest symbol is %.3f", c.points, got)
		}
	}
	if d2 := LongWaveWeights(8, 3.2, 1e-5); d2 != nil {
		t.Errorf("weights for 3.2 points within 1e-5: %v", d2)
	}
}
