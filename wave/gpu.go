package wave

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"unsafe"

	"gofwi/kernels"
	"gofwi/kernels/cuda"
)

// gpuBackend steps batches of shots on GPUs. A call divides its shots into batches, which the devices take in turn; what they
// return is added in the order of the batches, so that the result does not depend on which device was faster.
type gpuBackend[T float32 | float64] struct {
	call      sync.Mutex // a call has all devices
	devices   []*cuda.Device
	footprint cuda.Footprint
	traces    int // bytes of traces and lists of points of a shot
	workers   []*gpuWorker[T]
}

// gpuWorker is what one device holds for a propagator.
type gpuWorker[T float32 | float64] struct {
	device                 *cuda.Device
	batch, scattered       *cuda.Batch[T]
	history                gpuHistory[T]
	traces                 []T
	gradient, illumination []T // sums over a batch
}

// newGPUBackend returns the GPUs of this machine, or why there is none to use.
func newGPUBackend[T float32 | float64](p *PropagatorOf[T], steps int) (*gpuBackend[T], error) {
	if p.options.Reference || p.options.Storage == Disk {
		return nil, fmt.Errorf("GPUs have neither reference kernels nor storage %q", Disk)
	}
	if p.equation.Name != kernels.Acoustic {
		return nil, fmt.Errorf("GPUs have kernels of equation %q, not of %q", kernels.Acoustic, p.equation.Name)
	}
	if p.options.Density != nil {
		return nil, fmt.Errorf("GPUs have no kernels for variable density: take the CPU, or leave the density out")
	}
	if p.options.RowSlowest != nil {
		return nil, fmt.Errorf("GPUs have no kernels for rows that lie unevenly in depth: take the CPU, or leave Options.RowSlowest out")
	}
	devices, err := cuda.Devices()
	if err != nil {
		return nil, err
	}
	g := &gpuBackend[T]{devices: devices, footprint: cuda.Measure[T](&p.domain)}
	type key struct{ sources, receivers *Position }
	seen := map[key]bool{} // shots often share their positions
	for i := range p.survey.Shots {
		s := &p.survey.Shots[i]
		if k := (key{&s.Sources[0], &s.Receivers[0]}); !seen[k] {
			seen[k] = true
			g.traces = max(g.traces, cuda.TraceBytes(&p.domain, &kernels.Shot[T]{NT: steps, Sources: p.points(s.Sources, false), Receivers: p.points(s.Receivers, true)}))
		}
	}
	for _, d := range devices {
		g.workers = append(g.workers, &gpuWorker[T]{device: d})
	}
	return g, nil
}

func (g *gpuBackend[T]) close() {
	g.call.Lock()
	defer g.call.Unlock()
	for _, w := range g.workers {
		w.close()
	}
}

// close frees the worker's memory; it can be used again.
func (w *gpuWorker[T]) close() {
	if w.history != nil {
		w.history.close()
	}
	for _, b := range []*cuda.Batch[T]{w.batch, w.scattered} {
		if b != nil {
			b.Close()
		}
	}
	*w = gpuWorker[T]{device: w.device}
}

// chooseBackend fills in the plan for GPUs or for the CPU, as the options ask.
func (p *PropagatorOf[T]) chooseBackend(dt, limit float64, steps int) error {
	if p.options.Backend == CPU {
		return p.makePlan(dt, limit, steps)
	}
	g, err := newGPUBackend(p, steps)
	if err == nil {
		p.gpu = g
		err = p.planOnGPU(dt, limit, steps)
	}
	if err == nil {
		return nil
	}
	p.gpu = nil
	if p.options.Backend == CUDA {
		return fmt.Errorf("backend %q: %w", CUDA, err)
	}
	if p.options.Storage == Host {
		return fmt.Errorf("storage %q needs a GPU: %w", Host, err)
	}
	if err := p.makePlan(dt, limit, steps); err != nil {
		return err
	}
	p.plan.BackendNote = err.Error()
	return nil
}

// gpuCost is the time of a gradient in units of forward steps without snapshots, from the bytes that a step moves for each point (docs/performance.md);
// Revolve's without what it steps again. Not measured.
var gpuCost = map[Storage]float64{EveryStep: 4.2, EveryKth: 2.4, SixteenBit: 2.45, Host: 2.6, Boundary: 3.6, Revolve: 2.5}

var gpuStrategies = []Storage{EveryKth, SixteenBit, Host, Boundary, Revolve}

// A launch costs as much time as stepping so many points.
const launchPoints = 1 << 20

// maxBatch bounds the shots of a batch.
const maxBatch = 128

// planOnGPU chooses storage and batch for the device with the least free memory.
func (p *PropagatorOf[T]) planOnGPU(dt, limit float64, steps int) error {
	o := p.options
	allowed := math.MaxInt
	for _, d := range p.gpu.devices {
		free, total, err := d.Memory()
		if err != nil {
			return err
		}
		if room := min(free/10*9, total); room < allowed {
			allowed = room
		}
	}
	if o.DeviceMemoryLimit > 0 {
		allowed = min(allowed, o.DeviceMemoryLimit)
	}
	base := Plan{Equation: p.equation.Name, SolverShape: p.layout.shape, Rows: p.layout.grid.Shape[0], DT: dt, Steps: steps, StabilityLimit: limit, MaxVelocity: o.MaxVelocity, MaxFrequency: o.MaxFrequency, Order: o.Order,
		InstructionSet: "CUDA", ThreadsPerShot: 1, Backend: CUDA}
	for _, d := range p.gpu.devices {
		base.Devices = append(base.Devices, d.String())
	}
	var noInterior error
	if p.interior, noInterior = newInterior(p.domain); noInterior != nil && o.Storage == Boundary {
		return noInterior
	}
	return p.gpuPlanWithin(base, allowed)
}

// gpuPlanWithin fills in p.plan with the fastest plan for the bytes allowed on each device.
func (p *PropagatorOf[T]) gpuPlanWithin(base Plan, allowed int) error {
	choices := gpuStrategies
	if p.options.Storage != AutoStorage {
		choices = []Storage{p.options.Storage}
	}
	devices := len(p.gpu.devices)
	most := min(maxBatch, (len(p.survey.Shots)+devices-1)/devices)
	least, smallest, leastNeed := math.Inf(1), Storage(""), math.MaxInt
	for batch := most; batch >= 1; batch = batch * 3 / 4 {
		for _, s := range choices {
			plan := base
			plan.Batch, plan.Workers = batch, min(len(p.survey.Shots), batch*devices)
			ok := p.gpuStorage(&plan, s, allowed)
			if batch == 1 && plan.Bytes < leastNeed {
				leastNeed, smallest = plan.Bytes, s
			}
			if !ok {
				continue
			}
			points := float64(plan.Points() * batch)
			if cost := (gpuCost[s] + plan.Recomputed) * (1 + launchPoints/points); cost < least {
				least, p.plan = cost, plan
			}
		}
	}
	if math.IsInf(least, 1) {
		return fmt.Errorf("the gradient of one shot of %s cells and %d steps needs %s on the GPU with storage %q, but %s may be used", Times("%d", p.layout.shape),
			base.Steps, formatBytes(leastNeed), smallest, formatBytes(allowed))
	}
	return nil
}

// gpuStorage completes a plan and reports whether it fits.
func (p *PropagatorOf[T]) gpuStorage(plan *Plan, s Storage, allowed int) bool {
	element, f, batch := int(unsafe.Sizeof(T(0))), p.gpu.footprint, plan.Batch
	k := 1
	if s != EveryStep {
		if k = p.options.SnapshotInterval; k == 0 {
			k = nyquistInterval(plan.MaxFrequency, plan.DT)
		}
		k = min(k, plan.Steps)
	}
	plan.Storage, plan.SnapshotInterval, plan.Snapshots = s, k, (plan.Steps+k-1)/k
	plan.piece = max(1, min(stepsPerCall/k, plan.Snapshots, (256<<20)/(batch*f.Snapshot)))
	plan.Memory, plan.Bytes, plan.Checkpoints, plan.Recomputed, plan.segment = nil, 0, 0, 0, 0
	add := func(name string, bytes int) {
		if bytes > 0 {
			plan.Memory = append(plan.Memory, MemoryItem{name, bytes})
			plan.Bytes += bytes
		}
	}
	add("shared", f.Shared)
	add("solvers", batch*f.Shot)
	add("gradients", batch*f.Imaging)
	add("traces", batch*p.gpu.traces)
	ok := true
	switch s {
	case EveryStep, EveryKth:
		add("snapshots", plan.Snapshots*batch*f.Snapshot)
	case SixteenBit:
		add("snapshots", plan.Snapshots*batch*f.Half)
	case Host:
		add("buffers", 2*plan.piece*batch*f.Snapshot)
		plan.HostBytes = len(p.gpu.devices) * plan.Snapshots * batch * f.Snapshot
		host := p.options.MemoryLimit
		if host == 0 {
			host = AvailableMemory() / 2 // pinned memory is not swapped
		}
		ok = host == 0 || plan.HostBytes <= host
	case Boundary:
		if p.interior == nil {
			plan.Bytes = math.MaxInt
			return false
		}
		inner := cuda.Measure[T](&p.interior.domain)
		strips, layers := countCells(p.interior.strips), countCells(p.interior.layers)
		add("second solvers", inner.Shared+batch*(inner.Shot+p.gpu.traces))
		add("strips", batch*element*plan.Steps*strips)
		add("layers", batch*element*plan.Snapshots*layers)
		add("buffers", plan.piece*batch*(f.Snapshot+inner.Snapshot)+8*(strips+layers)+8*p.interior.domain.Cells())
		plan.Recomputed = 1
	case Revolve:
		add("second solvers", f.Shared+batch*(f.Shot+p.gpu.traces))
		segment, checkpoints, found := chooseRevolve(plan.Steps, k, (allowed-plan.Bytes)/batch, f.Snapshot, f.State)
		if !found {
			segment, checkpoints, ok = 1, 1, false
		}
		plan.segment, plan.Checkpoints = segment, checkpoints
		plan.Recomputed = float64(revolveRecomputed(plan.Steps, segment*k, checkpoints)) / float64(plan.Steps)
		add("snapshots", segment*batch*f.Snapshot)
		add("checkpoints", checkpoints*batch*f.State)
	}
	plan.BytesPerWorker = plan.Bytes
	return ok && plan.Bytes <= allowed
}

// eachBatch runs work for batches of the shots on the devices, and finish in the order of the batches. Where a device turns out to have too little
// memory, it starts again with a plan that takes less.
func (p *PropagatorOf[T]) eachBatch(vp []T, shots []int, work func(w *gpuWorker[T], shots []int, first int) error, finish func(w *gpuWorker[T], shots []int, first int)) error {
	if err := p.checkCall(vp, shots); err != nil {
		return err
	}
	m, err := p.squared(vp)
	if err != nil {
		return err
	}
	defer p.giveBack(m)
	p.gpu.call.Lock()
	defer p.gpu.call.Unlock()
	for {
		p.mu.Lock()
		closed := p.closed
		p.mu.Unlock()
		if closed {
			return fmt.Errorf("the propagator is closed")
		}
		err := p.tryBatches(m.Data, shots, work, finish)
		if !errors.Is(err, cuda.ErrOutOfMemory) {
			return err
		}
		if e := p.planLess(); e != nil {
			return fmt.Errorf("%w; %w", err, e)
		}
	}
}

// planLess makes a plan that takes less of the devices than the one that did not fit.
func (p *PropagatorOf[T]) planLess() error {
	for _, w := range p.gpu.workers {
		w.close()
	}
	allowed := p.plan.Bytes / 4 * 3
	for _, d := range p.gpu.devices {
		free, _, err := d.Memory()
		if err != nil {
			return err
		}
		allowed = min(allowed, free/10*9)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gpuPlanWithin(p.plan, allowed)
}

func (p *PropagatorOf[T]) tryBatches(m []T, shots []int, work func(w *gpuWorker[T], shots []int, first int) error, finish func(w *gpuWorker[T], shots []int, first int)) error {
	batches := (len(shots) + p.plan.Batch - 1) / p.plan.Batch
	idle := make(chan *gpuWorker[T], len(p.gpu.workers))
	for _, w := range p.gpu.workers {
		idle <- w
	}
	of := func(at int) []int { return shots[at*p.plan.Batch : min((at+1)*p.plan.Batch, len(shots))] }
	return inTurns(min(len(p.gpu.workers), batches), batches, func() (*gpuWorker[T], error) {
		w := <-idle
		var err error
		if w.batch == nil {
			if w.batch, err = cuda.NewBatch[T](w.device, p.domain, p.plan.Batch); err != nil {
				w.close()
				return nil, err
			}
		}
		return w, w.batch.SetModel(m)
	}, func(*gpuWorker[T]) {}, func(w *gpuWorker[T], at int, settled func()) error {
		settled()
		part := of(at)
		if err := work(w, part, at*p.plan.Batch); err != nil {
			if len(part) == 1 {
				return fmt.Errorf("shot %d: %w", part[0], err)
			}
			return fmt.Errorf("shots %d to %d: %w", part[0], part[len(part)-1], err)
		}
		return nil
	}, func(w *gpuWorker[T], at int) {
		if finish != nil {
			finish(w, of(at), at*p.plan.Batch)
		}
	})
}

// batchShots returns the kernels' view of shots.
func (p *PropagatorOf[T]) batchShots(shots []int) []*kernels.Shot[T] {
	out := make([]*kernels.Shot[T], len(shots))
	// errors cannot happen
	_ = eachInParallel(len(shots), func(i int) error {
		out[i] = p.silentShot(&p.survey.Shots[shots[i]])
		return nil
	})
	return out
}

// eachInParallel runs f for 0 … n-1 on all processors and returns the first error in their order.
func eachInParallel(n int, f func(i int) error) error {
	failures := make([]error, n)
	_ = inTurns(min(n, runtime.GOMAXPROCS(0)), n, func() (struct{}, error) { return struct{}{}, nil }, func(struct{}) {}, func(_ struct{}, i int, _ func()) error {
		failures[i] = f(i)
		return failures[i]
	}, nil)
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// columns returns where each shot's points begin among those of all shots.
func columns[T float32 | float64](shots []*kernels.Shot[T], count func(*kernels.Shot[T]) int) []int {
	out, at := make([]int, len(shots)), 0
	for i, s := range shots {
		out[i] = at
		at += count(s)
	}
	return out
}

func receiversOf[T float32 | float64](s *kernels.Shot[T]) int { return s.Receivers.Count() }
func sourcesOf[T float32 | float64](s *kernels.Shot[T]) int   { return s.Sources.Count() }

// gatherBatch reads what a batch has recorded and returns the shots' gathers.
func (p *PropagatorOf[T]) gatherBatch(w *gpuWorker[T], b *cuda.Batch[T], ks []*kernels.Shot[T], shots []int) ([][]T, error) {
	w.traces = resized(w.traces, p.plan.Steps*b.Receivers())
	if err := b.Record(w.traces); err != nil {
		return nil, err
	}
	at, out := columns(ks, receiversOf[T]), make([][]T, len(ks))
	return out, eachInParallel(len(ks), func(i int) error {
		n := ks[i].Receivers.Count()
		out[i] = make([]T, n*p.survey.NT)
		if err := p.gather(out[i], w.traces[at[i]:], n, b.Receivers()); err != nil {
			return fmt.Errorf("shot %d: %w", shots[i], err)
		}
		return nil
	})
}

func (p *PropagatorOf[T]) forwardOnGPU(ctx context.Context, vp []T, shots []int) ([][]T, error) {
	gathers := make([][]T, len(shots))
	err := p.eachBatch(vp, shots, func(w *gpuWorker[T], shots []int, first int) error {
		ks := p.batchShots(shots)
		if err := errors.Join(w.batch.Load(ks), w.batch.Reset()); err != nil {
			return err
		}
		err := w.batch.Chunks(ctx, 0, p.plan.Steps, false, func(n0, n1 int) error { return w.batch.Forward(n0, n1, nil) })
		if err != nil {
			return err
		}
		part, err := p.gatherBatch(w, w.batch, ks, shots)
		copy(gathers[first:], part)
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return gathers, nil
}

// sumOnGPU adds the shots' misfits, gradients with respect to M and illuminations.
func (p *PropagatorOf[T]) sumOnGPU(ctx context.Context, vp []T, shots []int, misfit Misfit[T], out *Gradient[T], sum, sumIllumination []T) error {
	// a plan that did not fit may have left sums of its first batches
	begin := func(first int) {
		if first == 0 {
			clear(sum)
			clear(sumIllumination)
			out.Misfit = 0
		}
	}
	return p.eachBatch(vp, shots, func(w *gpuWorker[T], shots []int, first int) error {
		b, ks := w.batch, p.batchShots(shots)
		if err := b.Load(ks); err != nil {
			return err
		}
		if w.history == nil {
			var err error
			if w.history, err = p.newGPUHistory(w); err != nil {
				return err
			}
		}
		if err := w.history.forward(ctx, ks); err != nil {
			return err
		}
		synthetic, err := p.gatherBatch(w, w.history.recorder(), ks, shots)
		if err != nil {
			return err
		}
		at, n := columns(ks, receiversOf[T]), b.Receivers()
		err = eachInParallel(len(ks), func(i int) error {
			adjoint := make([]T, len(synthetic[i]))
			var err error
			if out.Misfits[first+i], err = misfit(shots[i], synthetic[i], adjoint); err != nil {
				return fmt.Errorf("shot %d: %w", shots[i], err)
			}
			for r := range ks[i].Receivers.Count() {
				p.record.Adjoint(w.traces[at[i]+r:], n, adjoint[r*p.survey.NT:], 1)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := errors.Join(b.SetResiduals(w.traces), b.Reset(), b.ClearImage()); err != nil {
			return err
		}
		if err := w.history.backward(ctx, b.Adjoint); err != nil {
			return err
		}
		w.gradient, w.illumination = resized(w.gradient, p.layout.cells()), resized(w.illumination, p.layout.cells())
		if err := b.Image(w.gradient, w.illumination); err != nil {
			return err
		}
		w.traces = resized(w.traces, p.plan.Steps*b.Sources())
		if err := b.AtSources(w.traces); err != nil {
			return err
		}
		at = columns(ks, sourcesOf[T])
		return eachInParallel(len(ks), func(i int) error {
			out.Wavelets[first+i] = p.waveletGradient(&p.survey.Shots[shots[i]], w.traces[at[i]:], b.Sources())
			return nil
		})
	}, func(w *gpuWorker[T], shots []int, first int) {
		begin(first)
		for i := range shots {
			out.Misfit += out.Misfits[first+i]
		}
		for i, v := range w.gradient {
			sum[i] += v
		}
		for i, v := range w.illumination {
			sumIllumination[i] += v
		}
	})
}

// bornOnGPU steps background and scattered field side by side.
func (p *PropagatorOf[T]) bornOnGPU(ctx context.Context, vp, deltaM []T, shots []int) ([][]T, error) {
	gathers := make([][]T, len(shots))
	err := p.eachBatch(vp, shots, func(w *gpuWorker[T], shots []int, first int) error {
		ks, err := p.batchShots(shots), error(nil)
		if w.scattered == nil {
			if w.scattered, err = cuda.NewBatch[T](w.device, p.domain, p.plan.Batch); err != nil {
				return err
			}
		}
		m, err := p.squared(vp)
		if err != nil {
			return err
		}
		defer p.giveBack(m)
		b, s := w.batch, w.scattered
		if err := errors.Join(s.SetModel(m.Data), s.SetPerturbation(deltaM), b.Load(ks), s.Load(ks), b.Reset(), s.Reset()); err != nil {
			return err
		}
		const stretch = 16 // steps of background field kept at a time
		kept, err := w.device.Alloc(stretch * b.SlotBytes(false))
		if err != nil {
			return err
		}
		defer kept.Close()
		for n := 0; n < p.plan.Steps; n += stretch {
			if err := ctx.Err(); err != nil {
				return err
			}
			snap, n1 := &cuda.Snapshots{Every: 1, First: n, Memory: kept}, min(n+stretch, p.plan.Steps)
			if err := errors.Join(b.Forward(n, n1, snap), s.Scatter(n, n1, snap), s.Wait()); err != nil {
				return err
			}
		}
		part, err := p.gatherBatch(w, s, ks, shots)
		copy(gathers[first:], part)
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return gathers, nil
}
