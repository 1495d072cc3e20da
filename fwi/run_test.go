package fwi

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gofwi/internal/geology"
	"gofwi/wave"
)

var background = context.Background()

// smallProblem is a faulted section of 1.5 × 3.6 km with 6 shots between 3 and 9 Hz, prepared in the configuration that goes with it.
func smallProblem(t *testing.T, adjust func(*Config)) (*Problem, Config) {
	t.Helper()
	m, err := geology.Section(geology.Options{NZ: 61, NX: 145, DZ: 25, DX: 25, Seed: 3, Kind: geology.Faulted, WaterDepth: 150})
	if err != nil {
		t.Fatal(err)
	}
	p := &Problem{Title: "small", Grid: wave.NewGrid2D(m.NZ, m.NX, m.DZ, m.DX), Truth: m.VP, Water: WaterLayer(wave.NewGrid2D(m.NZ, m.NX, m.DZ, m.DX), m.VP)}
	c := Config{Start: "smooth:250m", Iterations: 3}
	c.Acquisition = Acquisition{Shots: 6, Receivers: 60, Duration: 3, MaxFrequency: 9}
	c.Stages = []Stage{{MaxFrequency: 5.5, Iterations: 3}, {MaxFrequency: 9, Iterations: 3}}
	if adjust != nil {
		adjust(&c)
	}
	c, err = Prepare(background, p, c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

// smallVolume is a folded volume of 1 × 1.2 × 1.4 km with 4 shots between 3 and 6 Hz.
func smallVolume(t *testing.T, adjust func(*Config)) (*Problem, Config) {
	t.Helper()
	m, err := geology.Volume(geology.VolumeOptions{Options: geology.Options{NZ: 21, NX: 29, DZ: 50, DX: 50, Seed: 3, Kind: geology.Folded, WaterDepth: 100}, NY: 25, DY: 50})
	if err != nil {
		t.Fatal(err)
	}
	p := &Problem{Title: "volume", Grid: wave.NewGrid3D(m.NZ, m.NY, m.NX, m.DZ, m.DY, m.DX), Truth: m.VP, Water: m.Water}
	c := Config{Start: "smooth:200m", Iterations: 2}
	c.Acquisition = Acquisition{Shots: 4, Receivers: 100, Duration: 2, MaxFrequency: 6}
	c.Stages = []Stage{{MaxFrequency: 4.5, Iterations: 2}, {MaxFrequency: 6, Iterations: 2}}
	if adjust != nil {
		adjust(&c)
	}
	if c, err = Prepare(background, p, c, nil, nil); err != nil {
		t.Fatal(err)
	}
	return p, c
}

func invert(t *testing.T, p *Problem, c Config) *Outcome {
	t.Helper()
	o, err := NewRun(p, c).Invert(background)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestInversionLowersMisfitAndModelError(t *testing.T) {
	longer := func(n int) func(*Config) {
		return func(c *Config) {
			c.Iterations = 0
			for i := range c.Stages {
				c.Stages[i].Iterations = n
			}
		}
	}
	t.Run("section", func(t *testing.T) {
		p, c := smallProblem(t, longer(12))
		expectProgress(t, p, c, 0.9)
	})
	t.Run("volume", func(t *testing.T) { // fewer iterations
		p, c := smallVolume(t, longer(5))
		expectProgress(t, p, c, 0.97)
	})
}

// expectProgress inverts and wants the model error to fall to the given fraction of the start's.
func expectProgress(t *testing.T, p *Problem, c Config, fraction float64) {
	t.Helper()
	o := invert(t, p, c)
	start, err := ModelRMS(p.Start, p.Truth, p.Scored())
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ModelRMS(o.Model, p.Truth, p.Scored())
	if !(end < fraction*start) {
		t.Errorf("model error %.1f m/s, at the start %.1f", end, start)

	}
	for stage := range c.Stages {
		var misfits []float64
		for _, h := range o.History {
			if h.Stage == stage {
				misfits = append(misfits, h.Misfit)
			}
		}
		if !slices.IsSortedFunc(misfits, func(a, b float64) int {
			if a > b {
				return -1
			}
			return 1
		}) {
			t.Errorf("stage %d: accepted misfits do not fall: %v", stage+1, misfits)
		}
		if first, last := misfits[0], misfits[len(misfits)-1]; !(last < 0.5*first) {
			t.Errorf("stage %d: the misfit falls from %g to %g only", stage+1, first, last)
		}
	}
	for i, w := range p.Water {
		if w && o.Model[i] != p.Start[i] {
			t.Fatalf("water in cell %d has changed from %g to %g m/s", i, p.Start[i], o.Model[i])
		}
	}
}

// interrupted runs with a context that ends at the n-th evaluation, saving to a file, and returns whether the run ended before.
func interrupted(t *testing.T, p *Problem, c Config, path string, n int, from *Snapshot) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	r := NewRun(p, c)
	if from != nil {
		if err := r.Resume(from); err != nil {
			t.Fatal(err)
		}
	}
	count := 0
	r.Observer = func(Progress) {
		if count++; count == n {
			cancel()
		}
	}
	r.Save = func(s *Snapshot) error { return SaveSnapshot(path, Fingerprint(p, c), s) }
	_, err := r.Invert(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return err == nil
}

func TestResumedRunEndsWithTheSameBits(t *testing.T) {
	type problem func(*testing.T, func(*Config)) (*Problem, Config)
	for name, with := range map[string]struct {
		make   problem
		adjust func(*Config)
	}{
		"all shots":        {smallProblem, nil},
		"every other shot": {smallProblem, func(c *Config) { c.Stages[0].Every = 2 }},
		"mini-batches":     {smallProblem, func(c *Config) { c.Stages[0].Shots, c.Stages[0].Iterations, c.Iterations = 3, 6, 6 }},
		"growing batches": {smallProblem, func(c *Config) {
			c.Stages = []Stage{{MaxFrequency: 5.5, Iterations: 10, Shots: 2, Variance: 0.2}}
			c.Iterations = 0
		}},
		"encoded":       {smallProblem, func(c *Config) { c.Stages, c.Iterations = []Stage{{MaxFrequency: 5.5, Iterations: 9, Encoded: 2}}, 9 }},
		"gauss-newton":  {smallProblem, func(c *Config) { c.Method, c.GaussNewton = "gauss-newton", GaussNewtonConfig{Products: 3, Shots: 3} }},
		"bb, receivers": {smallProblem, func(c *Config) { c.Method, c.Preconditioner.Receivers = "bb", true }},
		"anderson":      {smallProblem, func(c *Config) { c.Method = "anderson" }},
		"wavelet":       {smallProblem, func(c *Config) { c.EstimateWavelet = true }},
		"wavelet again": {smallProblem, func(c *Config) { c.EstimateWavelet, c.WaveletEvery, c.WaveletLength = true, 1, 1.5 }},
		"cg, 1 thread":  {smallProblem, func(c *Config) { c.Method, c.Threads = "cg", 1 }},
		"other misfits": {smallProblem, func(c *Config) { c.Stages[0].Misfit, c.Misfit = "envelope", "student-t" }},
		"regularised":   {smallProblem, func(c *Config) { c.Regularisation = RegularisationConfig{Tikhonov: 0.01, TotalVariation: 1.2} }},
		"attempts":      {smallProblem, attempts(3, 2, 1e-9)},
		"chosen traces": {smallProblem, func(c *Config) { c.Stages[0].MinCorrelation = 0.9 }},
		"same traces": {smallProblem, func(c *Config) {
			same := Stage{MaxFrequency: 5.5, Iterations: 4, MinCorrelation: 0.1}
			c.Stages, c.Iterations = []Stage{same, same, {MaxFrequency: 9, Iterations: 4}}, 0
		}},
		"volume": {smallVolume, func(c *Config) { c.Stages, c.Iterations = []Stage{{MaxFrequency: 4.5, Iterations: 5}}, 5 }},
	} {
		t.Run(name, func(t *testing.T) {
			p, c := with.make(t, with.adjust)
			want := invert(t, p, c)
			path := filepath.Join(t.TempDir(), "checkpoint.h5")
			var from *Snapshot
			sittings := 0
			for !interrupted(t, p, c, path, 3, from) {
				sittings++
				var err error
				if from, err = LoadSnapshot(path, Fingerprint(p, c)); err != nil {
					t.Fatal(err)
				}
				if sittings > 100 {
					t.Fatal("the run does not advance")
				}
			}
			if sittings < 2 {
				t.Errorf("the run was interrupted %d times: nothing tested", sittings)
			}
			last, err := LoadSnapshot(path, Fingerprint(p, c))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(last.Base, want.Model) {
				t.Errorf("after %d interruptions the model differs", sittings)
			}
			if len(last.History) != len(want.History) {
				t.Fatalf("after %d interruptions the history has %d lines instead of %d", sittings, len(last.History), len(want.History))
			}
			for i, h := range last.History {
				if w := want.History[i]; h.Misfit != w.Misfit || h.ModelRMS != w.ModelRMS || h.Solves < w.Solves {
					t.Errorf("line %d of the history is %+v instead of %+v", i, h, w)
				}
			}
		})
	}
}

func TestThreadsDoNotChangeARun(t *testing.T) {
	compare := func(p *Problem, c Config) {
		t.Helper()
		c.Threads = 1
		one := invert(t, p, c)
		c.Threads = 3
		if many := invert(t, p, c); !slices.Equal(one.Model, many.Model) {
			t.Error("3 threads give another model than 1")
		}
	}
	p, c := smallProblem(t, nil)
	compare(p, c)
	p, c = smallVolume(t, func(c *Config) { c.Acquisition.Shots, c.Stages = 1, c.Stages[:1] }) // threads inside the shot
	compare(p, c)
}

// A gradient whose storage steps the forward field again costs what it steps, in the count of solves.
func TestSolvesCountWhatStorageStepsAgain(t *testing.T) {
	solves := map[string]float64{}
	for _, storage := range []string{"auto", "every-kth", "disk", "boundary"} {
		p, c := smallProblem(t, func(c *Config) { c.Storage, c.Iterations, c.Stages = storage, 1, c.Stages[:min(1, len(c.Stages))] })
		c.Stages = c.Stages[:1]
		out := invert(t, p, c)
		solves[storage] = out.Solves
		if len(out.History) == 0 {
			t.Fatalf("%s: no iteration", storage)
		}
	}
	if solves["auto"] != solves["every-kth"] || solves["disk"] != solves["every-kth"] {
		t.Errorf("%v: nothing is stepped again but by boundary", solves)
	}
	// the gradients at the start and at the accepted model
	if more := solves["boundary"] - solves["every-kth"]; more != math.Round(more) || more < 2 {
		t.Errorf("boundary costs %g solves more than every-kth, not one for each gradient", more)
	}
}

func TestCheckpointOfAnotherProblemIsRefused(t *testing.T) {
	p, c := smallProblem(t, nil)
	path := filepath.Join(t.TempDir(), "checkpoint.h5")
	if err := SaveSnapshot(path, Fingerprint(p, c), &Snapshot{Base: p.Start}); err != nil {
		t.Fatal(err)
	}
	c.MaxChange++
	if _, err := LoadSnapshot(path, Fingerprint(p, c)); err == nil || !strings.Contains(err.Error(), "another problem") {
		t.Errorf("got %v", err)
	}
	c.MaxChange--
	c.Threads = 7 // changes no bit
	if _, err := LoadSnapshot(path, Fingerprint(p, c)); err != nil {
		t.Error(err)
	}
}

// The gradient on the user's grid is that of the whole chain: restriction in 1/v², propagation, misfit. In float32 the misfit's last digits
// limit the test, so steps are large and the central difference cancels the curvature.
func TestEvaluatorsGradientMatchesFiniteDifferences(t *testing.T) {
	for _, misfit := range append(MisfitNames(), "volume", "damped", "windowed", "first arrivals") {
		adjust := func(c *Config) {
			c.Misfit, c.Storage = misfit, "every-step"
			c.Iterations = 1
			if misfit == "damped" {
				c.Misfit, c.Stages[0].Damping, c.Stages[0].MaxOffset = "", 0.4, 2000
			}
			if misfit == "windowed" {
				c.Misfit, c.Stages[0].MinOffset, c.Stages[0].Window = "", 300, Window{Begin: -0.1, End: 0.8, Velocity: 1700, Taper: 0.2}
				c.RejectTraces = 10
			}
			if misfit == "first arrivals" {
				c.Misfit, c.Stages[0].Window = "", Window{Begin: -0.2, End: 1, FirstArrival: true, Taper: 0.2}
			}
		}
		var p *Problem
		var c Config
		middle, width := []float64{25, 60}, 60.0 // of the perturbation, cells
		if misfit != "volume" {
			p, c = smallProblem(t, adjust)
		} else {
			p, c = smallVolume(t, func(c *Config) { adjust(c); c.Misfit = "" })
			middle, width = []float64{9, 12, 15}, 20
		}
		if misfit == "windowed" {
			p.Weights = make([][]float32, len(p.Observed))
			for i := range p.Weights {
				for r := range p.Survey.Shots[i].Receivers {
					p.Weights[i] = append(p.Weights[i], 0.5+0.01*float32(r))
				}
			}
		}
		e, err := NewEvaluator(background, p, c, c.Stages[0])
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		_, g, _, err := e.Gradient(background, p.Start)
		if err != nil {
			t.Fatal(err)
		}
		var slope float64
		dv := make([]float32, len(p.Start))
		for i := range dv {
			var distance float64
			for d, k := range p.Grid.Index(i) {
				distance += math.Pow(float64(k)-middle[d], 2)
			}
			dv[i] = p.Mask[i] * float32(math.Exp(-distance/width))
			slope += float64(dv[i]) * float64(g[i])
		}
		at := func(h float32) float64 {
			v := slices.Clone(p.Start)
			for i := range v {
				v[i] += h * dv[i]
			}
			j, err := e.Misfit(background, v)
			if err != nil {
				t.Fatal(err)
			}
			return j
		}
		const h = 15
		difference := (at(h) - at(-h)) / (2 * h)
		if math.Abs(difference/slope-1) > 0.01 {
			t.Errorf("%s: slope %g, finite difference %g", misfit, slope, difference)
		}
	}
}

// The inversion can find no more than what the true model explains better than its neighbours. What it does not explain is the stages' grids,
// the layers' reflections, and what the filters make of a record that ends.
func TestTruthFitsItsOwnData(t *testing.T) {
	p, c := smallProblem(t, func(c *Config) { c.MaxVelocity = 5500 })
	for i, s := range append(slices.Clone(c.Stages), c.Stages...) {
		// Measured 9.6e-3 and 8.9e-3, the cells of a fourth of a wavelength; 2.9e-2 and 9.5e-3 with filters of zero phase and narrow layers.
		// Balanced, 1.5e-2 and 1.6e-2: what a grid gets wrong lies in weak arrivals too.
		most := 1.2e-2
		if c.Balance = -1; i >= len(c.Stages) {
			c.Balance, most = 0.6, 2e-2
		}
		e, err := NewEvaluator(background, p, c, s)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		truth, err := e.Misfit(background, p.Truth)
		if err != nil {
			t.Fatal(err)
		}
		start, err := e.Misfit(background, p.Start)
		if err != nil {
			t.Fatal(err)
		}
		if !(truth < most*start) {
			t.Errorf("up to %g Hz, balanced by %g, the true model's misfit is %.2e of the start's", s.MaxFrequency, c.Balance, truth/start)
		}
	}
}

func TestEstimatedWaveletCorrectsAWrongOne(t *testing.T) {
	p, c := smallProblem(t, nil)
	wrong := slices.Clone(p.Survey.Shots[0].Wavelets[0])
	for i, v := range wrong {
		wrong[i] = -3 * v
	}
	for i := range p.Survey.Shots {
		p.Survey.Shots[i].Wavelets = [][]float32{wrong}
	}
	l, err := newLevel(background, p, c, c.Stages[0], c.during(c.Stages[0], p.Start))
	if err != nil {
		t.Fatal(err)
	}
	defer l.propagator.Close()
	x := l.restrict(c, p.Truth)
	before, err := l.evaluate(background, x, l.survey.AllShots(), false)
	if err != nil {
		t.Fatal(err)
	}
	factor, err := l.estimateWavelet(background, x)
	if err != nil {
		t.Fatal(err)
	}
	l.applyWavelet(factor)
	after, err := l.evaluate(background, x, l.survey.AllShots(), false)
	if err != nil {
		t.Fatal(err)
	}
	// a wavelet of -3 times the true one leaves ½·4² of the energy; the filter's stabilisation some thousandths
	if !(before.Misfit > 7 && after.Misfit < 0.02) {
		t.Errorf("the misfit at the true model falls from %g to %g only", before.Misfit, after.Misfit)
	}
}

func TestFitTellsWhatDataExplainWithAWaveletOfItsOwn(t *testing.T) {
	p, c := smallProblem(t, func(c *Config) { c.EstimateWavelet, c.MaxVelocity = true, 5000 })
	wrong := slices.Clone(p.Survey.Shots[0].Wavelets[0])
	for i, v := range wrong {
		wrong[i] = -3 * v
	}
	for i := range p.Survey.Shots {
		p.Survey.Shots[i].Wavelets = [][]float32{wrong}
		clear(p.Observed[i][:5*p.Survey.NT]) // dead traces
	}
	e, err := NewEvaluator(background, p, c, c.Stages[0])
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	fit := func(vp []float32) Fit {
		f, err := e.Fit(background, vp)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	before := fit(p.Truth)
	// data of -3 times the size leave 4² of the energy and have a correlation of -1, but for the errors of the stage's grid
	if math.Abs(before.Explained+15) > 0.5 || !(slices.Max(before.Correlation) < -0.98) || len(before.Correlation) != len(p.Survey.Shots) {
		t.Errorf("a wavelet of -3 times the true one: %+v", before)
	}
	if err := e.FitWavelet(background, p.Start); err != nil {
		t.Fatal(err)
	}
	start := fit(p.Start)
	if err := e.FitWavelet(background, p.Truth); err != nil {
		t.Fatal(err)
	}
	truth := fit(p.Truth)
	// Dead traces taken for silence would make the estimated wavelet, and the share explained, smaller by a tenth.
	if !(truth.Explained > 0.97 && slices.Min(truth.Correlation) > 0.98 && start.Explained < truth.Explained && truth.Misfit < start.Misfit) {
		t.Errorf("with estimated wavelets the start model explains %+v, the truth %+v", start, truth)
	}
}

func TestUnusableProblemsAreRefusedWithASentence(t *testing.T) {
	for name, c := range map[string]struct {
		adjust func(*Problem, *Config)
		says   string
	}{
		"all frozen":       {func(p *Problem, _ *Config) { clear(p.Mask) }, "freezes all"},
		"stage band empty": {func(p *Problem, c *Config) { c.Stages = []Stage{{MinFrequency: 30, MaxFrequency: 40, Iterations: 1}} }, "too little to fit"},
		"bounds too tight": {func(p *Problem, c *Config) { c.MinVelocity, c.MaxVelocity = 2000, 2100 }, "beyond the bounds"},
		"unknown misfit":   {func(p *Problem, c *Config) { c.Misfit = "l7" }, "l7"},
		"impossible stage": {func(p *Problem, c *Config) { c.Stages[0].MaxFrequency = 0 }, "stage 1"},
		"dispersion":       {func(p *Problem, c *Config) { c.Dispersion, c.PointsPerWavelength = "refuse", 30 }, "points per wavelength"},
		"memory":           {func(p *Problem, c *Config) { c.MemoryLimit = 100 << 10 }, "limit is 100 KiB"},
		"no start file":    {func(p *Problem, c *Config) { c.Start = "nowhere.h5" }, "nowhere.h5"},
		"bad smoothing":    {func(p *Problem, c *Config) { c.Start = "smooth:-3m" }, "smooth:-3m"},
	} {
		t.Run(name, func(t *testing.T) {
			p, config := smallProblem(t, nil)
			c.adjust(p, &config)
			config, err := Prepare(background, p, config, nil, nil)
			if err == nil {
				_, err = PlanStages(p, config)
			}
			if err == nil {
				_, err = NewRun(p, config).Invert(background)
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want a sentence with %q", err, c.says)
			}
		})
	}
}

func TestCheckProvesTheOperators(t *testing.T) {
	for _, make := range []func(*testing.T, func(*Config)) (*Problem, Config){smallProblem, smallVolume} {
		p, c := make(t, nil)
		report, err := Check(background, p, c)
		if err != nil {
			t.Fatal(err)
		}
		if len(report) < 5 {
			t.Errorf("%d findings", len(report))
		}
		for _, f := range report {
			if f.Verdict == Failure {
				t.Error(f.Text)
			}
		}
	}
}

func TestConfigurationSurvivesYAML(t *testing.T) {
	_, c := smallProblem(t, nil)
	var back Config
	if err := back.Merge(c.YAML()); err != nil {
		t.Fatal(err)
	}
	if string(back.YAML()) != string(c.YAML()) {
		t.Errorf("%s\nbecame\n%s", c.YAML(), back.YAML())
	}
	if err := back.Merge([]byte("itterations: 3")); err == nil {
		t.Error("an unknown key is accepted")
	}
}

func TestProblemSurvivesAFile(t *testing.T) {
	for _, make := range []func(*testing.T, func(*Config)) (*Problem, Config){smallProblem, smallVolume} {
		p, c := make(t, nil)
		path := filepath.Join(t.TempDir(), "problem.h5")
		if err := p.Save(path); err != nil {
			t.Fatal(err)
		}
		q, err := OpenProblem(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Prepare(background, q, c, nil, nil); err != nil {
			t.Fatal(err)
		}
		if Fingerprint(p, c) != Fingerprint(q, c) {
			t.Error("the problem read back is another one")
		}
	}
}

// halfLeastSquares stands for a misfit of the user's own.
type halfLeastSquares struct{}

func (halfLeastSquares) Name() string { return "own-least-squares" }

func (halfLeastSquares) Evaluate(adjoint, synthetic, observed, weight []float32, nrec, nt int, dt float64) (float64, error) {
	m, err := NewMisfit("least-squares", MisfitOptions{})
	if err != nil {
		return 0, err
	}
	j, err := m.Evaluate(adjoint, synthetic, observed, weight, nrec, nt, dt)
	for i := range adjoint {
		adjoint[i] /= 2
	}
	return j / 2, err
}

func init() { RegisterMisfit(halfLeastSquares{}) }

func TestRegisteredMisfitDrivesARun(t *testing.T) {
	p, c := smallProblem(t, func(c *Config) { c.Stages, c.Regularisation.Tikhonov, c.Balance = c.Stages[:1], -1, -1 })
	want := invert(t, p, c)
	c.Stages[0].Misfit = "own-least-squares"
	got := invert(t, p, c)
	// Halving a misfit halves its gradient: the steps stay the same but for round-off, which a few iterations amplify.
	rms, err := ModelRMS(got.Model, want.Model, p.Scored())
	if err != nil {
		t.Fatal(err)
	}
	if rms > 1 {
		t.Errorf("half of least squares ends %.2g m/s away from least squares", rms)
	}
}
