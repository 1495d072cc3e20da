package wave

import (
	"context"

	"gofwi/kernels"
)

// narrowHistory keeps the snapshots in 16 bits: bfloat16, whose 8 significant bits round each value by 2⁻⁸ of itself at most. The errors
// of different cells and steps are independent and average out in the time sum of the gradient. What a snapshot says about the cells
// that the wave had reached stays exact.
type narrowHistory[T float32 | float64] struct {
	solver kernels.Solver[T]
	plan   *Plan
	size   int // elements of a snapshot, of which `cells` are rounded
	cells  int
	half   *kernels.Buffer[uint16] // [snapshot][cells]
	exact  *kernels.Buffer[T]      // [snapshot][size-cells]
	wide   *kernels.Buffer[T]      // the snapshots of a piece
}

func newNarrowHistory[T float32 | float64](p *PropagatorOf[T], solver kernels.Solver[T]) (history[T], error) {
	f := p.footprint
	h := &narrowHistory[T]{solver: solver, plan: &p.plan, size: f.SnapshotElements, cells: f.SnapshotCells}
	var err error
	if h.half, err = kernels.NewBuffer[uint16](p.plan.Snapshots * h.cells); err != nil {
		return nil, err
	}
	if h.exact, err = kernels.NewBuffer[T](p.plan.Snapshots * (h.size - h.cells)); err != nil {
		h.close()
		return nil, err
	}
	if h.wide, err = kernels.NewBuffer[T](p.plan.piece * h.size); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// slot returns the parts of snapshot s, and where it stands in a piece that begins with s0.
func (h *narrowHistory[T]) slot(s, s0 int) (half []uint16, exact, wide []T) {
	tail := h.size - h.cells
	return h.half.Data[s*h.cells : (s+1)*h.cells], h.exact.Data[s*tail : (s+1)*tail], h.wide.Data[(s-s0)*h.size : (s-s0+1)*h.size]
}

func (h *narrowHistory[T]) forward(ctx context.Context, shot *kernels.Shot[T], _ []T) error {
	h.solver.Reset()
	for _, c := range h.plan.pieces() {
		if err := ctx.Err(); err != nil {
			return err
		}
		snap := &kernels.Snapshots[T]{Every: h.plan.SnapshotInterval, First: c.s0, Data: h.wide.Data}
		if err := h.solver.Forward(shot, c.n0, c.n1, snap); err != nil {
			return err
		}
		for s := c.s0; s < c.s1; s++ {
			half, exact, wide := h.slot(s, c.s0)
			h.solver.Narrow(half, wide)
			copy(exact, wide[h.cells:])
		}
	}
	return nil
}

func (h *narrowHistory[T]) backward(ctx context.Context, adjoint func(n0, n1 int, snap *kernels.Snapshots[T]) error) error {
	pieces := h.plan.pieces()
	for i := len(pieces) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := pieces[i]
		for s := c.s0; s < c.s1; s++ {
			half, exact, wide := h.slot(s, c.s0)
			copy(wide[h.cells:], exact)
			h.solver.Widen(wide, half)
		}
		if err := adjoint(c.n0, c.n1, &kernels.Snapshots[T]{Every: h.plan.SnapshotInterval, First: c.s0, Data: h.wide.Data}); err != nil {
			return err
		}
	}
	return nil
}

func (h *narrowHistory[T]) close() {
	h.half.Close()
	h.exact.Close()
	h.wide.Close()
}
