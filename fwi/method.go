package fwi

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Request is what a Method asks of its caller.
type Request int

const (
	EvaluateBoth   Request = iota + 1 // misfit and gradient at x
	EvaluateMisfit                    // misfit at x; a gradient is ignored
	Accept                            // nothing: x is the new iterate, its misfit and gradient are known
	Stop                              // nothing: x is final, Status().Reason says why
	CurvatureAlong                    // the Gauss-Newton Hessian at the current iterate times the vector that comes in place of x
)

func (r Request) String() string {
	switch r {
	case EvaluateBoth:
		return "evaluate misfit and gradient"
	case EvaluateMisfit:
		return "evaluate misfit"
	case Accept:
		return "accept"
	case Stop:
		return "stop"
	case CurvatureAlong:
		return "multiply by the Hessian"
	}
	return fmt.Sprintf("request %d", int(r))
}

// Evaluation answers a request to evaluate. To CurvatureAlong the product is the Gradient, and the Misfit is ignored. Err refuses the model x (it breaks the CFL limit, its field is not finite):
// the line search backs off. So it does when the misfit or the gradient is not finite. What must end the inversion, such as
// a cancelled context, is the caller's and never comes here.
type Evaluation struct {
	Misfit   float64
	Gradient []float32 // of the misfit with respect to x; copied
	Err      error
}

// Method minimises a misfit in reverse communication: the caller owns the loop.
//
//	err := m.Start(x, evaluate(x))
//	request, x, err := m.Next(Evaluation{})
//	for err == nil && request != Stop {
//		var e Evaluation
//		if request == EvaluateBoth { e = evaluate(x) } …
//		request, x, err = m.Next(e)
//	}
//
// After Accept the caller may look, save, call Inject or NewObjective, or leave. A method is not safe for concurrent use. The
// same evaluations give the same bits.
type Method interface {
	Name() string

	// Start begins at x, whose evaluation is known, and forgets everything before.
	Start(x []float32, e Evaluation) error

	// Next takes the answer to the last request (anything after Start and Accept) and returns the next one. The slice
	// belongs to the method and holds until its next call. The error tells of a misuse or of an evaluation that the method
	// cannot do without.
	Next(e Evaluation) (Request, []float32, error)

	// Pending repeats the request that awaits its answer, as after Restore. Where nothing is awaited it is Accept with the
	// current iterate.
	Pending() (Request, []float32)

	// NewObjective tells that the misfit has become another function (another batch of shots, misfit or band). The
	// next request is EvaluateBoth at the current iterate. What was learned of the curvature is kept if keep is set; a line
	// search under way is given up.
	NewObjective(keep bool) error

	// Inject makes an outside step the current iterate, x with its evaluation, as the caller accepted it. If learn is set the
	// step enters the memory of curvature like one of the method's own. x must lie within the bounds (see Project).
	Inject(x []float32, e Evaluation, learn bool) error

	// Project moves x into the constraint, clips it to the bounds and resets its frozen cells to those of the current iterate.
	Project(x []float32)

	// Status describes the progress.
	Status() Status

	// State returns a copy of everything that the method remembers; Restore goes on from it to the same bits, at any point,
	// given the same options.
	State() *State
	Restore(*State) error
}

// Status describes the progress of a method.
type Status struct {
	Iteration  int     // accepted steps of its own
	Misfit     float64 // at the current iterate
	Change     float64 // largest change of a cell in the last step
	Decrease   float64 // of the misfit in the last step
	Step       float64 // length of the last step in units of its direction
	Trials     int     // evaluations in the current or last line search
	Gradients  int     // evaluations of misfit and gradient, with that at the start
	Misfits    int     // evaluations of the misfit alone
	Products   int     // with the Hessian
	Inner      int     // products for the current or last direction
	Refused    int     // evaluations that were refused or not finite
	Restarts   int     // returns to steepest descent
	Skipped    int     // pairs without positive curvature
	Pairs      int     // pairs in memory
	BoundCells int     // cells held by a bound in the last direction
	Reason     string  // why it stopped
}

// Solves returns the wave solves per shot behind the evaluations: one for a misfit, two with its gradient, four for a product with the Hessian
// (Born steps two fields, its adjoint the background again and one back), what the storage steps again apart.
func (s Status) Solves() int { return 2*s.Gradients + s.Misfits + 4*s.Products }

// State is everything a method remembers, in plain scalars, all finite, and arrays, so that it can be stored as
// attributes and data sets. JSON keeps the scalars to the bit; Arrays lists the rest.
type State struct {
	Method string
	Phase  string
	Status Status
	Search LineSearch

	PreviousNorm, CurrentNorm float64   // conjugate gradients: g·P g of the iterate before and of the current one
	NextStep                  float64   // Barzilai & Borwein's; 0: unknown
	Misfits                   []float64 // Barzilai & Borwein: of the last iterates
	Forcing                   float64   // Gauss-Newton: the residual at which its inner iterations end, in units of the first; 0: none known
	Fresh                     int       // Gauss-Newton: newest pairs, of the inner iterations under way

	X                []float32 `json:"-"` // current iterate
	Gradient         []float32 `json:"-"` // there
	Direction        []float32 `json:"-"` // of the line search
	PreviousGradient []float32 `json:"-"` // conjugate gradients: of the iterate before
	PairS, PairY     []float32 `json:"-"` // L-BFGS: changes of x and of the gradient, [Status.Pairs, len(X)], oldest first
	InnerResidual    []float32 `json:"-"` // Gauss-Newton: -g - H d
	InnerDirection   []float32 `json:"-"` // Gauss-Newton: of the inner conjugate gradients
}

// Arrays returns pointers to the arrays of a state by name, for code that stores and loads them. An array may be empty.
func (s *State) Arrays() map[string]*[]float32 {
	return map[string]*[]float32{
		"x": &s.X, "gradient": &s.Gradient, "direction": &s.Direction, "previous_gradient": &s.PreviousGradient,
		"pair_s": &s.PairS, "pair_y": &s.PairY, "inner_residual": &s.InnerResidual, "inner_direction": &s.InnerDirection,
	}
}

// MethodOptions are the settings of the methods. Changes are in the unit of x, m/s for a velocity model.
type MethodOptions struct {
	// FirstChange is the largest change of a cell in the first step, and in the first after a restart; gauss-newton knows better from its products and
	// keeps to MaxChange alone. Zero: 50.
	FirstChange float64
	// MaxChange caps the largest change of a cell in any step. Zero: 250.
	MaxChange float64
	// Lower and Upper bound x: one value for all cells, one per cell, or nil for none.
	Lower, Upper []float32
	// Mask freezes the cells where it is 0; nil frees all.
	Mask []float32
	// Constrain moves a model to the nearest one of a convex set, such as those of bounded total variation; every trial model passes through it, then the
	// bounds. The iterate that Start is given lies in the set. Nil: no such set.
	Constrain func(x []float32)
	// Precondition writes P·gradient to dst, P linear, symmetric and positive (Preconditioner.Apply): the direction of
	// steepest descent is -P·gradient, and P times a scalar is the initial inverse Hessian of L-BFGS. P may change
	// between iterations. It is no part of the state. Nil is the identity.
	Precondition func(dst, gradient []float32)

	// Memory is the number of L-BFGS pairs. Zero: 10.
	Memory int
	// MinCurvature skips pairs with s·y ≤ MinCurvature·|s||y|. Zero: 1e-6.
	MinCurvature float64
	// Products is the largest number of products with the Hessian for a Gauss-Newton direction. Zero: 5.
	Products int
	// HestenesStiefel chooses that formula for conjugate gradients instead of Polak-Ribière's.
	HestenesStiefel bool

	// SufficientDecrease is Armijo's constant. Zero: 1e-4.
	SufficientDecrease float64
	// Wolfe makes L-BFGS lengthen a step at whose end the misfit still falls with more than 0.9 of the initial slope (the weak
	// Wolfe condition). It costs evaluations that a step from a sensible FirstChange rarely repays.
	Wolfe bool
	// MaxTrials is the number of evaluations after which a line search fails. Zero: 10.
	MaxTrials int
}

var methods = map[string]func(MethodOptions) director{
	"lbfgs":        func(o MethodOptions) director { return newLBFGS(o) },
	"descent":      func(MethodOptions) director { return steepest{} },
	"cg":           func(o MethodOptions) director { return newConjugate(o) },
	"bb":           func(MethodOptions) director { return &spectral{} },
	"anderson":     func(o MethodOptions) director { return anderson{newLBFGS(o)} },
	"gauss-newton": func(o MethodOptions) director { return newGaussNewton(o) },
}

// MethodNames returns the names that NewMethod takes, sorted.
func MethodNames() []string { return sortedNames(methods) }

// NewMethod returns a method that has not started:
//
//	lbfgs    limited-memory BFGS (Nocedal 1980), projected to the bounds; about one gradient an iteration
//	descent  preconditioned steepest descent with a parabolic line search; a misfit and a gradient an iteration
//	cg       non-linear conjugate gradients (Polak-Ribière+ or Hestenes-Stiefel+), preconditioned, same line search
//	bb       preconditioned steepest descent with the step lengths of Barzilai & Borwein; the misfit may rise for some iterations; about one gradient each
//	anderson  preconditioned steepest descent with Anderson's acceleration, Memory steps deep; about one gradient an iteration
//	gauss-newton  truncated Gauss-Newton (Métivier et al. 2013): inner conjugate gradients on the Hessian of the linearised waves,
//	         preconditioned with L-BFGS; the caller must answer CurvatureAlong
func NewMethod(name string, o MethodOptions) (Method, error) {
	build, ok := methods[name]
	if !ok {
		return nil, fmt.Errorf("there is no method %q; choose one of %s", name, strings.Join(MethodNames(), ", "))
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("method %s: %w", name, err)
	}
	return &optimizer{name: name, o: o, director: build(o), s: State{Method: name, Phase: phaseIdle}}, nil
}

func (o MethodOptions) withDefaults() (MethodOptions, error) {
	for _, f := range []struct {
		value *float64
		zero  float64
		name  string
	}{
		{&o.FirstChange, 50, "FirstChange"}, {&o.MaxChange, 250, "MaxChange"},
		{&o.MinCurvature, 1e-6, "MinCurvature"}, {&o.SufficientDecrease, 1e-4, "SufficientDecrease"},
	} {
		if *f.value == 0 {
			*f.value = f.zero
		}
		if !(*f.value > 0) {
			return o, fmt.Errorf("%s is %g: it must be positive", f.name, *f.value)
		}
	}
	if math.IsInf(o.FirstChange, 0) || o.MinCurvature >= 1 || o.SufficientDecrease >= 0.5 {
		return o, fmt.Errorf("FirstChange %g must be finite, MinCurvature %g below 1 and SufficientDecrease %g below 0.5", o.FirstChange, o.MinCurvature, o.SufficientDecrease)
	}
	for _, f := range []struct {
		value *int
		zero  int
		name  string
	}{{&o.Memory, 10, "Memory"}, {&o.MaxTrials, 10, "MaxTrials"}, {&o.Products, 5, "Products"}} {
		if *f.value == 0 {
			*f.value = f.zero
		}
		if *f.value < 1 {
			return o, fmt.Errorf("%s is %d: it must be positive", f.name, *f.value)
		}
	}
	if o.Precondition == nil {
		o.Precondition = func(dst, gradient []float32) { copy(dst, gradient) }
	}
	return o, nil
}

// fits returns an error unless the options suit a model of n cells.
func (o *MethodOptions) fits(n int) error {
	if o.Mask != nil && len(o.Mask) != n {
		return fmt.Errorf("the mask has %d cells, the model %d", len(o.Mask), n)
	}
	if l, u := len(o.Lower), len(o.Upper); l > 1 && l != n || u > 1 && u != n {
		return fmt.Errorf("the bounds have %d and %d cells, the model %d", l, u, n)
	}
	for i := range n {
		if l, u := o.bounds(i); !(l <= u) {
			return fmt.Errorf("cell %d has the lower bound %g above the upper bound %g", i, l, u)
		}
		if len(o.Lower) <= 1 && len(o.Upper) <= 1 {
			break
		}
	}
	return nil
}

func (o *MethodOptions) bounded() bool { return len(o.Lower)+len(o.Upper) > 0 }

func (o *MethodOptions) frozen(i int) bool { return o.Mask != nil && o.Mask[i] == 0 }

// bounds returns the bounds of a cell.
func (o *MethodOptions) bounds(i int) (lower, upper float32) {
	lower, upper = float32(math.Inf(-1)), float32(math.Inf(1))
	switch len(o.Lower) {
	case 0:
	case 1:
		lower = o.Lower[0]
	default:
		lower = o.Lower[i]
	}
	switch len(o.Upper) {
	case 0:
	case 1:
		upper = o.Upper[0]
	default:
		upper = o.Upper[i]
	}
	return lower, upper
}

// checkIterate returns an error unless x is finite and its free cells lie within the bounds.
func (o *MethodOptions) checkIterate(x []float32) error {
	if len(x) == 0 {
		return errors.New("the model has no cells")
	}
	if err := o.fits(len(x)); err != nil {
		return err
	}
	for i, v := range x {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("cell %d of the model is %g", i, v)
		}
		if l, u := o.bounds(i); !o.frozen(i) && (v < l || v > u) {
			return fmt.Errorf("cell %d of the model is %g, outside its bounds %g to %g", i, v, l, u)
		}
	}
	return nil
}

// usable returns an error unless the evaluation has a finite misfit and, if wanted, a finite gradient of n cells.
func (e Evaluation) usable(n int, gradient bool) error {
	switch {
	case e.Err != nil:
		return e.Err
	case math.IsNaN(e.Misfit) || math.IsInf(e.Misfit, 0):
		return fmt.Errorf("the misfit is %g", e.Misfit)
	case !gradient:
		return nil
	case len(e.Gradient) != n:
		return fmt.Errorf("%w: it has %d cells, the model %d", errGradientLength, len(e.Gradient), n)
	}
	for i, g := range e.Gradient {
		if math.IsNaN(float64(g)) || math.IsInf(float64(g), 0) {
			return fmt.Errorf("the gradient is %g at cell %d", g, i)
		}
	}
	return nil
}

// errGradientLength marks a mistake of the caller: no shorter step mends it.
var errGradientLength = errors.New("the gradient does not fit the model")
