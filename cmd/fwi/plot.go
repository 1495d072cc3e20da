package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
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
		return plot.Heatmap(o.out, section("gradient", p.Grid, gradient), plot.HeatmapOptions{Quantity: "Misfit per m/s"})
	}
	truth := p.Truth
	panels := []plot.Panel{}
	if p.Start != nil {
		panels = append(panels, plot.Panel{Section: section("start", p.Grid, p.Start)})
	}
	if f.Exists("/history") { // what stands as the model is the result
		panels = append(panels, plot.Panel{Section: section("result", p.Grid, p.Truth)})
		if truth = nil; f.Exists("/true/vp") {
			if truth, err = readOnGrid(path, f, "/true/vp", p.Grid); err != nil {
				return err
			}
		}
		if truth != nil {
			panels = append(panels, plot.Panel{Section: section("truth", p.Grid, truth)}, difference("result - truth", p.Grid, p.Truth, truth))
		} else if p.Start != nil {
			panels = append(panels, difference("result - start", p.Grid, p.Truth, p.Start))
		}
	} else if truth != nil {
		s := section("model", p.Grid, truth)
		s.Sources, s.Receivers = places(p.Survey)
		panels = append(panels, plot.Panel{Section: s})
		if p.Start != nil {
			panels = append(panels, difference("model - start", p.Grid, truth, p.Start))
		}
	}
	return plot.Models(o.out, panels, plot.ModelOptions{})
}

func difference(title string, g wave.Grid, a, b []float32) plot.Panel {
	d := make([]float32, len(a))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return plot.Panel{Section: section(title, g, d), Difference: true}
}

// places returns the positions of all sources, and of the receivers of the middle shot.
func places(s *wave.Survey) (sources, receivers []plot.Position) {
	if s == nil {
		return nil, nil
	}
	for _, shot := range s.Shots {
		for _, p := range shot.Sources {
			sources = append(sources, plot.Position{Z: p[0], X: p[1]})
		}
	}
	for _, p := range s.Shots[len(s.Shots)/2].Receivers {
		receivers = append(receivers, plot.Position{Z: p[0], X: p[1]})
	}
	return sources, receivers
}

// readOnGrid reads an array that must lie on the grid of the problem.
func readOnGrid(path string, f *h5.File, object string, g wave.Grid) ([]float32, error) {
	v, shape, err := f.ReadFloat32(object)
	if err != nil {
		return nil, err
	}
	if len(shape) != 2 || shape[0] != g.NZ() || shape[1] != g.NX() {
		return nil, fmt.Errorf("%s: %s has shape %v, the model is %d × %d cells", path, object, shape, g.NZ(), g.NX())
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
	x := make([]float64, len(shot.Receivers))
	for i, r := range shot.Receivers {
		x[i] = r[1]
	}
	return plot.Gathers(o.out, plot.Shot{Title: fmt.Sprintf("shot %d at x = %.2f km", o.gather, shot.Sources[0][1]/1e3), Observed: p.Observed[o.gather-1],
		NReceivers: len(x), NT: p.Survey.NT, DT: p.Survey.DT, X: x})
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
