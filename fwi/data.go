package fwi

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gofwi/internal/parallel"
	"gofwi/wave"
)

// dataRefinement is the spacing of the grid on which data are modelled as a fraction of the finest inversion grid's. With
// another order in space as well, the inversion does not commit the inverse crime of fitting its own numerical errors.
const dataRefinement = 0.6

func dataOrder(c Config) int {
	if c.Order == 6 {
		return 8
	}
	return 6
}

// densityOn returns the problem's density on another grid, nil where it is constant.
func (p *Problem) densityOn(g wave.Grid) []float32 {
	if p.Density == nil {
		return nil
	}
	out := make([]float32, g.Cells())
	wave.NewRegrid(p.Grid, g).Density(out, p.Density)
	return out
}

// dataLayer is the width of the absorbing layers in which data are modelled, in wavelengths of the lowest frequency and fastest velocity.
const dataLayer = 0.25

// dataModel returns the grid and model on which the observed data of a problem with a known truth are modelled.
func dataModel(p *Problem, c Config) (wave.Grid, []float32, wave.Options, error) {
	low, high, err := surveyBand(p.Survey)
	if err != nil {
		return wave.Grid{}, nil, wave.Options{}, err
	}
	vmin, vmax, err := wave.CheckVelocity(p.Grid, p.Truth)
	if err != nil {
		return wave.Grid{}, nil, wave.Options{}, err
	}
	g := p.Grid
	g.Shape, g.Spacing = make([]int, p.Grid.Axes()), make([]float64, p.Grid.Axes())
	for d := range g.Shape {
		length := p.Grid.End(d) - p.Grid.Start(d)
		cells := max(int(math.Ceil(length/(dataRefinement*c.spacing(p, d, high, vmin)))), 2)
		g.Shape[d], g.Spacing[d] = cells+1, length/float64(cells)
	}
	vp := make([]float32, g.Cells())
	wave.NewRegrid(p.Grid, g).Velocity(vp, p.Truth)
	_, vmax, err = wave.CheckVelocity(g, vp)
	// On the CPU whatever the backend: a run can be resumed on another one only if its data have the same bits.
	o := wave.Options{MaxVelocity: vmax * 1.001, Order: dataOrder(c), FreeSurface: c.FreeSurface, Threads: c.Threads,
		MaxFrequency: high, MemoryLimit: c.MemoryLimit, Courant: 0.9}
	if err != nil {
		return g, nil, o, err
	}
	slowest, fastest := rowExtremes(g, vp)
	for row, v := range fastest {
		o.RowFastest = append(o.RowFastest, v*1.001)
		if g.Axes() == 2 {
			o.RowSlowest = append(o.RowSlowest, slowest[row])
		}
	}
	// What the layers of this fine grid let back at the lowest frequencies, those of the stages' coarse ones would not: the inversion would look for it
	// in the model's deep corners.
	o.LayerFrequency = low
	if o.Density = p.densityOn(g); o.Density == nil {
		o.PointsPerWavelength = max(vmin/(high*g.MaxSpacing()), differencePoints[0])
	}
	if g.Axes() == 3 {
		o.Layer = c.Layer // wider ones would be most of a small volume
	} else {
		o.Layer = min(max(int(math.Ceil(dataLayer*vmax/low/g.MaxSpacing())), 20), 80)
	}
	return g, vp, o, nil
}

// ModelData models the gathers [receiver, time] of a problem's survey in its true model, calling progress, if not nil, with the
// shots done and in all. Config.Acquisition.Noise adds noise, white within the band of the wavelet.
func ModelData(ctx context.Context, p *Problem, c Config, progress func(done, of int)) ([][]float32, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if p.Truth == nil || p.Survey == nil {
		return nil, fmt.Errorf("data cannot be modelled without a true model and a survey")
	}
	g, vp, o, err := dataModel(p, c)
	if err != nil {
		return nil, err
	}
	survey, toSurvey, err := schemeSurvey(p.Survey, g, o)
	if err != nil {
		return nil, err
	}
	o.DT = survey.DT
	propagator, err := wave.NewPropagator(g, survey, o)
	if err != nil {
		return nil, err
	}
	defer propagator.Close()
	shots := p.Survey.AllShots()
	var gathers [][]float32
	batch := 2 * max(propagator.Plan().Workers, 1)
	for i := 0; i < len(shots); i += batch {
		part, err := propagator.Forward(ctx, vp, shots[i:min(i+batch, len(shots))])
		if err != nil {
			return nil, err
		}
		parallel.Ranges(len(part), func(first, last int) {
			for k := first; k < last; k++ {
				part[k] = toSurvey.apply(part[k])
			}
		})
		gathers = append(gathers, part...)
		if progress != nil {
			progress(len(gathers), len(shots))
		}
	}
	if c.Acquisition.Noise > 0 {
		if err := AddNoise(gathers, p.Survey, c.Acquisition.Noise, c.Seed); err != nil {
			return nil, err
		}
	}
	return gathers, nil
}

// schemeSurvey returns a survey in the time of the scheme, sampled at its step, and the converter that brings its gathers back.
func schemeSurvey(s *wave.Survey, g wave.Grid, o wave.Options) (*wave.Survey, *converter, error) {
	plan, err := wave.NewPropagator(g, s, o)
	if err != nil {
		return nil, nil, err
	}
	dt := plan.Plan().DT
	plan.Close()
	nt := int(math.Ceil(s.Duration()/dt)) + 1
	// The band's upper end is 40 dB down; half as high again there is nothing.
	limit := min(1.5*o.MaxFrequency, 0.45/s.DT)
	flat := func(f float64) float64 {
		return 0.5 + 0.5*math.Cos(math.Pi*min(max((f-0.8*limit)/(0.2*limit), 0), 1))
	}
	into := newConverter(s.NT, s.DT, nt, dt, limit, func(f float64) float64 { return toScheme(f, dt) }, func(f float64) float64 { return flat(toScheme(f, dt)) }, false)
	back := newConverter(nt, dt, s.NT, s.DT, limit, func(f float64) float64 { return fromScheme(f, dt) }, flat, false)
	out := &wave.Survey{DT: dt, NT: nt, Shots: make([]wave.Shot, len(s.Shots))}
	wavelets := map[*float32][]float32{}
	for i := range s.Shots {
		shot := s.Shots[i]
		shot.Wavelets = nil
		for _, w := range s.Shots[i].Wavelets {
			if wavelets[&w[0]] == nil {
				wavelets[&w[0]] = into.apply(w)
			}
			shot.Wavelets = append(shot.Wavelets, wavelets[&w[0]])
		}
		out.Shots[i] = shot
	}
	return out, back, nil
}

// AddNoise adds band-limited white noise whose RMS is the given fraction of the data's.
func AddNoise(gathers [][]float32, s *wave.Survey, fraction float64, seed uint64) error {
	var energy, count float64
	for _, g := range gathers {
		for _, v := range g {
			energy += float64(v) * float64(v)
		}
		count += float64(len(g))
	}
	low, high, err := surveyBand(s)
	if err != nil {
		return err
	}
	filter, err := NewFilter(Band{Low: low, High: high}, s.NT, s.DT)
	if err != nil {
		return err
	}
	for i, g := range gathers {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		noise := make([]float32, len(g))
		for k := range noise {
			noise[k] = float32(rng.NormFloat64())
		}
		if err := filter.Apply(noise, noise); err != nil {
			return err
		}
		var power float64
		for _, v := range noise {
			power += float64(v) * float64(v)
		}
		scale := float32(fraction * math.Sqrt(energy/count) / math.Sqrt(power/float64(len(noise))))
		for k, v := range noise {
			g[k] += scale * v
		}
	}
	return nil
}

// surveyBand returns the lowest and highest frequency in Hz of a survey's wavelets, 20 and 40 dB below their peaks: below the
// lower there is too little to fit, above the upper too little to disperse.
func surveyBand(s *wave.Survey) (low, high float64, err error) {
	low = math.Inf(1)
	seen := map[*float32]bool{}
	for i := range s.Shots {
		for _, w := range s.Shots[i].Wavelets {
			if seen[&w[0]] {
				continue
			}
			seen[&w[0]] = true
			l, _ := wave.Band(w, s.DT, -20)
			_, h := wave.Band(w, s.DT, -40)
			if h > 0 {
				low, high = min(low, l), max(high, h)
			}
		}
	}
	if high == 0 {
		return 0, 0, fmt.Errorf("all wavelets are zero: the survey emits nothing")
	}
	return low, high, nil
}

// cutLevel is the amplitude, relative to the peak, at which surveyBand ends a band: a wavelet cut off above it has a band of its cut.
const cutLevel = 0.01

// cutWavelet returns the shot whose wavelet is largest at its last sample, relative to its peak, and that ratio: a wavelet that has not
// faded by then was cut off, and its spectrum is that of the cut.
func cutWavelet(s *wave.Survey) (shot int, ratio float64) {
	for i := range s.Shots {
		for _, w := range s.Shots[i].Wavelets {
			var peak float64
			for _, v := range w {
				peak = max(peak, math.Abs(float64(v)))
			}
			if r := math.Abs(float64(w[len(w)-1])) / peak; r > ratio {
				shot, ratio = i, r
			}
		}
	}
	return shot, ratio
}
