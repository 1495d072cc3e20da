package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gofwi/fwi"
	"gofwi/internal/h5"
	"gofwi/internal/plot"
	"gofwi/internal/segy"
	"gofwi/wave"
)

type plotOptions struct {
	out                    string
	gather                 int // from 1; 0: none
	convergence, overwrite bool
}

func newPlotCommand() *cobra.Command {
	var o plotOptions
	cmd := &cobra.Command{
		Use:   "plot FILE",
		Short: "Draw the models, a gather, the convergence or the gradient in a file",
		Long: "plot draws the models of a problem or a result and how they differ, or the gradient of a file that fwi gradient wrote; with --gather\n" +
			"the data of a shot, with --convergence the history of a result. Of SEG-Y files it draws velocity sections and gathers.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.out == "" {
				o.out = strings.TrimSuffix(args[0], filepath.Ext(args[0])) + ".png"
			}
			if o.gather < 0 {
				return fmt.Errorf("--gather %d: shots are counted from 1", o.gather)
			}
			if o.gather > 0 && o.convergence {
				return errors.New("--gather and --convergence are two pictures: ask for one at a time")
			}
			if !strings.EqualFold(filepath.Ext(o.out), ".png") {
				return fmt.Errorf("%s: pictures are PNG, so a name that ends in .png is needed", o.out)
			}
			if err := refuseExisting(o.out, o.overwrite); err != nil {
				return err
			}
			if err := plotFile(cmd, args[0], o); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s written\n", o.out)
			return nil
		},
	}
	cmd.Flags().StringVarP(&o.out, "out", "o", "", "picture to write (default FILE with .png)")
	cmd.Flags().IntVar(&o.gather, "gather", 0, "draw the data of this shot, counted from 1")
	cmd.Flags().BoolVar(&o.convergence, "convergence", false, "draw misfit and model error of a result")
	cmd.Flags().BoolVar(&o.overwrite, "overwrite", false, "replace an existing picture")
	return cmd
}

func plotFile(cmd *cobra.Command, path string, o plotOptions) error {
	kind, err := kindOf(cmd.Context(), path)
	if err != nil {
		return err
	}
	switch {
	case kind == npyFile:
		return fmt.Errorf("%s is a numpy array, which knows no spacing: make a problem of it with fwi import, and plot that", path)
	case kind == segyFile && o.convergence:
		return fmt.Errorf("%s is SEG-Y: only a result.h5 has a convergence", path)
	case kind == segyFile:
		f, err := segy.Read(cmd.Context(), path)
		if err != nil {
			return err
		}
		return plotSEGY(path, f, o)
	}
	f, err := h5.OpenContext(cmd.Context(), path)
	if err != nil {
		return err
	}
	defer f.Close()
	if o.convergence {
		return plotConvergence(path, f, o)
	}
	p, err := fwi.OpenProblem(path)
	if err != nil {
		return err
	}
	switch {
	case o.gather > 0:
		return plotObserved(path, p, o)
	case f.Exists("/gradient"):
		gradient, err := readOnGrid(path, f, "/gradient", p.Grid)
		if err != nil {
			return err
		}
		return plot.Heatmap(o.out, sections("gradient", p.Grid, gradient), plot.HeatmapOptions{Quantity: "Misfit per m/s"})
	}
	truth := p.Truth
	var all []plot.Panel
	if p.Start != nil {
		all = append(all, panels("start", p.Grid, p.Start, false)...)
	}
	if f.Exists("/history") { // what stands as the model is the result
		all = append(all, panels("result", p.Grid, p.Truth, false)...)
		if truth = nil; f.Exists("/true/vp") {
			if truth, err = readOnGrid(path, f, "/true/vp", p.Grid); err != nil {
				return err
			}
		}
		if truth != nil {
			all = slices.Concat(all, panels("truth", p.Grid, truth, false), difference("result - truth", p.Grid, p.Truth, truth))
		} else if p.Start != nil {
			all = append(all, difference("result - start", p.Grid, p.Truth, p.Start)...)
		}
	} else if truth != nil {
		model := panels("model", p.Grid, truth, false)
		markPlaces(model, p.Survey)
		all = append(all, model...)
		if p.Start != nil {
			all = append(all, difference("model - start", p.Grid, truth, p.Start)...)
		}
	}
	return plot.Models(o.out, all, modelOptions(p.Grid))
}

// markPlaces shows the sources, and the receivers of the middle shot, in the panels of a model.
func markPlaces(model []plot.Panel, s *wave.Survey) {
	if s == nil {
		return
	}
	var sources []wave.Position
	for _, shot := range s.Shots {
		sources = append(sources, shot.Sources...)
	}
	receivers := s.Shots[len(s.Shots)/2].Receivers
	axes := [][2]int{{0, 1}}
	if len(model) == 3 { // as sections cuts a volume
		axes = [][2]int{{0, 2}, {0, 1}, {1, 2}}
	}
	for i := range model {
		on := func(positions []wave.Position) []plot.Position {
			out := make([]plot.Position, len(positions))
			for k, p := range positions {
				out[k] = plot.Position{Z: p[axes[i][0]], X: p[axes[i][1]]}
			}
			return out
		}
		model[i].Sources, model[i].Receivers = on(sources), on(receivers)
	}
}

// readOnGrid reads an array that must lie on the grid of the problem.
func readOnGrid(path string, f *h5.File, object string, g wave.Grid) ([]float32, error) {
	v, shape, err := f.ReadFloat32(object)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(shape, g.Shape) {
		return nil, fmt.Errorf("%s: %s has shape %v, the model is %s cells", path, object, shape, times(g.Shape))
	}
	return v, nil
}

func plotObserved(path string, p *fwi.Problem, o plotOptions) error {
	if p.Observed == nil {
		return fmt.Errorf("%s holds no /data/observed: fwi model makes data of its model", path)
	}
	if o.gather > len(p.Observed) {
		return fmt.Errorf("--gather %d: %s holds %d shots", o.gather, path, len(p.Observed))
	}
	shot := p.Survey.Shots[o.gather-1]
	return plot.Gathers(o.out, gather(o.gather, &shot, p.Survey, p.Observed[o.gather-1], nil))
}

func plotConvergence(path string, f *h5.File, o plotOptions) error {
	if !f.Exists("/history/misfit") {
		return fmt.Errorf("%s holds no /history: only the result.h5 of a run has a convergence", path)
	}
	columns := map[string][]float64{}
	for _, name := range []string{"stage", "wave_solves", "misfit", "model_rms"} {
		if name == "model_rms" && !f.Exists("/history/"+name) {
			continue
		}
		v, _, err := f.ReadFloat64("/history/" + name)
		if err != nil {
			return err
		}
		if n := len(columns["stage"]); name != "stage" && len(v) != n {
			return fmt.Errorf("%s: /history/%s has %d values, /history/stage %d", path, name, len(v), n)
		}
		columns[name] = v
	}
	text, err := f.ReadString("/configuration")
	if err != nil {
		return err
	}
	var c fwi.Config
	if err := c.Merge([]byte(text)); err != nil {
		return fmt.Errorf("%s: /configuration: %w", path, err)
	}
	p, outcome := &fwi.Problem{}, &fwi.Outcome{}
	if columns["model_rms"] != nil {
		p.Truth = []float32{} // the errors are known, and only that is asked of it
	}
	for i, stage := range columns["stage"] {
		if !(stage >= 1 && stage <= float64(len(c.Stages))) {
			return fmt.Errorf("%s: /history/stage is %g, the configuration has %d stages", path, stage, len(c.Stages))
		}
		r := fwi.Record{Stage: int(stage) - 1, Solves: columns["wave_solves"][i], Misfit: columns["misfit"][i]}
		if p.Truth != nil {
			r.ModelRMS = columns["model_rms"][i]
		}
		outcome.History = append(outcome.History, r)
	}
	if p.Title, _, err = f.AttrString("/", "title"); err != nil {
		return err
	}
	return plot.Convergence(o.out, p.Title, convergence(p, c, outcome))
}

// plotSEGY draws a velocity section, which it knows by its values, or a gather.
func plotSEGY(path string, f *segy.File, o plotOptions) error {
	if len(f.Traces) == 0 {
		return fmt.Errorf("%s holds no traces", path)
	}
	nt, err := f.Samples()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if o.gather == 0 && looksLikeVelocity(f) {
		return plotSection(path, f, o)
	}
	gathers := f.Gathers()
	number := max(o.gather, 1)
	if number > len(gathers) {
		return fmt.Errorf("--gather %d: %s holds %d gathers", number, path, len(gathers))
	}
	if f.Interval <= 0 {
		return fmt.Errorf("%s: the interval between samples is %d µs", path, f.Interval)
	}
	g := gathers[number-1]
	s := plot.Shot{Title: fmt.Sprintf("gather %d of %d", number, len(gathers)), NReceivers: len(g.Traces), NT: nt, DT: float64(f.Interval) * 1e-6,
		StartTime: f.Traces[g.Traces[0]].Header.Delay, XName: "Offset"}
	offsets := false
	for _, i := range g.Traces {
		s.Observed = append(s.Observed, f.Traces[i].Samples...)
		s.X = append(s.X, f.Traces[i].Header.Offset)
		offsets = offsets || f.Traces[i].Header.Offset != 0
	}
	if !offsets {
		s.XName = "Receiver x"
		for k, i := range g.Traces {
			s.X[k] = f.Traces[i].Header.ReceiverX
		}
	}
	return plot.Gathers(o.out, s)
}

// looksLikeVelocity tells velocities from recordings, which swing about zero.
func looksLikeVelocity(f *segy.File) bool {
	for _, t := range f.Traces {
		for _, v := range t.Samples {
			if !(v >= 100 && v <= 15000) {
				return false
			}
		}
	}
	return true
}

// plotSection draws the traces as columns of a model in depth. Their distance is that of the CDP positions.
func plotSection(path string, f *segy.File, o plotOptions) error {
	vp, nz, nx, err := f.Section()
	if err != nil {
		return err
	}
	first, last := f.Traces[0].Header, f.Traces[nx-1].Header
	origin, dx := first.CDPX, math.Abs(last.CDPX-first.CDPX)/float64(max(nx-1, 1))
	dz := float64(f.Interval) / 1e3
	if !(dx > 0 && dz > 0) {
		return fmt.Errorf("%s looks like a velocity section, but its headers give cells of %g × %g m: give the spacing to fwi import, and plot what that writes", path, dz, dx)
	}
	return plot.Models(o.out, []plot.Panel{{Section: plot.Section{Title: filepath.Base(path), Values: vp, NZ: nz, NX: nx, DZ: dz, DX: dx, OriginX: min(origin, last.CDPX)}}}, plot.ModelOptions{})
}
