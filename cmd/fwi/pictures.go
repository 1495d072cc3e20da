package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"gofwi/fwi"
	"gofwi/internal/plot"
	"gofwi/wave"
)

func section(title string, g wave.Grid, values []float32) plot.Section {
	return plot.Section{Title: title, Values: values, NZ: g.NZ(), NX: g.NX(), DZ: g.DZ(), DX: g.DX(), OriginZ: g.Start(0), OriginX: g.Start(1)}
}

// drawResult draws model.png, convergence.png and gathers.png into the result folder.
func drawResult(ctx context.Context, folder string, p *fwi.Problem, c fwi.Config, o *fwi.Outcome) error {
	panels := []plot.Panel{{Section: section("start", p.Grid, p.Start)}, {Section: section("result", p.Grid, o.Model)}}
	change := make([]float32, len(o.Model))
	if p.Truth != nil {
		panels = append(panels, plot.Panel{Section: section("truth", p.Grid, p.Truth)})
		for i, v := range o.Model {
			change[i] = v - p.Truth[i]
		}
		panels = append(panels, plot.Panel{Section: section("result - truth", p.Grid, change), Difference: true})
	} else {
		for i, v := range o.Model {
			change[i] = v - p.Start[i]
		}
		panels = append(panels, plot.Panel{Section: section("result - start", p.Grid, change), Difference: true})
	}
	return errors.Join(plot.Models(filepath.Join(folder, "model.png"), panels, plot.ModelOptions{}),
		plot.Convergence(filepath.Join(folder, "convergence.png"), p.Title, convergence(p, c, o)), drawGathers(ctx, filepath.Join(folder, "gathers.png"), p, c, o.Model))
}

func convergence(p *fwi.Problem, c fwi.Config, o *fwi.Outcome) []plot.Stage {
	stages := make([]plot.Stage, len(c.Stages))
	for i, s := range c.Stages {
		stages[i].Label = fmt.Sprintf("%.3g Hz", s.MaxFrequency)
		if s.MaxOffset > 0 {
			stages[i].Label += fmt.Sprintf(", %.2g km", s.MaxOffset/1e3)
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
func drawGathers(ctx context.Context, path string, p *fwi.Problem, c fwi.Config, model []float32) error {
	e, err := fwi.NewEvaluator(ctx, p, c, fwi.FullBand(c))
	if err != nil {
		return err
	}
	defer e.Close()
	shot := len(p.Survey.Shots) / 2
	synthetic, observed, err := e.Gathers(ctx, model, shot)
	if err != nil {
		return err
	}
	s := e.Survey()
	receivers := s.Shots[shot].Receivers
	x := make([]float64, len(receivers))
	for i, r := range receivers {
		x[i] = r[len(r)-1]
	}
	return plot.Gathers(path, plot.Shot{Title: fmt.Sprintf("shot %d at x = %.2f km", shot+1, s.Shots[shot].Sources[0][1]/1e3), Observed: observed, Synthetic: synthetic,
		NReceivers: len(receivers), NT: s.NT, DT: s.DT, StartTime: -e.Lead(), X: x})
}
