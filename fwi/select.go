package fwi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// selectTraces leaves out the traces whose synthetics in a model correlate less with the observed ones than the stage's MinCorrelation, in the stage's window of time:
// those that are a sixth of a period or more off, if it is 0.5, some of which would pull the model towards the wrong cycle. As the model becomes better, later stages
// hear more of them. It costs a wave solve of these shots. It returns 1 for each trace that is heard, 0 for the others, those of other shots among them.
func (l *level) selectTraces(ctx context.Context, vp []float32, shots []int) ([]float32, error) {
	gathers, err := l.propagator.Forward(ctx, vp, shots)
	if err != nil {
		return nil, fmt.Errorf("choice of traces: %w", err)
	}
	heard := []float32{}
	nt := l.survey.NT
	for i := range l.survey.Shots {
		k := slices.Index(shots, i)
		if k < 0 {
			heard = append(heard, make([]float32, len(l.survey.Shots[i].Receivers))...)
			continue
		}
		s, d := l.gained(i, gathers[k]), l.gained(i, l.observed[i])
		for r := range len(s) / nt {
			var ss, sd, dd float64
			for t := r * nt; t < (r+1)*nt; t++ {
				ss += float64(s[t]) * float64(s[t])
				sd += float64(s[t]) * float64(d[t])
				dd += float64(d[t]) * float64(d[t])
			}
			if sd >= l.stage.MinCorrelation*math.Sqrt(ss*dd) {
				heard = append(heard, 1)
			} else {
				heard = append(heard, 0)
			}
		}
	}
	return heard, nil
}

// moreTraces is the least share of the traces that a stage must hear in addition to those of the stage before to be worth its solves, if it differs in nothing
// else.
const moreTraces = 0.05

// errSameTraces is returned by the beginning of a stage that would hear what the stage before has heard.
var errSameTraces = errors.New("the stage would hear what the stage before has heard")

// chooseTraces lets the stage that begins hear the traces that its first model predicts well enough, or all where it predicts none. It returns errSameTraces where
// these are hardly more than in the stage before, which the stage repeats.
func (r *Run) chooseTraces(ctx context.Context, x []float32) error {
	shots := r.heardShots()
	heard, err := r.level.selectTraces(ctx, x, shots)
	if err != nil {
		return err
	}
	r.state.Solves += float64(len(shots)) / float64(len(r.level.survey.Shots))
	share := r.level.shareHeard(heard, shots)
	r.Say("stage %d: %.0f %% of the traces correlate by %g or more with the data", r.state.Stage+1, 100*share, r.level.stage.MinCorrelation)
	if r.state.HeardBefore > 0 && repeats(r.Config.Stages, r.state.Stage) && share < r.state.HeardBefore+moreTraces {
		return errSameTraces
	}
	if share > 0 {
		r.state.Heard = heard
		r.level.applySelection(heard)
	}
	return nil
}

// heardShots are the shots that all of the stage is about.
func (r *Run) heardShots() []int {
	if r.Config.Stages[r.state.Stage].Every > 1 {
		return r.state.Shots
	}
	return r.level.survey.AllShots()
}

// shareHeard returns the share of the shots' traces that is heard.
func (l *level) shareHeard(heard []float32, shots []int) float64 {
	var sum float64
	for _, h := range heard {
		sum += float64(h)
	}
	traces := 0
	for _, i := range shots {
		traces += len(l.survey.Shots[i].Receivers)
	}
	return sum / float64(traces)
}

// repeats tells whether a stage differs from the one before in its number of iterations at most, and ends no attempt.
func repeats(stages []Stage, i int) bool {
	if i == 0 || lastOfAttempt(stages, i) {
		return false
	}
	s, before := stages[i], stages[i-1]
	s.Iterations, s.Tolerance, before.Iterations, before.Tolerance = 0, 0, 0, 0
	return s == before
}

// applySelection multiplies the weights of traces by what selectTraces returned.
func (l *level) applySelection(heard []float32) {
	for i := range l.weights {
		n := len(l.survey.Shots[i].Receivers)
		weights := make([]float32, n)
		for r := range weights {
			weights[r] = heard[r]
			if l.weights[i] != nil {
				weights[r] *= l.weights[i][r]
			}
		}
		l.weights[i], heard = weights, heard[n:]
	}
}
