package wave

import (
	"errors"
	"fmt"
	"math"
	"os"
	"unsafe"

	"gofwi/kernels"
)

// The planner chooses how the forward field is kept and how many shots are worked on at a time: what takes the least time among what fits
// into the memory allowed.
//
// Time is counted in forward steps of one shot. A gradient costs one forward and about 1.2 adjoint; the strategies differ in what they add
// (gradientCost, measured: docs/performance.md), and Revolve in what it steps again. Fewer workers than processors cost in proportion,
// except in 3D, where the processors that are left step shots together with the others.

// gradientCost is the time of a gradient in units of forward steps without snapshots, in 2D and in 3D; Revolve's without what it steps again.
var gradientCost = map[Storage][2]float64{
	EveryStep:  {4.6, 2.8},
	EveryKth:   {2.25, 2.3},
	SixteenBit: {2.3, 2.35},
	Disk:       {2.6, 2.4},
	Boundary:   {3.2, 3.0},
	Revolve:    {2.3, 2.5},
}

// strategies in the order in which equal costs decide. AutoStorage does not choose Disk, whose speed is not known and which takes what has to be
// asked for, nor EveryStep, which is never better than EveryKth.
var strategies = []Storage{EveryKth, SixteenBit, Boundary, Revolve}

// maxRecomputed is the largest recomputation, in forward runs, that the planner proposes.
const maxRecomputed = 10

// MemoryItem is a part of the memory that a gradient takes.
type MemoryItem struct {
	Name  string
	Bytes int // of all workers together
}

// makePlan fills in p.plan, or says what memory would be needed.
func (p *PropagatorOf[T]) makePlan(dt, limit float64, steps int) error {
	o := p.options
	isa := "reference"
	if !o.Reference {
		var err error
		if isa, err = kernels.InstructionSet(o.InstructionSet); err != nil {
			return err
		}
	}
	base := Plan{Equation: p.equation.Name, SolverShape: p.layout.shape, Rows: p.layout.grid.Shape[0], DT: dt, Steps: steps, StabilityLimit: limit, MaxVelocity: o.MaxVelocity, MaxFrequency: o.MaxFrequency,
		Order: o.Order, InstructionSet: isa, Backend: CPU}
	allowed := o.MemoryLimit
	if allowed == 0 {
		allowed = AvailableMemory() / 4 * 3
	}
	if allowed == 0 {
		allowed = math.MaxInt // the system does not say
	}
	choices := strategies
	if o.Storage != AutoStorage {
		choices = []Storage{o.Storage}
	}
	var noInterior error
	if p.interior, noInterior = newInterior(p.domain); p.equation.Irreversible {
		p.interior, noInterior = nil, fmt.Errorf("storage %q steps back in time, which the equation %q does not allow", Boundary, p.equation.Name)
	}
	if noInterior != nil && o.Storage == Boundary {
		return noInterior
	}

	least := math.Inf(1)
	for workers := min(o.Threads, len(p.survey.Shots)); workers >= 1; workers-- {
		plan := base
		plan.Workers, plan.ThreadsPerShot = workers, 1
		dimension := p.grid.Axes() - 2
		if dimension == 1 {
			plan.ThreadsPerShot = max(1, o.Threads/workers)
		}
		var err error
		if p.footprint, err = p.measure(p.domain, plan.ThreadsPerShot); err != nil {
			return err
		}
		for _, s := range choices {
			plan, err := p.withStorage(plan, s, allowed)
			if errors.Is(err, errNoRoom) {
				continue
			}
			if err != nil {
				return err
			}
			cost := gradientCost[s][dimension]
			if s == Revolve {
				cost += plan.Recomputed
			}
			// threads of one shot wait for each other
			if cost /= float64(workers) * math.Pow(float64(plan.ThreadsPerShot), 0.8); cost < least {
				least, p.plan = cost, plan
			}
		}
	}
	if math.IsInf(least, 1) {
		return p.refusal(base, choices, allowed)
	}
	var err error
	p.footprint, err = p.measure(p.domain, p.plan.ThreadsPerShot)
	if err == nil && p.plan.DiskBytesPerWorker > 0 {
		err = p.checkDisk()
	}
	return err
}

// errNoRoom: a plan does not fit.
var errNoRoom = errors.New("too little memory")

// withStorage completes a plan with a strategy, or returns errNoRoom if it does not fit.
func (p *PropagatorOf[T]) withStorage(plan Plan, s Storage, allowed int) (Plan, error) {
	element, f := int(unsafe.Sizeof(T(0))), p.footprint
	snapshot := element * f.SnapshotElements
	k := 1
	if s != EveryStep {
		if k = p.options.SnapshotInterval; k == 0 {
			k = nyquistInterval(plan.MaxFrequency, plan.DT)
		}
		k = min(k, plan.Steps)
	}
	plan.Storage, plan.SnapshotInterval, plan.Snapshots = s, k, (plan.Steps+k-1)/k
	plan.piece = pieceSlots(snapshot, k, plan.Snapshots)

	plan.Memory = nil
	total := 0
	add := func(name string, bytes int) {
		if bytes > 0 {
			plan.Memory = append(plan.Memory, MemoryItem{name, bytes})
			total += bytes
		}
	}
	each := func(name string, bytes int) { add(name, plan.Workers*bytes) }
	add("shared", p.sharedBytes())
	each("solvers", f.Solver)
	each("gradients", 2*snapshot)
	each("traces", p.traceBytes(plan.Steps))
	switch s {
	case EveryStep, EveryKth:
		each("snapshots", plan.Snapshots*snapshot)
	case SixteenBit:
		each("snapshots", plan.Snapshots*(2*f.SnapshotCells+element*(f.SnapshotElements-f.SnapshotCells)))
		each("buffers", plan.piece*snapshot)
	case Disk:
		plan.piece = max(1, min(diskPieceBytes/snapshot, max(stepsPerCall/k, 1), plan.Snapshots))
		plan.DiskBytesPerWorker = plan.Snapshots * snapshot
		each("buffers", 2*plan.piece*snapshot)
	case Boundary:
		if p.interior == nil {
			return plan, errNoRoom
		}
		inner, err := p.measure(p.interior.domain, plan.ThreadsPerShot)
		if err != nil {
			return plan, err
		}
		strips, layers, solver, pieces := boundaryMemory(p, &plan, inner)
		each("second solvers", solver)
		each("strips", strips)
		each("layers", layers)
		each("buffers", pieces)
		plan.Recomputed = 1
	case Revolve:
		each("second solvers", f.Solver)
		room := (allowed - total) / plan.Workers
		segment, checkpoints, ok := chooseRevolve(plan.Steps, k, room, snapshot, f.State)
		if !ok {
			return plan, errNoRoom
		}
		plan.segment, plan.Checkpoints = segment, checkpoints
		plan.Recomputed = float64(revolveRecomputed(plan.Steps, segment*k, checkpoints)) / float64(plan.Steps)
		each("snapshots", segment*snapshot)
		each("checkpoints", checkpoints*f.State)
	}
	plan.Bytes, plan.BytesPerWorker = total, (total-plan.Memory[0].Bytes)/plan.Workers
	if total > allowed {
		return plan, errNoRoom
	}
	return plan, nil
}

// chooseRevolve returns the snapshots of a segment and the number of checkpoints with the least recomputation that fit into the
// room, and of equal ones those that take the least. It fails if none is within maxRecomputed.
func chooseRevolve(steps, k, room, snapshot, state int) (segment, checkpoints int, ok bool) {
	snapshots := (steps + k - 1) / k
	least, bytes := maxRecomputed*steps, 0
	for g := 1; g <= snapshots && g*snapshot <= room; g++ {
		segments := (snapshots + g - 1) / g
		slots := min((room-g*snapshot)/state, max(segments-2, 0))
		cost, size := revolveExtra(segments, slots)*g*k, g*snapshot+slots*state
		if cost < least || cost == least && (!ok || size < bytes) {
			least, bytes = cost, size
			segment, checkpoints, ok = g, slots, true
		}
	}
	return segment, checkpoints, ok
}

// runtimeBytes is what Go's runtime, its heap of at least 4 MiB before it collects, and the code take besides.
const runtimeBytes = 4 << 20

// sharedBytes is what all workers share: M, the sums of gradient and illumination, a scratch array, the results (and those of the
// call before), and the cells of sources and receivers.
func (p *PropagatorOf[T]) sharedBytes() int {
	element := int(unsafe.Sizeof(T(0)))
	runs := 0
	seen := map[*Position]bool{}
	for i := range p.survey.Shots {
		for _, list := range [][]Position{p.survey.Shots[i].Sources, p.survey.Shots[i].Receivers} {
			if seen[&list[0]] {
				continue
			}
			seen[&list[0]] = true
			for _, position := range list {
				rows := 1
				for axis := range len(p.layout.shape) - 1 {
					if x := p.layout.inCells(position, axis); math.Abs(x-math.Round(x)) >= onCell {
						rows *= 2 * hicksHalfWidth
					}
				}
				runs += rows
			}
		}
	}
	return runtimeBytes + element*(4*p.layout.cells()+4*p.grid.Cells()) + runs*(4+kernels.Run*element)
}

// traceBytes is what a worker takes for the traces of one shot: record, gather and adjoint source, wavelets and their gradients.
func (p *PropagatorOf[T]) traceBytes(steps int) int {
	most := 0
	for i := range p.survey.Shots {
		s := &p.survey.Shots[i]
		most = max(most, len(s.Receivers)*(steps+2*p.survey.NT)+(len(s.Sources)+len(s.Wavelets))*steps)
	}
	return int(unsafe.Sizeof(T(0))) * most
}

// measure returns the footprint of a solver.
func (p *PropagatorOf[T]) measure(d kernels.Domain, threads int) (kernels.Footprint, error) {
	return p.solvers.Measure(d, p.kernelOptions(threads))
}

// refusal returns the error that names the smallest limit under which one of the choices would do.
func (p *PropagatorOf[T]) refusal(plan Plan, choices []Storage, allowed int) error {
	plan.Workers, plan.ThreadsPerShot = 1, 1
	smallest := func(of []Storage) (bytes int, best Storage) {
		bytes = math.MaxInt
		for _, s := range of {
			need, err := p.withStorage(plan, s, math.MaxInt)
			if s == Revolve {
				need, err = p.leastRevolve(plan)
			}
			if err == nil && need.Bytes < bytes {
				bytes, best = need.Bytes, s
			}
		}
		return bytes, best
	}
	cells := Times("%d", p.layout.shape)
	bytes, best := smallest(choices)
	text := fmt.Sprintf("the gradient of one shot of %s cells and %d steps needs %s with storage %q, but the limit is %s", cells, plan.Steps, formatBytes(bytes), best, formatBytes(allowed))
	if other, s := smallest(strategies); other < bytes {
		return fmt.Errorf("%s: storage %q needs %s", text, s, formatBytes(other))
	}
	return fmt.Errorf("%s: coarsen the grid or shorten the record", text)
}

// leastRevolve returns the plan of Revolve that takes the least memory.
func (p *PropagatorOf[T]) leastRevolve(plan Plan) (Plan, error) {
	low, high := 0, math.MaxInt/4
	for high-low > max(1, high/1000) {
		middle := low + (high-low)/2
		if _, err := p.withStorage(plan, Revolve, middle); err == nil {
			high = middle
		} else {
			low = middle
		}
	}
	plan, err := p.withStorage(plan, Revolve, high)
	plan.Bytes = high
	return plan, err
}

// checkDisk returns an error if the plan's files have no room.
func (p *PropagatorOf[T]) checkDisk() error {
	dir, want := p.options.scratchDir(), p.plan.Workers*p.plan.DiskBytesPerWorker
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no directory %s for %s of snapshots", dir, formatBytes(want))
	}
	if free, known := freeDisk(dir); known && free < want {
		return fmt.Errorf("snapshots need %s in %s, but it has only %s left: name another directory, or another storage than %q", formatBytes(want), dir, formatBytes(free), Disk)
	}
	return nil
}

// nyquistInterval returns the steps between snapshots that sample products of two signals below the given frequency one and
// a half times as often as they need.
func nyquistInterval(frequency, dt float64) int {
	return max(1, int(1/(2*frequency*1.5*dt)))
}
