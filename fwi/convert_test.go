package fwi

import (
	"math"
	"testing"

	"gofwi/wave"
)

// A step near the stability limit must give the traces of a tenth of it once wavelet and data are in the scheme's time; plainly
// resampled they are far apart.
func TestConversionRemovesTheDispersionOfTheTimeStep(t *testing.T) {
	g := wave.NewGrid2D(41, 161, 20, 20)
	vp := make([]float32, g.Cells())
	for i := range vp {
		vp[i] = 1800 + 10*float32(i/g.NX())
	}
	const dt, nt, high = 0.002, 1100, 15.0
	wavelet, err := wave.Ormsby(3, 5, 11, high, dt, nt, 0.6)
	if err != nil {
		t.Fatal(err)
	}
	survey := wave.FixedSpread([]wave.Position{{40, 100}}, wave.Line(8, 40, 2000, 3100), wavelet, dt)
	model := func(courant float64, scheme bool) []float32 {
		o := wave.Options{MaxVelocity: 2300, MaxFrequency: high, Courant: courant}
		s, back := survey, (*converter)(nil)
		if scheme {
			if s, back, err = schemeSurvey(survey, g, o); err != nil {
				t.Fatal(err)
			}
			o.DT = s.DT
		}
		p, err := wave.NewPropagator(g, s, o)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		d, err := p.Forward(background, vp, []int{0})
		if err != nil {
			t.Fatal(err)
		}
		if scheme {
			return back.apply(d[0])
		}
		return d[0]
	}
	difference := func(a, b []float32) float64 {
		var num, den float64
		for i := range a {
			if n := i % nt; n < nt-100 { // the record's end is cut off differently
				num += math.Pow(float64(a[i]-b[i]), 2)
				den += math.Pow(float64(b[i]), 2)
			}
		}
		return math.Sqrt(num / den)
	}
	want := model(0.05, true)
	plain, converted := difference(model(stageCourant, false), want), difference(model(stageCourant, true), want)
	// What is left is the filters' ringing at the record's end and float32.
	if !(plain > 0.1 && converted < 0.005) {
		t.Errorf("with %g of the largest step traces differ by %.4f, converted by %.4f", stageCourant, plain, converted)
	}
}
