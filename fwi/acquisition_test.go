package fwi

import (
	"math"
	"testing"

	"gofwi/wave"
)

func TestReceiversOnALatticeAreThinnedToALattice(t *testing.T) {
	for _, c := range []struct {
		name         string
		ny, nx       int
		dy, dx       float64
		wavelength   float64
		wantY, wantX int // every so many
	}{
		{"close", 9, 13, 50, 50, 420, 2, 2},
		{"wide lines of close points", 5, 17, 200, 50, 420, 1, 2},
		{"wide", 5, 7, 200, 200, 420, 1, 1},
	} {
		receivers := wave.Patch(c.ny, c.nx, 10, 0, float64(c.ny-1)*c.dy, 0, float64(c.nx-1)*c.dx)
		kept := map[int]bool{}
		for _, r := range keptReceivers(receivers, c.wavelength) {
			kept[r] = true
		}
		for i := range receivers {
			if want := i/c.nx%c.wantY == 0 && i%c.nx%c.wantX == 0; kept[i] != want {
				t.Errorf("%s: receiver (%d, %d): kept %v", c.name, i/c.nx, i%c.nx, kept[i])
			}
		}
	}
}

// Whatever the wavelength, those that remain are no farther from any that are left out than the quarter that the field needs.
func TestThinnedSpreadsLeaveNoHoles(t *testing.T) {
	receivers := wave.Patch(23, 31, 10, 0, 22*25, 0, 30*25)
	for _, wavelength := range []float64{90, 210, 333, 700, 1200} {
		kept := keptReceivers(receivers, wavelength)
		for _, p := range receivers {
			nearest := math.Inf(1)
			for _, k := range kept {
				nearest = min(nearest, wave.Distance(p, receivers[k]))
			}
			if nearest > wavelength/4 {
				t.Fatalf("wavelength %g m: the receiver at %v is %g m from the nearest of %d that remain", wavelength, p, nearest, len(kept))
			}
		}
		if wavelength > 200 && len(kept) > len(receivers)/2 {
			t.Errorf("wavelength %g m: %d of %d receivers remain", wavelength, len(kept), len(receivers))
		}
	}
}

func TestDefaultSurveyOfAVolumeCoversItsSurface(t *testing.T) {
	g := wave.NewGrid3D(21, 31, 61, 50, 50, 50)
	vp := make([]float32, g.Cells())
	for i := range vp {
		vp[i] = 2000
	}
	c, err := Config{}.defaultsFor(g).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	a := resolveAcquisition(c.Acquisition, g, vp)
	s, err := makeSurvey(a, g)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Shots) != 15 || len(s.Shots[0].Receivers) != 16*31 || a.MaxFrequency != 8 {
		t.Errorf("%d shots, %d receivers, up to %g Hz", len(s.Shots), len(s.Shots[0].Receivers), a.MaxFrequency)
	}
	last := s.Shots[0].Receivers[len(s.Shots[0].Receivers)-1]
	if last[1] != g.End(1) || last[2] != g.End(2) {
		t.Errorf("the last receiver stands at %v", last)
	}
	// fed back, the resolved configuration lays out the same survey
	again, err := makeSurvey(resolveAcquisition(a, g, vp), g)
	if err != nil || len(again.Shots) != len(s.Shots) || len(again.Shots[0].Receivers) != len(s.Shots[0].Receivers) {
		t.Errorf("fed back: %v", err)
	}
}
