// Command tune compares configurations of an inversion on generated sections, for choosing defaults without a look at the
// models that results are reported on. It prints, for each section and configuration, the model error in units of the start's
// after each stage, and a table of the final errors with the solves spent.
//
//	go run ./bench/tune -kinds faulted,thrusted,folded,salt -seeds 11 base= steep='preconditioner: {power: 1}'
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"gofwi/fwi"
	"gofwi/internal/geology"
	"gofwi/wave"
)

func main() {
	kinds := flag.String("kinds", "faulted,thrusted,folded,salt", "kinds of sections")
	seeds := flag.String("seeds", "11", "a section of each kind for each of these seeds")
	depth := flag.Float64("depth", 3200, "of the sections, m")
	width := flag.Float64("width", 9200, "of the sections, m")
	spacing := flag.Float64("spacing", 20, "m")
	water := flag.Float64("water", 60, "mean depth of the sea, m")
	common := flag.String("config", "acquisition: {shots: 20, max_frequency: 12}", "YAML that all variants share; it decides the data")
	top := flag.Float64("top", math.Inf(1), "stop before the stages above this frequency, Hz")
	stages := flag.Bool("stages", true, "print a line per stage")
	where := flag.Bool("where", false, "print where the final model error lies, in wavelength and place")
	pictures := flag.String("models", "", "folder for the final models, as HDF5")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "tune: name at least one configuration, NAME=YAML")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := compare(ctx, options{*kinds, *seeds, *common, *pictures, *depth, *width, *spacing, *water, *top, *stages, *where}, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "tune:", err)
		os.Exit(1)
	}
}

type options struct {
	kinds, seeds, common, models      string
	depth, width, spacing, water, top float64
	stages, where                     bool
}

func compare(ctx context.Context, o options, variants []string) error {
	var table strings.Builder
	ratios := make([][]float64, len(variants))
	solves := make([][]float64, len(variants))
	for _, seedText := range strings.Split(o.seeds, ",") {
		seed, err := strconv.ParseUint(seedText, 10, 64)
		if err != nil {
			return fmt.Errorf("seed %q: %w", seedText, err)
		}
		for _, name := range strings.Split(o.kinds, ",") {
			p, common, err := section(ctx, o, name, seed)
			if err != nil {
				return err
			}
			fmt.Printf("%s %d\n", name, seed)
			for v, variant := range variants {
				label, text, ok := strings.Cut(variant, "=")
				if !ok {
					return fmt.Errorf("configuration %q is not NAME=YAML", variant)
				}
				ratio, spent, seconds, err := invert(ctx, p, common, label, text, o, fmt.Sprintf("%s-%d", name, seed))
				if err != nil {
					return fmt.Errorf("%s on %s %d: %w", label, name, seed, err)
				}
				fmt.Fprintf(&table, "%-10s %3d  %-16s %6.3f %6.0f solves %6.0f s\n", name, seed, label, ratio, spent, seconds)
				ratios[v], solves[v] = append(ratios[v], ratio), append(solves[v], spent)
			}
		}
	}
	fmt.Printf("\n%s\n%-16s %8s %8s %8s %8s\n", table.String(), "", "mean", "best", "worst", "solves")
	for v, variant := range variants {
		label, _, _ := strings.Cut(variant, "=")
		r := ratios[v]
		fmt.Printf("%-16s %8.3f %8.3f %8.3f %8.0f\n", label, mean(r), slices.Min(r), slices.Max(r), mean(solves[v]))
	}
	return nil
}

func mean(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// section draws a section and models its data.
func section(ctx context.Context, o options, name string, seed uint64) (*fwi.Problem, fwi.Config, error) {
	var c fwi.Config
	at := slices.IndexFunc(geology.Kinds(), func(k geology.Kind) bool { return k.String() == name })
	if at < 0 {
		return nil, c, fmt.Errorf("there is no kind %q: choose among %v", name, geology.Kinds())
	}
	nz, nx := int(math.Round(o.depth/o.spacing))+1, int(math.Round(o.width/o.spacing))+1
	earth, err := geology.Section(geology.Options{NZ: nz, NX: nx, DZ: o.spacing, DX: o.spacing, Seed: seed, Kind: geology.Kinds()[at], WaterDepth: o.water})
	if err != nil {
		return nil, c, err
	}
	p := &fwi.Problem{Grid: wave.NewGrid2D(nz, nx, o.spacing, o.spacing), Truth: earth.VP}
	if err := c.Merge([]byte(o.common)); err != nil {
		return nil, c, err
	}
	_, err = fwi.Prepare(ctx, p, c, nil, nil)
	return p, c, err
}

// invert runs one configuration and returns the model error in units of the start's, the solves and the seconds.
func invert(ctx context.Context, prepared *fwi.Problem, c fwi.Config, label, text string, o options, name string) (ratio, solves, seconds float64, err error) {
	if err := c.Merge([]byte(text)); err != nil {
		return 0, 0, 0, err
	}
	c.Start = "" // the problem holds its start by now
	p := *prepared
	c, err = fwi.Prepare(ctx, &p, c, nil, nil)
	if err != nil {
		return 0, 0, 0, err
	}
	began := time.Now()
	run := fwi.NewRun(&p, c)
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	run.Observer = func(progress fwi.Progress) {
		if c.Stages[progress.Stage].MaxFrequency > o.top {
			cancel() // the stage stays in the schedule: the grids of those below follow from it
		}
	}
	outcome, err := run.Invert(within)
	if err != nil && (ctx.Err() != nil || within.Err() == nil) {
		return 0, 0, 0, err
	}
	h := slices.DeleteFunc(outcome.History, func(r fwi.Record) bool { return c.Stages[r.Stage].MaxFrequency > o.top })
	if o.stages {
		fmt.Printf("  %-16s", label)
		for i, r := range h {
			if i+1 == len(h) || h[i+1].Stage != r.Stage {
				fmt.Printf("  %.1f Hz %.3f (%d: %.4f, %.0f s)", c.Stages[r.Stage].MaxFrequency, r.ModelRMS/h[0].ModelRMS, r.Iteration, r.Misfit, r.Seconds)
			}
		}
		fmt.Println()
	}
	if o.where {
		whereError(&p, outcome.Model)
	}
	if o.models != "" {
		if err := os.MkdirAll(o.models, 0o777); err != nil {
			return 0, 0, 0, err
		}
		if err := fwi.WriteResult(fmt.Sprintf("%s/%s-%s.h5", o.models, name, label), &p, c, outcome, "tune"); err != nil {
			return 0, 0, 0, err
		}
	}
	return h[len(h)-1].ModelRMS / h[0].ModelRMS, h[len(h)-1].Solves, time.Since(began).Seconds(), nil
}

// whereError prints the parts of the model error that a Gaussian keeps and takes away, in units of the start's error, and the share in percent of
// its square by thirds of the depth and sixths of the width.
func whereError(p *fwi.Problem, model []float32) {
	e, e0 := make([]float32, len(model)), make([]float32, len(model))
	var total, total0 float64
	nz, nx := p.Grid.Shape[0], p.Grid.Shape[1]
	var share [3][6]float64
	for i := range model {
		if p.Mask[i] != 0 {
			e[i], e0[i] = model[i]-p.Truth[i], p.Start[i]-p.Truth[i]
			total += float64(e[i] * e[i])
			total0 += float64(e0[i] * e0[i])
			share[i/nx*3/nz][i%nx*6/nx] += float64(e[i] * e[i])
		}
	}
	for _, sigma := range []float64{250, 500} {
		s, err := fwi.NewSmoother(p.Grid.Shape, p.Grid.Spacing, []float64{sigma, sigma}, p.Mask)
		if err != nil {
			panic(err)
		}
		part := func(e []float32) (float64, float64) {
			l := make([]float32, len(e))
			s.Apply(l, e)
			var low, high float64
			for i := range e {
				if p.Mask[i] != 0 {
					low += float64(l[i] * l[i])
					high += float64((e[i] - l[i]) * (e[i] - l[i]))
				}
			}
			return math.Sqrt(low / total0), math.Sqrt(high / total0)
		}
		l0, h0 := part(e0)
		l, h := part(e)
		fmt.Printf("      parts at %g m: long %.3f (start %.3f), short %.3f (%.3f)\n", sigma, l, l0, h, h0)
	}
	for k := range share {
		fmt.Print("     ")
		for _, v := range share[k] {
			fmt.Printf(" %5.1f", 100*v/total)
		}
		fmt.Println()
	}
}
