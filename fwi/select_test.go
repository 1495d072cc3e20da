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
	l, err := newLevel(background, p, c, c.Stages[0])
	if err != nil {
		t.Fatal(err)
	}
	defer l.propagator.Close()
	heard, err := l.selectTraces(background, l.restrict(c, p.Truth))
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
