package arena

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"gofwi/fwi"
)

// Number is a float64 that JSON may hold although it is not finite, as null.
type Number float64

// MarshalJSON writes null for NaN and the infinities.
func (n Number) MarshalJSON() ([]byte, error) {
	if !finite(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads null as NaN.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	var v float64
	err := json.Unmarshal(text, &v)
	*n = Number(v)
	return err
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Kinds of evaluations.
const (
	atStart   = "start"   // of the inversion; costs nothing
	iterate   = "iterate" // accepted, the first of each stage included
	leapTaken = "leap"    // accepted, by a proposer
	trial     = "trial"   // of a line search, or a proposal under check
)

// Evaluation is what one evaluation of the wave equation brought.
type Evaluation struct {
	Kind        string
	Stage       int // from 1; 0 at the start
	Iteration   int // in the stage
	Solves      Number
	Seconds     Number // of wall time, scoring left out
	Inference   Number // seconds of those in a proposer
	StageMisfit Number // as the method sees it, null where refused
	Misfit      Number // J/J0 as the arena sees it; null where it was not looked at
	ModelRMS    Number // m/s; null at trials and where the truth is unknown
	SSIM        Number
	SolvesInAll Number // with inference in units of solves
	ShotSolves  Number // the same, times shots
}

// Result is a finished case.
type Result struct {
	Key           string // of what was computed
	Setting       setting
	Method        string
	Configuration string // resolved
	Failed        string // why; "": it did not
	Shots         int
	Proposed      int
	Accepted      int
	Seconds       Number
	Evaluations   []Evaluation
}

// options of a comparison that change what a case computes.
type caseOptions struct {
	quick   bool
	threads int
}

// score looks at models with the arena's own misfit.
type score struct {
	problem   *fwi.Problem
	evaluator *fwi.Evaluator
	j0        float64
	scored    []bool
}

// newScore prepares the misfit of a setting: least squares of all shots over the whole band that the default schedule inverts, against data
// without noise. It is the same for all methods.
func newScore(ctx context.Context, p *prepared) (*score, error) {
	problem := *p.problem
	problem.Observed = p.clean
	c := p.config
	c.Start, c.Stages = "", nil
	c, err := fwi.Prepare(ctx, &problem, c, nil, nil)
	if err != nil {
		return nil, err
	}
	stage := fwi.FullBand(c)
	stage.Misfit = "least-squares"
	s := &score{problem: &problem, scored: problem.Scored()}
	if s.evaluator, err = fwi.NewEvaluator(ctx, &problem, c, stage); err != nil {
		return nil, err
	}
	if s.j0, err = s.evaluator.Misfit(ctx, problem.Start); err == nil && !(s.j0 > 0) {
		err = fmt.Errorf("the start's misfit is %g: there is nothing to invert", s.j0)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *score) close() { s.evaluator.Close() }

// models fills in the model error and the similarity of an evaluation.
func (s *score) models(e *Evaluation, vp []float32) {
	e.ModelRMS, e.SSIM = Number(math.NaN()), Number(math.NaN())
	if s.problem.Truth == nil {
		return
	}
	if v, err := fwi.ModelRMS(vp, s.problem.Truth, s.scored); err == nil {
		e.ModelRMS = Number(v)
	}
	if v, err := fwi.SSIM(vp, s.problem.Truth, s.scored, s.problem.Grid.Shape, 0); err == nil {
		e.SSIM = Number(v)
	}
}

// runCase inverts with one method and scores it. It fails only where the context ends; what else goes wrong is part of the result.
func runCase(ctx context.Context, p *prepared, s *score, m Method, o caseOptions) (*Result, error) {
	r := &Result{Setting: p.of, Method: m.Name, Shots: len(p.problem.Survey.Shots)}
	if err := r.invert(ctx, p, s, m, o); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.Failed = err.Error()
	}
	r.finish()
	return r, nil
}

func (r *Result) invert(ctx context.Context, p *prepared, s *score, m Method, o caseOptions) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	problem := *p.problem
	c := p.config
	if err := c.Merge([]byte(m.Configuration)); err != nil {
		return err
	}
	c.Acquisition, c.Start, c.Seed, c.Threads = p.config.Acquisition, "", p.of.Seed, o.threads
	if c, err = fwi.Prepare(ctx, &problem, c, nil, nil); err != nil {
		return err
	}
	r.Configuration = string(c.YAML())
	run := fwi.NewRun(&problem, c)
	if m.Proposer != "" {
		if run.Proposer, err = fwi.NewProposer(m.Proposer); err != nil {
			return err
		}
	}
	begin := Evaluation{Kind: atStart, Misfit: 1, StageMisfit: Number(math.NaN())}
	s.models(&begin, problem.Start)
	r.Evaluations = append(r.Evaluations, begin)
	var scoring time.Duration
	var failure error
	lookedAt := 0.0
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	run.Observer = func(g fwi.Progress) {
		begun := time.Now()
		defer func() { scoring += time.Since(begun) }()
		e := Evaluation{Kind: trial, Stage: g.Stage + 1, Iteration: g.Iteration, Solves: Number(g.Solves), Seconds: Number(g.Seconds - scoring.Seconds()),
			Inference: Number(g.Proposing), StageMisfit: Number(g.Tried), Misfit: Number(math.NaN()), ModelRMS: Number(math.NaN()), SSIM: Number(math.NaN())}
		if !g.Trial {
			e.Kind, e.StageMisfit = iterate, Number(g.Misfit)
			if g.Leap {
				e.Kind = leapTaken
			}
			s.models(&e, g.Model)
			if g.Solves >= lookedAt+max(2, 0.03*lookedAt) {
				lookedAt = g.Solves
				j, err := s.evaluator.Misfit(within, g.Model)
				if err != nil {
					failure = errors.Join(failure, err)
					cancel()
					return
				}
				e.Misfit = Number(j / s.j0)
			}
			if n := len(r.Evaluations); r.Evaluations[n-1].Kind == trial {
				r.Evaluations = r.Evaluations[:n-1] // the same evaluation, accepted
			}
		}
		r.Evaluations = append(r.Evaluations, e)
	}
	outcome, err := run.Invert(within)
	if err = errors.Join(failure, err); err != nil {
		return err
	}
	for _, l := range outcome.Leaps {
		r.Proposed++
		if l.Accepted {
			r.Accepted++
		}
	}
	j, err := s.evaluator.Misfit(ctx, outcome.Model)
	if err != nil {
		return err
	}
	for i := len(r.Evaluations) - 1; i > 0; i-- {
		if e := &r.Evaluations[i]; e.Kind != trial {
			e.Misfit = Number(j / s.j0)
			s.models(e, outcome.Model)
			break
		}
	}
	return nil
}

// finish turns inference into solves: the seconds of a solve are the mean of the run's.
func (r *Result) finish() {
	if len(r.Evaluations) == 0 {
		return
	}
	last := r.Evaluations[len(r.Evaluations)-1]
	r.Seconds = last.Seconds
	var perSecond float64
	if t := float64(last.Seconds - last.Inference); t > 0 {
		perSecond = float64(last.Solves) / t
	}
	for i := range r.Evaluations {
		e := &r.Evaluations[i]
		e.SolvesInAll = e.Solves + e.Inference*Number(perSecond)
		e.ShotSolves = e.SolvesInAll * Number(r.Shots)
	}
}

// load reads a finished case, nil if there is none or if it computed something else.
func load(path, key string) *Result {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var r Result
	if json.Unmarshal(text, &r) != nil || r.Key != key {
		return nil
	}
	return &r
}

func (r *Result) save(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return fwi.WriteFile(path, append(text, '\n'))
}
