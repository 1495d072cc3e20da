package fwi

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gofwi/wave"
)

// Notice is called with sentences about what is done and assumed.
type Notice func(format string, args ...any)

// Prepare completes a problem: survey, update mask, starting model and observed data, where the file held none, and returns the
// configuration with every default filled in. progress, if not nil, follows the modelling of data.
func Prepare(ctx context.Context, p *Problem, c Config, say Notice, progress func(done, of int)) (Config, error) {
	if say == nil {
		say = func(string, ...any) {}
	}
	switch {
	case p.Start != nil && (c.Start == "" || c.Start == startInFile):
		c.Start = startInFile
	case p.Start != nil:
		say("start model: %s, instead of the one in the file", c.Start)
		p.Start = nil
	case c.Start == startInFile:
		return c, fmt.Errorf("the configuration says start: %s, but the file holds no /start/vp", startInFile)
	}
	c, err := c.defaultsFor(p.Grid).withDefaults()
	if err != nil {
		return c, err
	}
	if p.Water == nil {
		known := p.Truth
		if known == nil {
			known = p.Start
		}
		p.Water = WaterLayer(p.Grid, known)
	}
	if p.Survey == nil {
		c.Acquisition = resolveAcquisition(c.Acquisition, p.Grid, p.Truth)
		a := c.Acquisition
		if p.Survey, err = makeSurvey(a, p.Grid); err != nil {
			return c, err
		}
		say("survey: none in the file; %d shots and %d receivers across the model, at %g and %g m depth, record %g s every %g ms, source %g–%g Hz",
			len(p.Survey.Shots), len(p.Survey.Shots[0].Receivers), a.SourceDepth, a.ReceiverDepth, a.Duration, 1e3*a.DT, a.MinFrequency, a.MaxFrequency)
	}
	if p.Mask == nil {
		p.Mask = make([]float32, len(p.Water))
		frozen := 0
		for i, w := range p.Water {
			if w {
				frozen++
			} else {
				p.Mask[i] = 1
			}
		}
		if frozen > 0 {
			say("update mask: none in the file; the water layer is kept, %.1f %% of the cells", 100*float64(frozen)/float64(len(p.Mask)))
		}
	}
	if allZero(p.Mask) {
		return c, fmt.Errorf("the update mask freezes all %d cells: there is nothing to invert for", len(p.Mask))
	}
	if p.Start == nil {
		if err := makeStart(p, c, say); err != nil {
			return c, err
		}
	}
	vmin, vmax, err := wave.CheckVelocity(p.Grid, p.Start)
	if err != nil {
		return c, fmt.Errorf("starting model: %w", err)
	}
	if shot, ratio := cutWavelet(p.Survey); ratio > cutLevel {
		say("warning: the wavelet of shot %d still has %.0f %% of its peak when the record ends, at %.3g s: it is cut off, and its band is that of the cut; give longer records or an earlier wavelet",
			shot+1, 100*ratio, p.Survey.Duration())
	}
	if len(c.Stages) == 0 {
		low, high, err := surveyBand(p.Survey)
		if err != nil {
			return c, err
		}
		last := lastIterations2D
		if p.Grid.Axes() == 3 {
			last = lastIterations3D
		}
		c.Stages = DefaultStages(low, high, vmin, largestOffset(p.Survey), last)
		if c.Misfit != "least-squares" || c.Iterations > 0 { // attempts are judged by its scale, where they come to their end
			c.Stages = slices.DeleteFunc(c.Stages, func(s Stage) bool { return s.Attempt > 1 })
		}
		thinShots(c.Stages, p, vmin)
		say("schedule: none given; made for the source's band, %.1f–%.1f Hz", low, high)
		if first := slices.IndexFunc(c.Stages, func(s Stage) bool { return s.Every > 1 }); first > 0 {
			say("shots: the start model is layered, so stages to %.1f Hz hear all of the %d; each above hears one in %d, in turns, in fewer iterations", c.Stages[first-1].MaxFrequency, len(p.Survey.Shots), c.Stages[first].Every)
		} else if first == 0 {
			say("shots: each stage hears one in %d of the %d, in turns", c.Stages[0].Every, len(p.Survey.Shots))
		}
		if c.Regularisation.Tikhonov == 0 && c.Misfit == "least-squares" {
			c.regularise()
			say("regularisation: none given; to %.1f Hz the model departs from the start smoothly along the section, unless the data ask for more", c.Stages[0].MaxFrequency)
		}
	}
	for i := range c.Stages {
		s := &c.Stages[i]
		if s.Misfit == "" {
			s.Misfit = c.Misfit
		}
		if s.Tolerance == 0 {
			s.Tolerance = 0.001
		}
		if c.Iterations > 0 {
			s.Iterations = min(s.Iterations, c.Iterations)
		}
		if s.Shots >= len(p.Survey.Shots) {
			s.Shots = 0
		}
	}
	c.Regularisation.resolve(c.Stages, vmin)
	if c.MinVelocity == 0 {
		c.MinVelocity = 50 * math.Floor(0.85*vmin/50)
		if vmin > 1400 && c.MinVelocity < 1400 {
			c.MinVelocity = 1400 // nothing under a sea is slower than its water but gas
		}
	}
	if c.MaxVelocity == 0 {
		c.MaxVelocity = 50 * math.Ceil(1.4*vmax/50)
	}
	if vmin < c.MinVelocity-0.5 || vmax > c.MaxVelocity+0.5 {
		return c, fmt.Errorf("the starting model runs from %.0f to %.0f m/s, beyond the bounds %.0f to %.0f m/s", vmin, vmax, c.MinVelocity, c.MaxVelocity)
	}
	if p.Observed == nil {
		g, _, o, err := dataModel(p, c)
		if err != nil {
			return c, err
		}
		say("data: none in the file; modelled in the true model on a grid finer than the inversion's, %s cells of %s m with order %d", wave.Times("%d", g.Shape), wave.Times("%.3g", g.Spacing), o.Order)
		if p.Observed, err = ModelData(ctx, p, c, progress); err != nil {
			return c, err
		}
	}
	return c, nil
}

// startInFile is the Config.Start that takes the problem's own starting model.
const startInFile = "file"

func allZero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}

func makeStart(p *Problem, c Config, say Notice) error {
	sigma, smooth, err := smoothStart(c.Start)
	if err != nil {
		return err
	}
	if !smooth && c.Start != "gradient" {
		v, grid, err := OpenStart(c.Start)
		if err != nil {
			return fmt.Errorf("start %q is neither smooth:500m (any width) nor gradient, and as a file: %w", c.Start, err)
		}
		if !grid.SameShape(p.Grid) {
			return fmt.Errorf("the start model %s is %s, the problem %s cells: they must be alike", c.Start, wave.Times("%d", grid.Shape), wave.Times("%d", p.Grid.Shape))
		}
		p.Start = v
		say("start model: read from %s", c.Start)
		return nil
	}
	if p.Truth == nil {
		return fmt.Errorf("there is no /start/vp and no true model to derive one from: give --start FILE")
	}
	if smooth {
		if p.Start, err = StartSmooth(p.Truth, p.Mask, p.Grid.Shape, p.Grid.Spacing, sigma); err != nil {
			return err
		}
		say("start model: none in the file; the truth smoothed in slowness with σ = %g m", sigma)
		return nil
	}
	var a, b float64
	if p.Start, a, b, err = StartGradient(p.Truth, p.Mask, p.Grid.Shape, p.Grid.Spacing); err != nil {
		return err
	}
	say("start model: none in the file; v = %.0f m/s + %.3f /s × depth, the truth's linear trend", a, b)
	return nil
}
