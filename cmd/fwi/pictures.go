package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"gofwi/fwi"
	"gofwi/internal/plot"
	"gofwi/wave"
)

// sections returns what of a model is drawn: a section itself; of a volume the cuts through its middle, along x and along y, and the
// slice at half its depth.
func sections(title string, g wave.Grid, values []float32) []plot.Section {
	if g.Axes() == 2 {
		return []plot.Section{plane(title, g, values, 0, 1)}
	}
	cut := func(axis int) (at float64, rest []float32) {
		k := g.Shape[axis] / 2
		return g.Start(axis) + float64(k)*g.Spacing[axis], cutAt(g, values, axis, k)
	}
	y, alongX := cut(1)
	x, alongY := cut(2)
	z, level := cut(0)
	return []plot.Section{
		plane(fmt.Sprintf("%s, y = %.4g km", title, y/1e3), g, alongX, 0, 2),
		plane(fmt.Sprintf("%s, x = %.4g km", title, x/1e3), g, alongY, 0, 1),
		plane(fmt.Sprintf("%s, z = %.4g km", title, z/1e3), g, level, 1, 2),
	}
}

// plane is the section that shows the given axes of a grid, the first downwards.
func plane(title string, g wave.Grid, values []float32, down, across int) plot.Section {
	s := plot.Section{Title: title, Values: values, NZ: g.Shape[down], NX: g.Shape[across], DZ: g.Spacing[down], DX: g.Spacing[across],
		OriginZ: g.Start(down), OriginX: g.Start(across)}
	if g.Axes() == 3 {
		names := wave.AxisNames(3)
		s.XName = names[across]
		if down > 0 {
			s.ZName = names[down]
		}
	}
	return s
}

// cutAt returns the cells of a volume whose index along an axis is k.
func cutAt(g wave.Grid, values []float32, axis, k int) []float32 {
	var out []float32
	inner := 1
	for _, n := range g.Shape[axis+1:] {
		inner *= n
	}
	for at := k * inner; at < len(values); at += g.Shape[axis] * inner {
		out = append(out, values[at:at+inner]...)
	}
	return out
}

// panels draws a model, or the difference of two, as sections does.
func panels(title string, g wave.Grid, values []float32, difference bool) []plot.Panel {
	var out []plot.Panel
	for _, s := range sections(title, g, values) {
		out = append(out, plot.Panel{Section: s, Difference: difference})
	}
	return out
}

func difference(title string, g wave.Grid, a, b []float32) []plot.Panel {
	d := make([]float32, len(a))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return panels(title, g, d, true)
}

// modelOptions arranges the cuts of a volume in a row.
func modelOptions(g wave.Grid) plot.ModelOptions {
	if g.Axes() == 2 {
		return plot.ModelOptions{}
	}
	return plot.ModelOptions{Columns: len(g.Shape), Apart: true, PanelWidth: 250}
}

// drawResult draws model.png, convergence.png and gathers.png into the result folder; e evaluates the outcome in the whole band.
func drawResult(ctx context.Context, folder string, p *fwi.Problem, c fwi.Config, o *fwi.Outcome, e *fwi.Evaluator) error {
	all := slices.Concat(panels("start", p.Grid, p.Start, false), panels("result", p.Grid, o.Model, false))
	if p.Truth != nil {
		all = slices.Concat(all, panels("truth", p.Grid, p.Truth, false), difference("result - truth", p.Grid, o.Model, p.Truth))
	} else {
		all = slices.Concat(all, difference("result - start", p.Grid, o.Model, p.Start))
	}
	return errors.Join(plot.Models(filepath.Join(folder, "model.png"), all, modelOptions(p.Grid)),
		plot.Convergence(filepath.Join(folder, "convergence.png"), p.Title, convergence(p, c, o)), drawGathers(ctx, filepath.Join(folder, "gathers.png"), p, e, o.Model))
}

func convergence(p *fwi.Problem, c fwi.Config, o *fwi.Outcome) []plot.Stage {
	stages := make([]plot.Stage, len(c.Stages))
	for i, s := range c.Stages {
		stages[i].Label = fmt.Sprintf("%.3g Hz", s.MaxFrequency)
		if s.MaxOffset > 0 {
			stages[i].Label += fmt.Sprintf(", %.2g km", s.MaxOffset/1e3)
		}
		if s.Window.FirstArrival {
			stages[i].Label += ", first arrivals"
		}
	}
	for _, h := range o.History {
		s := &stages[h.Stage]
		s.Solves = append(s.Solves, h.Solves)
		s.Misfit = append(s.Misfit, h.Misfit)
		if p.Truth != nil {
			s.ModelError = append(s.ModelError, h.ModelRMS)
		}
	}
	return stages
}

// drawGathers compares the middle shot's observed and synthetic traces in the whole band.
func drawGathers(ctx context.Context, path string, p *fwi.Problem, e *fwi.Evaluator, model []float32) error {
	if err := e.FitWavelet(ctx, model); err != nil {
		return err
	}
	shot := len(p.Survey.Shots) / 2
	synthetic, observed, err := e.Gathers(ctx, model, shot)
	if err != nil {
		return err
	}
	s := e.Survey()
	return plot.Gathers(path, gather(shot+1, &s.Shots[shot], s, observed, synthetic))
}

// gather is the picture of a shot. Of receivers that cover an area it shows the line along x that is nearest to the source.
func gather(number int, shot *wave.Shot, s *wave.Survey, observed, synthetic []float32) plot.Shot {
	source := shot.Sources[0]
	out := plot.Shot{Title: fmt.Sprintf("shot %d at x = %.2f km", number, source[len(source)-1]/1e3), NT: s.NT, DT: s.DT}
	line := nearestLine(shot.Receivers, source)
	if len(source) == 3 {
		out.Title += fmt.Sprintf(", y = %.2f km; receivers at y = %.2f km", source[1]/1e3, shot.Receivers[line[0]][1]/1e3)
	}
	for _, r := range line {
		out.X = append(out.X, shot.Receivers[r][len(source)-1])
		out.Observed = append(out.Observed, observed[r*s.NT:(r+1)*s.NT]...)
		if synthetic != nil {
			out.Synthetic = append(out.Synthetic, synthetic[r*s.NT:(r+1)*s.NT]...)
		}
	}
	out.NReceivers = len(line)
	return out
}

// nearestLine returns the indices of the receivers to be drawn: all in 2D; else those within a metre in y of the one
// nearest to the source in y.
func nearestLine(receivers []wave.Position, source wave.Position) []int {
	all := make([]int, len(receivers))
	for i := range all {
		all[i] = i
	}
	if len(source) == 2 {
		return all
	}
	aside := func(i int) float64 { return math.Abs(receivers[i][1] - source[1]) }
	nearest := slices.MinFunc(all, func(a, b int) int { return cmp.Compare(aside(a), aside(b)) })
	return slices.DeleteFunc(all, func(i int) bool { return math.Abs(receivers[i][1]-receivers[nearest][1]) > 1 })
}
