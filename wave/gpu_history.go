package wave

import (
	"context"
	"errors"
	"slices"
	"unsafe"

	"gofwi/kernels"
	"gofwi/kernels/cuda"
)

// gpuHistory keeps the forward fields of a batch for its adjoint: what history is on the CPU.
type gpuHistory[T float32 | float64] interface {
	// forward runs the shots, which the worker's batch has loaded, from rest to their end.
	forward(ctx context.Context, shots []*kernels.Shot[T]) error
	// recorder is the batch that recorded them.
	recorder() *cuda.Batch[T]
	// backward calls adjoint for pieces of the steps, the last first, with the snapshots in them.
	backward(ctx context.Context, adjoint func(n0, n1 int, snap *cuda.Snapshots) error) error
	close()
}

func (p *PropagatorOf[T]) newGPUHistory(w *gpuWorker[T]) (gpuHistory[T], error) {
	switch p.plan.Storage {
	case Host:
		return newGPUHostHistory(p, w)
	case Boundary:
		return newGPUBoundaryHistory(p, w)
	case Revolve:
		return newGPURevolveHistory(p, w)
	}
	return newGPUMemoryHistory(p, w)
}

// slotBytes returns the bytes of a step's snapshots of a full batch.
func (p *PropagatorOf[T]) slotBytes() int {
	if p.plan.Storage == SixteenBit {
		return p.plan.Batch * p.gpu.footprint.Half
	}
	return p.plan.Batch * p.gpu.footprint.Snapshot
}

// gpuMemoryHistory keeps the snapshots on the device: EveryStep, EveryKth and SixteenBit.
type gpuMemoryHistory[T float32 | float64] struct {
	batch *cuda.Batch[T]
	steps int
	snap  cuda.Snapshots
}

func newGPUMemoryHistory[T float32 | float64](p *PropagatorOf[T], w *gpuWorker[T]) (gpuHistory[T], error) {
	m, err := w.device.Alloc(p.plan.Snapshots * p.slotBytes())
	if err != nil {
		return nil, err
	}
	return &gpuMemoryHistory[T]{w.batch, p.plan.Steps, cuda.Snapshots{Every: p.plan.SnapshotInterval, Half: p.plan.Storage == SixteenBit, Memory: m}}, nil
}

func (h *gpuMemoryHistory[T]) forward(ctx context.Context, _ []*kernels.Shot[T]) error {
	if err := h.batch.Reset(); err != nil {
		return err
	}
	return h.batch.Chunks(ctx, 0, h.steps, false, func(n0, n1 int) error { return h.batch.Forward(n0, n1, &h.snap) })
}

func (h *gpuMemoryHistory[T]) recorder() *cuda.Batch[T] { return h.batch }

func (h *gpuMemoryHistory[T]) backward(ctx context.Context, adjoint func(n0, n1 int, snap *cuda.Snapshots) error) error {
	return h.batch.Chunks(ctx, 0, h.steps, true, func(n0, n1 int) error { return adjoint(n0, n1, &h.snap) })
}

func (h *gpuMemoryHistory[T]) close() { h.snap.Memory.Close() }

// gpuHostHistory keeps the snapshots in pinned memory of the machine. A piece of them is copied while the next one is stepped, from one of two buffers to
// which the device writes in turn.
type gpuHostHistory[T float32 | float64] struct {
	batch   *cuda.Batch[T]
	device  *cuda.Device
	plan    *Plan
	buffers [2]*cuda.Memory
	host    *cuda.HostMemory
}

func newGPUHostHistory[T float32 | float64](p *PropagatorOf[T], w *gpuWorker[T]) (gpuHistory[T], error) {
	h := &gpuHostHistory[T]{batch: w.batch, device: w.device, plan: &p.plan}
	var err error
	for i := range h.buffers {
		if h.buffers[i], err = w.device.Alloc(p.plan.piece * p.slotBytes()); err != nil {
			h.close()
			return nil, err
		}
	}
	if h.host, err = w.device.AllocHost(p.plan.Snapshots * p.slotBytes()); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *gpuHostHistory[T]) snap(i int, c piece) *cuda.Snapshots {
	return &cuda.Snapshots{Every: h.plan.SnapshotInterval, First: c.s0, Memory: h.buffers[i%2]}
}

// bytes returns the size of a piece and its place in host memory.
func (h *gpuHostHistory[T]) bytes(c piece) (at, size int) {
	slot := h.batch.SlotBytes(false)
	return c.s0 * slot, (c.s1 - c.s0) * slot
}

func (h *gpuHostHistory[T]) forward(ctx context.Context, _ []*kernels.Shot[T]) error {
	if err := h.batch.Reset(); err != nil {
		return err
	}
	pieces := h.plan.pieces()
	for i, c := range pieces {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, h.device.FinishCopies())
		}
		if err := h.batch.Forward(c.n0, c.n1, h.snap(i, c)); err != nil {
			return err
		}
		if i >= len(pieces)-2 {
			continue // the last two stay in the buffers, but the one before them must have left
		}
		at, size := h.bytes(c)
		// the next piece waits for the copy of the one before this, whose buffer it takes; the copy begun now runs beside it
		if err := errors.Join(h.device.AwaitCopies(), h.device.BeginSave(h.host, at, h.buffers[i%2], size), h.batch.Wait()); err != nil {
			return err
		}
		if i == len(pieces)-3 {
			if err := h.device.FinishCopies(); err != nil { // before the last piece takes its buffer
				return err
			}
		}
	}
	return errors.Join(h.device.FinishCopies(), h.batch.Wait())
}

func (h *gpuHostHistory[T]) recorder() *cuda.Batch[T] { return h.batch }

func (h *gpuHostHistory[T]) backward(ctx context.Context, adjoint func(n0, n1 int, snap *cuda.Snapshots) error) error {
	pieces := h.plan.pieces()
	for i := len(pieces) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, h.device.FinishCopies())
		}
		if err := h.device.AwaitCopies(); err != nil {
			return err
		}
		if i > 0 && i < len(pieces)-1 { // into the buffer of the piece after this one
			at, size := h.bytes(pieces[i-1])
			if err := h.device.BeginLoad(h.buffers[(i-1)%2], h.host, at, size); err != nil {
				return err
			}
		}
		if err := errors.Join(adjoint(pieces[i].n0, pieces[i].n1, h.snap(i, pieces[i])), h.batch.Wait()); err != nil {
			return err
		}
	}
	return nil
}

func (h *gpuHostHistory[T]) close() {
	for _, b := range h.buffers {
		b.Close()
	}
	h.host.Close()
}

// gpuRevolveHistory steps the forward fields in a batch of their own, anew from checkpoints for every segment but the last (history_revolve.go).
type gpuRevolveHistory[T float32 | float64] struct {
	p        *PropagatorOf[T]
	batch    *cuda.Batch[T]
	again    *cuda.Batch[T]
	states   []*cuda.Memory
	parities []int
	snap     cuda.Snapshots
	schedule []revolveAction
	at       int // the next action
	step     int // of the solver
}

func newGPURevolveHistory[T float32 | float64](p *PropagatorOf[T], w *gpuWorker[T]) (gpuHistory[T], error) {
	h := &gpuRevolveHistory[T]{p: p, batch: w.batch, parities: make([]int, p.plan.Checkpoints)}
	again, err := cuda.NewBatch[T](w.device, p.domain, p.plan.Batch)
	if err != nil {
		return nil, err
	}
	h.again = again
	for range p.plan.Checkpoints {
		m, err := w.device.Alloc(again.StateBytes())
		if err != nil {
			h.close()
			return nil, err
		}
		h.states = append(h.states, m)
	}
	h.snap = cuda.Snapshots{Every: p.plan.SnapshotInterval}
	if h.snap.Memory, err = w.device.Alloc(p.plan.segment * p.slotBytes()); err != nil {
		h.close()
		return nil, err
	}
	h.schedule = revolveSchedule(p.plan.segments(), p.plan.Checkpoints)
	return h, nil
}

func (h *gpuRevolveHistory[T]) begins(segment int) int {
	return min(segment*h.p.plan.segment*h.p.plan.SnapshotInterval, h.p.plan.Steps)
}

// run does the schedule's actions up to the next adjoint.
func (h *gpuRevolveHistory[T]) run(ctx context.Context) error {
	for ; h.schedule[h.at].do != revolveAdjoint; h.at++ {
		a, err := h.schedule[h.at], error(nil)
		switch a.do {
		case revolveLoad:
			h.step = h.begins(a.segment)
			if a.slot < 0 {
				err = h.again.Reset()
			} else {
				err = h.again.LoadState(h.states[a.slot], h.parities[a.slot])
			}
		case revolveSave:
			h.parities[a.slot], err = h.again.SaveState(h.states[a.slot])
		case revolveAdvance:
			err = h.advance(ctx, h.begins(a.segment), nil)
		case revolveRecord:
			h.snap.First = a.segment * h.p.plan.segment
			err = h.advance(ctx, h.begins(a.segment+1), &h.snap)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *gpuRevolveHistory[T]) advance(ctx context.Context, end int, snap *cuda.Snapshots) error {
	err := h.again.Chunks(ctx, h.step, end, false, func(n0, n1 int) error { return h.again.Forward(n0, n1, snap) })
	h.step = end
	return err
}

func (h *gpuRevolveHistory[T]) forward(ctx context.Context, shots []*kernels.Shot[T]) error {
	h.at = 0
	if err := errors.Join(h.again.CopyModel(h.batch), h.again.Load(shots)); err != nil {
		return err
	}
	return h.run(ctx)
}

func (h *gpuRevolveHistory[T]) recorder() *cuda.Batch[T] { return h.again }

func (h *gpuRevolveHistory[T]) backward(ctx context.Context, adjoint func(n0, n1 int, snap *cuda.Snapshots) error) error {
	for ; h.at < len(h.schedule); h.at++ {
		if err := h.run(ctx); err != nil {
			return err
		}
		segment := h.schedule[h.at].segment
		err := h.batch.Chunks(ctx, h.begins(segment), h.begins(segment+1), true, func(n0, n1 int) error { return adjoint(n0, n1, &h.snap) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *gpuRevolveHistory[T]) close() {
	h.again.Close()
	for _, m := range append(h.states, h.snap.Memory) {
		m.Close()
	}
}

// gpuBoundaryHistory saves strips around the interior at every step and the layers at every k-th, and steps the interior backward
// (history_boundary.go).
type gpuBoundaryHistory[T float32 | float64] struct {
	p                   *PropagatorOf[T]
	batch, inner        *cuda.Batch[T]
	strips, back        []int32 // cells of the strips in the batch's grid and in the inner's
	layers              *cuda.Cells
	layerCells          int
	whole, part         *cuda.Memory // snapshots of a piece, of the batch and of the inner one
	values, kept        *cuda.Memory // of the strips, of the layers
	joined, joinedInner *cuda.Cells  // the interior's cells in both grids
	all, allInner       *cuda.Cells  // the inner's cells in both grids
}

// expand lists the cells of runs.
func expand(runs []cellRun) []int32 {
	var out []int32
	for _, r := range runs {
		for k := range r.length {
			out = append(out, r.cell+k)
		}
	}
	return out
}

func newGPUBoundaryHistory[T float32 | float64](p *PropagatorOf[T], w *gpuWorker[T]) (gpuHistory[T], error) {
	in, element := p.interior, int(unsafe.Sizeof(T(0)))
	h := &gpuBoundaryHistory[T]{p: p, batch: w.batch, strips: expand(in.strips), back: expand(in.back)}
	inner, err := cuda.NewBatch[T](w.device, in.domain, p.plan.Batch)
	if err != nil {
		return nil, err
	}
	h.inner = inner
	var all, inside, allInner, insideInner []int32
	in.eachCell(p.domain.Shape, func(cell int, within bool) {
		at := int32(len(all))
		all, allInner = append(all, int32(cell)), append(allInner, at)
		if within {
			inside, insideInner = append(inside, int32(cell)), append(insideInner, at)
		}
	})
	layers := expand(in.layers)
	h.layerCells = len(layers)
	for _, c := range []struct {
		to    **cuda.Cells
		of    *cuda.Batch[T]
		cells []int32
	}{{&h.layers, w.batch, layers}, {&h.joined, w.batch, inside}, {&h.joinedInner, inner, insideInner}, {&h.all, w.batch, all}, {&h.allInner, inner, allInner}} {
		if *c.to, err = c.of.NewCells(c.cells); err != nil {
			h.close()
			return nil, err
		}
	}
	for _, m := range []struct {
		to    **cuda.Memory
		bytes int
	}{{&h.whole, p.plan.piece * p.slotBytes()}, {&h.part, p.plan.piece * p.plan.Batch * cuda.Measure[T](&in.domain).Snapshot},
		{&h.values, element * p.plan.Steps * p.plan.Batch * len(h.strips)}, {&h.kept, element * p.plan.Snapshots * p.plan.Batch * len(layers)}} {
		if *m.to, err = w.device.Alloc(m.bytes); err != nil {
			h.close()
			return nil, err
		}
	}
	if err := inner.SetStrips(h.back, h.values, true); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *gpuBoundaryHistory[T]) forward(ctx context.Context, shots []*kernels.Shot[T]) error {
	if err := errors.Join(h.batch.Reset(), h.batch.SetStrips(h.strips, h.values, false)); err != nil {
		return err
	}
	plan := &h.p.plan
	for _, c := range plan.pieces() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := h.batch.Forward(c.n0, c.n1, &cuda.Snapshots{Every: plan.SnapshotInterval, First: c.s0, Memory: h.whole}); err != nil {
			return err
		}
		for s := c.s0; s < c.s1; s++ {
			if err := h.batch.Gather(h.kept, s*len(shots)*h.layerCells, h.whole, s-c.s0, h.layers); err != nil {
				return err
			}
		}
		if err := h.batch.Wait(); err != nil {
			return err
		}
	}
	var reversed []*kernels.Shot[T]
	for _, s := range shots {
		r := &kernels.Shot[T]{NT: s.NT, Sources: cropPoints(h.p.interior, h.p.domain.Shape, s.Sources), Receivers: kernels.Points[T]{Begin: []int32{0}}, Wavelet: slices.Clone(s.Wavelet)}
		for at := 0; at < len(r.Wavelet); at += s.NT {
			slices.Reverse(r.Wavelet[at : at+s.NT])
		}
		reversed = append(reversed, r)
	}
	return errors.Join(h.batch.SetStrips(nil, nil, false), h.inner.CropModel(h.batch, h.joinedInner, h.joined), h.inner.Load(reversed), h.inner.TurnBack(h.batch, h.allInner, h.all))
}

func (h *gpuBoundaryHistory[T]) recorder() *cuda.Batch[T] { return h.batch }

func (h *gpuBoundaryHistory[T]) backward(ctx context.Context, adjoint func(n0, n1 int, snap *cuda.Snapshots) error) error {
	plan := &h.p.plan
	pieces, every, steps, shots := plan.pieces(), plan.SnapshotInterval, plan.Steps, h.batch.Shots()
	for i := len(pieces) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := pieces[i]
		// Step n is step NT-1-n of the inner batch, so that snapshots come in reverse order as well.
		part := &cuda.Snapshots{Every: every, Phase: (steps - 1) % every, First: plan.Snapshots - c.s1, Memory: h.part}
		if err := h.inner.Forward(steps-c.n1, steps-c.n0, part); err != nil {
			return err
		}
		for s := c.s0; s < c.s1; s++ {
			err := errors.Join(h.batch.Spread(h.whole, s-c.s0, h.kept, s*shots*h.layerCells, h.layers),
				h.batch.Join(h.whole, s-c.s0, h.joined, h.part, c.s1-1-s, h.joinedInner))
			if err != nil {
				return err
			}
		}
		if err := errors.Join(adjoint(c.n0, c.n1, &cuda.Snapshots{Every: every, First: c.s0, Memory: h.whole}), h.batch.Wait()); err != nil {
			return err
		}
	}
	return nil
}

func (h *gpuBoundaryHistory[T]) close() {
	h.inner.Close()
	for _, c := range []*cuda.Cells{h.layers, h.joined, h.joinedInner, h.all, h.allInner} {
		c.Close()
	}
	for _, m := range []*cuda.Memory{h.whole, h.part, h.values, h.kept} {
		m.Close()
	}
}
