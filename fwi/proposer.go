package fwi

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gofwi/wave"
)

// Proposer predicts where an inversion is heading: from the state after an iteration it may propose a leap, the model that many more
// iterations would reach. It knows nothing that the run does not check: the wave equation decides (docs/decisions/leaps.md).
//
// What it proposes must follow from the Look alone, so that a resumed run gives the same bits: a Proposer keeps no memory of its
// own, Look.Leaps tells what became of its earlier proposals. It runs on the goroutine of the run. If it panics or returns an error, that is said and
// counts as a refused proposal.
type Proposer interface {
	// Propose returns a proposal or, where it has none, nil. The Look and its slices are the proposer's to keep and change.
	Propose(ctx context.Context, l *Look) (*Proposal, error)
}

// Proposal is a leap that a Proposer wishes to take.
type Proposal struct {
	Model []float32 // on Look.Grid, m/s; brought within the bounds, and frozen cells reset, before it is evaluated
	Ahead int       // the number of iterations that the leap stands for; it caps what an accepted leap counts of the stage's iterations
}

// Look is the state of an inversion after an iteration, as a Proposer sees it. Models and gradients are on Grid, the stage's.
type Look struct {
	Stage        Stage
	Number       int // of the stage, from 0
	Iteration    int // in the stage; 0 is its beginning
	Of           int // iterations that the stage may take
	Grid         wave.Grid
	Survey       *wave.Survey // of the stage's band, at the solver's time step; not to be changed
	Lower, Upper float64      // bounds, m/s
	Mask         []float32    // 0 freezes a cell
	Misfit       float64
	Model        []float32 // m/s
	Gradient     []float32 // of the misfit with respect to the model
	Illumination []float32
	Recent       []Iterate // those before in this stage, oldest first, at most RecentIterates
	Leaps        []Leap    // proposed so far in the whole run

	run *Run // for the Oracle
}

// Iterate is a model that an inversion has passed through, with the gradient there.
type Iterate struct {
	Iteration int
	Misfit    float64
	Model     []float32 `json:"-"`
	Gradient  []float32 `json:"-"`
}

// RecentIterates is the number of earlier iterates that a Look holds.
const RecentIterates = 4

// Leap tells what became of a proposal.
type Leap struct {
	Stage, Iteration int
	Before           float64 // misfit
	After            float64 // misfit at the proposal, 0 where it was refused before that was known
	Accepted         bool
	Credit           int    // iterations of the stage that it counts for
	Why              string `json:",omitempty"` // it was refused
}

// uncounted is implemented by proposers whose time is not the run's to count.
type uncounted interface{ Uncounted() bool }

const (
	// fastestOwn is the factor of the misfit beyond which a step of the method's own is not believed to go on: a step that took J to a
	// tenth says little of the next one.
	fastestOwn = 0.35
	// firstOwn is what the first step of a stage is taken to do to the misfit.
	firstOwn = 0.5
	// slowestOwn keeps a leap from being accepted for round-off.
	slowestOwn = 0.999
	// longestPause bounds the iterations without a question after refusals.
	longestPause = 16
)

// ownFactor predicts the factor by which the method's next step changes the misfit, from its last one.
func ownFactor(st Status) float64 {
	if st.Iteration == 0 || !(st.Decrease > 0) {
		return firstOwn
	}
	return min(max(st.Misfit/(st.Misfit+st.Decrease), fastestOwn), slowestOwn)
}

// credited returns the iterations for which accepted leaps of the stage count.
func (r *Run) credited() int {
	sum := 0
	for _, l := range r.state.Leaps {
		if l.Stage == r.state.Stage && l.Accepted {
			sum += l.Credit
		}
	}
	return sum
}

// asks tells whether the proposer is asked at an iteration: not twice at one, and after n refusals in a row not for 2^n iterations.
func (r *Run) asks(iteration int) bool {
	refusals := 0
	for i := len(r.state.Leaps) - 1; i >= 0; i-- {
		l := r.state.Leaps[i]
		if l.Stage != r.state.Stage {
			break
		}
		if l.Iteration == iteration {
			return false
		}
		if l.Accepted {
			break
		}
		refusals++
	}
	if refusals == 0 {
		return true
	}
	return iteration-r.state.Leaps[len(r.state.Leaps)-1].Iteration >= min(1<<min(refusals, 10), longestPause)
}

// leap asks the proposer at an iterate and checks what it proposes. A refused proposal leaves the path of the run as it was; only the
// solves of the check remain. It tells whether an accepted one ends the stage.
func (r *Run) leap(ctx context.Context, stage Stage) (done bool, err error) {
	if r.Proposer == nil {
		return false, nil
	}
	st := r.method.Status()
	defer func() {
		if err == nil {
			r.remember(st)
		}
	}()
	if st.Misfit <= 0 || !r.asks(st.Iteration) {
		return false, nil
	}
	proposal, err := r.ask(ctx, stage, st)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	leap := Leap{Stage: r.state.Stage, Iteration: st.Iteration, Before: st.Misfit}
	if err == nil && proposal == nil {
		return false, nil
	}
	if err != nil {
		leap.Why = err.Error()
		r.Say("stage %d: no leap at iteration %d: %v", leap.Stage+1, leap.Iteration, err)
		r.state.Leaps = append(r.state.Leaps, leap)
		return false, nil
	}
	before := r.state.Solves
	e, why, err := r.check(ctx, st, proposal.Model, &leap)
	if err != nil {
		r.state.Solves = before // the resumed run asks and checks again
		return false, err
	}
	leap.Why = why
	if why == "" {
		if err := r.method.Inject(proposal.Model, e.Evaluation, true); err != nil {
			leap.Why = err.Error()
		}
	}
	if leap.Why != "" {
		r.state.Leaps = append(r.state.Leaps, leap)
		r.observe(true)
		return false, nil
	}
	leap.Accepted = true
	leap.Credit = credit(st, e.Misfit, proposal.Ahead, stage.Iterations-st.Iteration-r.credited())
	r.state.Leaps = append(r.state.Leaps, leap)
	copy(r.x, proposal.Model)
	r.latest = e.illumination
	r.state.Illumination = e.illumination
	if err := r.weight.SetIllumination(e.illumination); err != nil {
		return false, err
	}
	r.note(st.Iteration, e.Misfit, true)
	r.observe(false)
	return r.isOver(stage, r.method.Status()), nil
}

// credit is the number of the stage's iterations for which a leap counts: as many as the proposer says, but no more than the fall of the
// misfit is worth at the method's own rate, nor than half of what is left, should that rate have been a bad moment's.
func credit(st Status, misfit float64, ahead, left int) int {
	worth := math.Inf(1)
	if misfit > 0 {
		worth = math.Log(misfit/st.Misfit) / math.Log(ownFactor(st))
	}
	return max(int(min(float64(ahead), worth, float64(left)/2)), 0)
}

// remember adds the iterate that the method leaves to those that the next Look shows.
func (r *Run) remember(st Status) {
	recent := r.state.Recent
	if n := len(recent); n > 0 && recent[n-1].Iteration == st.Iteration {
		return
	}
	s := r.method.State()
	recent = append(slices.Clone(recent), Iterate{st.Iteration, st.Misfit, s.X, s.Gradient})
	r.state.Recent = recent[max(0, len(recent)-RecentIterates):]
}

// ask shows the state to the proposer and returns its proposal, brought within the bounds.
func (r *Run) ask(ctx context.Context, stage Stage, st Status) (proposal *Proposal, err error) {
	s := r.method.State()
	look := &Look{Stage: stage, Number: r.state.Stage, Iteration: st.Iteration, Of: stage.Iterations, Grid: r.level.grid, Survey: r.level.survey,
		Lower: r.Config.MinVelocity, Upper: r.Config.MaxVelocity, Mask: slices.Clone(r.level.mask), Misfit: st.Misfit, Model: s.X, Gradient: s.Gradient,
		Illumination: slices.Clone(r.state.Illumination), Leaps: slices.Clone(r.state.Leaps), run: r}
	look.Grid.Shape, look.Grid.Spacing = slices.Clone(look.Grid.Shape), slices.Clone(look.Grid.Spacing)
	for _, i := range r.state.Recent {
		i.Model, i.Gradient = slices.Clone(i.Model), slices.Clone(i.Gradient)
		look.Recent = append(look.Recent, i)
	}
	begun := time.Now()
	defer func() {
		if p := recover(); p != nil {
			proposal, err = nil, fmt.Errorf("the proposer panicked: %v", p)
		}
		seconds := time.Since(begun).Seconds()
		if u, ok := r.Proposer.(uncounted); ok && u.Uncounted() {
			r.before -= seconds
		} else {
			r.state.Proposing += seconds
		}
	}()
	if proposal, err = r.Proposer.Propose(ctx, look); err != nil || proposal == nil {
		return nil, err
	}
	if len(proposal.Model) != len(r.x) {
		return nil, fmt.Errorf("the proposed model has %d cells, the stage's grid %s has %d", len(proposal.Model), wave.Times("%d", r.level.grid.Shape), len(r.x))
	}
	model := slices.Clone(proposal.Model)
	for i, v := range model {
		if !isFinite(float64(v)) {
			return nil, fmt.Errorf("the proposed model is %g in cell %s", v, r.level.grid.CellName(i))
		}
	}
	r.method.Project(model)
	return &Proposal{Model: model, Ahead: proposal.Ahead}, nil
}

// check evaluates a proposal. It costs one solve, and two more for the gradient if it is accepted; where the leap before was
// accepted both are asked for at once, for two. It returns why the proposal is refused, or "".
func (r *Run) check(ctx context.Context, st Status, model []float32, leap *Leap) (e evaluation, why string, err error) {
	var slope, size float64
	for i, g := range r.method.State().Gradient {
		d := float64(model[i]) - float64(r.x[i])
		slope += float64(g) * d
		size = max(size, math.Abs(d))
	}
	if size == 0 {
		return e, "it is the model that there is", nil
	}
	if !(slope < 0) {
		return e, "it goes uphill", nil
	}
	n := len(r.state.Leaps)
	atOnce := n > 0 && r.state.Leaps[n-1].Accepted
	for {
		if e, err = r.evaluate(ctx, model, atOnce); err != nil {
			return e, "", err
		}
		if e.Err != nil {
			return e, e.Err.Error(), nil
		}
		if !isFinite(e.Misfit) {
			return e, fmt.Sprintf("its misfit is %g", e.Misfit), nil
		}
		leap.After = e.Misfit
		if want := ownFactor(st) * st.Misfit; !(e.Misfit < want) {
			return e, fmt.Sprintf("its misfit %.4g is not below the %.4g expected of a step of the method's own", e.Misfit, want), nil
		}
		if atOnce {
			return e, "", nil
		}
		atOnce = true
	}
}

var proposers = map[string]func() (Proposer, error){}

// RegisterProposer makes a proposer known by name, from an init function. It panics if the name is taken.
func RegisterProposer(name string, build func() (Proposer, error)) {
	if _, taken := proposers[name]; taken || name == "" || build == nil {
		panic(fmt.Sprintf("fwi: proposer %q cannot be registered: its name is taken or empty, or it is nil", name))
	}
	proposers[name] = build
}

// NewProposer returns the proposer registered under a name, or an Oracle for oracle, oracle1, oracle3 and so on.
func NewProposer(name string) (Proposer, error) {
	if build, ok := proposers[name]; ok {
		return build()
	}
	if o, ok := oracleNamed(name); ok {
		return o, nil
	}
	return nil, fmt.Errorf("no proposer %q is part of this build; there are %s", name, strings.Join(ProposerNames(), ", "))
}

// ProposerNames returns the names that NewProposer takes, sorted.
func ProposerNames() []string {
	names := append(sortedNames(proposers), "oracle", "oracle1", "oracle3", "oracle9", "oracle27")
	slices.Sort(names)
	return names
}
