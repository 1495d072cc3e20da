package fwi

import (
	"context"
	"fmt"
)

// No order of the data is right for every start: near offsets first build reflectors in a background that they cannot correct, first arrivals first
// are lost where they are half a period off. Which of both happened shows in the misfit at the lowest frequencies, where a solve costs
// least. A schedule may therefore hold several attempts, that begin with the same model; the next is made where those before end at too
// high a misfit, and the best goes on (docs/decisions/schedule.md).

// lastOfAttempt tells whether a stage ends an attempt.
func lastOfAttempt(stages []Stage, i int) bool {
	return stages[i].Attempt > 0 && (i+1 == len(stages) || stages[i+1].Attempt != stages[i].Attempt)
}

// firstOfAttempts tells whether a stage begins the first of some attempts.
func firstOfAttempts(stages []Stage, i int) bool {
	return stages[i].Attempt == 1 && (i == 0 || stages[i-1].Attempt != 1)
}

// checkAttempts returns an error unless attempts are counted from 1 and end with stages whose misfits compare.
func checkAttempts(stages []Stage) error {
	first, before := Stage{}, 0 // the stage that ended the first of the attempts; the attempt of the stage before
	for i, s := range stages {
		begins := s.Attempt > 0 && s.Attempt != before
		if s.Attempt < 0 || begins && s.Attempt != 1 && s.Attempt != before+1 {
			return fmt.Errorf("stage %d belongs to attempt %d after one of attempt %d: attempts follow each other as 1, 2, …, and 0 is none", i+1, s.Attempt, before)
		}
		before = s.Attempt
		if !lastOfAttempt(stages, i) {
			continue
		}
		if s.Shots > 0 || s.Encoded > 0 {
			return fmt.Errorf("stage %d ends attempt %d with a mini-batch or encoded shots, whose misfit varies: attempts end with all shots", i+1, s.Attempt)
		}
		s.Iterations, s.Tolerance, s.Attempt = 0, 0, 0
		if stages[i].Attempt == 1 {
			first = s
		} else if s != first {
			return fmt.Errorf("stage %d ends attempt %d with other data or another misfit than the first attempt's last stage: their misfits do not compare", i+1, stages[i].Attempt)
		}
	}
	return nil
}

// noiseMisfit returns the least-squares misfit that noise leaves to the true model: half its share of the data's energy, judged by what traces hold before
// any wave can have travelled their offset.
func (l *level) noiseMisfit() float64 {
	var noise, early, energy, all float64
	settled := int(2 / l.stage.MaxFrequency / l.survey.DT) // before, the band's filter has not yet heard the noise
	for i, g := range l.observed {
		shot := &l.survey.Shots[i]
		begin := 0.0
		if onset := FirstBreaks(shot.Wavelets[0], []float64{0}, l.survey.NT, l.survey.DT)[0]; onset > 0 {
			begin = onset
		}
		for r, position := range shot.Receivers {
			w := 1.0
			if l.weights[i] != nil {
				w = float64(l.weights[i][r])
			}
			trace := g[r*l.survey.NT : (r+1)*l.survey.NT]
			quiet := min(int((begin+offset(shot, position)/fastestArrival)/l.survey.DT), len(trace))
			for t := settled; t < quiet; t++ {
				noise += w * float64(trace[t]) * float64(trace[t])
				early += w
			}
			for _, v := range trace {
				energy += w * float64(v) * float64(v)
			}
			all += w * float64(len(trace))
		}
	}
	if early == 0 || energy == 0 {
		return 0
	}
	return 0.5 * (noise / early) / (energy / all)
}

// attemptMisfit returns the misfit by which an attempt that ends with this stage is judged: of what the records hold, without the balance. That
// costs a wave solve where there is one.
func (r *Run) attemptMisfit(ctx context.Context) (float64, error) {
	if !lastOfAttempt(r.Config.Stages, r.state.Stage) || r.level.balance == nil {
		return r.dataMisfit(r.method.Status().Misfit), nil
	}
	shots := r.heardShots()
	e, err := r.level.withoutBalance().evaluate(ctx, r.x, shots, false)
	if err == nil {
		err = e.Err
	}
	if err != nil {
		return 0, fmt.Errorf("end of attempt %d: %w", r.Config.Stages[r.state.Stage].Attempt, err)
	}
	r.state.Solves += float64(len(shots)) / float64(len(r.level.survey.Shots))
	return e.Misfit, nil
}

// endAttempt chooses the stage that follows one which ended with a misfit, and the model that it begins with.
func (r *Run) endAttempt(ended int, misfit float64) {
	s, stages := &r.state, r.Config.Stages
	if !lastOfAttempt(stages, ended) {
		return
	}
	attempt, next := stages[ended].Attempt, ended+1
	another := next < len(stages) && stages[next].Attempt > attempt
	if s.Best == nil || misfit < s.BestMisfit {
		s.Best, s.BestMisfit, s.BestAttempt = s.Base, misfit, attempt
	}
	enough := r.Config.AttemptMisfit + r.level.noiseMisfit()
	if another && s.BestMisfit > enough {
		r.Say("attempt %d ends at a misfit of %.4f, above %.4f, as cycle-skipped ones do: attempt %d begins where it began", attempt, misfit, enough, attempt+1)
		s.Base, s.Learned = s.Fork, nil
		return
	}
	if another {
		first := next
		for next < len(stages) && stages[next].Attempt > attempt {
			next++
		}
		r.Say("attempt %d has found the way, to a misfit of %.4f: stages %d to %d are not needed", s.BestAttempt, s.BestMisfit, first+1, next)
	}
	if s.BestAttempt != attempt {
		s.Learned = nil // of a worse one
		r.Say("attempt %d, which ended at a misfit of %.4f, goes on", s.BestAttempt, s.BestMisfit)
	}
	s.Stage, s.Base = next, s.Best
	s.Fork, s.Best, s.BestMisfit, s.BestAttempt = nil, nil, 0, 0
}
