package fwi

import "testing"

func TestTracesOnTheWrongCycleAreLeftOut(t *testing.T) {
	p, c := smallProblem(t, func(c *Config) { c.Stages[0].MinCorrelation = 0.5 })
	const shot, receiver = 2, 40
	turned := p.Survey.Shots[shot].Receivers[receiver]
	trace := p.Observed[shot][receiver*p.Survey.NT : (receiver+1)*p.Survey.NT]
	for i := range trace {
		trace[i] = -trace[i] // half a period off
	}
	l, err := newLevel(background, p, c, c.Stages[0], c.during(c.Stages[0], p.Start))
	if err != nil {
		t.Fatal(err)
	}
	defer l.propagator.Close()
	heard, err := l.selectTraces(background, l.restrict(c, p.Truth), l.survey.AllShots())
	if err != nil {
		t.Fatal(err)
	}
	l.applySelection(heard)
	wrong, at := 0, 0
	for i := range l.weights {
		for r, x := range l.survey.Shots[i].Receivers {
			isTurned := i == shot && x[0] == turned[0] && x[1] == turned[1]
			if isTurned {
				wrong++
			}
			if (heard[at] == 0) != isTurned || isTurned && l.weights[i][r] != 0 {
				t.Errorf("shot %d, receiver %d: heard %g, weight %g", i, r, heard[at], l.weights[i][r])
			}
			at++
		}
	}
	if wrong != 1 || at != len(heard) {
		t.Fatalf("the turned trace is among the stage's %d times, and %d of %d traces were looked at", wrong, at, len(heard))
	}
}

// A stage that is repeated for the sake of more traces is left out where there are hardly more, and made where there are.
func TestStageThatWouldHearTheSameTracesIsLeftOut(t *testing.T) {
	for _, c := range []struct {
		correlation float64
		other       float64 // frequency of the second stage, Hz
		made        bool
	}{
		{0.1, 5.5, false}, // almost all traces from the start
		{0.1, 6, true},    // another band
		{0.97, 5.5, true},
	} {
		p, config := smallProblem(t, func(x *Config) {
			x.Stages = []Stage{{MaxFrequency: 5.5, Iterations: 3, MinCorrelation: c.correlation}, {MaxFrequency: c.other, Iterations: 2, MinCorrelation: c.correlation}, {MaxFrequency: 9, Iterations: 1}}
			x.Iterations = 0
		})
		r := NewRun(p, config)
		r.Say = t.Logf
		out, err := r.Invert(background)
		if err != nil {
			t.Fatal(err)
		}
		if made := len(ofStage(out, 1)) > 0; made != c.made {
			t.Errorf("correlation %g, %g Hz: second stage made: %v", c.correlation, c.other, made)
		}
		if len(ofStage(out, 2)) != 2 {
			t.Errorf("correlation %g, %g Hz: the last stage has %d lines, not those of its start and of one iteration", c.correlation, c.other, len(ofStage(out, 2)))
		}
	}
}
