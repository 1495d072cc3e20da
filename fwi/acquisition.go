package fwi

import (
	"fmt"
	"math"

	"gofwi/wave"
)

// resolveAcquisition fills the defaults of a surface survey over a velocity model.
func resolveAcquisition(a Acquisition, g wave.Grid, vp []float32) Acquisition {
	var length float64 // the longest horizontal axis
	shots, receivers := 1, 1
	for d := 1; d < g.Axes(); d++ {
		l := g.End(d) - g.Start(d)
		length = max(length, l)
		if g.Axes() == 2 {
			shots = min(max(4*int(math.Round(l/(4*320))), 12), 48) // a stage hears half of them (thinShots): an even number, which two processors share
			receivers = min(max(int(math.Round(l/25))+1, 2), 400)
		} else {
			shots *= min(max(int(math.Round(l/600)), 3), 8)
			receivers *= min(max(int(math.Round(l/100))+1, 2), 41)
		}
	}
	depth := g.End(0) - g.Start(0)
	if a.Shots == 0 {
		a.Shots = shots
	}
	if a.Receivers == 0 {
		a.Receivers = receivers
	}
	if a.SourceDepth == 0 {
		a.SourceDepth = min(max(10, g.DZ()), depth/2)
	}
	if a.ReceiverDepth == 0 {
		a.ReceiverDepth = a.SourceDepth
	}
	if a.Duration == 0 {
		// Reflections from the base at offsets up to three times the depth, in the mean vertical velocity; then the wavelet's delay
		// and that of the stages' filters, some two periods of the lowest frequency each.
		var slowness float64
		for _, v := range vp {
			slowness += 1 / float64(v)
		}
		offset := min(length, 3*depth)
		t := math.Hypot(offset, 2*depth) * slowness / float64(len(vp))
		a.Duration = math.Ceil((t+4/a.MinFrequency)*10) / 10
	}
	return a
}

// makeSurvey lays out the acquisition over a grid.
func makeSurvey(a Acquisition, g wave.Grid) (*wave.Survey, error) {
	nt := int(math.Round(a.Duration/a.DT)) + 1
	if nt < 8 {
		return nil, fmt.Errorf("a record of %g s has %d samples of %g s: too short", a.Duration, nt, a.DT)
	}
	low, high := a.MinFrequency, a.MaxFrequency
	rise := low + min(1.5, (high-low)/4) // a real source's spectrum does not begin at once
	wavelet, err := wave.Ormsby(low, rise, max(rise, 0.75*high), high, a.DT, nt, 2/rise+1/low)
	if err != nil {
		return nil, err
	}
	z := g.Start(0)
	var sources, receivers []wave.Position
	if x := g.Axes() - 1; x == 1 {
		inset := (g.End(x) - g.Start(x)) / float64(2*a.Shots)
		sources = wave.Line(a.Shots, z+a.SourceDepth, g.Start(x)+inset, g.End(x)-inset)
		receivers = wave.Line(a.Receivers, z+a.ReceiverDepth, g.Start(x), g.End(x))
	} else {
		ny, nx := lattice(a.Shots, g)
		insetY, insetX := (g.End(1)-g.Start(1))/float64(2*ny), (g.End(2)-g.Start(2))/float64(2*nx)
		sources = wave.Patch(ny, nx, z+a.SourceDepth, g.Start(1)+insetY, g.End(1)-insetY, g.Start(2)+insetX, g.End(2)-insetX)
		ny, nx = lattice(a.Receivers, g)
		receivers = wave.Patch(ny, nx, z+a.ReceiverDepth, g.Start(1), g.End(1), g.Start(2), g.End(2))
	}
	s := wave.FixedSpread(sources, receivers, wavelet, a.DT)
	return s, s.Validate(g)
}

// lattice returns the numbers of lines and of points on a line with which about n points cover a 3D grid's surface most evenly.
func lattice(n int, g wave.Grid) (ny, nx int) {
	ratio := (g.End(1) - g.Start(1)) / (g.End(2) - g.Start(2))
	ny = max(1, int(math.Round(math.Sqrt(float64(n)*ratio))))
	return ny, max(1, int(math.Round(float64(n)/float64(ny))))
}
