package fwi

import (
	"fmt"
	"math"

	"gofwi/wave"
)

// resolveAcquisition fills the defaults of a surface survey over a velocity model.
func resolveAcquisition(a Acquisition, g wave.Grid, vp []float32) Acquisition {
	length := g.End(1) - g.Start(1)
	depth := g.End(0) - g.Start(0)
	if a.Shots == 0 {
		a.Shots = min(max(int(math.Round(length/240)), 12), 48)
	}
	if a.Receivers == 0 {
		a.Receivers = min(max(int(math.Round(length/25))+1, 2), 400)
	}
	if a.SourceDepth == 0 {
		a.SourceDepth = min(max(10, g.DZ()), depth/2)
	}
	if a.ReceiverDepth == 0 {
		a.ReceiverDepth = a.SourceDepth
	}
	if a.Duration == 0 {
		// Reflections from the base at offsets up to three times the depth, in the mean vertical velocity.
		var slowness float64
		for _, v := range vp {
			slowness += 1 / float64(v)
		}
		offset := min(length, 3*depth)
		t := math.Hypot(offset, 2*depth) * slowness / float64(len(vp))
		a.Duration = math.Ceil((t+2.5/a.MinFrequency)*10) / 10
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
	inset := (g.End(1) - g.Start(1)) / float64(2*a.Shots)
	sources := wave.Line(a.Shots, z+a.SourceDepth, g.Start(1)+inset, g.End(1)-inset)
	receivers := wave.Line(a.Receivers, z+a.ReceiverDepth, g.Start(1), g.End(1))
	s := wave.FixedSpread(sources, receivers, wavelet, a.DT)
	return s, s.Validate(g)
}
