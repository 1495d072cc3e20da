package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gofwi/wave"
)

// model models all shots of a survey; the wave's own time step, so that nothing but the grid differs.
func model(t *testing.T, g wave.Grid, s *wave.Survey, vp []float32) [][]float32 {
	t.Helper()
	p, err := wave.NewPropagator(g, s, wave.Options{MaxVelocity: 4000, DT: s.DT})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	gathers, err := p.Forward(context.Background(), vp, s.AllShots())
	if err != nil {
		t.Fatal(err)
	}
	return gathers
}

// beds is a section of horizontal beds, 10 to 40 m thick, whose velocities jump between 1800 and 3600 m/s; uniform at top and bottom, as
// the outermost cells go on beyond the grid.
func beds(g wave.Grid) []float32 {
	rng := rand.New(rand.NewPCG(5, 5))
	vp := make([]float32, g.Cells())
	var v float32
	left := 0.0
	for i := range vp {
		if i%g.NX() == 0 {
			if left -= g.DZ(); left <= 0 {
				left, v = 10+30*rng.Float64(), float32(1800+1800*rng.Float64())
			}
		}
		vp[i] = v
		if z := i / g.NX(); z < g.NZ()/8 || z > g.NZ()-g.NZ()/8 {
			vp[i] = 2000
		}
	}
	return vp
}

func difference(a, b [][]float32) float64 {
	var num, den float64
	for i := range a {
		for k := range a[i] {
			d := float64(a[i][k] - b[i][k])
			num, den = num+d*d, den+float64(b[i][k])*float64(b[i][k])
		}
	}
	return math.Sqrt(num / den)
}

// Waves that cross beds thinner than their length see the mean of 1/v². Data on a coarse grid are right in the same measure.
func TestCoarseModelsOfMeanSlownessSquaredPredictTheData(t *testing.T) {
	const dt = 0.0005
	fine := wave.NewGrid2D(301, 201, 4, 4)
	coarse := fine.Coarsen(24, 20)
	wavelet, err := wave.Ormsby(3, 5, 10, 15, dt, 1601, 0.25)
	if err != nil {
		t.Fatal(err)
	}
	s := wave.FixedSpread([]wave.Position{{20, 400}}, wave.Line(9, 1180, 0, 800), wavelet, dt)
	vp := beds(fine)
	want := model(t, fine, s, vp)

	regrid := wave.NewRegrid(fine, coarse)
	squared, mean, sampled := make([]float32, coarse.Cells()), make([]float32, coarse.Cells()), make([]float32, coarse.Cells())
	regrid.Velocity(squared, vp)
	regrid.Restrict(mean, vp)
	for i := range sampled {
		z, x := float64(i/coarse.NX())*coarse.DZ(), float64(i%coarse.NX())*coarse.DX()
		sampled[i] = vp[int(math.Round(z/fine.DZ()))*fine.NX()+int(math.Round(x/fine.DX()))]
	}
	a, b, c := difference(model(t, coarse, s, squared), want), difference(model(t, coarse, s, mean), want), difference(model(t, coarse, s, sampled), want)
	fmt.Printf("verification: from %g to %.3g m, thin beds: data differ by %.3f if 1/v² is averaged, %.3f if v is, %.3f if every %.3g m is taken\n",
		fine.DZ(), coarse.DZ(), a, b, c, coarse.DZ())
	if !(a < b/4 && a < c/4) {
		t.Errorf("the mean of 1/v² is not the better by far: %g, %g, %g", a, b, c)
	}
}

// Receivers closer than a quarter of the shortest wavelength add work and nothing else: each fifth of those gives the
// same gradient but for its scale.
func TestThinnedReceiversGiveTheSameGradient(t *testing.T) {
	const dt = 0.002
	g := wave.NewGrid2D(41, 81, 20, 20)
	wavelet, err := wave.Ormsby(3, 5, 10, 15, dt, 501, 0.25)
	if err != nil {
		t.Fatal(err)
	}
	all := wave.Line(321, 20, 0, 1600)
	var thin []wave.Position
	for i := 0; i < len(all); i += 5 { // 25 m, where the shortest wave is 107 m long
		thin = append(thin, all[i])
	}
	vp, moved := make([]float32, g.Cells()), make([]float32, g.Cells())
	for i := range vp {
		vp[i] = 1600 + float32(i/g.NX())*20
		moved[i] = vp[i] * float32(1+0.05*math.Sin(float64(i%g.NX())/6)*math.Sin(float64(i/g.NX())/5))
	}
	gradient := func(receivers []wave.Position) []float32 {
		s := wave.FixedSpread([]wave.Position{{20, 410}, {20, 1190}}, receivers, wavelet, dt)
		observed := model(t, g, s, moved)
		p, err := wave.NewPropagator(g, s, wave.Options{MaxVelocity: 4000, DT: dt})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		out, err := p.Gradient(context.Background(), vp, s.AllShots(), func(shot int, synthetic, adjoint []float32) (float64, error) {
			for i, v := range synthetic {
				adjoint[i] = v - observed[shot][i]
			}
			return 0, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out.VP
	}
	a, b := gradient(all), gradient(thin)
	var aa, ab, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		aa, ab, bb = aa+x*x, ab+x*y, bb+y*y
	}
	correlation := ab / math.Sqrt(aa*bb)
	fmt.Printf("verification: %d receivers thinned to %d, a quarter of the shortest wavelength apart: gradients correlate to %.6f\n", len(all), len(thin), correlation)
	if !(correlation > 0.999) {
		t.Errorf("gradients correlate to %g", correlation)
	}
}
