package fwi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gofwi/wave"
)

// Record is one line of a run's history: an iterate that was accepted, the first of each stage included.
type Record struct {
	Stage     int     // from 0
	Iteration int     // in the stage; 0 is its beginning
	Solves    float64 // wave solves per shot since the run began
	Seconds   float64 // since the run began, interruptions not counted
	Misfit    float64 // of the stage's data: ½ for a model that predicts nothing, where it is least squares
	ModelRMS  float64 // m/s below the water, NaN where the truth is unknown
	Leap      bool    // the iterate was proposed; Iteration counts the method's own
	Proposing float64 // seconds of those since the run began that a proposer took
}

// Progress is what an Observer sees.
type Progress struct {
	Record
	Stages int // in all
	Of     int // iterations that the stage may take
	Model  []float32
	Trial  bool    // a trial model was evaluated, nothing is accepted yet
	Tried  float64 // misfit of the last evaluation, NaN where it was refused
}

// Observer is called after every evaluation. It must not keep Model.
type Observer func(Progress)

// Run is an inversion that can be interrupted and resumed at any evaluation.
type Run struct {
	Problem *Problem
	Config  Config // resolved by Prepare

	// Observer, if not nil, follows the progress. Save, if not nil, is called when the run's state is worth keeping: after
	// every accepted iterate at which SaveEvery has passed since the last time, at the end of each stage, and when the context ends.
	Observer  Observer
	Save      func(*Snapshot) error
	SaveEvery time.Duration // 0: 20 s
	Say       Notice
	// Proposer, if not nil, is asked for leaps after iterations.
	Proposer Proposer

	state    Snapshot
	level    *level
	borrowed bool // the level is another run's
	method   Method
	weight   *Preconditioner
	regular  *regulariser // nil: none
	x        []float32    // the method's current iterate
	latest   []float32    // illumination of the last evaluation
	tried    float64      // misfit of the last evaluation
	model    []float32    // the current iterate on the user's grid
	started  time.Time
	before   float64 // seconds of earlier sittings
	lastSave time.Time
	scored   []bool
}

// Snapshot is everything that a run remembers.
type Snapshot struct {
	Stage        int     // being worked on; the number of stages when done
	Solves       float64 // wave solves per shot
	Seconds      float64
	Batch        int       // mini-batches drawn in the stage
	BatchSize    int       // shots of the next one, 0: all
	BatchDrawn   bool      // and not yet evaluated
	Shots        []int     // of the current mini-batch
	Base         []float32 // model at the beginning of the stage, user's grid
	Fork         []float32 // the same where attempts began, nil outside them
	Best         []float32 // where the best of the attempts that are over ended, nil: none is
	BestMisfit   float64
	BestAttempt  int
	Illumination []float32 // that the preconditioner uses, stage's grid
	Method       *State    // nil: the stage has not begun
	Heard        []float32 // traces that the stage chose: 1, others 0; nil: all
	HeardBefore  float64   // share of the traces that the stage before had chosen; 0: it had not chosen
	Wavelet      []float32 // estimated factor of the stage's wavelets, nil: none
	WaveletAt    int       // iteration at which it was estimated
	Learned      *Learned  // by the stage before, nil: nothing
	Leaps        []Leap    // proposed
	Recent       []Iterate // of the stage, where there is a proposer
	Proposing    float64   // seconds spent in the proposer
	History      []Record
}

// Learned are the pairs with which a stage's L-BFGS ended. The next stage begins with them: what a direction costs in one band
// resembles what it costs in the next, and the ten iterations that learn it anew are saved.
type Learned struct {
	Shape []int // of the stage's grid
	Pairs int
	S, Y  []float32 `json:"-"` // [Pairs, cells]
}

// NewRun returns a run from the beginning; the problem must be prepared.
func NewRun(p *Problem, c Config) *Run {
	return &Run{Problem: p, Config: c, state: Snapshot{Base: p.Start}}
}

// Resume makes the run go on from a snapshot of the same problem and configuration.
func (r *Run) Resume(s *Snapshot) error {
	if len(s.Base) != len(r.Problem.Start) {
		return fmt.Errorf("the saved model has %d cells, the problem %d: they do not belong together", len(s.Base), len(r.Problem.Start))
	}
	if s.Stage > len(r.Config.Stages) {
		return fmt.Errorf("the run was saved in stage %d, the schedule has %d: they do not belong together", s.Stage+1, len(r.Config.Stages))
	}
	r.state = *s
	return nil
}

// Outcome is the result of a run.
type Outcome struct {
	Model      []float32 // user's grid, m/s
	History    []Record
	Solves     float64 // wave solves per shot
	Seconds    float64
	Iterations int
	Leaps      []Leap // proposed
}

// Invert walks the schedule. When the context ends it saves and returns its error.
func (r *Run) Invert(ctx context.Context) (*Outcome, error) {
	r.started, r.before, r.lastSave = time.Now(), r.state.Seconds, time.Now()
	if r.SaveEvery == 0 {
		r.SaveEvery = 20 * time.Second
	}
	if r.Say == nil {
		r.Say = func(string, ...any) {}
	}
	r.scored = r.Problem.Scored()
	for r.state.Stage < len(r.Config.Stages) {
		if err := r.runStage(ctx); err != nil {
			if r.method != nil {
				r.keepMethod()
			}
			if ctx.Err() != nil || r.method != nil {
				if saveErr := r.save(); saveErr != nil {
					err = errors.Join(err, saveErr)
				}
			}
			return r.outcome(), fmt.Errorf("stage %d: %w", r.state.Stage+1, err)
		}
	}
	return r.outcome(), r.save()
}

func (r *Run) outcome() *Outcome {
	iterations := 0
	for _, h := range r.state.History {
		if h.Iteration > 0 && !h.Leap {
			iterations++
		}
	}
	return &Outcome{Model: r.Model(), History: r.state.History, Solves: r.state.Solves, Seconds: r.seconds(), Iterations: iterations, Leaps: r.state.Leaps}
}

func (r *Run) seconds() float64 { return r.before + time.Since(r.started).Seconds() }

func (r *Run) save() error {
	r.state.Seconds = r.seconds()
	r.lastSave = time.Now()
	if r.Save == nil {
		return nil
	}
	return r.Save(&r.state)
}

func (r *Run) keepMethod() { r.state.Method = r.method.State() }

// Model returns the current model on the user's grid: the stage's base plus what the stage has changed, interpolated.
func (r *Run) Model() []float32 {
	model := append([]float32{}, r.state.Base...)
	if r.level == nil || r.method == nil {
		return model
	}
	return r.level.onUsersGrid(r.Problem, r.Config, r.state.Base, r.x, 1)
}

// transferPasses is how often endStage corrects the user's model for what its restriction lacks of the stage's.
const transferPasses = 4

// onUsersGrid returns the model on the user's grid that the stage has made of the one it began with. A cell of the stage that mixes water, which keeps
// its velocity, with rock changes less there than on the stage's grid; further passes let the rock make up for that, without which
// the next stage would begin with other data than this one ended with.
func (l *level) onUsersGrid(p *Problem, c Config, base, x []float32, passes int) []float32 {
	model := append([]float32{}, base...)
	change, fine := make([]float32, len(x)), make([]float32, len(base))
	if l.of != &base[0] {
		l.base, l.of = l.restrict(c, base), &base[0]
	}
	now := l.base
	for pass := range passes {
		if pass > 0 {
			now = l.restrict(c, model)
		}
		for i := range x {
			change[i] = x[i] - now[i]
		}
		l.regrid.Prolong(fine, change)
		for i, v := range model {
			if m := p.Mask[i]; m != 0 && fine[i] != 0 {
				model[i] = min(max(v+m*fine[i], float32(c.MinVelocity)), float32(c.MaxVelocity))
			}
		}
	}
	return model
}

func (l *level) restrict(c Config, model []float32) []float32 {
	return restrict(l.regrid, c, l.upper, model)
}

// restrict returns a model on a stage's grid, within the bounds.
func restrict(regrid *wave.Regrid, c Config, upper, model []float32) []float32 {
	out := make([]float32, regrid.Coarse.Cells())
	regrid.Velocity(out, model)
	for i, v := range out {
		out[i] = min(max(v, float32(c.MinVelocity)), upper[i])
	}
	return out
}

func (r *Run) runStage(ctx context.Context) error {
	stage := r.Config.Stages[r.state.Stage]
	var err error
	r.method = nil
	if !r.borrowed {
		if r.level, err = newLevel(ctx, r.Problem, r.Config, stage, r.Config.during(stage, r.state.Base)); err != nil {
			return err
		}
		defer func() {
			r.level.propagator.Close()
		}()
	}
	if r.weight, err = r.preconditioner(stage); err != nil {
		return err
	}
	options := MethodOptions{FirstChange: r.Config.FirstChange, MaxChange: r.Config.MaxChange, Memory: r.Config.Memory,
		Lower: []float32{float32(r.Config.MinVelocity)}, Upper: r.level.upper, Mask: r.level.mask, Precondition: r.weight.Apply, MaxTrials: 6,
		Products: r.Config.GaussNewton.Products}
	if r.regular, err = newRegulariser(r.level.grid, r.Config.Regularisation.of(stage), r.level.mask, r.level.restrict(r.Config, r.Problem.Start)); err != nil {
		return err
	}
	if r.regular != nil && r.regular.bounded {
		if r.regular.limit == 0 {
			return errors.New("the start model is constant on its grid: there is no total variation that total_variation could be a multiple of")
		}
		options.Constrain = r.regular.project
	}
	method, err := NewMethod(r.Config.Method, options)
	if err != nil {
		return err
	}
	if r.state.Method != nil {
		if err := method.Restore(r.state.Method); err != nil {
			return err
		}
		if err := r.weight.SetIllumination(r.state.Illumination); err != nil {
			return err
		}
		if r.state.Wavelet != nil {
			r.level.applyWavelet(r.state.Wavelet)
		}
		if r.state.Heard != nil && !r.borrowed {
			r.level.applySelection(r.state.Heard)
		}
		if stage.Encoded > 0 {
			if err := r.encode(); err != nil {
				return err
			}
		}
		r.x = append([]float32{}, r.state.Method.X...)
	} else if err := r.begin(ctx, method); errors.Is(err, errSameTraces) {
		r.Say("stage %d is left out: the stage before, which differs in its shots at most, has heard %.0f %% of its traces", r.state.Stage+1, 100*r.state.HeardBefore)
		r.state.Stage++
		return r.save()
	} else if err != nil {
		return err
	}
	r.method = method
	request, x := method.Pending()
	for {
		var e Evaluation
		switch request {
		case Stop:
			r.Say("stage %d ends: %s", r.state.Stage+1, method.Status().Reason)
			return r.endStage(ctx)
		case Accept:
			copy(r.x, x)
			done, failure := r.accepted(ctx, stage)
			if failure != nil {
				return failure
			}
			if done {
				return r.endStage(ctx)
			}
			if request, x = method.Pending(); request != Accept {
				continue // a new mini-batch wants its evaluation
			}
			if done, failure = r.leap(ctx, stage); failure != nil {
				return failure
			}
			if done {
				return r.endStage(ctx)
			}
		case CurvatureAlong:
			if e, err = r.multiply(ctx, x); err != nil {
				return err
			}
		default:
			full, failure := r.evaluate(ctx, x, request == EvaluateBoth)
			if failure != nil {
				return failure
			}
			e = full.Evaluation
			if r.state.BatchDrawn {
				r.state.BatchDrawn = false
				if stage.Variance > 0 && e.Err == nil {
					r.growBatch(stage, method.State().Gradient, e.Gradient)
				}
			}
			if e.Err != nil {
				r.Say("stage %d: a trial model is refused: %v", r.state.Stage+1, e.Err)
			} else if full.illumination != nil {
				r.latest = full.illumination
			}
			r.observe(true)
		}
		if request, x, err = method.Next(e); err != nil {
			return err
		}
	}
}

func (r *Run) preconditioner(s Stage) (*Preconditioner, error) {
	o := PreconditionerOptions{Shape: r.level.grid.Shape, Spacing: r.level.grid.Spacing, Mask: r.level.mask}
	pc := r.Config.Preconditioner
	o.DepthPower = pc.Depth
	if pc.Power > 0 {
		o.IlluminationPower, o.IlluminationFloor = pc.Power, pc.Floor
		o.IlluminationSmoothing = 1.5 * r.level.grid.DX()
		if pc.Receivers {
			o.Reach = r.level.reach()
		}
	}
	if pc.Smoothing > 0 {
		sigma := pc.Smoothing * r.Config.slowest(r.Problem) / s.MaxFrequency
		for range o.Shape {
			o.Smoothing = append(o.Smoothing, sigma)
		}
	}
	return NewPreconditioner(o)
}

// begin evaluates the model with which a stage starts.
func (r *Run) begin(ctx context.Context, method Method) error {
	if firstOfAttempts(r.Config.Stages, r.state.Stage) {
		r.state.Fork = r.state.Base
	}
	r.state.BatchSize = r.Config.Stages[r.state.Stage].Shots
	r.state.Batch, r.state.Wavelet, r.state.Recent = 0, nil, nil
	if err := r.drawBatch(); err != nil {
		return err
	}
	x := r.level.restrict(r.Config, r.state.Base)
	if r.regular != nil && r.regular.bounded {
		bounded := slices.Clone(x)
		r.regular.project(bounded)
		for i, m := range r.level.mask {
			if m != 0 {
				x[i] = min(max(bounded[i], float32(r.Config.MinVelocity)), r.level.upper[i])
			}
		}
	}
	if r.Config.EstimateWavelet {
		if err := r.fitWavelet(ctx, x, 0); err != nil {
			return err
		}
	}
	if r.Config.Stages[r.state.Stage].MinCorrelation > 0 {
		if err := r.chooseTraces(ctx, x); err != nil {
			return err
		}
	}
	e, err := r.evaluate(ctx, x, true)
	if err != nil {
		return err
	}
	if e.Err != nil {
		return fmt.Errorf("its first model cannot be evaluated: %w", e.Err)
	}
	if allZero(e.Gradient) && e.Misfit > 0 {
		return fmt.Errorf("the gradient is zero everywhere although the misfit is %g: look at the mask, the offsets and the band", e.Misfit)
	}
	r.state.Illumination = e.illumination
	if err := r.weight.SetIllumination(e.illumination); err != nil {
		return err
	}
	if err := method.Start(x, e.Evaluation); err != nil {
		return err
	}
	if l := r.state.Learned; l != nil {
		if err := method.Restore(l.onto(r.level.grid, method.State())); err != nil {
			return err
		}
		r.state.Learned = nil
	}
	r.method, r.x = method, x
	r.note(0, e.Misfit, false)
	r.observe(false)
	return nil
}

func (r *Run) fitWavelet(ctx context.Context, x []float32, iteration int) error {
	factor, err := r.level.fitWavelet(ctx, x)
	if err != nil {
		return err
	}
	r.state.Solves++
	r.state.Wavelet, r.state.WaveletAt = factor, iteration
	return nil
}

// renewWavelet estimates the wavelet anew after every so many iterations: another misfit from then on.
func (r *Run) renewWavelet(ctx context.Context, iteration int) error {
	every := r.Config.WaveletEvery
	if !r.Config.EstimateWavelet || every == 0 || iteration%every != 0 || r.state.WaveletAt == iteration {
		return nil
	}
	if err := r.fitWavelet(ctx, r.x, iteration); err != nil {
		return err
	}
	return r.method.NewObjective(true)
}

// drawBatch chooses the shots of the next mini-batch: evenly spread, from an offset drawn at random, so that each covers
// the section.
func (r *Run) drawBatch() error {
	n, size := len(r.Problem.Survey.Shots), r.state.BatchSize
	r.state.Shots = r.Problem.Survey.AllShots()
	if r.Config.Stages[r.state.Stage].Encoded > 0 {
		r.state.Batch++
		return r.encode()
	}
	if every := r.Config.Stages[r.state.Stage].Every; every > 1 {
		r.state.Shots = everyShot(r.state.Shots, every, r.state.Stage)
		return nil
	}
	if size == 0 || size >= n {
		return nil
	}
	rng := rand.New(rand.NewPCG(r.Config.Seed, uint64(r.state.Stage)<<32+uint64(r.state.Batch)))
	r.state.Shots = spreadShots(r.state.Shots, size, rng.Float64())
	r.state.Batch++
	return nil
}

// encode makes the encoded shots of the current draw.
func (r *Run) encode() error {
	err := r.level.encode(r.Config.Stages[r.state.Stage].Encoded, r.Config.Seed, uint64(r.state.Stage)<<32+uint64(r.state.Batch))
	if err == nil {
		r.state.Shots = r.level.survey.AllShots()
	}
	return err
}

// growBatch compares the gradients of two mini-batches at the same model. Half the square of their difference estimates the variance of one of them; where
// its root is above the stage's fraction of the gradient (Byrd, Chin, Nocedal & Wu 2012) the next batch is as much larger as would mend it, at
// most twice. The batch of the last iterations has been fitted to its own noise and the test errs towards large ones. It costs no solve: a new
// batch must be evaluated anyhow.
func (r *Run) growBatch(stage Stage, before, after []float32) {
	var difference, mean float64
	for i, a := range after {
		b := float64(before[i])
		difference += (float64(a) - b) * (float64(a) - b)
		mean += (float64(a) + b) * (float64(a) + b) / 4
	}
	if excess := difference / 2 / (stage.Variance * stage.Variance * mean); excess > 1 {
		size := len(r.state.Shots)
		r.state.BatchSize = min(size+int(math.Ceil((min(excess, 2)-1)*float64(size))), len(r.Problem.Survey.Shots))
		r.Say("stage %d: gradients of mini-batches of %d shots differ too much, the next has %d", r.state.Stage+1, size, r.state.BatchSize)
	}
}

// spreadShots returns some of the shots, evenly spread, from an offset between 0 and 1 times their distance.
func spreadShots(shots []int, size int, shift float64) []int {
	out := make([]int, size)
	for i := range out {
		out[i] = shots[int((float64(i)+shift)*float64(len(shots))/float64(size))]
	}
	return out
}

// multiply answers CurvatureAlong, with as many of the shots as the configuration says: the same for all products of an iteration, others in
// the next (Byrd et al. 2011).
func (r *Run) multiply(ctx context.Context, dv []float32) (Evaluation, error) {
	shots := r.state.Shots
	if size := r.Config.GaussNewton.Shots; size > 0 && size < len(shots) {
		rng := rand.New(rand.NewPCG(r.Config.Seed, ^(uint64(r.state.Stage)<<32 + uint64(r.method.Status().Iteration))))
		shots = spreadShots(shots, size, rng.Float64())
	}
	e, err := r.level.multiply(ctx, r.x, dv, shots)
	if err != nil {
		return e, err
	}
	r.regular.product(e.Gradient, dv)
	plan := r.level.propagator.Plan()
	r.state.Solves += float64(len(shots)) / float64(len(r.Problem.Survey.Shots)) * (2 + plan.GradientSolves())
	return e, nil
}

// batchLife is the number of iterations for which a mini-batch serves before the next is drawn: long enough that L-BFGS learns from
// differences of one and the same misfit.
const batchLife = 4

// evaluate counts the solves of an evaluation in units of the whole survey.
func (r *Run) evaluate(ctx context.Context, x []float32, gradient bool) (evaluation, error) {
	e, err := r.level.evaluate(ctx, x, r.state.Shots, gradient)
	if err != nil {
		return e, err
	}
	share := float64(len(r.state.Shots)) / float64(len(r.Problem.Survey.Shots))
	r.state.Solves += share
	if gradient && e.Err == nil {
		plan := r.level.propagator.Plan()
		r.state.Solves += share * (plan.GradientSolves() - 1)
	}
	if r.tried = e.Misfit; e.Err != nil {
		r.tried = math.NaN()
		return e, nil
	}
	e.Misfit += r.regular.add(e.Gradient, x)
	return e, nil
}

// accepted does what follows an accepted iterate and tells whether the stage is over.
func (r *Run) accepted(ctx context.Context, stage Stage) (done bool, err error) {
	st := r.method.Status()
	iteration := st.Iteration
	last := &r.state.History[len(r.state.History)-1]
	if last.Stage == r.state.Stage && last.Iteration == iteration {
		// a resumed run stands here again
		if r.isOver(stage, st) {
			return true, nil
		}
		return false, r.renewWavelet(ctx, iteration)
	}
	r.note(iteration, st.Misfit, false)
	r.observe(false)
	r.state.Illumination = r.latest
	if err := r.weight.SetIllumination(r.state.Illumination); err != nil {
		return false, err
	}
	if r.isOver(stage, st) {
		return true, nil
	}
	if stage.Encoded > 0 && iteration%batchLife == 0 || stage.Shots > 0 && iteration%batchLife == 0 && len(r.state.Shots) < len(r.Problem.Survey.Shots) {
		if err := r.drawBatch(); err != nil {
			return false, err
		}
		r.state.BatchDrawn = true
		if err := r.method.NewObjective(true); err != nil {
			return false, err
		}
	}
	if err := r.renewWavelet(ctx, iteration); err != nil {
		return false, err
	}
	if time.Since(r.lastSave) >= r.SaveEvery {
		r.keepMethod()
		return false, r.save()
	}
	return false, nil
}

// isOver tells whether a stage has used its iterations or gains too little: less than the tolerance over three iterations on average.
func (r *Run) isOver(stage Stage, st Status) bool {
	if st.Iteration+r.credited() >= stage.Iterations {
		return true
	}
	const window = 3
	h := r.state.History
	if stage.Shots > 0 || stage.Encoded > 0 || st.Iteration < window {
		return false // misfits of different batches do not compare
	}
	from, lowest := h[len(h)-1-window].Misfit, h[len(h)-1].Misfit
	for _, r := range h[len(h)-window:] {
		lowest = min(lowest, r.Misfit) // with some methods the misfit may rise on its way
	}
	return from-lowest < window*stage.Tolerance*from
}

// dataMisfit returns the part of a misfit of the current model that is the data's.
func (r *Run) dataMisfit(misfit float64) float64 { return misfit - r.regular.add(nil, r.x) }

// note adds an iterate, with the misfit that the method sees, to the history.
func (r *Run) note(iteration int, misfit float64, leap bool) {
	rms := math.NaN()
	r.model = r.Model()
	if r.Problem.Truth != nil {
		rms, _ = ModelRMS(r.model, r.Problem.Truth, r.scored)
	}
	r.state.History = append(r.state.History, Record{Stage: r.state.Stage, Iteration: iteration, Solves: r.state.Solves,
		Seconds: r.seconds(), Misfit: r.dataMisfit(misfit), ModelRMS: rms, Leap: leap, Proposing: r.state.Proposing})
}

func (r *Run) observe(trial bool) {
	if r.Observer == nil || len(r.state.History) == 0 {
		return
	}
	p := Progress{Record: r.state.History[len(r.state.History)-1], Stages: len(r.Config.Stages), Of: r.Config.Stages[r.state.Stage].Iterations, Trial: trial, Tried: r.tried}
	p.Solves, p.Seconds = r.state.Solves, r.seconds()
	if !trial {
		p.Model = r.model
	}
	r.Observer(p)
}

// onto returns a method's state with the pairs on its grid. Their products s·y stay what they were: gradients are summed over
// cells that have become more.
func (l *Learned) onto(g wave.Grid, st *State) *State {
	from := wave.Grid{Shape: l.Shape, Origin: g.Origin}
	n, m := g.Cells(), from.Cells()
	for d, cells := range l.Shape {
		from.Spacing = append(from.Spacing, g.Spacing[d]*float64(g.Shape[d]-1)/float64(cells-1))
	}
	regrid := wave.NewRegrid(g, from)
	st.Status.Pairs, st.PairS, st.PairY = l.Pairs, make([]float32, l.Pairs*n), make([]float32, l.Pairs*n)
	for k := range l.Pairs {
		regrid.Prolong(st.PairS[k*n:(k+1)*n], l.S[k*m:(k+1)*m])
		regrid.Prolong(st.PairY[k*n:(k+1)*n], l.Y[k*m:(k+1)*m])
	}
	for i := range st.PairY {
		st.PairY[i] *= float32(m) / float32(n)
	}
	return st
}

// endStage puts the stage's change into the model of the user's grid.
func (r *Run) endStage(ctx context.Context) error {
	misfit, err := r.attemptMisfit(ctx)
	if err != nil {
		return err
	}
	r.state.Base = r.level.onUsersGrid(r.Problem, r.Config, r.state.Base, r.x, transferPasses)
	ended := r.state.Stage
	r.state.Stage++
	if st := r.method.State(); st.Status.Pairs > 0 {
		r.state.Learned = &Learned{Shape: r.level.grid.Shape, Pairs: st.Status.Pairs, S: st.PairS, Y: st.PairY}
	}
	r.state.HeardBefore = 0
	if r.state.Heard != nil {
		r.state.HeardBefore = r.level.shareHeard(r.state.Heard, r.heardShots())
	}
	r.state.Method, r.state.Illumination, r.state.Wavelet, r.state.Heard = nil, nil, nil, nil
	r.endAttempt(ended, misfit)
	r.method = nil
	return r.save()
}

// classify sorts what went wrong: a model to blame is told to the optimiser, the rest ends the run.
func (l *level) classify(e *evaluation, err error) error {
	if errors.Is(err, wave.ErrVelocity) || errors.Is(err, wave.ErrNotFinite) {
		e.Err = err
		return nil
	}
	return err
}
