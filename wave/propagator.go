package wave

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"gofwi/kernels"
)

// ErrNotFinite is wrapped by the error of a shot whose field became infinite or NaN.
var ErrNotFinite = errors.New("the wave field is not finite")

// Propagator models a survey in float32, the precision of production. It is safe for concurrent use.
type Propagator = PropagatorOf[float32]

// PropagatorOf is a propagator in the given precision. Only tests need float64.
type PropagatorOf[T float32 | float64] struct {
	grid         Grid
	survey       *Survey
	options      Options
	equation     *kernels.Equation
	solvers      kernels.Solvers[T]
	weights      []float64 // of the second difference
	layout       layout
	domain       kernels.Domain
	plan         Plan
	footprint    kernels.Footprint // of a solver
	interior     *interior         // nil: the absorbing layers act everywhere
	wavelet      *Resampler[T]     // survey to solver samples
	record       *Resampler[T]     // solver to survey samples
	mu           sync.Mutex
	workers      []*worker[T] // idle ones
	interpolated map[pointsKey]kernels.Points[T]
	stretch      *stretch             // nil: the solver's rows are the grid's
	ceiling      []float64            // fastest velocity of each of the solver's rows (in 3D planes)
	root         []float64            // √(ρ s) in each cell of the solver's grid; nil: constant density and the grid's rows
	spare        []*kernels.Buffer[T] // arrays of the solver's cells, for the next call: garbage of their size would pile up
	closed       bool
	gpu          *gpuBackend[T] // nil: on the CPU
}

// worker holds what one shot needs.
type worker[T float32 | float64] struct {
	solver, scattered      kernels.Solver[T]
	model                  []T // M of the present call
	history                history[T]
	gradient, illumination *kernels.Buffer[T]
	record, atSources      *kernels.Buffer[T] // traces of the solver at receivers and of the adjoint field at sources
	synthetic, adjoint     []T                // gathers of the survey
}

// Misfit compares one shot's synthetic gather [receiver, NT] with whatever the caller has observed, writes ∂misfit/∂synthetic to
// adjoint, which is zero before, and returns the misfit. It is called from several goroutines at a time, for different shots, and must not keep the slices.
type Misfit[T float32 | float64] func(shot int, synthetic, adjoint []T) (float64, error)

// Gradient is the outcome of PropagatorOf.Gradient.
type Gradient[T float32 | float64] struct {
	Misfit       float64   // sum over the shots
	Misfits      []float64 // of each shot
	VP           []T       // ∂misfit/∂velocity, an array on the grid
	Illumination []T       // Σ over shots and time of (2/v · ∂(1/v² ∂²u/∂t²))², the diagonal of the pseudo-Hessian but for a constant; on the grid
	Wavelets     [][][]T   // ∂misfit/∂wavelet, as Shot.Wavelets for each shot; nil for each with Options.Negligible
}

// NewPropagator returns a propagator for a survey over models on a grid.
func NewPropagator(g Grid, s *Survey, o Options) (*Propagator, error) {
	return NewPropagatorOf[float32](g, s, o)
}

// NewPropagatorOf returns a propagator in the given precision.
func NewPropagatorOf[T float32 | float64](g Grid, s *Survey, o Options) (*PropagatorOf[T], error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	if err := s.Validate(g); err != nil {
		return nil, err
	}
	if o.MaxFrequency == 0 {
		if o.MaxFrequency, err = surveyBand(s); err != nil {
			return nil, err
		}
	}
	if o.LayerFrequency == 0 {
		o.LayerFrequency = o.MaxFrequency / 3
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	p := &PropagatorOf[T]{grid: g, survey: s, options: o, interpolated: map[pointsKey]kernels.Points[T]{}}
	if err := p.chooseSolvers(); err != nil {
		return nil, err
	}
	if p.weights, err = o.secondDifference(); err != nil {
		return nil, err
	}
	constants, err := p.equation.Values(o.Constants)
	if err != nil {
		return nil, err
	}

	var added [][2]int
	for _, ends := range sidesOf(g.Axes()) {
		var width [2]int
		for k, side := range ends {
			if !o.Reflecting[side] && !(side == Top && o.FreeSurface) {
				width[k] = o.Layer
			}
		}
		added = append(added, width)
	}
	if g.Axes() == 2 && (o.Reflecting[Front] || o.Reflecting[Back]) {
		return nil, fmt.Errorf("Options.Reflecting names the sides %v or %v, which a 2D grid does not have", Front, Back)
	}
	if err := p.placeRows(added[0]); err != nil {
		return nil, err
	}
	solver := g // the model's part of the solver's grid
	if p.stretch != nil {
		solver.Shape = append([]int{p.stretch.rows()}, g.Shape[1:]...)
	}
	p.layout = newLayout(solver, added, o.FreeSurface)
	p.layout.stretch = p.stretch
	if n := p.layout.cells(); n > math.MaxInt32 {
		return nil, fmt.Errorf("%s cells with absorbing layers are %d, more than the %d that the kernels can number: coarsen the grid", Times("%d", p.layout.shape), n, math.MaxInt32)
	}
	p.domain = kernels.Domain{Shape: p.layout.shape, Spacing: g.Spacing, Order: o.Order, D2: p.weights, FreeSurface: o.FreeSurface, Constants: constants}
	if p.stretch != nil {
		for _, s := range p.stretch.ratio {
			p.domain.Along = append(p.domain.Along, s*s)
		}
		if down, along := p.longWaveWeights(); along != nil {
			p.domain.D2, p.domain.D2Along = down, along
		}
	}
	potential, err := p.takeDensity()
	if err != nil {
		return nil, err
	}
	p.ceiling = p.ceilings()
	limit := p.stabilityLimit(potential)
	dt, err := timeStep(o, s.DT, limit)
	if err != nil {
		return nil, err
	}
	p.domain.DT, p.domain.Potential = dt, potential
	for axis, sides := range added {
		h := [2]float64{g.Spacing[axis], g.Spacing[axis]}
		if axis == 0 && p.stretch != nil {
			h[0] *= p.stretch.ratio[0]
			h[1] *= p.stretch.ratio[len(p.stretch.ratio)-1]
		}
		a, b := cpmlCoefficients(p.domain.Shape[axis], sides[0], sides[1], h, dt, o.MaxVelocity, o.LayerFrequency)
		p.domain.A, p.domain.B = append(p.domain.A, a), append(p.domain.B, b)
	}

	steps := s.NT
	if !sameInterval(dt, s.DT) {
		// the last samples of a trace draw on the field a little beyond them
		steps = int(math.Ceil((s.Duration()+resampleHalfWidth*max(dt, s.DT))/dt)) + 1
	}
	p.wavelet = NewResampler[T](s.NT, s.DT, steps, dt)
	p.record = NewResampler[T](steps, dt, s.NT, s.DT)
	if err := p.chooseBackend(dt, limit, steps); err != nil {
		return nil, err
	}
	return p, nil
}

// timeStep chooses the solver's time step.
func timeStep(o Options, surveyDT, limit float64) (float64, error) {
	if o.DT > 0 {
		if o.DT > limit {
			return 0, fmt.Errorf("dt %.4g ms breaks the CFL limit %.4g ms at v = %.0f m/s, order %d", 1e3*o.DT, 1e3*limit, o.MaxVelocity, o.Order)
		}
		return o.DT, nil
	}
	if o.Courant > 0 {
		return o.Courant * limit, nil
	}
	const courant = 0.8
	dt := courant * limit
	if surveyDT <= dt*1.02 && surveyDT >= 0.8*dt && surveyDT <= 0.98*limit {
		return surveyDT, nil // resampling would gain nothing
	}
	return dt, nil
}

func surveyBand(s *Survey) (float64, error) {
	var high float64
	seen := map[*float32]bool{} // shots usually share their wavelet
	for i := range s.Shots {
		for _, w := range s.Shots[i].Wavelets {
			if seen[&w[0]] {
				continue
			}
			seen[&w[0]] = true
			_, f := Band(w, s.DT, -40)
			high = max(high, f)
		}
	}
	if high == 0 {
		return 0, fmt.Errorf("all wavelets are zero: the survey emits nothing")
	}
	return high, nil
}

// Grid returns the grid of the models, Survey the survey, Plan what will be done: it changes where a GPU turns out to have too little memory for it.
func (p *PropagatorOf[T]) Grid() Grid      { return p.grid }
func (p *PropagatorOf[T]) Survey() *Survey { return p.survey }
func (p *PropagatorOf[T]) Plan() Plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plan
}

// Close frees the memory of the solvers. The propagator cannot be used afterwards.
func (p *PropagatorOf[T]) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.workers {
		w.close()
	}
	p.workers = nil
	if p.gpu != nil {
		p.gpu.close()
	}
	p.giveAway()
}

func (p *PropagatorOf[T]) giveAway() {
	for _, b := range p.spare {
		b.Close()
	}
	p.spare = nil
}

// borrow returns a cleared array of the solver's cells, giveBack takes it back.
func (p *PropagatorOf[T]) borrow() (*kernels.Buffer[T], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.spare); n > 0 {
		v := p.spare[n-1]
		p.spare = p.spare[:n-1]
		clear(v.Data)
		return v, nil
	}
	v, err := kernels.NewBuffer[T](p.layout.cells())
	if err == nil {
		clear(v.Data)
	}
	return v, err
}

func (p *PropagatorOf[T]) giveBack(arrays ...*kernels.Buffer[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range arrays {
		if a != nil {
			p.spare = append(p.spare, a)
		}
	}
	if p.closed {
		p.giveAway()
	}
}

// sized makes a buffer hold at least n elements and returns them.
func sized[T float32 | float64](b **kernels.Buffer[T], n int) ([]T, error) {
	if *b == nil || len((*b).Data) < n {
		(*b).Close()
		made, err := kernels.NewBuffer[T](n)
		if err != nil {
			return nil, err
		}
		*b = made
	}
	return (*b).Data[:n], nil
}

// resized returns a slice of n elements, in the memory of another if that is large enough.
func resized[T any](v []T, n int) []T {
	if cap(v) < n {
		return make([]T, n)
	}
	return v[:n]
}

func (w *worker[T]) close() {
	if w.history != nil {
		w.history.close()
	}
	for _, b := range []*kernels.Buffer[T]{w.gradient, w.illumination, w.record, w.atSources} {
		b.Close()
	}
	for _, s := range []kernels.Solver[T]{w.solver, w.scattered} {
		if s != nil {
			s.Close()
		}
	}
}

// chooseSolvers finds the equation in the table and its solvers for this precision.
func (p *PropagatorOf[T]) chooseSolvers() (err error) {
	if p.equation, err = kernels.FindEquation(p.options.Equation); err != nil {
		return err
	}
	if !p.options.Reference {
		p.solvers = kernels.SolversOf[T](p.equation)
		return nil
	}
	of, wide := any(kernels.ReferenceSolvers(p.equation)).(kernels.Solvers[T])
	if !wide {
		return fmt.Errorf("the reference kernels work in float64 only")
	}
	p.solvers = of
	return nil
}

func (p *PropagatorOf[T]) kernelOptions(threads int) kernels.CPUOptions {
	o := kernels.CPUOptions{InstructionSet: p.options.InstructionSet, Threads: threads, WholeGrid: p.options.WholeGrid}
	if p.neglects() {
		o.Quiet = p.options.Negligible
	}
	return o
}

func (p *PropagatorOf[T]) newSolver(d kernels.Domain) (kernels.Solver[T], error) {
	return p.solvers.New(d, p.kernelOptions(p.plan.ThreadsPerShot))
}

func (p *PropagatorOf[T]) acquire() (*worker[T], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("the propagator is closed")
	}
	if n := len(p.workers); n > 0 {
		w := p.workers[n-1]
		p.workers = p.workers[:n-1]
		return w, nil
	}
	s, err := p.newSolver(p.domain)
	if err != nil {
		return nil, err
	}
	return &worker[T]{solver: s}, nil
}

func (p *PropagatorOf[T]) release(w *worker[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		w.close()
		return
	}
	p.workers = append(p.workers, w)
}

// checkModel returns an error for a model that this propagator cannot step.
func (p *PropagatorOf[T]) checkModel(vp []T) error {
	_, vmax, err := CheckVelocity(p.grid, vp)
	if err != nil {
		return err
	}
	if vmax > p.options.MaxVelocity*(1+1e-6) {
		return fmt.Errorf("%w: the model reaches %.1f m/s; dt %.4g ms is stable up to %.1f m/s, and the propagator was made for %.1f m/s", ErrVelocity,
			vmax, 1e3*p.plan.DT, p.options.MaxVelocity*p.plan.StabilityLimit/p.plan.DT, p.options.MaxVelocity)
	}
	cells := len(vp) / p.grid.Shape[0]
	for row, limit := range p.options.RowFastest {
		for i, v := range vp[row*cells : (row+1)*cells] {
			if float64(v) > limit*(1+1e-6) {
				return fmt.Errorf("%w: the model reaches %.1f m/s in cell %s, and the propagator was made for %.1f m/s there", ErrVelocity, v, p.grid.CellName(row*cells+i), limit)
			}
		}
	}
	return nil
}

// checkCall returns an error for a model or shots that this propagator cannot step.
func (p *PropagatorOf[T]) checkCall(vp []T, shots []int) error {
	if err := p.checkModel(vp); err != nil {
		return err
	}
	for _, s := range shots {
		if s < 0 || s >= len(p.survey.Shots) {
			return fmt.Errorf("shot %d is not among the %d of the survey", s, len(p.survey.Shots))
		}
	}
	return nil
}

// squared returns M = v² dt² on the solver's grid, borrowed.
func (p *PropagatorOf[T]) squared(vp []T) (*kernels.Buffer[T], error) {
	m, err := p.borrow()
	if err != nil {
		return nil, err
	}
	p.solverVelocity(m.Data, vp)
	nx := p.domain.NX()
	for row := range len(m.Data) / nx {
		dt := T(p.plan.DT)
		if p.stretch != nil {
			dt = T(p.plan.DT / p.stretch.ratio[row])
		}
		for i, v := range m.Data[row*nx:][:nx] {
			m.Data[row*nx+i] = v * dt * (v * dt)
		}
	}
	return m, nil
}

// eachShot runs work for every shot on the plan's workers, and finish in the order of the shots, one at a time: what
// finish sums has the same bits whatever the number of workers.
func (p *PropagatorOf[T]) eachShot(ctx context.Context, vp []T, shots []int, work func(w *worker[T], at int, settled func()) error, finish func(w *worker[T], at int)) error {
	if err := p.checkCall(vp, shots); err != nil {
		return err
	}
	m, err := p.squared(vp)
	if err != nil {
		return err
	}
	defer p.giveBack(m)
	return inTurns(min(p.plan.Workers, len(shots)), len(shots), func() (*worker[T], error) {
		w, err := p.acquire()
		if err == nil {
			w.solver.SetModel(m.Data)
			w.model = m.Data
		}
		return w, err
	}, p.release, func(w *worker[T], at int, settled func()) error {
		if err := work(w, at, settled); err != nil {
			return fmt.Errorf("shot %d: %w", shots[at], err)
		}
		return nil
	}, finish)
}

// inTurns runs work for the items 0 … n-1 on a number of workers, and finish in the order of the items, one at a time. A worker goes on to its next item before its last one
// has had its turn: work calls settled, which waits for that, before it touches what finish reads. It returns the first error.
func inTurns[W any](workers, n int, acquire func() (W, error), release func(W), work func(w W, at int, settled func()) error, finish func(w W, at int)) error {
	var (
		mu          sync.Mutex
		turn        = sync.NewCond(&mu)
		next, ready int
		done        = map[int]W{} // and not yet finished
		failure     error
		group       sync.WaitGroup
	)
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if failure == nil {
			failure = err
		}
		turn.Broadcast()
	}
	run := func() {
		defer group.Done()
		w, err := acquire()
		if err != nil {
			fail(err)
			return
		}
		defer release(w)
		last := -1
		settled := func() {
			mu.Lock()
			defer mu.Unlock()
			for ready <= last && failure == nil {
				turn.Wait()
			}
		}
		for {
			mu.Lock()
			at := next
			next++
			stop := failure != nil || at >= n
			mu.Unlock()
			if stop {
				settled()
				return
			}
			if err := work(w, at, settled); err != nil {
				fail(err)
				return
			}
			mu.Lock()
			done[at], last = w, at
			for failure == nil {
				of, ok := done[ready]
				if !ok {
					break
				}
				if finish != nil {
					finish(of, ready)
				}
				delete(done, ready)
				ready++
			}
			turn.Broadcast()
			mu.Unlock()
		}
	}
	for range workers {
		group.Add(1)
		go run()
	}
	group.Wait()
	return failure
}

// kernelShot returns the kernels' view of a shot. Its record is the worker's.
func (p *PropagatorOf[T]) kernelShot(w *worker[T], shot *Shot) (*kernels.Shot[T], error) {
	record, err := sized(&w.record, p.plan.Steps*len(shot.Receivers))
	if err != nil {
		return nil, err
	}
	k := p.silentShot(shot)
	k.Record = record
	return k, nil
}

// silentShot returns the kernels' view of a shot without a record: positions as cells, wavelets at the solver's rate.
func (p *PropagatorOf[T]) silentShot(shot *Shot) *kernels.Shot[T] {
	k := &kernels.Shot[T]{NT: p.plan.Steps, Sources: p.points(shot.Sources, false), Receivers: p.points(shot.Receivers, true)}
	if p.neglects() && p.gpu == nil && p.grid.Axes() == 2 {
		k.Until = p.lastSteps(k.Receivers.Cell)
	}
	size := T(p.grid.CellSize())
	for _, w := range shot.Wavelets {
		in, out := make([]T, len(w)), make([]T, p.plan.Steps)
		for n, v := range w {
			in[n] = T(v) / size // a line source, in 3D a point source, in one cell
		}
		p.wavelet.Apply(out, 1, in, 1)
		k.Wavelet = append(k.Wavelet, out...)
	}
	return k
}

// pointsKey names a list of positions by its first.
type pointsKey struct {
	first     *Position
	receivers bool
}

// points returns the cells of a list of positions, which shots often share. The solver's field is p/√(ρ s), its source f √(s/ρ) (kernels/density.go, stretch.go).
func (p *PropagatorOf[T]) points(positions []Position, receivers bool) kernels.Points[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := pointsKey{&positions[0], receivers && p.root != nil}
	if known, ok := p.interpolated[key]; ok && known.Count() == len(positions) {
		return known
	}
	made := interpolate[T](&p.layout, positions)
	if p.root != nil {
		for k, cell := range made.Cell {
			for r := range kernels.Run {
				w := &made.Weight[kernels.Run*k+r]
				if *w == 0 {
					continue // it may stand beyond the row
				}
				if root := T(p.root[int(cell)+r]); receivers {
					*w *= root
				} else {
					*w *= T(p.ratioAt(int(cell)+r)) / root
				}
			}
		}
	}
	p.interpolated[key] = made
	return made
}

// gather resamples a record [steps, receiver], of which a step's receivers begin `stride` behind the last one's, to a gather [receiver, NT].
func (p *PropagatorOf[T]) gather(out, record []T, receivers, stride int) error {
	for r := range receivers {
		p.record.Apply(out[r*p.survey.NT:], 1, record[r:], stride)
	}
	var sum T
	for _, v := range out {
		sum += v - v // NaN for NaN and infinities
	}
	if sum != 0 {
		return fmt.Errorf("%w: recorded traces hold NaN or infinities", ErrNotFinite)
	}
	return nil
}

// Forward models the chosen shots in a velocity model on the grid in m/s and returns their gathers [receiver, NT], in the order asked for.
func (p *PropagatorOf[T]) Forward(ctx context.Context, vp []T, shots []int) ([][]T, error) {
	if p.gpu != nil {
		return p.forwardOnGPU(ctx, vp, shots)
	}
	gathers := make([][]T, len(shots))
	err := p.eachShot(ctx, vp, shots, func(w *worker[T], at int, _ func()) error {
		k, err := p.kernelShot(w, &p.survey.Shots[shots[at]])
		if err != nil {
			return err
		}
		w.solver.Reset()
		err = forwardChunks(ctx, 0, k.NT, func(n0, n1 int) error { return w.solver.Forward(k, n0, n1, nil) })
		if err != nil {
			return err
		}
		gathers[at] = make([]T, k.Receivers.Count()*p.survey.NT)
		return p.gather(gathers[at], k.Record, k.Receivers.Count(), k.Receivers.Count())
	}, nil)
	if err != nil {
		return nil, err
	}
	return gathers, nil
}

// Gradient models the chosen shots, asks misfit for each one's adjoint source and returns the misfit and its derivatives with respect
// to the velocities and the wavelets.
func (p *PropagatorOf[T]) Gradient(ctx context.Context, vp []T, shots []int, misfit Misfit[T]) (*Gradient[T], error) {
	var borrowed [3]*kernels.Buffer[T]
	defer func() { p.giveBack(borrowed[:]...) }()
	for i := range borrowed {
		var err error
		if borrowed[i], err = p.borrow(); err != nil {
			return nil, err
		}
	}
	sum, sumIllumination, buffer := borrowed[0].Data, borrowed[1].Data, borrowed[2].Data
	out := &Gradient[T]{Misfits: make([]float64, len(shots)), Wavelets: make([][][]T, len(shots))}
	var err error
	if p.gpu != nil {
		err = p.sumOnGPU(ctx, vp, shots, misfit, out, sum, sumIllumination)
	} else {
		err = p.sumOnCPU(ctx, vp, shots, misfit, out, sum, sumIllumination, buffer)
	}
	if err != nil {
		return nil, err
	}
	interval := T(p.plan.SnapshotInterval)
	out.VP, out.Illumination = make([]T, len(vp)), make([]T, len(vp))
	if err := p.modelGradient(out.VP, sum, vp); err != nil {
		return nil, err
	}
	p.modelIllumination(out.Illumination, sumIllumination)
	for i, v := range vp {
		out.VP[i] *= interval
		out.Illumination[i] *= 4 * interval / (v * v)
	}
	return out, nil
}

// sumOnCPU adds the shots' misfits, gradients with respect to M and illuminations.
func (p *PropagatorOf[T]) sumOnCPU(ctx context.Context, vp []T, shots []int, misfit Misfit[T], out *Gradient[T], sum, sumIllumination, buffer []T) error {
	return p.eachShot(ctx, vp, shots, func(w *worker[T], at int, settled func()) error {
		var err error
		if w.history == nil {
			if w.history, err = p.newHistory(w.solver); err != nil {
				return err
			}
		}
		shot := &p.survey.Shots[shots[at]]
		k, err := p.kernelShot(w, shot)
		if err != nil {
			return err
		}
		if err := w.history.forward(ctx, k, w.model); err != nil {
			return err
		}
		receivers := k.Receivers.Count()
		w.synthetic, w.adjoint = resized(w.synthetic, receivers*p.survey.NT), resized(w.adjoint, receivers*p.survey.NT)
		if err := p.gather(w.synthetic, k.Record, receivers, receivers); err != nil {
			return err
		}
		clear(w.adjoint)
		if out.Misfits[at], err = misfit(shots[at], w.synthetic, w.adjoint); err != nil {
			return err
		}
		for r := range receivers {
			p.record.Adjoint(k.Record[r:], receivers, w.adjoint[r*p.survey.NT:], 1)
		}
		settled()
		if err := p.clearGradient(w); err != nil {
			return err
		}
		image := &kernels.Imaging[T]{Gradient: w.gradient.Data, Illumination: w.illumination.Data}
		if !p.neglects() {
			if image.Wavelet, err = sized(&w.atSources, k.NT*k.Sources.Count()); err != nil {
				return err
			}
		}
		w.solver.Reset()
		err = w.history.backward(ctx, func(n0, n1 int, snap *kernels.Snapshots[T]) error { return w.solver.Adjoint(k, n0, n1, snap, image) })
		if err != nil {
			return err
		}
		if image.Wavelet != nil {
			out.Wavelets[at] = p.waveletGradient(shot, image.Wavelet, len(shot.Sources))
		}
		return nil
	}, func(w *worker[T], at int) {
		out.Misfit += out.Misfits[at]
		w.solver.Unpack(buffer, w.gradient.Data)
		for i, v := range buffer {
			sum[i] += v
		}
		w.solver.Unpack(buffer, w.illumination.Data)
		for i, v := range buffer {
			sumIllumination[i] += v
		}
	})
}

// clearGradient allocates what a worker's gradients need, once, and clears their sums.
func (p *PropagatorOf[T]) clearGradient(w *worker[T]) error {
	for _, b := range []**kernels.Buffer[T]{&w.gradient, &w.illumination} {
		v, err := sized(b, w.solver.SnapshotSize())
		if err != nil {
			return err
		}
		clear(v)
	}
	return nil
}

// waveletGradient takes the adjoint field at the sources, [steps, source] with the given stride from step to step.
func (p *PropagatorOf[T]) waveletGradient(shot *Shot, atSources []T, stride int) [][]T {
	n := len(shot.Sources)
	size := T(p.grid.CellSize())
	out := make([][]T, len(shot.Wavelets))
	for i := range out {
		out[i] = make([]T, p.survey.NT)
	}
	trace := make([]T, p.survey.NT)
	for i := range n {
		p.wavelet.Adjoint(trace, 1, atSources[i:], stride)
		sum := out[min(i, len(out)-1)]
		for t, v := range trace {
			sum[t] += v / size
		}
	}
	return out
}

// Born returns the linearised change of the gathers [receiver, NT] for a change of velocity dv at the model vp, both on the grid.
func (p *PropagatorOf[T]) Born(ctx context.Context, vp, dv []T, shots []int) ([][]T, error) {
	if len(dv) != len(vp) {
		return nil, fmt.Errorf("the perturbation has %d cells, the model %d", len(dv), len(vp))
	}
	var borrowed [2]*kernels.Buffer[T]
	defer func() { p.giveBack(borrowed[:]...) }()
	for i := range borrowed {
		var err error
		if borrowed[i], err = p.borrow(); err != nil {
			return nil, err
		}
	}
	deltaM, velocity := borrowed[0].Data, borrowed[1].Data
	p.solverVelocity(velocity, vp)
	p.solverChange(deltaM, velocity, vp, dv)
	for i, v := range velocity {
		dt := T(p.plan.DT / p.ratioAt(i))
		deltaM[i] *= 2 * v * dt * dt
	}
	if p.gpu != nil {
		return p.bornOnGPU(ctx, vp, deltaM, shots)
	}
	gathers := make([][]T, len(shots))
	err := p.eachShot(ctx, vp, shots, func(w *worker[T], at int, _ func()) error {
		if w.scattered == nil {
			var err error
			if w.scattered, err = p.newSolver(p.domain); err != nil {
				return err
			}
		}
		w.scattered.SetModel(w.model)
		w.scattered.Reset()
		w.solver.Reset()
		k, err := p.kernelShot(w, &p.survey.Shots[shots[at]])
		if err != nil {
			return err
		}
		born := *k
		born.Record = make([]T, len(k.Record))
		size := w.solver.SnapshotSize()
		packed := make([]T, size)
		w.solver.Pack(packed, deltaM)
		const stretch = 16 // steps of background field kept at a time
		snap := &kernels.Snapshots[T]{Every: 1, Data: make([]T, stretch*size)}
		for n := 0; n < k.NT; n += stretch {
			if err := ctx.Err(); err != nil {
				return err
			}
			snap.First = n
			n1 := min(n+stretch, k.NT)
			if err := w.solver.Forward(k, n, n1, snap); err != nil {
				return err
			}
			if err := w.scattered.Scatter(&born, n, n1, snap, packed); err != nil {
				return err
			}
		}
		gathers[at] = make([]T, k.Receivers.Count()*p.survey.NT)
		return p.gather(gathers[at], born.Record, k.Receivers.Count(), k.Receivers.Count())
	}, nil)
	if err != nil {
		return nil, err
	}
	return gathers, nil
}

// BornAdjoint applies the adjoint of Born to gathers [receiver, NT], one per shot, and returns a velocity gradient.
func (p *PropagatorOf[T]) BornAdjoint(ctx context.Context, vp []T, gathers [][]T, shots []int) ([]T, error) {
	if len(gathers) != len(shots) {
		return nil, fmt.Errorf("%d gathers for %d shots", len(gathers), len(shots))
	}
	of := map[int][]T{}
	for i, s := range shots {
		of[s] = gathers[i]
	}
	g, err := p.Gradient(ctx, vp, shots, func(shot int, synthetic, adjoint []T) (float64, error) {
		if len(of[shot]) != len(adjoint) {
			return 0, fmt.Errorf("its gather has %d samples instead of %d", len(of[shot]), len(adjoint))
		}
		copy(adjoint, of[shot])
		return 0, nil
	})
	if err != nil {
		return nil, err
	}
	return g.VP, nil
}
