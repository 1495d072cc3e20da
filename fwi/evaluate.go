package fwi

import (
	"context"
	"fmt"
	"math"

	"gofwi/wave"
)

// Evaluator computes misfits, gradients and gathers of whole models on the user's grid, in the band of one stage, as the inversion does.
type Evaluator struct {
	problem *Problem
	config  Config
	level   *level
}

// NewEvaluator returns an evaluator for a stage of a prepared problem. With the models on the user's grid that it will be asked about, it is faster, and
// refuses others that are faster at their depth.
func NewEvaluator(ctx context.Context, p *Problem, c Config, s Stage, of ...[]float32) (*Evaluator, error) {
	for _, vp := range of {
		if _, _, err := wave.CheckVelocity(p.Grid, vp); err != nil {
			return nil, err
		}
	}
	const rise = 1.001 // round-off
	l, err := newLevel(ctx, p, c, s, models{of, rise})
	if err != nil {
		return nil, err
	}
	return &Evaluator{p, c, l}, nil
}

// Close frees the memory of the solvers.
func (e *Evaluator) Close() { e.level.propagator.Close() }

// Grid is the stage's grid, Plan what its propagator does, Survey its band-limited survey.
func (e *Evaluator) Grid() wave.Grid      { return e.level.grid }
func (e *Evaluator) Plan() wave.Plan      { return e.level.propagator.Plan() }
func (e *Evaluator) Survey() *wave.Survey { return e.level.survey }

// Misfit returns the misfit of a model on the user's grid.
func (e *Evaluator) Misfit(ctx context.Context, vp []float32) (float64, error) {
	x, err := e.restrict(vp)
	if err != nil {
		return 0, err
	}
	out, err := e.level.evaluate(ctx, x, e.level.survey.AllShots(), false)
	if err == nil {
		err = out.Err
	}
	return out.Misfit, err
}

// FitWavelet makes the evaluator use the wavelets with which a model's data fit best, where the configuration has them estimated.
func (e *Evaluator) FitWavelet(ctx context.Context, vp []float32) error {
	if !e.config.EstimateWavelet {
		return nil
	}
	x, err := e.restrict(vp)
	if err != nil {
		return err
	}
	_, err = e.level.fitWavelet(ctx, x)
	return err
}

// Fit says how well the data of a model fit the observed ones.
type Fit struct {
	Misfit float64
	// Explained is the share of the observed energy that the synthetic data explain, 1 - Σ(s-d)²/Σd²: negative if nothing would be better.
	Explained float64
	// Correlation is that of the synthetic with the observed gather, Σsd/√(Σs²Σd²), of each shot.
	Correlation []float64
}

// Fit compares the data of a model on the user's grid with the observed ones, dead traces left out, in the misfit's window of offsets and with its
// gain, but not balanced. It costs a wave solve.
func (e *Evaluator) Fit(ctx context.Context, vp []float32) (Fit, error) {
	var f Fit
	x, err := e.restrict(vp)
	if err != nil {
		return f, err
	}
	l := e.level.withoutBalance()
	gathers, err := l.propagator.Forward(ctx, x, l.survey.AllShots())
	if err != nil {
		return f, err
	}
	var residual, energy float64
	for shot, g := range gathers {
		synthetic, observed := l.gained(shot, g), l.gained(shot, l.observed[shot])
		j, err := l.misfit.Evaluate(make([]float32, len(g)), synthetic, observed, l.weights[shot], len(l.survey.Shots[shot].Receivers), l.survey.NT, l.survey.DT)
		if err != nil {
			return f, err
		}
		f.Misfit += j * l.scale
		var ss, sd, dd float64
		for at := 0; at < len(g); at += l.survey.NT {
			w := 1.0
			if l.weights[shot] != nil {
				w = float64(l.weights[shot][at/l.survey.NT])
			}
			if w == 0 || allZero(observed[at:at+l.survey.NT]) {
				continue
			}
			for i, d := range observed[at : at+l.survey.NT] {
				s, d := float64(synthetic[at+i]), float64(d)
				ss, sd, dd = ss+w*s*s, sd+w*s*d, dd+w*d*d
			}
		}
		correlation := 0.0
		if ss > 0 && dd > 0 {
			correlation = sd / math.Sqrt(ss*dd)
		}
		f.Correlation = append(f.Correlation, correlation)
		residual += ss - 2*sd + dd
		energy += dd
	}
	if energy > 0 {
		f.Explained = 1 - residual/energy
	}
	return f, nil
}

// Gradient returns the misfit of a model on the user's grid and its derivative with respect to each cell, through the restriction to the
// stage's grid; and the illumination on the user's grid.
func (e *Evaluator) Gradient(ctx context.Context, vp []float32) (misfit float64, gradient, illumination []float32, err error) {
	x, err := e.restrict(vp)
	if err != nil {
		return 0, nil, nil, err
	}
	out, err := e.level.evaluate(ctx, x, e.level.survey.AllShots(), true)
	if err == nil {
		err = out.Err
	}
	if err != nil {
		return 0, nil, nil, err
	}
	gradient, illumination = make([]float32, len(vp)), make([]float32, len(vp))
	e.level.regrid.VelocityGradient(gradient, out.Gradient, vp, x)
	for i, m := range e.problem.Mask {
		gradient[i] *= m
	}
	e.level.regrid.Prolong(illumination, out.illumination)
	return out.Misfit, gradient, illumination, nil
}

// Gathers returns the synthetic and observed gathers [receiver, time] of a shot.
func (e *Evaluator) Gathers(ctx context.Context, vp []float32, shot int) (synthetic, observed []float32, err error) {
	x, err := e.restrict(vp)
	if err != nil {
		return nil, nil, err
	}
	g, err := e.level.propagator.Forward(ctx, x, []int{shot})
	if err != nil {
		return nil, nil, err
	}
	return g[0], e.level.observed[shot], nil
}

func (e *Evaluator) restrict(vp []float32) ([]float32, error) {
	if _, _, err := wave.CheckVelocity(e.problem.Grid, vp); err != nil {
		return nil, err
	}
	x := make([]float32, e.level.grid.Cells())
	e.level.regrid.Velocity(x, vp)
	return x, nil
}

// FullBand is the stage that holds everything the schedule inverts.
func FullBand(c Config) Stage {
	s := Stage{Misfit: c.Misfit, MinFrequency: math.Inf(1)}
	for _, r := range c.Stages {
		s.MaxFrequency = max(s.MaxFrequency, r.MaxFrequency)
		s.MinFrequency = min(s.MinFrequency, r.MinFrequency)
	}
	if math.IsInf(s.MinFrequency, 1) {
		s.MinFrequency = 0
	}
	return s
}

// StagePlan is what a stage will do and cost.
type StagePlan struct {
	Stage               Stage
	Grid                wave.Grid
	Options             wave.Options // of the propagator
	Plan                wave.Plan
	Shots               int // of an evaluation
	PointsPerWavelength float64
	TooCoarse           bool    // fewer points than are wanted, as the user's own grid has no more
	PhaseError          float64 // relative, at the highest frequency and slowest velocity
	Points              float64 // solver points × steps × shots of one solve of all shots
}

// Start returns the start model in m/s on the stage's grid, within the velocities that the stage's propagator is made for.
func (s *StagePlan) Start(p *Problem, c Config) []float32 {
	return restrict(wave.NewRegrid(p.Grid, s.Grid), c, upperBounds(&s.Options, s.Grid), p.Start)
}

// PlanStages returns the plan of every stage, or the reason why one is impossible. Grids that are too coarse for their band, because the user's
// own is, are refused if the configuration says so.
func PlanStages(p *Problem, c Config) ([]StagePlan, error) {
	_, high, err := surveyBand(p.Survey)
	if err != nil {
		return nil, err
	}
	vmin := c.slowest(p)
	var plans []StagePlan
	for i, s := range c.Stages {
		top := min(s.MaxFrequency, high)
		g := c.stageGrid(p, top, vmin)
		o, plan, err := planStage(p, c, s, g, top, c.during(s, p.Start))
		if err != nil {
			return nil, fmt.Errorf("stage %d: %w", i+1, err)
		}
		out := StagePlan{Stage: s, Grid: g, Options: o, Plan: plan, PointsPerWavelength: plan.PointsPerWavelength(g, vmin)}
		if out.PhaseError, err = o.PhaseError(g.MaxSpacing(), 1e-3*plan.DT, top, vmin); err != nil { // the time step's is converted away
			return nil, err
		}
		shots := len(p.Survey.Shots)
		if n := max(s.Shots, s.Encoded); n > 0 {
			shots = n
		}
		if s.Every > 1 {
			shots = len(everyShot(p.Survey.AllShots(), s.Every, i))
		}
		out.Shots = shots
		out.Points = float64(plan.Points()) * p.Survey.Duration() / plan.DT * float64(shots)
		out.TooCoarse = out.PointsPerWavelength < 0.9*c.points(p)
		if out.TooCoarse && c.Dispersion == "refuse" {
			return nil, fmt.Errorf("stage %d: %.1f points per wavelength at %.1f Hz and %.0f m/s on the grid's %.3g m, fewer than the %.1f wanted: phase velocities are off by %.2g %%; give a finer model or end the schedule at %.1f Hz",
				i+1, out.PointsPerWavelength, o.MaxFrequency, vmin, g.MaxSpacing(), c.points(p), 100*out.PhaseError, vmin/(g.MaxSpacing()*c.points(p)))
		}
		plans = append(plans, out)
	}
	return plans, nil
}
