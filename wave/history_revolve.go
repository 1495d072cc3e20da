package wave

import (
	"context"
	"math"

	"gofwi/kernels"
)

// Binomial checkpoints: Griewank & Walther (2000), ACM TOMS 26, 19-45, algorithm 799. The steps of a shot are divided into
// segments. Of one segment, snapshots are in memory; a state of the solver can be kept at the beginning of some others, from which the
// field is stepped anew. On the way forward to the end states are kept where the recomputation will be least.

// revolveAction is one action of a schedule.
type revolveAction struct {
	do      revolveVerb
	segment int // at whose beginning the state is or will be; of which snapshots or the adjoint are
	slot    int // of the checkpoint: -1 is the field at rest before the first segment
}

type revolveVerb int

const (
	revolveLoad    revolveVerb = iota // take over the state in a slot
	revolveSave                       // keep the state
	revolveAdvance                    // step to the beginning of the segment
	revolveRecord                     // step through the segment, taking snapshots
	revolveAdjoint                    // step the adjoint through the segment
)

// revolveSchedule returns the actions for a number of segments and of slots for checkpoints. Everything before the first adjoint is the
// way forward.
func revolveSchedule(segments, slots int) []revolveAction {
	var out []revolveAction
	add := func(do revolveVerb, segment, slot int) { out = append(out, revolveAction{do, segment, slot}) }
	type kept struct{ segment, slot int }
	stack := []kept{{0, -1}}
	for end := segments; end > 0; end-- {
		top := stack[len(stack)-1]
		at := top.segment
		add(revolveLoad, at, top.slot)
		for slot := len(stack) - 1; end-at > 2 && slot < slots; slot++ {
			m := revolveSplit(end-at, slots-slot, end == segments)
			if at+m == end-1 {
				break
			}
			at += m
			add(revolveAdvance, at, 0)
			add(revolveSave, at, slot)
			stack = append(stack, kept{at, slot})
		}
		if at < end-1 {
			add(revolveAdvance, end-1, 0)
		}
		add(revolveRecord, end-1, 0)
		add(revolveAdjoint, end-1, 0)
		if stack[len(stack)-1].segment == end-1 {
			stack = stack[:len(stack)-1]
		}
	}
	return out
}

// revolveSplit returns after how many of l segments the next state is kept, with s slots free. first: on the way forward, where the snapshots of the
// last segment are taken at once.
func revolveSplit(l, s int, first bool) int {
	best, least := 1, math.MaxInt
	for m := 1; m < l; m++ {
		cost := m + revolveCost(l-m, s-1) + revolveCost(m, s)
		if first {
			cost = revolveExtra(l-m, s-1) + revolveCost(m, s)
		}
		if cost < least {
			best, least = m, cost
		}
	}
	return best
}

// revolveCost returns the segments stepped to go back through l of them from a kept state, with s slots free: l more than
// Griewank's t(l, s+1), since each is stepped once more for its snapshots.
func revolveCost(l, s int) int { return l + revolveExtra(l, s) }

// revolveExtra returns t(l, s+1) = r l - C(s+1+r, r-1) with the least r for which C(s+1+r, r) ≥ l: the segments stepped beyond the first
// time through all of them.
func revolveExtra(l, s int) int {
	s++
	// binomial coefficients C(s+r, r) and C(s+r, r-1)
	r, reach := 0, 1
	for reach < l {
		r++
		reach = reach * (s + r) / r
	}
	if r == 0 {
		return 0
	}
	return r*l - reach*r/(s+1)
}

// revolveRecomputed returns the steps that a schedule does again, segments being g steps long, the last perhaps shorter.
func revolveRecomputed(steps, g, slots int) int {
	segments := (steps + g - 1) / g
	at, sum := 0, 0
	for _, a := range revolveSchedule(segments, slots) {
		switch a.do {
		case revolveLoad:
			at = a.segment * g
		case revolveAdvance:
			sum += a.segment*g - at
			at = a.segment * g
		case revolveRecord:
			end := min((a.segment+1)*g, steps)
			sum += end - at
			at = end
		}
	}
	return sum - steps
}

// revolveHistory steps the forward field in a solver of its own, anew from checkpoints for every segment but the last.
type revolveHistory[T float32 | float64] struct {
	again    kernels.Solver[T]
	plan     *Plan
	state    int
	states   *kernels.Buffer[byte] // [checkpoint][state]
	buffer   *kernels.Buffer[T]    // snapshots of a segment
	snap     kernels.Snapshots[T]
	shot     kernels.Shot[T]
	schedule []revolveAction
	at       int // the next action
	step     int // of the solver
}

func newRevolveHistory[T float32 | float64](p *PropagatorOf[T], solver kernels.Solver[T]) (history[T], error) {
	again, err := p.newSolver(p.domain)
	if err != nil {
		return nil, err
	}
	h := &revolveHistory[T]{again: again, plan: &p.plan, state: again.StateSize()}
	if h.states, err = kernels.NewBuffer[byte](p.plan.Checkpoints * h.state); err != nil {
		h.close()
		return nil, err
	}
	if h.buffer, err = kernels.NewBuffer[T](p.plan.segment * solver.SnapshotSize()); err != nil {
		h.close()
		return nil, err
	}
	h.snap = kernels.Snapshots[T]{Every: p.plan.SnapshotInterval, Data: h.buffer.Data}
	h.schedule = revolveSchedule(p.plan.segments(), p.plan.Checkpoints)
	return h, nil
}

// begins returns the step at which a segment begins.
func (h *revolveHistory[T]) begins(segment int) int {
	return min(segment*h.plan.segment*h.plan.SnapshotInterval, h.plan.Steps)
}

// run does the schedule's actions up to the next adjoint.
func (h *revolveHistory[T]) run(ctx context.Context) error {
	for ; h.schedule[h.at].do != revolveAdjoint; h.at++ {
		a := h.schedule[h.at]
		var state []byte
		if a.slot >= 0 {
			state = h.states.Data[a.slot*h.state:]
			state = state[:min(len(state), h.state)]
		}
		switch a.do {
		case revolveLoad:
			h.step = h.begins(a.segment)
			if a.slot < 0 {
				h.again.Reset()
			} else {
				h.again.LoadState(state)
			}
		case revolveSave:
			h.again.SaveState(state)
		case revolveAdvance:
			if err := h.advance(ctx, h.begins(a.segment), nil); err != nil {
				return err
			}
		case revolveRecord:
			h.snap.First = a.segment * h.plan.segment
			if err := h.advance(ctx, h.begins(a.segment+1), &h.snap); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *revolveHistory[T]) advance(ctx context.Context, end int, snap *kernels.Snapshots[T]) error {
	err := forwardChunks(ctx, h.step, end, func(n0, n1 int) error { return h.again.Forward(&h.shot, n0, n1, snap) })
	h.step = end
	return err
}

func (h *revolveHistory[T]) forward(ctx context.Context, shot *kernels.Shot[T], m []T) error {
	h.again.SetModel(m)
	h.at, h.shot = 0, *shot
	err := h.run(ctx)
	// what is stepped again has been recorded, and the record becomes the adjoint source
	h.shot.Receivers, h.shot.Record = kernels.Points[T]{}, nil
	return err
}

func (h *revolveHistory[T]) backward(ctx context.Context, adjoint func(n0, n1 int, snap *kernels.Snapshots[T]) error) error {
	for ; h.at < len(h.schedule); h.at++ {
		if err := h.run(ctx); err != nil {
			return err
		}
		segment := h.schedule[h.at].segment
		err := adjointChunks(ctx, h.begins(segment), h.begins(segment+1), func(n0, n1 int) error { return adjoint(n0, n1, &h.snap) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *revolveHistory[T]) close() {
	h.again.Close()
	h.states.Close()
	h.buffer.Close()
}
