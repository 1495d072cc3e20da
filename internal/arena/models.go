package arena

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gofwi/fwi"
	"gofwi/internal/geology"
	"gofwi/wave"
)

// generatedSeeds are the geologies of "generated": with eight kinds, 24 sections. None of them is one that defaults were chosen on.
var generatedSeeds = []uint64{101, 102, 103}

// scale is the size of generated sections. Lengths in m, frequencies in Hz.
type scale struct {
	depth, width, cell, water float64
	shots, receivers          int
	top, duration             float64
}

var (
	fullScale  = scale{depth: 1600, width: 4000, cell: 20, water: 60, shots: 10, receivers: 80, top: 9, duration: 3}
	quickScale = scale{depth: 1200, width: 3000, cell: 25, water: 60, shots: 8, receivers: 60, top: 8, duration: 2.4}
)

// expandModels replaces "generated" by its sections, and "generated:KIND" by one for each seed.
func expandModels(models []string, seeds int, quick bool) ([]string, error) {
	var out []string
	for _, m := range models {
		rest, generated := strings.CutPrefix(m, "generated")
		if !generated || rest != "" && rest[0] != ':' {
			out = append(out, m)
			continue
		}
		if rest == "" {
			of := generatedSeeds
			if quick {
				of = of[:1]
			}
			for _, seed := range of {
				for _, k := range geology.Kinds() {
					out = append(out, fmt.Sprintf("generated:%s:%d", k, seed))
				}
			}
			continue
		}
		name, text, seeded := strings.Cut(rest[1:], ":")
		if _, err := kindOf(name); err != nil {
			return nil, err
		}
		if seeded {
			if _, err := strconv.ParseUint(text, 10, 64); err != nil {
				return nil, fmt.Errorf("model %s: the seed is not a whole number", m)
			}
			out = append(out, m)
			continue
		}
		for i := range seeds {
			out = append(out, fmt.Sprintf("%s:%d", m, generatedSeeds[0]+uint64(i)))
		}
	}
	for i, m := range out {
		if slices.Index(out, m) != i {
			return nil, fmt.Errorf("the model %s is named twice", m)
		}
	}
	return out, nil
}

func kindOf(name string) (geology.Kind, error) {
	i := slices.IndexFunc(geology.Kinds(), func(k geology.Kind) bool { return k.String() == name })
	if i < 0 {
		return 0, fmt.Errorf("there is no kind of geology %q: choose among %v", name, geology.Kinds())
	}
	return geology.Kinds()[i], nil
}

// openModel reads or draws a model and returns it with the configuration that goes with it.
func openModel(model string, quick bool) (*fwi.Problem, fwi.Config, error) {
	var c fwi.Config
	rest, generated := strings.CutPrefix(model, "generated:")
	if !generated {
		p, err := fwi.OpenProblem(model)
		return p, c, err
	}
	name, text, _ := strings.Cut(rest, ":")
	kind, err := kindOf(name)
	if err != nil {
		return nil, c, err
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, c, fmt.Errorf("model %s: the seed is not a whole number", model)
	}
	s := fullScale
	if quick {
		s = quickScale
	}
	nz, nx := int(math.Round(s.depth/s.cell))+1, int(math.Round(s.width/s.cell))+1
	earth, err := geology.Section(geology.Options{NZ: nz, NX: nx, DZ: s.cell, DX: s.cell, Seed: seed, Kind: kind, WaterDepth: s.water})
	if err != nil {
		return nil, c, err
	}
	c.Acquisition = fwi.Acquisition{Shots: s.shots, Receivers: s.receivers, MaxFrequency: s.top, Duration: s.duration}
	return &fwi.Problem{Title: model, Grid: wave.NewGrid2D(nz, nx, s.cell, s.cell), Truth: earth.VP, Water: earth.Water}, c, nil
}

// setting is what the methods of a comparison share.
type setting struct {
	Model string
	Start string
	Noise float64
	Seed  uint64 // of the noise and of what methods draw
}

// name is short and fit for a file's name.
func (s setting) name() string {
	model := s.Model
	if !strings.HasPrefix(model, "generated:") {
		model = strings.TrimSuffix(filepath.Base(model), ".h5")
	}
	start := s.Start
	switch {
	case start == "":
		start = "default"
	case !strings.HasPrefix(start, "smooth:") && start != "gradient":
		start = strings.TrimSuffix(filepath.Base(start), ".h5")
	}
	text := fmt.Sprintf("%s-%s-noise%g-seed%d", model, start, s.Noise, s.Seed)
	return strings.Map(func(r rune) rune {
		if r == ':' || r == '/' || r == ' ' {
			return '_'
		}
		return r
	}, strings.ReplaceAll(text, "generated:", ""))
}

// prepared is a setting made ready: the problem with the data that the methods are given, and without noise for the score.
type prepared struct {
	of      setting
	problem *fwi.Problem
	clean   [][]float32
	config  fwi.Config // that decided the data
}

// prepare models the data, once for all methods and levels of noise: before is the setting prepared last.
func prepare(ctx context.Context, s setting, before *prepared, quick bool, threads int) (*prepared, error) {
	out := &prepared{of: s}
	if before != nil && before.of.Model == s.Model && before.of.Start == s.Start {
		p := *before.problem
		out.problem, out.clean, out.config = &p, before.clean, before.config
	} else {
		p, c, err := openModel(s.Model, quick)
		if err != nil {
			return nil, err
		}
		if s.Start != "" {
			c.Start = s.Start
		}
		c.Threads = threads
		if _, err := fwi.Prepare(ctx, p, c, nil, nil); err != nil {
			return nil, err
		}
		out.problem, out.clean, out.config = p, p.Observed, c
	}
	out.problem.Observed = out.clean
	if s.Noise > 0 {
		noisy := make([][]float32, len(out.clean))
		for i, g := range out.clean {
			noisy[i] = slices.Clone(g)
		}
		if err := fwi.AddNoise(noisy, out.problem.Survey, s.Noise, s.Seed); err != nil {
			return nil, err
		}
		out.problem.Observed = noisy
	}
	return out, nil
}
