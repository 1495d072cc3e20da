package fwi

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gofwi/wave"
)

func TestWindowKeepsWhatLiesBetweenItsMovedOutTimes(t *testing.T) {
	const nt, dt = 300, 0.01
	shot := &wave.Shot{Sources: []wave.Position{{0, 0}}, Receivers: []wave.Position{{0, 0}, {0, 1500}, {0, -3000}}}
	traces := make([]float32, 3*nt)
	for i := range traces {
		traces[i] = 1
	}
	w := Window{Begin: 0.2, End: 1, Velocity: 3000, Taper: 0.1}
	w.apply(traces, w.references(shot, nil), nt, dt, w.Taper)
	for r, reference := range []float64{0, 0.5, 1} {
		for i := range nt {
			at, got := float64(i)*dt-reference, traces[r*nt+i]
			want := float32(-1) // in a taper
			switch {
			case at <= 0.2 || at >= 1:
				want = 0
			case at >= 0.3 && at <= 0.9:
				want = 1
			}
			if want >= 0 && math.Abs(float64(got-want)) > 1e-6 || got < 0 || got > 1 {
				t.Fatalf("receiver %d at %.2f s after its reference is multiplied by %g, not %g", r, at, got, want)
			}
		}
	}
}

func TestWindowsOfFirstArrivalsFollowThem(t *testing.T) {
	w := Window{Begin: -0.05, End: 0.2, FirstArrival: true}
	picks := []float64{0.4, math.Inf(1)}
	shot := &wave.Shot{Sources: []wave.Position{{0, 0}}, Receivers: make([]wave.Position, 2)}
	const nt = 100
	traces := slices.Repeat([]float32{1}, 2*nt)
	w.apply(traces, w.references(shot, picks), nt, 0.01, 0.04)
	if traces[30] != 0 || traces[45] < 0.99 || traces[61] != 0 {
		t.Errorf("around an arrival at sample 40 the window is %g, %g and %g at samples 30, 45 and 61", traces[30], traces[45], traces[61])
	}
	if slices.Min(traces[nt:]) != 1 {
		t.Error("a trace without a first arrival was muted")
	}
}

func TestLoudAndWeakTracesAreRejected(t *testing.T) {
	const nt, traces = 50, 20
	gather := make([]float32, traces*nt)
	for r := range traces {
		level := 1 / (1 + 0.1*float32(r)) // decays with offset
		if r == 7 {
			level = 40
		}
		if r == 12 {
			level = 0.01
		}
		if r > 14 {
			level = 0 // dead ones do not make their live neighbour an outlier
		}
		for i := range nt {
			gather[r*nt+i] = level * float32(math.Sin(float64(i+r)))
		}
	}
	for r, out := range rejected(gather, nt, 5) {
		if out != (r == 7 || r == 12) {
			t.Errorf("trace %d: rejected %t", r, out)
		}
	}
}

// What a trace holds that has no weight changes nothing.
func TestTracesWithoutWeightAreNotFitted(t *testing.T) {
	misfit := func(spoil float32) float64 {
		p, c := smallProblem(t, func(c *Config) { c.Iterations = 1 })
		p.Weights = make([][]float32, len(p.Observed))
		for i := range p.Weights {
			p.Weights[i] = slices.Repeat([]float32{1}, len(p.Survey.Shots[i].Receivers))
			p.Weights[i][20] = 0
			for k := range p.Survey.NT {
				p.Observed[i][20*p.Survey.NT+k] *= spoil
			}
		}
		e, err := NewEvaluator(background, p, c, c.Stages[1])
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		j, err := e.Misfit(background, p.Start)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	if a, b := misfit(1), misfit(3); a != b {
		t.Errorf("tripling a trace of weight zero changed the misfit from %.9g to %.9g", a, b)
	}
}

func TestWeightsAreReadAndChecked(t *testing.T) {
	p, _ := smallProblem(t, nil)
	p.Weights = make([][]float32, len(p.Observed))
	for i := range p.Weights {
		p.Weights[i] = slices.Repeat([]float32{0.5}, len(p.Survey.Shots[i].Receivers))
	}
	path := filepath.Join(t.TempDir(), "weights.h5")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	q, err := OpenProblem(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(slices.Concat(q.Weights...), slices.Concat(p.Weights...)) {
		t.Error("weights written are not those read")
	}
	p.Weights[2][7] = -1
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenProblem(path); err == nil || !strings.Contains(err.Error(), "shot 2, receiver 7") {
		t.Errorf("a negative weight gives %v", err)
	}
}

func TestImpossibleWindowsAreRefused(t *testing.T) {
	for _, s := range []Stage{
		{MaxFrequency: 5, Iterations: 1, MinOffset: 2000, MaxOffset: 1000},
		{MaxFrequency: 5, Iterations: 1, Window: Window{Begin: 1, End: 0.5}},
		{MaxFrequency: 5, Iterations: 1, Window: Window{Velocity: 1500, FirstArrival: true}},
		{MaxFrequency: 5, Iterations: 1, Window: Window{Taper: -1}},
		{MaxFrequency: 5, Iterations: 1, Window: Window{Begin: -1, End: -0.2, FirstArrival: true}},
	} {
		if _, err := (Config{Stages: []Stage{s}}).withDefaults(); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
	if _, err := (Config{RejectTraces: 0.5}).withDefaults(); err == nil {
		t.Error("a factor of 0.5 was accepted")
	}
}
