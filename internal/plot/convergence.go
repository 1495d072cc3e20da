package plot

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Stage is one part of an inversion during which the misfit is comparable
// with itself: the misfit jumps where the next stage changes the band.
type Stage struct {
	Label string // Such as "3–5 Hz"; may be empty.

	// Solves is the number of wave solves per shot spent since the start of
	// the run when each value was reached, not decreasing.
	Solves []float64
	// Misfit has one value per element of Solves. Values that are not
	// positive and finite are left out of the curve.
	Misfit []float64
	// ModelError in m/s has one value per element of Solves, or is nil
	// where the truth is unknown. NaN values are left out.
	ModelError []float64
}

var (
	misfitColour = color.RGBA{R: 33, G: 66, B: 160, A: 255}
	errorColour  = color.RGBA{R: 170, G: 24, B: 38, A: 255}
	bandColours  = [2]color.Color{color.RGBA{R: 255, G: 255, B: 255, A: 255}, color.RGBA{R: 238, G: 240, B: 243, A: 255}}
)

// Convergence draws the misfit relative to its first value, on a logarithmic
// axis, and below it the model error where any stage has one, against the wave
// solves per shot. Stages are shaded in turn and labelled; the misfit curve is
// interrupted between them.
func Convergence(path string, title string, stages []Stage) (err error) {
	defer guard(path, &err)
	var misfits, errors []plotter.XYs
	reference := math.NaN()
	for i, s := range stages {
		if len(s.Misfit) != len(s.Solves) || s.ModelError != nil && len(s.ModelError) != len(s.Solves) {
			return fmt.Errorf("picture %s: stage %d has %d counts of solves, %d misfits and %d model errors",
				path, i+1, len(s.Solves), len(s.Misfit), len(s.ModelError))
		}
		var misfit, modelError plotter.XYs
		for k, solves := range s.Solves {
			if !finite(solves) {
				return fmt.Errorf("picture %s: stage %d, point %d: the number of wave solves is %g", path, i+1, k+1, solves)
			}
			if v := s.Misfit[k]; finite(v) && v > 0 {
				if math.IsNaN(reference) {
					reference = v
				}
				misfit = append(misfit, plotter.XY{X: solves, Y: math.Log10(v / reference)})
			}
			if s.ModelError != nil && finite(s.ModelError[k]) {
				modelError = append(modelError, plotter.XY{X: solves, Y: s.ModelError[k]})
			}
		}
		misfits, errors = append(misfits, misfit), append(errors, modelError)
	}
	if math.IsNaN(reference) {
		return fmt.Errorf("picture %s: no stage holds a positive misfit, there is no convergence to draw", path)
	}
	// The model does not jump between stages: its error is one curve.
	var errorCurve plotter.XYs
	for _, e := range errors {
		errorCurve = append(errorCurve, e...)
	}

	const w, h, errorHeight, gap = 560, 250, 170, 16
	const left = 62
	top := vg.Length(edgeSpace)
	if title != "" {
		top = titleSpace
	}
	height := top + h + bottomSpace + axisNameSpace + edgeSpace
	if len(errorCurve) > 0 {
		height += gap + errorHeight
	}
	f := newFigure(left+w+2*edgeSpace, height)
	bands := newBands(stages)

	xLabel := "Wave solves per shot"
	upperLabel := xLabel
	if len(errorCurve) > 0 {
		upperLabel = ""
	}
	p := newAxes(title, upperLabel, "Misfit / first misfit")
	p.X.Min, p.X.Max = bands.lo, bands.hi
	lo, hi := yRange(misfits...)
	// The upper margin holds the names of the stages.
	p.Y.Min, p.Y.Max = lo-0.05*(hi-lo), hi+bands.labelFraction(w, h)*(hi-lo)+0.05*(hi-lo)
	p.Y.Tick.Marker = logTicks(p.Y.Min, p.Y.Max)
	p.X.Tick.Marker = solveTicks(bands, w, upperLabel != "")
	p.Add(bands)
	for _, curve := range misfits {
		p.Add(curveOf(curve, misfitColour)...)
	}
	f.drawAxes(p, f.rectangle(left, top, w, h))

	if len(errorCurve) > 0 {
		p := newAxes("", xLabel, "Model error (m/s)")
		p.X.Min, p.X.Max = bands.lo, bands.hi
		_, hi := yRange(errorCurve)
		p.Y.Min, p.Y.Max = 0, max(1.08*hi, 1e-6)
		p.Y.Tick.Marker = ticksWithin(0, p.Y.Max, errorHeight, 26, false)
		p.X.Tick.Marker = solveTicks(bands, w, true)
		plain := *bands
		plain.labels = nil
		p.Add(&plain)
		p.Add(curveOf(errorCurve, errorColour)...)
		f.drawAxes(p, f.rectangle(left, top+h+gap, w, errorHeight))
	}
	return f.save(path)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func solveTicks(b *bands, width vg.Length, labelled bool) plot.ConstantTicks {
	ticks := ticksWithin(b.lo, b.hi, width, 60, false)
	if !labelled {
		for i := range ticks {
			ticks[i].Label = ""
		}
	}
	return ticks
}

// yRange returns the least and greatest ordinate, apart from each other.
func yRange(curves ...plotter.XYs) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, c := range curves {
		for _, xy := range c {
			lo, hi = min(lo, xy.Y), max(hi, xy.Y)
		}
	}
	if hi-lo < 0.1 {
		lo, hi = lo-0.05, hi+0.05
	}
	return lo, hi
}

func curveOf(points plotter.XYs, colour color.Color) []plot.Plotter {
	if len(points) == 0 {
		return nil
	}
	line := &plotter.Line{XYs: points, LineStyle: draw.LineStyle{Color: colour, Width: vg.Points(1.5)}}
	drawn := []plot.Plotter{line}
	if len(points) <= 60 { // More of them would hide the line.
		drawn = append(drawn, unpadded{&plotter.Scatter{XYs: points, GlyphStyle: draw.GlyphStyle{
			Color: colour, Radius: vg.Points(2), Shape: draw.CircleGlyph{}}}})
	}
	return drawn
}

// unpadded hides the glyph boxes of a plotter: the axes keep their place when
// a glyph sticks out of them.
type unpadded struct{ plot.Plotter }

// bands shades every second stage and writes the names of the stages along the
// upper edge.
type bands struct {
	edges  []float64 // Where stages start, and where the last one ends.
	labels []string
	lo, hi float64
}

func newBands(stages []Stage) *bands {
	b := &bands{lo: math.Inf(1), hi: math.Inf(-1)}
	for _, s := range stages {
		if len(s.Solves) == 0 {
			continue
		}
		first, last := s.Solves[0], s.Solves[len(s.Solves)-1]
		if n := len(b.edges); n > 0 {
			// The border lies between the last point of one stage and
			// the first of the next.
			first = (first + b.hi) / 2
		}
		b.edges, b.labels = append(b.edges, first), append(b.labels, s.Label)
		b.lo, b.hi = min(b.lo, s.Solves[0]), max(b.hi, last)
	}
	if b.hi <= b.lo {
		b.hi = b.lo + 1
	}
	margin := 0.015 * (b.hi - b.lo)
	b.lo, b.hi = b.lo-margin, b.hi+margin
	b.edges[0] = b.lo
	b.edges = append(b.edges, b.hi)
	return b
}

var stageStyle = func() text.Style {
	s := textStyle(tickSize)
	s.Color = color.RGBA{R: 90, G: 90, B: 90, A: 255}
	return s
}()

// rotated tells whether the stage's name has to stand upright to fit a band of
// the given width, and fits whether it can be written at all.
func rotated(label string, width vg.Length) (upright, fits bool) {
	if stageStyle.Width(label)+6 <= width {
		return false, true
	}
	return true, width >= tickSize+3
}

// labelFraction is the part of a panel's height that the names need.
func (b *bands) labelFraction(width, height vg.Length) float64 {
	var tallest vg.Length
	for i, label := range b.labels {
		if strings.TrimSpace(label) == "" {
			continue
		}
		need := vg.Length(tickSize + 6)
		if upright, _ := rotated(label, width*vg.Length((b.edges[i+1]-b.edges[i])/(b.hi-b.lo))); upright {
			need = stageStyle.Width(label) + 8
		}
		tallest = max(tallest, need)
	}
	fraction := float64(tallest / height)
	return fraction / (1 - fraction)
}

func (b *bands) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	for i := 0; i+1 < len(b.edges); i++ {
		from, to := toX(b.edges[i]), toX(b.edges[i+1])
		c.SetColor(bandColours[i%2])
		c.Fill(vg.Rectangle{Min: vg.Point{X: from, Y: c.Min.Y}, Max: vg.Point{X: to, Y: c.Max.Y}}.Path())
		if i >= len(b.labels) || b.labels[i] == "" {
			continue
		}
		style := stageStyle
		at := vg.Point{X: (from + to) / 2, Y: c.Max.Y - tickSize/2 - 4}
		upright, fits := rotated(b.labels[i], to-from)
		if !fits {
			continue
		}
		if upright {
			style.Rotation = math.Pi / 2
			at.Y = c.Max.Y - style.Width(b.labels[i])/2 - 4
		}
		c.FillText(style, at, b.labels[i])
	}
}
