package wave

import (
	"context"

	"gofwi/kernels"
)

// memoryHistory keeps the snapshots as they are: EveryStep and EveryKth.
type memoryHistory[T float32 | float64] struct {
	solver kernels.Solver[T]
	steps  int
	buffer *kernels.Buffer[T]
	snap   kernels.Snapshots[T]
}

func newMemoryHistory[T float32 | float64](p *PropagatorOf[T], solver kernels.Solver[T]) (history[T], error) {
	b, err := kernels.NewBuffer[T](p.plan.Snapshots * solver.SnapshotSize())
	if err != nil {
		return nil, err
	}
	return &memoryHistory[T]{solver, p.plan.Steps, b, kernels.Snapshots[T]{Every: p.plan.SnapshotInterval, Data: b.Data}}, nil
}

func (h *memoryHistory[T]) forward(ctx context.Context, shot *kernels.Shot[T], _ []T) error {
	h.solver.Reset()
	return forwardChunks(ctx, 0, h.steps, func(n0, n1 int) error { return h.solver.Forward(shot, n0, n1, &h.snap) })
}

func (h *memoryHistory[T]) backward(ctx context.Context, adjoint func(n0, n1 int, snap *kernels.Snapshots[T]) error) error {
	return adjointChunks(ctx, 0, h.steps, func(n0, n1 int) error { return adjoint(n0, n1, &h.snap) })
}

func (h *memoryHistory[T]) close() { h.buffer.Close() }
