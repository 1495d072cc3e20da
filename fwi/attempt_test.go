package fwi

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// attempts is a schedule of two attempts of so many iterations and a stage after them.
func attempts(first, second int, enough float64) func(*Config) {
	return func(c *Config) {
		c.AttemptMisfit = enough
		c.Stages = []Stage{{MaxFrequency: 5.5, Iterations: first, Attempt: 1}, {MaxFrequency: 5.5, Iterations: second, Attempt: 2}, {MaxFrequency: 9, Iterations: 1}}
	}
}

// ofStage returns the lines of a stage.
func ofStage(o *Outcome, stage int) []Record {
	return slices.DeleteFunc(slices.Clone(o.History), func(r Record) bool { return r.Stage != stage })
}

func TestTheBestOfSeveralAttemptsGoesOn(t *testing.T) {
	p, c := smallProblem(t, attempts(1, 3, 1e-9))
	second := invert(t, p, c)
	if a, b := ofStage(second, 0)[0], ofStage(second, 1)[0]; a.Misfit != b.Misfit || a.ModelRMS != b.ModelRMS {
		t.Errorf("the attempts do not begin with the same model: %+v, %+v", a, b)
	}
	_, c = smallProblem(t, func(c *Config) { c.Stages[1].Iterations = 1 })
	if alone := invert(t, p, c); !slices.Equal(second.Model, alone.Model) {
		t.Error("where the second attempt is better, the model differs from that of a run without the first")
	}

	p, c = smallProblem(t, attempts(3, 1, 1e-9))
	first := invert(t, p, c)
	ended, after := ofStage(first, 0), ofStage(first, 2)
	if len(ofStage(first, 1)) == 0 || math.Abs(after[0].ModelRMS-ended[len(ended)-1].ModelRMS) > 1 { // what the transfer to the user's grid makes up for; the second ends 17 away
		t.Errorf("where the first attempt is better, what follows begins with another model: %+v after %+v", after[0], ended)
	}

	p, c = smallProblem(t, attempts(3, 1, 0.5))
	if enough := invert(t, p, c); len(ofStage(enough, 1)) > 0 || len(ofStage(enough, 2)) == 0 {
		t.Errorf("after an attempt that is good enough another is made: %+v", enough.History)
	}
}

func TestAttemptsThatDoNotCompareAreRefused(t *testing.T) {
	for want, stages := range map[string][]Stage{
		"follow each other": {{MaxFrequency: 5, Iterations: 1, Attempt: 2}},
		"after one of":      {{MaxFrequency: 5, Iterations: 1, Attempt: 1}, {MaxFrequency: 5, Iterations: 1, Attempt: 3}},
		"do not compare":    {{MaxFrequency: 5, Iterations: 1, Attempt: 1}, {MaxFrequency: 6, Iterations: 1, Attempt: 2}},
		"mini-batch":        {{MaxFrequency: 5, Iterations: 1, Shots: 3, Attempt: 1}, {MaxFrequency: 5, Iterations: 1, Shots: 3, Attempt: 2}},
	} {
		if _, err := (Config{Stages: stages}).withDefaults(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", stages, err)
		}
	}
	good := []Stage{{MaxFrequency: 5, Iterations: 1, MaxOffset: 900, Attempt: 1}, {MaxFrequency: 5, Iterations: 7, Attempt: 1}, {MaxFrequency: 5, Iterations: 1, Attempt: 2}, {MaxFrequency: 9, Iterations: 1}}
	if _, err := (Config{Stages: good}).withDefaults(); err != nil {
		t.Error(err)
	}
}

// White noise of a fifth of the data's amplitude leaves a misfit of 0.02 to the true model; what comes before the arrivals must tell.
func TestNoiseIsJudgedByWhatComesBeforeTheArrivals(t *testing.T) {
	for _, noise := range []float64{0, 0.2} {
		p, c := smallProblem(t, func(c *Config) { c.Acquisition.Noise, c.Stages = noise, []Stage{{MaxFrequency: 9, Iterations: 1}} })
		l, err := newLevel(background, p, c, c.Stages[0], c.during(c.Stages[0], p.Start))
		if err != nil {
			t.Fatal(err)
		}
		defer l.propagator.Close()
		e, err := l.withoutBalance().evaluate(background, l.restrict(c, p.Truth), l.survey.AllShots(), false)
		if err != nil {
			t.Fatal(err)
		}
		got := l.noiseMisfit()
		t.Logf("noise of %g: %.5f, the true model's misfit is %.5f", noise, got, e.Misfit)
		if math.Abs(got-e.Misfit) > 0.25*e.Misfit+0.001 { // a tenth of the samples tell of all; what the grid leaves
			t.Errorf("noise of %g leaves a misfit of %.5f, judged %.5f", noise, e.Misfit, got)
		}
	}
}
