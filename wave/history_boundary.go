package wave

import (
	"context"
	"fmt"
	"slices"
	"unsafe"

	"gofwi/kernels"
)

// interior is the part of the solver's grid that CPML does not act on: there a step is its own inverse,
//
//	u[n-1] = 2 u[n] - u[n+1] + M (w[n] + f[n]),
//
// so that the field is had back from its last two values, going backward in time, if it is known in the cells around that a
// difference reaches. A second solver does this, on a grid of the interior and those strips: M is zero in the strips, and before each step
// they get the values saved on the way forward. What the layers hold cannot be had back; it is saved, every k-th step.
type interior struct {
	origin       []int          // of the second solver's grid in the first's
	domain       kernels.Domain // of the second solver
	inside       [][2]int       // range of the interior along each axis of the first's grid
	strips, back []cellRun      // the strips in the first's and the second's cells
	layers       []cellRun      // all other cells than the interior, in the first's grid
}

// cellRun is a run of neighbouring cells of a row.
type cellRun struct{ cell, length int32 }

func countCells(runs []cellRun) int {
	n := 0
	for _, r := range runs {
		n += int(r.length)
	}
	return n
}

// newInterior returns the interior of a domain.
func newInterior(d kernels.Domain) (*interior, error) {
	radius := d.Order / 2
	in := &interior{domain: kernels.Domain{Spacing: d.Spacing, Order: d.Order, D2: d.D2, FreeSurface: d.FreeSurface, DT: d.DT, Constants: d.Constants}}
	for axis, n := range d.Shape {
		low, high := 0, n
		for low < n && d.A[axis][low] != 0 {
			low++
		}
		for high > low && d.A[axis][high-1] != 0 {
			high--
		}
		begin, end := 0, n
		if low > 0 {
			low += kernels.LayerRadius(d.Order) // as far as D1 ψ reaches
			begin = max(0, low-radius)
		}
		if high < n {
			high -= kernels.LayerRadius(d.Order)
			end = min(n, high+radius)
		}
		if high <= low || axis == 0 && d.FreeSurface && end <= radius {
			return nil, fmt.Errorf("storage %q needs cells that the absorbing layers do not act on, but along axis %d none of the %d is", Boundary, axis, n)
		}
		if axis == 0 && d.D2Along != nil {
			begin = begin / kernels.RowBlock * kernels.RowBlock // blocks of rows have weights of their own
		}
		in.origin = append(in.origin, begin)
		in.inside = append(in.inside, [2]int{low, high})
		in.domain.Shape = append(in.domain.Shape, end-begin)
		zero := make([]float64, end-begin)
		in.domain.A, in.domain.B = append(in.domain.A, zero), append(in.domain.B, zero)
	}
	if d.Potential != nil {
		in.eachCell(d.Shape, func(cell int, _ bool) { in.domain.Potential = append(in.domain.Potential, d.Potential[cell]) })
	}
	if d.Along != nil {
		in.domain.Along = d.Along[in.origin[0] : in.origin[0]+in.domain.Shape[0]]
	}
	if d.D2Along != nil {
		first := in.origin[0] / kernels.RowBlock
		in.domain.D2Along = d.D2Along[first : first+(in.domain.Shape[0]+kernels.RowBlock-1)/kernels.RowBlock]
	}
	in.findCells(d)
	return in, nil
}

// findCells lists the strips and the layers.
func (in *interior) findCells(d kernels.Domain) {
	x := len(d.Shape) - 1
	nx, inX := d.NX(), in.inside[x]
	originX, endX := in.origin[x], in.origin[x]+in.domain.Shape[x]
	l := layout{grid: Grid{Shape: in.domain.Shape}, shape: d.Shape}
	for axis, n := range in.domain.Shape {
		l.added = append(l.added, [2]int{in.origin[axis], d.Shape[axis] - n - in.origin[axis]})
	}
	index := make([]int, x)
	l.eachRow(func(row, nearest int, contained bool) {
		rest := row
		for axis := x - 1; axis >= 0; axis-- {
			index[axis], rest = rest%d.Shape[axis], rest/d.Shape[axis]
		}
		outside := 0 // axes along which the row is not in the interior
		for axis, i := range index {
			if i < in.inside[axis][0] || i >= in.inside[axis][1] {
				outside++
			}
		}
		add := func(to *[]cellRun, row, begin, end int) {
			if end > begin {
				*to = append(*to, cellRun{int32(row + begin), int32(end - begin)})
			}
		}
		at, back := row*nx, nearest*in.domain.NX()-originX
		if outside > 0 {
			add(&in.layers, at, 0, nx)
		} else {
			add(&in.layers, at, 0, inX[0])
			add(&in.layers, at, inX[1], nx)
		}
		if !contained {
			return
		}
		// A difference goes along one axis: the corners of the strips are not needed.
		switch outside {
		case 0:
			for _, side := range [][2]int{{originX, inX[0]}, {inX[1], endX}} {
				add(&in.strips, at, side[0], side[1])
				add(&in.back, back, side[0], side[1])
			}
		case 1:
			add(&in.strips, at, inX[0], inX[1])
			add(&in.back, back, inX[0], inX[1])
		}
	})
}

// cropInterior writes the second solver's M: the first's, and zero in the strips.
func cropInterior[T float32 | float64](in *interior, shape []int, dst, m []T) {
	at := 0
	in.eachCell(shape, func(cell int, inside bool) {
		dst[at] = 0
		if inside {
			dst[at] = m[cell]
		}
		at++
	})
}

// eachCell calls f for the cells of the second solver in order, with their numbers in the first's grid.
func (in *interior) eachCell(shape []int, f func(cell int, inside bool)) {
	var visit func(axis, cell int, inside bool)
	visit = func(axis, cell int, inside bool) {
		for i := in.origin[axis]; i < in.origin[axis]+in.domain.Shape[axis]; i++ {
			at, within := cell*shape[axis]+i, inside && i >= in.inside[axis][0] && i < in.inside[axis][1]
			if axis == len(shape)-1 {
				f(at, within)
			} else {
				visit(axis+1, at, within)
			}
		}
	}
	visit(0, 0, true)
}

// cropPoints returns the part of points that lies in the second solver's grid.
func cropPoints[T float32 | float64](in *interior, shape []int, p kernels.Points[T]) kernels.Points[T] {
	out := kernels.Points[T]{Begin: []int32{0}}
	x := len(shape) - 1
	for i := range p.Count() {
		for k := p.Begin[i]; k < p.Begin[i+1]; k++ {
			rest, cell, stride, contained := int(p.Cell[k]), 0, 1, true
			var first int
			for axis := x; axis >= 0; axis-- {
				at := rest%shape[axis] - in.origin[axis]
				rest /= shape[axis]
				n := in.domain.Shape[axis]
				if axis == x {
					first = at
					contained = at < n && at > -kernels.Run
					at = max(at, 0)
				}
				contained = contained && at >= 0 && at < n
				cell += at * stride
				stride *= n
			}
			if !contained {
				continue
			}
			weights := make([]T, kernels.Run)
			for r, w := range p.Weight[kernels.Run*int(k) : kernels.Run*int(k+1)] {
				if at := first + r; at >= 0 && at < in.domain.NX() {
					weights[at-max(first, 0)] = w
				}
			}
			out.Cell = append(out.Cell, int32(cell))
			out.Weight = append(out.Weight, weights...)
		}
		out.Begin = append(out.Begin, int32(len(out.Cell)))
	}
	return out
}

func stripsOf[T float32 | float64](runs []cellRun) *kernels.Strips[T] {
	s := &kernels.Strips[T]{}
	for _, r := range runs {
		s.Cell, s.Length = append(s.Cell, r.cell), append(s.Length, r.length)
	}
	return s
}

// boundaryHistory saves strips around the interior at every step and the layers at every k-th, and steps the interior backward.
type boundaryHistory[T float32 | float64] struct {
	solver, inner kernels.Solver[T]
	in            *interior
	shape         []int
	plan          *Plan
	size          int // elements of a snapshot, of which `cells` are cells
	cells         int
	tail          int                // elements of `layers` a snapshot
	strips        *kernels.Strips[T] // of solver
	back          *kernels.Strips[T] // of inner, the same values
	shot          *kernels.Shot[T]   // of inner: time reversed
	m             *kernels.Buffer[T] // of inner
	values        *kernels.Buffer[T] // of the strips, [step][cells]
	layers        *kernels.Buffer[T] // [snapshot][cells outside the interior, and what stands behind the cells]
	whole, part   *kernels.Buffer[T] // snapshots of a piece, of solver and of inner
}

func newBoundaryHistory[T float32 | float64](p *PropagatorOf[T], solver kernels.Solver[T]) (history[T], error) {
	in := p.interior
	h := &boundaryHistory[T]{solver: solver, in: in, shape: p.domain.Shape, plan: &p.plan, size: p.footprint.SnapshotElements, cells: p.footprint.SnapshotCells,
		strips: stripsOf[T](in.strips), back: stripsOf[T](in.back)}
	h.tail = countCells(in.layers) + h.size - h.cells
	var err error
	if h.inner, err = p.newSolver(in.domain); err != nil {
		return nil, err
	}
	if s, ok := h.inner.(*kernels.CPU[T]); ok {
		s.WholeGrid = true // it begins with the wave everywhere
	}
	for _, b := range []struct {
		to   **kernels.Buffer[T]
		size int
	}{{&h.m, in.domain.Cells()}, {&h.values, p.plan.Steps * countCells(in.strips)}, {&h.layers, p.plan.Snapshots * h.tail}, {&h.whole, p.plan.piece * h.size}, {&h.part, p.plan.piece * h.inner.SnapshotSize()}} {
		if *b.to, err = kernels.NewBuffer[T](b.size); err != nil {
			h.close()
			return nil, err
		}
	}
	h.strips.Values, h.back.Values, h.back.Restore = h.values.Data, h.values.Data, true
	return h, nil
}

func (h *boundaryHistory[T]) forward(ctx context.Context, shot *kernels.Shot[T], m []T) error {
	saving := *shot
	saving.Strips, saving.Until = h.strips, nil // what comes last is where it goes back from
	h.solver.Reset()
	for _, c := range h.plan.pieces() {
		if err := ctx.Err(); err != nil {
			return err
		}
		snap := &kernels.Snapshots[T]{Every: h.plan.SnapshotInterval, First: c.s0, Data: h.whole.Data}
		if err := h.solver.Forward(&saving, c.n0, c.n1, snap); err != nil {
			return err
		}
		for s := c.s0; s < c.s1; s++ {
			h.eachLayer(s, c.s0, func(kept, snapshot []T) { copy(kept, snapshot) })
		}
	}
	cropInterior(h.in, h.shape, h.m.Data, m)
	h.inner.SetModel(h.m.Data)
	h.shot = &kernels.Shot[T]{NT: shot.NT, Sources: cropPoints(h.in, h.shape, shot.Sources), Wavelet: slices.Clone(shot.Wavelet), Strips: h.back}
	for at := 0; at < len(h.shot.Wavelet); at += shot.NT {
		slices.Reverse(h.shot.Wavelet[at : at+shot.NT])
	}
	return h.inner.TurnBack(h.solver, h.in.origin)
}

// eachLayer calls f for what is kept of snapshot s, run by run, and its place in the snapshots of a piece from s0 on.
func (h *boundaryHistory[T]) eachLayer(s, s0 int, f func(kept, snapshot []T)) {
	kept, snapshot := h.layers.Data[s*h.tail:(s+1)*h.tail], h.whole.Data[(s-s0)*h.size:(s-s0+1)*h.size]
	nx, row := h.shape[len(h.shape)-1], h.solver.SnapshotRow()
	for _, r := range h.in.layers {
		at := int(r.cell)/nx*row + int(r.cell)%nx
		f(kept[:r.length], snapshot[at:at+int(r.length)])
		kept = kept[r.length:]
	}
	f(kept, snapshot[h.cells:])
}

func (h *boundaryHistory[T]) backward(ctx context.Context, adjoint func(n0, n1 int, snap *kernels.Snapshots[T]) error) error {
	pieces, every, steps := h.plan.pieces(), h.plan.SnapshotInterval, h.plan.Steps
	for i := len(pieces) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := pieces[i]
		// Step n is step NT-1-n of the inner solver, so that snapshots come in reverse order as well.
		part := &kernels.Snapshots[T]{Every: every, Phase: (steps - 1) % every, First: h.plan.Snapshots - c.s1, Data: h.part.Data}
		if err := h.inner.Forward(h.shot, steps-c.n1, steps-c.n0, part); err != nil {
			return err
		}
		for s := c.s0; s < c.s1; s++ {
			h.eachLayer(s, c.s0, func(kept, snapshot []T) { copy(snapshot, kept) })
			h.join(h.whole.Data[(s-c.s0)*h.size:], h.part.Data[(c.s1-1-s)*h.inner.SnapshotSize():])
		}
		if err := adjoint(c.n0, c.n1, &kernels.Snapshots[T]{Every: every, First: c.s0, Data: h.whole.Data}); err != nil {
			return err
		}
	}
	return nil
}

// join copies the interior of the inner solver's snapshot into a whole one.
func (h *boundaryHistory[T]) join(whole, part []T) {
	x := len(h.shape) - 1
	wide, narrow := h.solver.SnapshotRow(), h.inner.SnapshotRow()
	low, high, first := h.in.inside[x][0], h.in.inside[x][1], h.in.inside[x][0]-h.in.origin[x]
	var visit func(axis, row, inner int)
	visit = func(axis, row, inner int) {
		if axis == x {
			copy(whole[row*wide+low:row*wide+high], part[inner*narrow+first:])
			return
		}
		for i := h.in.inside[axis][0]; i < h.in.inside[axis][1]; i++ {
			visit(axis+1, row*h.shape[axis]+i, inner*h.in.domain.Shape[axis]+i-h.in.origin[axis])
		}
	}
	visit(0, 0, 0)
}

func (h *boundaryHistory[T]) close() {
	h.inner.Close()
	for _, b := range []*kernels.Buffer[T]{h.m, h.values, h.layers, h.whole, h.part} {
		b.Close()
	}
}

// boundaryMemory returns the bytes of a worker's strips and layers for a plan, and those of the inner solver with a piece of snapshots.
func boundaryMemory[T float32 | float64](p *PropagatorOf[T], plan *Plan, inner kernels.Footprint) (strips, layers, solver, pieces int) {
	element, f := int(unsafe.Sizeof(T(0))), p.footprint
	strips = element * plan.Steps * countCells(p.interior.strips)
	layers = element * plan.Snapshots * (countCells(p.interior.layers) + f.SnapshotElements - f.SnapshotCells)
	solver = inner.Solver + element*p.interior.domain.Cells()
	// each run of strips is listed here, for both solvers and inside them
	solver += (2*8+2*8+2*12)*len(p.interior.strips) + 8*len(p.interior.layers)
	return strips, layers, solver, element * plan.piece * (f.SnapshotElements + inner.SnapshotElements)
}
