package fwi

import (
	"math"
	"testing"
)

// The mean over all signs is the misfit of the separate shots; over n draws it is so to about 1/√n.
func TestEncodedMisfitsAverageToThatOfSeparateShots(t *testing.T) {
	p, c := smallProblem(t, func(c *Config) { c.Stages = []Stage{{MaxFrequency: 5.5, Iterations: 1, Encoded: 3}} })
	l, err := newLevel(background, p, c, c.Stages[0], c.during(c.Stages[0], p.Start))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { l.propagator.Close() }()
	for i := range l.weights {
		l.weights[i] = nil // encoded shots have none
	}
	x := l.restrict(c, p.Start)
	want, err := l.evaluate(background, x, l.survey.AllShots(), true)
	if err != nil {
		t.Fatal(err)
	}
	const draws, together = 12, 3
	var misfit float64
	gradient := make([]float64, len(x))
	for d := range draws {
		if err := l.encode(together, 5, uint64(d)); err != nil {
			t.Fatal(err)
		}
		got, err := l.evaluate(background, x, l.survey.AllShots(), true)
		if err != nil {
			t.Fatal(err)
		}
		misfit += got.Misfit / draws
		for i, g := range got.Gradient {
			gradient[i] += float64(g) / draws
		}
	}
	if e := math.Abs(misfit/want.Misfit - 1); e > 0.15 {
		t.Errorf("the mean of %d encoded misfits is %.3g, that of separate shots %.3g", draws*together, misfit, want.Misfit)
	}
	if cosine := dot(gradient, want.Gradient) / math.Sqrt(dot(gradient, gradient)*dot(want.Gradient, want.Gradient)); cosine < 0.9 {
		t.Errorf("the mean of %d encoded gradients has a cosine of %.3f with that of separate shots", draws*together, cosine)
	}
}

func TestEncodedInversionLowersTheErrorForLessSolves(t *testing.T) {
	p, c := smallProblem(t, func(c *Config) {
		c.Stages = []Stage{{MaxFrequency: 5.5, Iterations: 12, Encoded: 2}}
		c.Iterations = 0
	})
	o := invert(t, p, c)
	if o.Solves > 15 {
		t.Errorf("12 iterations on 2 encoded shots took %.1f solves of 6 shots", o.Solves)
	}
	first, last := o.History[0].ModelRMS, o.History[len(o.History)-1].ModelRMS
	if !(last < 0.97*first) {
		t.Errorf("the model error went from %.1f to %.1f m/s", first, last)
	}
}

func TestEncodedShotsRefuseWhatTellsShotsApart(t *testing.T) {
	for _, s := range []Stage{
		{MaxFrequency: 5, Iterations: 1, Encoded: 2, MaxOffset: 2000},
		{MaxFrequency: 5, Iterations: 1, Encoded: 2, Misfit: "correlation"},
		{MaxFrequency: 5, Iterations: 1, Encoded: 2, Shots: 3},
		{MaxFrequency: 5, Iterations: 1, Encoded: -1},
	} {
		if _, err := (Config{Stages: []Stage{s}}).withDefaults(); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
	p, c := smallProblem(t, func(c *Config) { c.Stages = []Stage{{MaxFrequency: 5.5, Iterations: 1, Encoded: 1}} })
	own := append(p.Survey.Shots[2].Receivers[:0:0], p.Survey.Shots[2].Receivers...)
	p.Survey.Shots[2].Receivers = own
	if _, err := NewRun(p, c).Invert(background); err == nil {
		t.Error("shots with receivers of their own were encoded")
	}
}
