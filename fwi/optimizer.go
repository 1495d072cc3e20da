package fwi

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// optimizer is the part that all methods share: bounds, mask, line search, restarts and the exchange with the caller. They
// differ in the direction.
type optimizer struct {
	name     string
	o        MethodOptions
	director director
	s        State // X, Gradient and Direction are live; the director keeps its own

	trial    []float32
	free     []bool // cells that neither the mask nor a bound holds; nil: all
	gradient []float32
}

var _ Method = (*optimizer)(nil)

// director chooses the direction of each line search and learns from the steps.
type director interface {
	// direct writes a direction to m.s.Direction, zero outside m.free.
	direct(m *optimizer)
	// firstStep returns the step to try first along it, and whether to probe with the misfit alone for a parabola.
	firstStep(m *optimizer, largest float64) (step float64, probe bool)
	// learn is told the step from m.s.X, m.s.Gradient to x, gradient; own says that it followed m.s.Direction. It returns
	// false if the step's curvature is of no use.
	learn(m *optimizer, x, gradient []float32, own bool) bool
	// leapt is told that the iterate or the objective has changed without a step to learn from.
	leapt()
	// forget drops what was learned and reports whether there was anything.
	forget() bool
	// memory returns the number of pairs learned.
	memory() int
	save(*State)
	load(*State) error
}

// inner is a director that finds its direction by products with the Hessian.
type inner interface {
	director
	// seek begins; it writes the first vector to multiply to dst.
	seek(m *optimizer, dst []float32)
	// multiplied takes the product with the vector; it writes the next one, or it is done and the direction is in m.s.Direction.
	multiplied(m *optimizer, vector, product []float32) (done bool)
	// vector writes the vector under way again, as after load.
	vector(m *optimizer, dst []float32)
}

// patient is a director with which the misfit may rise: reference returns that from which a step must descend, given that of the iterate.
type patient interface{ reference(misfit float64) float64 }

// Phases: what the optimizer waits for.
const (
	phaseIdle    = ""        // Start
	phaseReady   = "ready"   // any call of Next: the iterate's misfit and gradient are known
	phaseProbe   = "probe"   // misfit at the trial, for a parabola
	phaseSearch  = "search"  // misfit and gradient at the trial
	phaseSettle  = "settle"  // misfit and gradient at the best trial of a failed search
	phaseRefresh = "refresh" // misfit and gradient at the iterate, for a new objective
	phaseProduct = "product" // product of the Hessian and the director's vector
	phaseStopped = "stopped"
)

func (m *optimizer) Name() string { return m.name }

func (m *optimizer) Start(x []float32, e Evaluation) error {
	if err := m.o.checkIterate(x); err != nil {
		return fmt.Errorf("method %s cannot start: %w", m.name, err)
	}
	if err := e.usable(len(x), true); err != nil {
		return fmt.Errorf("method %s cannot start: %w", m.name, err)
	}
	m.director.forget()
	m.s = State{Method: m.name, Phase: phaseReady}
	m.s.Status = Status{Gradients: 1, Misfit: e.Misfit}
	m.s.X = slices.Clone(x)
	m.s.Gradient = slices.Clone(e.Gradient)
	m.s.Direction = make([]float32, len(x))
	m.allocate()
	m.maskGradient(m.s.Gradient)
	return nil
}

func (m *optimizer) allocate() {
	n := len(m.s.X)
	m.trial = make([]float32, n)
	m.gradient = make([]float32, n)
}

func (m *optimizer) maskGradient(g []float32) {
	if m.o.Mask == nil {
		return
	}
	for i := range g {
		if m.o.frozen(i) {
			g[i] = 0
		}
	}
}

func (m *optimizer) Pending() (Request, []float32) {
	switch m.s.Phase {
	case phaseProbe:
		return EvaluateMisfit, m.trial
	case phaseSearch, phaseSettle:
		return EvaluateBoth, m.trial
	case phaseRefresh:
		return EvaluateBoth, m.s.X
	case phaseProduct:
		return CurvatureAlong, m.trial
	case phaseStopped:
		return Stop, m.s.X
	}
	return Accept, m.s.X
}

func (m *optimizer) Next(e Evaluation) (Request, []float32, error) {
	if err := m.advance(e); err != nil {
		return 0, nil, fmt.Errorf("method %s: %w", m.name, err)
	}
	r, x := m.Pending()
	return r, x, nil
}

// advance moves to the next phase.
func (m *optimizer) advance(e Evaluation) error {
	st := &m.s.Status
	var refusal error
	switch m.s.Phase {
	case phaseIdle:
		return errors.New("it has not started")
	case phaseStopped:
		return nil
	case phaseReady:
		m.begin()
		return nil
	case phaseProduct:
		return m.multiplied(e)
	case phaseProbe:
		st.Misfits++
		refusal = e.usable(len(m.s.X), false)
	default:
		st.Gradients++
		refusal = e.usable(len(m.s.X), true)
		if errors.Is(refusal, errGradientLength) {
			return refusal
		}
		if refusal == nil {
			copy(m.gradient, e.Gradient)
			m.maskGradient(m.gradient)
		}
	}
	if refusal != nil {
		st.Refused++
	}

	search := &m.s.Search
	search.Trials++
	st.Trials = search.Trials
	switch m.s.Phase {
	case phaseRefresh:
		if refusal != nil {
			return fmt.Errorf("the new objective cannot be evaluated at the current model: %w", refusal)
		}
		st.Misfit = e.Misfit
		copy(m.s.Gradient, m.gradient)
		m.begin()
	case phaseSettle:
		if refusal != nil || !(e.Misfit < st.Misfit) {
			m.giveUp()
		} else {
			m.accept(e.Misfit)
		}
	case phaseProbe:
		if refusal != nil {
			search.refuse()
			m.try(phaseProbe)
		} else {
			search.noteBest(e.Misfit, st.Misfit)
			search.parabola(e.Misfit, st.Misfit)
			m.try(phaseSearch)
		}
	case phaseSearch:
		m.judge(e.Misfit, refusal)
	}
	return nil
}

// judge accepts the step under trial or moves on to another.
func (m *optimizer) judge(misfit float64, refusal error) {
	search := &m.s.Search
	if refusal != nil {
		search.refuse()
		m.try(phaseSearch)
		return
	}
	search.noteBest(misfit, m.s.Status.Misfit)
	reference := m.s.Status.Misfit
	if d, ok := m.director.(patient); ok {
		reference = d.reference(reference)
	}
	// The change that the projection left, not the step, is what must pay (Bertsekas 1976).
	decrease := m.o.SufficientDecrease * m.alongChange()
	slope := m.slopeAtTrial()
	switch {
	case !(decrease < 0 && misfit <= reference+decrease):
		search.tooLong(misfit, slope)
		m.try(phaseSearch)
	case m.o.Wolfe && slope < wolfeSlope*search.Slope && search.Step < search.Limit && search.Trials < m.o.MaxTrials:
		search.tooShort(misfit, slope)
		m.try(phaseSearch)
	default:
		m.accept(misfit)
	}
}

// begin chooses a direction at the current iterate and the first step along it.
func (m *optimizer) begin() {
	m.findFree()
	if m.largest(m.s.Gradient) == 0 {
		m.stop("the gradient is zero wherever the model may change")
		return
	}
	if d, ok := m.director.(inner); ok {
		m.s.Status.Inner = 0
		d.seek(m, m.trial)
		m.s.Phase = phaseProduct
		return
	}
	m.director.direct(m)
	m.follow()
}

// multiplied passes a product to the director and follows the direction when it has one.
func (m *optimizer) multiplied(e Evaluation) error {
	m.s.Status.Products++
	m.s.Status.Inner++
	if err := e.usable(len(m.s.X), true); err != nil {
		return fmt.Errorf("the Hessian cannot be applied at the current model: %w", err)
	}
	copy(m.gradient, e.Gradient)
	m.maskGradient(m.gradient)
	if m.director.(inner).multiplied(m, m.trial, m.gradient) {
		m.follow()
	}
	return nil
}

// follow begins a line search along the direction.
func (m *optimizer) follow() {
	slope, ok := m.descends()
	if !ok {
		if !m.director.forget() {
			m.stop("the preconditioned gradient is no direction of descent: the preconditioner is not positive")
			return
		}
		m.s.Status.Restarts++
		m.director.direct(m)
		if slope, ok = m.descends(); !ok {
			m.stop("the preconditioned gradient is no direction of descent: the preconditioner is not positive")
			return
		}
	}
	largest := m.largest(m.s.Direction)
	step, probe := m.director.firstStep(m, largest)
	limit := min(m.o.MaxChange/largest, math.MaxFloat64) // finite, so that JSON can hold it
	m.s.Search.begin(m.s.Status.Misfit, slope, step, limit)
	m.s.Status.Trials = 0
	if probe {
		m.try(phaseProbe)
	} else {
		m.try(phaseSearch)
	}
}

// descends returns the slope of the misfit along the direction, and whether it is safely downhill.
func (m *optimizer) descends() (slope float64, ok bool) {
	var gg, dd float64
	for i, d := range m.s.Direction {
		if m.free != nil && !m.free[i] {
			continue
		}
		g, d := float64(m.s.Gradient[i]), float64(d)
		slope += g * d
		gg += g * g
		dd += d * d
	}
	return slope, slope < -1e-10*math.Sqrt(gg)*math.Sqrt(dd) && !math.IsInf(dd, 0)
}

// findFree marks the cells that may move: neither frozen nor held at a bound against which the gradient pushes.
func (m *optimizer) findFree() {
	m.free = nil
	m.s.Status.BoundCells = 0
	if m.o.Mask == nil && !m.o.bounded() {
		return
	}
	free := make([]bool, len(m.s.X))
	all := true
	for i, x := range m.s.X {
		g := m.s.Gradient[i]
		l, u := m.o.bounds(i)
		frozen := m.o.frozen(i)
		held := !frozen && (x <= l && g > 0 || x >= u && g < 0)
		if held {
			m.s.Status.BoundCells++
		}
		free[i] = !frozen && !held
		all = all && free[i]
	}
	if !all {
		m.free = free
	}
}

// largest returns the largest magnitude in the free cells of a.
func (m *optimizer) largest(a []float32) float64 {
	var out float64
	for i, v := range a {
		if m.free == nil || m.free[i] {
			out = max(out, math.Abs(float64(v)))
		}
	}
	return out
}

// dot is the inner product over the free cells.
func (m *optimizer) dot(a, b []float32) float64 {
	var sum float64
	if m.free == nil {
		for i, v := range a {
			sum += float64(v) * float64(b[i])
		}
		return sum
	}
	for i, v := range a {
		if m.free[i] {
			sum += float64(v) * float64(b[i])
		}
	}
	return sum
}

// precondition writes P·a, restricted to the free cells on both sides, to dst.
func (m *optimizer) precondition(dst, a []float32) {
	if m.free == nil {
		m.o.Precondition(dst, a)
		return
	}
	restricted := make([]float32, len(a))
	for i, v := range a {
		if m.free[i] {
			restricted[i] = v
		}
	}
	m.o.Precondition(dst, restricted)
	for i, free := range m.free {
		if !free {
			dst[i] = 0
		}
	}
}

// try asks for an evaluation at the step, unless the search has used up its trials or the step its digits.
func (m *optimizer) try(phase string) {
	search := &m.s.Search
	if search.Trials < m.o.MaxTrials && m.step(search.Step) {
		m.s.Phase = phase
		return
	}
	if search.Best > 0 && m.step(search.Best) {
		// Lower than the start, if not by as much as Armijo wants: better than no step.
		m.s.Phase = phaseSettle
		return
	}
	m.giveUp()
}

// giveUp restarts from steepest descent, or stops where that was tried.
func (m *optimizer) giveUp() {
	if m.director.forget() {
		m.s.Status.Restarts++
		m.begin()
		return
	}
	m.stop(fmt.Sprintf("no step along steepest descent lowers the misfit %g: the shortest of %d changed the model by %.2g",
		m.s.Status.Misfit, m.s.Search.Trials, m.largestChange()))
}

func (m *optimizer) stop(reason string) {
	m.s.Phase = phaseStopped
	m.s.Status.Reason = reason
}

// step writes the trial model of a step along the direction, projected to the constraint and the bounds. It returns false if no cell moved.
func (m *optimizer) step(t float64) bool {
	bounded := m.o.bounded()
	moved := false
	for i, x := range m.s.X {
		v := x
		if d := m.s.Direction[i]; d != 0 {
			v = float32(float64(x) + t*float64(d))
			if bounded {
				l, u := m.o.bounds(i)
				v = min(max(v, l), u)
			}
			moved = moved || v != x
		}
		m.trial[i] = v
	}
	if moved && m.o.Constrain != nil {
		m.Project(m.trial)
		return !slices.Equal(m.trial, m.s.X)
	}
	return moved
}

// alongChange returns the inner product of the gradient and the change to the trial.
func (m *optimizer) alongChange() float64 {
	var sum float64
	for i, v := range m.trial {
		sum += float64(m.s.Gradient[i]) * (float64(v) - float64(m.s.X[i]))
	}
	return sum
}

func (m *optimizer) largestChange() float64 {
	var out float64
	for i, v := range m.trial {
		out = max(out, math.Abs(float64(v)-float64(m.s.X[i])))
	}
	return out
}

// slopeAtTrial returns the derivative of the misfit with respect to the step at the trial: cells stopped by a bound no
// longer move.
func (m *optimizer) slopeAtTrial() float64 {
	var sum float64
	bounded := m.o.bounded()
	for i, d := range m.s.Direction {
		if bounded && d != 0 {
			if l, u := m.o.bounds(i); m.trial[i] <= l && d < 0 || m.trial[i] >= u && d > 0 {
				continue
			}
		}
		sum += float64(m.gradient[i]) * float64(d)
	}
	return sum
}

// accept makes the trial the iterate.
func (m *optimizer) accept(misfit float64) {
	st := &m.s.Status
	st.Change = m.largestChange()
	st.Decrease = st.Misfit - misfit
	st.Step = m.s.Search.Step
	if m.s.Phase == phaseSettle {
		st.Step = m.s.Search.Best
	}
	m.learn(m.trial, true)
	m.move(m.trial, misfit)
	st.Iteration++
}

// learn passes the step to x, where the gradient is m.gradient, to the director.
func (m *optimizer) learn(x []float32, own bool) {
	if !m.director.learn(m, x, m.gradient, own) {
		m.s.Status.Skipped++
	}
}

// move makes x, where the gradient is m.gradient, the iterate.
func (m *optimizer) move(x []float32, misfit float64) {
	copy(m.s.X, x)
	copy(m.s.Gradient, m.gradient)
	m.s.Status.Misfit = misfit
	m.s.Phase = phaseReady
}

// interrupt ends what is under way: a line search, or the stop.
func (m *optimizer) interrupt(phase string) {
	m.s.Phase = phase
	m.s.Search = LineSearch{}
	m.s.Status.Trials = 0
	m.s.Status.Reason = ""
}

func (m *optimizer) NewObjective(keep bool) error {
	if m.s.Phase == phaseIdle {
		return fmt.Errorf("method %s has not started", m.name)
	}
	if keep {
		m.director.leapt()
	} else {
		m.director.forget()
		m.s.Status.Change, m.s.Status.Decrease = 0, 0
	}
	m.interrupt(phaseRefresh)
	return nil
}

func (m *optimizer) Inject(x []float32, e Evaluation, learn bool) error {
	if m.s.Phase == phaseIdle || m.s.Phase == phaseRefresh {
		return fmt.Errorf("method %s takes no step from outside before the current model has been evaluated", m.name)
	}
	if len(x) != len(m.s.X) {
		return fmt.Errorf("method %s: the injected model has %d cells, the current one %d", m.name, len(x), len(m.s.X))
	}
	if err := errors.Join(m.o.checkIterate(x), e.usable(len(x), true)); err != nil {
		return fmt.Errorf("method %s cannot take the injected model: %w", m.name, err)
	}
	for i, v := range x {
		if m.o.frozen(i) && v != m.s.X[i] {
			return fmt.Errorf("method %s: the injected model changes the frozen cell %d from %g to %g", m.name, i, m.s.X[i], v)
		}
	}
	copy(m.gradient, e.Gradient)
	m.maskGradient(m.gradient)
	if learn {
		m.learn(x, false)
	} else {
		m.director.leapt()
	}
	m.move(x, e.Misfit)
	m.interrupt(phaseReady)
	return nil
}

func (m *optimizer) Project(x []float32) {
	if m.o.Constrain != nil && len(x) == len(m.s.X) {
		m.o.Constrain(x)
	}
	for i := range min(len(x), len(m.s.X)) {
		if m.o.frozen(i) {
			x[i] = m.s.X[i]
			continue
		}
		l, u := m.o.bounds(i)
		x[i] = min(max(x[i], l), u)
	}
}

func (m *optimizer) Status() Status {
	st := m.s.Status
	st.Pairs = m.director.memory()
	return st
}

func (m *optimizer) State() *State {
	out := m.s
	out.Status = m.Status()
	out.X = slices.Clone(m.s.X)
	out.Gradient = slices.Clone(m.s.Gradient)
	out.Direction = slices.Clone(m.s.Direction)
	m.director.save(&out)
	return &out
}

func (m *optimizer) Restore(s *State) error {
	if err := m.checkState(s); err != nil {
		return fmt.Errorf("method %s cannot go on from this state: %w", m.name, err)
	}
	if err := m.director.load(s); err != nil {
		return fmt.Errorf("method %s cannot go on from this state: %w", m.name, err)
	}
	m.s = *s
	m.s.PreviousGradient, m.s.PairS, m.s.PairY, m.s.InnerResidual, m.s.InnerDirection = nil, nil, nil, nil, nil // the director's
	m.s.X = slices.Clone(s.X)
	m.s.Gradient = slices.Clone(s.Gradient)
	m.s.Direction = slices.Clone(s.Direction)
	m.allocate()
	switch s.Phase {
	case phaseProbe, phaseSearch:
		m.step(s.Search.Step)
	case phaseSettle:
		m.step(s.Search.Best)
	case phaseProduct:
		d, ok := m.director.(inner)
		if !ok {
			return fmt.Errorf("method %s cannot go on from this state: it multiplies with no Hessian", m.name)
		}
		m.findFree()
		d.vector(m, m.trial)
	}
	return nil
}

func (m *optimizer) checkState(s *State) error {
	if s.Method != m.name {
		return fmt.Errorf("it is one of method %q", s.Method)
	}
	switch s.Phase {
	case phaseIdle:
		return errors.New("it had not started")
	case phaseReady, phaseProbe, phaseSearch, phaseSettle, phaseRefresh, phaseProduct, phaseStopped:
	default:
		return fmt.Errorf("its phase %q is unknown", s.Phase)
	}
	n := len(s.X)
	if len(s.Gradient) != n || len(s.Direction) != n {
		return fmt.Errorf("its model has %d cells, its gradient %d, its direction %d", n, len(s.Gradient), len(s.Direction))
	}
	return m.o.checkIterate(s.X)
}
