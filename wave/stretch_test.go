package wave

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// deeper grows from the grid's spacing to `most` times that.
func deeper(g Grid, most float64) []float64 {
	out := make([]float64, g.Shape[0])
	for i := range out {
		t := float64(i) / float64(len(out)-1)
		out[i] = g.Spacing[0] * (1 + (most-1)*t)
	}
	return out
}

func TestStretchedRowsKeepAdjointsAndGradientsExact(t *testing.T) {
	s := newTestSetup(1)
	for i := range s.dv { // everywhere, the outermost cells included
		s.dv[i] += 20 * math.Sin(float64(7*i))
	}
	checkAdjointsAndGradients(t, "stretched", s, Options{RowSlowest: deeper(s.grid, 2.2)})
	checkAdjointsAndGradients(t, "stretched, weights of their own", s, Options{RowSlowest: deeper(s.grid, 3), PointsPerWavelength: 3})
	checkAdjointsAndGradients(t, "stretched, with density", s, Options{RowSlowest: deeper(s.grid, 2.2), Density: layeredDensity(s.grid)})
}

func TestStretchedRowsAreSteppedAlikeByAllKernelsAndStorages(t *testing.T) {
	s := newTestSetup(1)
	checkKernelsAndStorages(t, "stretched", s, Options{RowSlowest: deeper(s.grid, 2.2)})
	checkKernelsAndStorages(t, "stretched, weights of their own", s, Options{RowSlowest: deeper(s.grid, 3), PointsPerWavelength: 3})
	checkKernelsAndStorages(t, "stretched, with density", s, Options{RowSlowest: deeper(s.grid, 2.2), Density: layeredDensity(s.grid)})
}

func TestRowsLieAsWideAsWantedAndSmoothly(t *testing.T) {
	g := NewGrid2D(201, 11, 10, 10)
	wanted := make([]float64, 201)
	for i := range wanted {
		wanted[i] = 10
		if i > 60 {
			wanted[i] = 17
		}
		if i > 120 && i < 140 { // a slow layer in between
			wanted[i] = 12
		}
	}
	s := newStretch(g, wanted, [2]int{10, 10})
	if n := s.rows(); n > 160 || n < 140 { // ∫ dz/wanted is 148 rows, what cannot change at once takes some more
		t.Errorf("%d rows", n)
	}
	for i := 0; i < s.rows(); i++ {
		var sum float64
		for _, w := range s.take[i].weight {
			sum += w
		}
		z := s.depth[i]
		if at := s.row(10 * z); math.Abs(sum-1) > 1e-12 || math.Abs(at-float64(10+i)) > 1e-4 {
			t.Errorf("row %d, with weights of sum %.15f, lies at row %.6f", i, sum, at-10)
		}
		if limit := wanted[min(int(z+0.5), 200)] / 10; s.ratio[10+i] > limit*1.1+0.02 {
			t.Errorf("row %d at %.0f m has a spacing of %.2f cells where %.2f are wanted", i, 10*z, s.ratio[10+i], limit)
		}
		if change := s.ratio[11+i] - s.ratio[10+i]; math.Abs(change) > 2*stretchSlope {
			t.Errorf("the spacing changes by %.3f cells at row %d", change, i)
		}
	}
	if s.row(0) != 10 || math.Abs(s.row(2000)-float64(10+s.rows()-1)) > 1e-6 {
		t.Errorf("the ends lie in rows %g and %g of 10 to %d", s.row(0), s.row(2000), 10+s.rows()-1)
	}
	for _, wide := range []float64{10, 5} {
		for i := range wanted {
			wanted[i] = wide
		}
		if s := newStretch(g, wanted, [2]int{10, 10}); s != nil {
			t.Errorf("one spacing of %g m: %v", wide, s)
		}
	}
}

func TestStretchedRowsGiveTheTracesOfFineOnes(t *testing.T) {
	// Velocity grows with depth and so may the spacing: sources and receivers at all depths, against a grid of half the spacing at order 8.
	trace := func(g Grid, stretch float64, density, surface bool) []float32 {
		vp, rho := make([]float32, g.Cells()), make([]float32, g.Cells())
		row := make([]float64, g.Shape[0])
		for i := range vp {
			z := float64(i/g.NX()) * g.Spacing[0]
			vp[i] = float32(1500 + 1.2*z)
			rho[i] = float32(1000 + 0.8*z)
			row[i/g.NX()] = 1500 + 1.2*z
		}
		const nt, dt = 300, 0.004
		receivers := []Position{{20, 300}, {20, 1400}, {510, 700}, {1190, 900}}
		s := FixedSpread([]Position{{33, 500}}, receivers, Ricker(10, dt, nt, 0.12), dt)
		o := Options{MaxVelocity: row[len(row)-1], RowFastest: row, MaxFrequency: 28, FreeSurface: surface}
		if stretch > 0 {
			o.RowSlowest = make([]float64, len(row))
			for i, v := range row {
				o.RowSlowest[i] = g.Spacing[0] * (1 + stretch*(v/1500-1))
			}
		}
		if density {
			o.Density = rho
		}
		p, err := NewPropagator(g, s, o)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		d, err := p.Forward(background, vp, []int{0})
		if err != nil {
			t.Fatal(err)
		}
		return d[0]
	}
	for _, density := range []bool{false, true} {
		for _, surface := range []bool{false, true} {
			fine := trace(NewGrid2D(241, 321, 5, 5), 0, density, surface)
			even := relativeTo(trace(NewGrid2D(121, 161, 10, 10), 0, density, surface), fine)
			uneven := relativeTo(trace(NewGrid2D(121, 161, 10, 10), 1, density, surface), fine)
			fmt.Printf("verification: rows that follow the velocity, density %v, free surface %v: traces differ by %.2e from those of half the spacing, by %.2e on even rows\n", density, surface, uneven, even)
			// What the slowest rows do to a wave, all rows now do: up to twice as much.
			if !(uneven < 3*even) {
				t.Errorf("density %v, surface %v: traces differ by %.2e, on even rows by %.2e", density, surface, uneven, even)
			}
		}
	}
}

func relativeTo(a, b []float32) float64 {
	var num, den float64
	for i, v := range b {
		num += math.Pow(float64(a[i]-v), 2)
		den += float64(v) * float64(v)
	}
	return math.Sqrt(num / den)
}

func TestStretchedRowsAreStableAtTheirLimit(t *testing.T) {
	// Deep rows are fast and wide apart; velocities at their rows' limits, steps at 0.98 of the stability limit, ten times as many as waves take across.
	g := NewGrid2D(81, 61, 10, 10)
	vp, row := make([]float32, g.Cells()), make([]float64, 81)
	for i := range vp {
		row[i/61] = 1500 + 40*float64(i/61)
		vp[i] = float32(row[i/61])
	}
	const nt, dt = 1000, 0.004
	s := FixedSpread([]Position{{33, 305}}, []Position{{700, 211}}, Ricker(10, dt, nt, 0.12), dt)
	even, err := NewPropagator(g, s, Options{MaxVelocity: 4700})
	if err != nil {
		t.Fatal(err)
	}
	defer even.Close()
	o := Options{MaxVelocity: 4700, RowFastest: row, RowSlowest: deeper(g, 2.5), Courant: 0.98}
	p, err := NewPropagator(g, s, o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if gain := p.Plan().StabilityLimit / even.Plan().StabilityLimit; !(gain > 1.25 && gain < 1.45) { // √2 for rows infinitely far apart
		t.Errorf("the time step is %.3f times as long", gain)
	}
	d, err := p.Forward(background, vp, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	var early, late float64
	for i, v := range d[0] {
		if i < nt/4 {
			early = max(early, math.Abs(float64(v)))
		} else if i > nt/2 {
			late = max(late, math.Abs(float64(v)))
		}
	}
	if !(late < 0.01*early) {
		t.Errorf("the field does not fade: %g, then %g", early, late)
	}
}

func TestRowsThatCannotBeAreRefused(t *testing.T) {
	s, s3 := newTestSetup(1), newTestSetup3D(1)
	for _, c := range []struct {
		s    testSetup
		o    Options
		text string
	}{
		{s, Options{RowSlowest: make([]float64, 3)}, "3 values for 41 rows"},
		{s, Options{RowSlowest: make([]float64, 41)}, "0 m/s at row 0"},
		{s, Options{RowFastest: []float64{1}}, "1 values for 41 rows"},
		{s, Options{RowFastest: deeper(s.grid, 1e4)}, "at most the MaxVelocity of 3000 m/s"},
		{s, Options{RowSlowest: deeper(s.grid, 2), Equation: "damped"}, "damped"},
		{s3, Options{RowSlowest: deeper(s3.grid, 2)}, "2D grids"},
	} {
		c.o.MaxVelocity = 3000
		if _, err := NewPropagator(c.s.grid, c.s.survey, c.o); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("expected %q, not %v", c.text, err)
		}
	}
	row := deeper(s.grid, 300) // 10 to 3000 m/s: too slow for the model
	p, err := NewPropagator(s.grid, s.survey, Options{MaxVelocity: 3000, RowFastest: row})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	vp := make([]float32, s.grid.Cells())
	for i := range vp {
		vp[i] = 1500
	}
	if _, err := p.Forward(background, vp, []int{0}); err == nil || !strings.Contains(err.Error(), "in cell (z 0, x 0)") {
		t.Errorf("a model faster than its row may be: %v", err)
	}
}

// W - D2 down stays positive, which NewPropagator tries, whatever the rows' velocities are, with weights for all that may be asked for.
func TestRowsOfAnyVelocitiesAreStable(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	uneven := 0
	for trial := range 120 {
		n := 40 + rng.IntN(160)
		g := NewGrid2D(n, 21, 10, 10*(0.5+3*rng.Float64()))
		row := make([]float64, n)
		v := 1500.0
		for i := range row {
			switch trial % 3 {
			case 0: // beds
				if rng.IntN(8) == 0 {
					v = 1400 + 5000*rng.Float64()
				}
			case 1: // no two rows alike
				v = 1400 + 5000*rng.Float64()
			case 2: // a half-space
				if i == n/2 {
					v = 1500 * (1 + 3*rng.Float64())
				}
			}
			row[i] = v
		}
		s := FixedSpread([]Position{{20, 50}}, []Position{{20, 60}}, Ricker(10, 0.004, 50, 0.12), 0.004)
		p, err := NewPropagator(g, s, Options{MaxVelocity: 8000, RowSlowest: row, Order: 2 + 2*(trial/3%4), PointsPerWavelength: 2.5 + 5.5*rng.Float64(), FreeSurface: trial%2 == 1})
		if err != nil {
			t.Fatalf("trial %d: %v", trial, err)
		}
		if p.Plan().Rows < n {
			uneven++
		}
		p.Close()
	}
	if uneven < 80 {
		t.Errorf("%d of 120 have uneven rows", uneven)
	}
}
