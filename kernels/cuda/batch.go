package cuda

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"gofwi/kernels"
)

// Batch steps several shots of one domain at once on a device: forward, adjoint and Born as kernels.Solver defines them. It is not safe for
// concurrent use. All its memory is on the device; Close frees it.
type Batch[T kernels.Real] struct {
	device   *Device
	domain   kernels.Domain
	capacity int
	module   string
	suffix   string
	g        geometry
	job      job[T]
	parity   int // of the next step: u[n] is field[parity]

	jobMemory, clock, m    *Memory
	coefficients           *Memory
	state                  *Memory // fields, first and ζ of all axes, and last what adjoint steps need besides
	gradient, illumination *Memory
	sum                    *Memory
	deltaM                 *Memory
	kernels                map[string]kernel

	shots     []*kernels.Shot[T] // that are loaded
	nt        int
	sources   pointLists
	receivers pointLists
	wavelet   *Memory // [NT][source of all shots]
	record    *Memory // [NT][receiver of all shots]
	atSources *Memory // [NT][source of all shots]

	stripCells  *Memory
	stripValues *Memory
	strips      int
	restore     bool

	graphs [2]*recorded // of forward and adjoint steps
}

// pointLists are the lists of sources, or of receivers, on the device.
type pointLists struct {
	memory              []*Memory
	first, begin, cell  pointer // to sample
	weight              pointer
	plane, at, shares   pointer // to inject
	point, shareWeights pointer
	count, most         int
}

func (l *pointLists) close() {
	for _, m := range l.memory {
		m.Close()
	}
	*l = pointLists{}
}

// recorded is a sequence of steps that begins with parity 0.
type recorded struct {
	graph graph
	grids [2][2]int // what it was recorded for
}

// graphSteps is the length of a recorded sequence: even, and so long that launching it costs little beside running it.
const graphSteps = 16

// NewBatch returns a batch for up to the given number of shots, with cleared fields and M = 0. The error wraps ErrOutOfMemory where the device has
// too little room.
func NewBatch[T kernels.Real](device *Device, d kernels.Domain, shots int) (*Batch[T], error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if d.FreeSurface && d.A[0][0] != 0 {
		return nil, fmt.Errorf("a free surface cannot absorb: CPML acts on row 0")
	}
	if shots < 1 || shots > 65535 {
		return nil, fmt.Errorf("a batch of %d shots is impossible", shots)
	}
	b := &Batch[T]{device: device, domain: d, capacity: shots, g: newGeometry(&d, shots, device.Processors), kernels: map[string]kernel{}}
	b.suffix = fmt.Sprintf("_%dd_r%d_f%d", len(d.Shape), d.Order/2, 8*unsafe.Sizeof(T(0)))
	b.module = "acoustic" + b.suffix
	b.job.setGeometry(&d, &b.g)
	if err := device.do(b.allocate); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Batch[T]) allocate() error {
	element := int(unsafe.Sizeof(T(0)))
	for _, name := range []string{"layers_forward", "layers_adjoint", "step_forward", "step_adjoint", "sum_shots", "copy_cells"} {
		k, err := b.device.driver.kernel(b.module, name+b.suffix)
		if err != nil {
			return err
		}
		b.kernels[name] = k
	}
	for _, m := range []struct {
		to    **Memory
		bytes int
	}{{&b.jobMemory, int(unsafe.Sizeof(b.job))}, {&b.clock, 8}, {&b.m, element * b.g.size}, {&b.sum, element * b.g.size}, {&b.state, b.capacity * element * b.g.wholeState}} {
		var err error
		if *m.to, err = b.device.alloc(m.bytes); err != nil {
			return err
		}
	}
	a, c := axesOf(b.domain.A), axesOf(b.domain.B)
	var coefficients []T
	for k := range 3 {
		for _, v := range [][]float64{a[k], c[k]} {
			for _, x := range v {
				coefficients = append(coefficients, T(x))
			}
		}
	}
	var err error
	if b.coefficients, err = upload(b.device, coefficients); err != nil {
		return err
	}
	at := b.coefficients.at
	take := func(from *pointer, elements int) pointer {
		p := *from
		*from += pointer(elements * element)
		return p
	}
	state := b.state.at
	b.job.field = [2]pointer{take(&state, b.capacity*b.g.size), take(&state, b.capacity*b.g.size)}
	for k := range b.job.axis {
		x := &b.job.axis[k]
		x.a, x.b = take(&at, len(a[k])), take(&at, len(c[k]))
		x.first, x.second[0] = take(&state, b.capacity*b.g.memory[k]), take(&state, b.capacity*b.g.memory[k])
	}
	for k := range b.job.axis {
		b.job.axis[k].second[1] = take(&state, b.capacity*b.g.memory[k])
	}
	b.job.m, b.job.clock = b.m.at, b.clock.at
	b.job.gradient, b.job.illumination = 0, 0
	if err := b.device.driver.clear(b.m.at, b.m.Bytes); err != nil {
		return err
	}
	return b.device.driver.clear(b.state.at, b.state.Bytes)
}

// Close frees the device's memory. Closing twice is harmless.
func (b *Batch[T]) Close() {
	for _, g := range b.graphs {
		if g != nil {
			_ = b.device.do(func() error { g.graph.close(); return nil })
		}
	}
	b.graphs = [2]*recorded{}
	b.sources.close()
	b.receivers.close()
	for _, m := range []*Memory{b.jobMemory, b.clock, b.m, b.coefficients, b.state, b.gradient, b.illumination, b.sum, b.deltaM, b.wavelet, b.record, b.atSources, b.stripCells} {
		m.Close()
	}
}

// Device returns the batch's device, Shots the number of shots that are loaded.
func (b *Batch[T]) Device() *Device { return b.device }
func (b *Batch[T]) Shots() int      { return len(b.shots) }

// pad brings an array of the domain's shape into the layout of a field.
func (b *Batch[T]) pad(cells []T) []T {
	nx := b.g.shape[2]
	out := make([]T, b.g.size)
	for row := range len(cells) / nx {
		copy(out[row*b.g.pitch:], cells[row*nx:(row+1)*nx])
	}
	return out
}

// SetModel sets M = v² dt², an array of the domain's shape.
func (b *Batch[T]) SetModel(m []T) error {
	if len(m) != b.domain.Cells() {
		return fmt.Errorf("the model has %d cells, the solver %d", len(m), b.domain.Cells())
	}
	padded := b.pad(m)
	if b.domain.FreeSurface {
		clear(padded[:b.g.shape[1]*b.g.pitch])
	}
	return b.device.do(func() error { return toDevice(b.device, b.m, padded) })
}

// CopyModel takes over the model of a batch of the same domain.
func (b *Batch[T]) CopyModel(from *Batch[T]) error {
	return b.device.do(func() error { return b.device.driver.copy(b.m.at, from.m.at, b.m.Bytes) })
}

// CropModel takes over the model of another batch in the listed cells; elsewhere it is zero.
func (b *Batch[T]) CropModel(from *Batch[T], cells, fromCells *Cells) error {
	err := b.device.do(func() error { return b.device.driver.clear(b.m.at, b.m.Bytes) })
	if err != nil {
		return err
	}
	return b.copyCells(1, b.m.at, cells.memory.at, 0, from.m.at, fromCells.memory.at, 0, cells.count)
}

// Load takes shots with the same number of steps, of which it uses sources, receivers and wavelets. Lists of points that were loaded last
// are not loaded again.
func (b *Batch[T]) Load(shots []*kernels.Shot[T]) error {
	if len(shots) == 0 || len(shots) > b.capacity {
		return fmt.Errorf("%d shots for a batch of 1 to %d", len(shots), b.capacity)
	}
	nt := shots[0].NT
	known := len(shots) == len(b.shots) && nt == b.nt
	for i, s := range shots {
		if s.NT != nt {
			return fmt.Errorf("shots of %d and %d steps in one batch", nt, s.NT)
		}
		if err := s.ValidatePoints(&b.domain); err != nil {
			return err
		}
		if w := len(s.Wavelet); w != nt && w != nt*s.Sources.Count() {
			return fmt.Errorf("the wavelet has %d samples for %d steps and %d sources", w, nt, s.Sources.Count())
		}
		known = known && samePoints(&s.Sources, &b.shots[i].Sources) && samePoints(&s.Receivers, &b.shots[i].Receivers)
	}
	if !known {
		if err := b.loadPoints(shots, nt); err != nil {
			return err
		}
	}
	b.shots, b.nt = shots, nt
	b.job.shots, b.job.last = int32(len(shots)), int32(nt-1)
	wavelet := make([]T, nt*b.sources.count)
	column := 0
	for _, s := range shots {
		for i := range s.Sources.Count() {
			from := s.Wavelet[:nt]
			if len(s.Wavelet) > nt {
				from = s.Wavelet[i*nt : (i+1)*nt]
			}
			for n, v := range from {
				wavelet[n*b.sources.count+column] = v
			}
			column++
		}
	}
	return b.device.do(func() error { return toDevice(b.device, b.wavelet, wavelet) })
}

func samePoints[T kernels.Real](a, b *kernels.Points[T]) bool {
	same := func(x, y []int32) bool { return len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0]) }
	return same(a.Begin, b.Begin) && same(a.Cell, b.Cell) && len(a.Weight) == len(b.Weight) && (len(a.Weight) == 0 || &a.Weight[0] == &b.Weight[0])
}

func (b *Batch[T]) loadPoints(shots []*kernels.Shot[T], nt int) error {
	b.shots = nil
	b.sources.close()
	b.receivers.close()
	for _, m := range []**Memory{&b.wavelet, &b.record, &b.atSources} {
		(*m).Close()
		*m = nil
	}
	var sources, receivers []*kernels.Points[T]
	for _, s := range shots {
		sources, receivers = append(sources, &s.Sources), append(receivers, &s.Receivers)
	}
	element := int(unsafe.Sizeof(T(0)))
	for _, l := range []struct {
		to   *pointLists
		from []*kernels.Points[T]
	}{{&b.sources, sources}, {&b.receivers, receivers}} {
		sampling, injection := newSampling(&b.g, l.from), newInjection(&b.g, l.from)
		l.to.count, l.to.most = len(sampling.begin)-1, sampling.most
		err := b.device.do(func() error {
			for _, v := range []struct {
				to   *pointer
				list []int32
			}{{&l.to.first, sampling.first}, {&l.to.begin, sampling.begin}, {&l.to.cell, sampling.cell}, {&l.to.plane, injection.plane},
				{&l.to.at, injection.cell}, {&l.to.shares, injection.begin}, {&l.to.point, injection.point}} {
				m, err := upload(b.device, v.list)
				if err != nil {
					return err
				}
				l.to.memory, *v.to = append(l.to.memory, m), m.at
			}
			for _, v := range []struct {
				to   *pointer
				list []T
			}{{&l.to.weight, sampling.weight}, {&l.to.shareWeights, injection.weight}} {
				m, err := upload(b.device, v.list)
				if err != nil {
					return err
				}
				l.to.memory, *v.to = append(l.to.memory, m), m.at
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return b.device.do(func() (err error) {
		for _, m := range []struct {
			to     **Memory
			points int
		}{{&b.wavelet, b.sources.count}, {&b.atSources, b.sources.count}, {&b.record, b.receivers.count}} {
			if *m.to, err = b.device.alloc(element * nt * m.points); err != nil {
				return err
			}
		}
		return nil
	})
}

// Reset clears all fields, for the first forward step or the last adjoint step.
func (b *Batch[T]) Reset() error {
	b.parity = 0
	return b.device.do(func() error { return b.device.driver.clear(b.state.at, b.state.Bytes) })
}

// Snapshots says where snapshots of the steps n with n % Every == Phase, First ≤ n / Every, are on the device: slot after slot of SlotBytes.
type Snapshots struct {
	Every, Phase, First int
	Half                bool // bfloat16
	Memory              *Memory
}

// SlotBytes returns the bytes of one step's snapshots of all loaded shots.
func (b *Batch[T]) SlotBytes(half bool) int {
	element := int(unsafe.Sizeof(T(0)))
	if half {
		element = 2
	}
	return len(b.shots) * b.g.size * element
}

func (b *Batch[T]) checkSteps(n0, n1 int, snap *Snapshots) error {
	if len(b.shots) == 0 || n0 < 0 || n1 < n0 || n1 > b.nt {
		return fmt.Errorf("steps %d to %d of %d shots with %d steps", n0, n1, len(b.shots), b.nt)
	}
	b.job.every = 0
	if snap == nil {
		return nil
	}
	if snap.Every < 1 || snap.Phase < 0 || snap.Phase >= snap.Every {
		return fmt.Errorf("snapshots every %d steps with phase %d make no sense", snap.Every, snap.Phase)
	}
	slots := snap.Memory.Bytes / b.SlotBytes(snap.Half)
	first, last := -1, -1
	for n := n0 + (snap.Phase-n0%snap.Every+snap.Every)%snap.Every; n < n1; n += snap.Every {
		if first < 0 {
			first = n / snap.Every
		}
		last = n / snap.Every
	}
	if first >= 0 && (first < snap.First || last-snap.First >= slots) {
		return fmt.Errorf("snapshots %d to %d do not fit into %d slots from slot %d", first, last, slots, snap.First)
	}
	b.job.every, b.job.phase, b.job.first, b.job.snapshot = int32(snap.Every), int32(snap.Phase), int32(snap.First), snap.Memory.at
	b.job.half = 0
	if snap.Half {
		b.job.half = 1
	}
	return nil
}

// Forward advances from step n0 to step n1, recording at the receivers and saving snapshots unless snap is nil.
func (b *Batch[T]) Forward(n0, n1 int, snap *Snapshots) error {
	if err := b.checkSteps(n0, n1, snap); err != nil {
		return err
	}
	b.use(&b.receivers, address(b.record), &b.sources, address(b.wavelet))
	b.job.deltaM = 0
	b.job.strips, b.job.restore = int32(b.strips), 0
	b.job.stripCell, b.job.stripValue = address(b.stripCells), address(b.stripValues)
	if b.restore {
		b.job.restore = 1
	}
	return b.steps(false, n0, n1)
}

// Scatter advances the scattered field of the Born approximation, driven by δM (w + f), with δM as SetPerturbation set it and snapshots of every step.
func (b *Batch[T]) Scatter(n0, n1 int, snap *Snapshots) error {
	if snap == nil || snap.Every != 1 || b.deltaM == nil {
		return errors.New("the Born source needs snapshots of every step and a perturbation")
	}
	if err := b.checkSteps(n0, n1, snap); err != nil {
		return err
	}
	b.use(&b.receivers, address(b.record), &b.sources, address(b.wavelet))
	b.job.injectPlane = b.noPlanes()
	b.job.deltaM, b.job.strips = b.deltaM.at, 0
	return b.steps(false, n0, n1)
}

// noPlanes returns a list in which no plane has a cell to inject into: the beginning of the plane's list holds no such thing, so one of zeros is kept
// behind the perturbation.
func (b *Batch[T]) noPlanes() pointer {
	return b.deltaM.at + pointer(int(unsafe.Sizeof(T(0)))*b.g.size)
}

// SetPerturbation sets δM, an array of the domain's shape, for Scatter.
func (b *Batch[T]) SetPerturbation(deltaM []T) error {
	if len(deltaM) != b.domain.Cells() {
		return fmt.Errorf("the perturbation has %d cells, the solver %d", len(deltaM), b.domain.Cells())
	}
	padded := b.pad(deltaM)
	if b.domain.FreeSurface {
		clear(padded[:b.g.shape[1]*b.g.pitch])
	}
	return b.device.do(func() (err error) {
		if b.deltaM == nil {
			lists := 4 * b.capacity * b.g.tilesX * b.g.tilesY * (b.g.shape[0] + 1)
			if b.deltaM, err = b.device.alloc(int(unsafe.Sizeof(T(0)))*b.g.size + lists); err != nil {
				return err
			}
			if err := b.device.driver.clear(b.deltaM.at, b.deltaM.Bytes); err != nil {
				return err
			}
		}
		return toDevice(b.device, b.deltaM, padded)
	})
}

// ClearImage clears the gradients and the illumination that Adjoint adds to.
func (b *Batch[T]) ClearImage() error {
	return b.device.do(func() (err error) {
		for _, m := range []**Memory{&b.gradient, &b.illumination} {
			if *m == nil {
				if *m, err = b.device.alloc(int(unsafe.Sizeof(T(0))) * b.capacity * b.g.size); err != nil {
					return err
				}
			}
			if err := b.device.driver.clear((*m).at, (*m).Bytes); err != nil {
				return err
			}
		}
		return nil
	})
}

// Adjoint goes back through the steps n1-1 … n0, imposing what SetResiduals set at the receivers, sampling the adjoint field at the sources and imaging with
// the snapshots.
func (b *Batch[T]) Adjoint(n0, n1 int, snap *Snapshots) error {
	if b.gradient == nil {
		return errors.New("nothing to add the image to: ClearImage comes before Adjoint")
	}
	if err := b.checkSteps(n0, n1, snap); err != nil {
		return err
	}
	b.use(&b.sources, address(b.atSources), &b.receivers, address(b.record))
	b.job.gradient, b.job.illumination = b.gradient.at, b.illumination.at
	b.job.deltaM, b.job.strips = 0, 0
	return b.steps(true, n0, n1)
}

// use sets the points that are sampled and those that inject.
func (b *Batch[T]) use(sampled *pointLists, values pointer, injected *pointLists, amplitudes pointer) {
	j := &b.job
	j.sampleFirst, j.sampleBegin, j.sampleCell, j.sampleWeight, j.sampleValue = sampled.first, sampled.begin, sampled.cell, sampled.weight, values
	j.sampled, j.sampleBlocks = int32(sampled.count), int32((sampled.most+pointsABlock-1)/pointsABlock)
	j.injectPlane, j.injectCell, j.injectBegin = injected.plane, injected.at, injected.shares
	j.injectPoint, j.injectWeight, j.injectValue = injected.point, injected.shareWeights, amplitudes
	j.injected = int32(injected.count)
}

// steps runs steps n0 … n1-1, or n1-1 … n0 of the adjoint. It returns when they are launched.
func (b *Batch[T]) steps(adjoint bool, n0, n1 int) error {
	if n0 == n1 {
		return nil
	}
	j := &b.job
	j.stripBlocks = (j.strips + layerThreads - 1) / layerThreads
	blocks := int(j.sampleBlocks + j.stripBlocks)
	for k := range j.axis {
		n := b.g.length(k)
		for d, cells := range b.g.shape {
			if d != k {
				n *= cells
			}
		}
		j.layerBlocks[k] = int32((n + layerThreads - 1) / layerThreads)
		blocks += int(j.layerBlocks[k])
	}
	grids := [2][2]int{{blocks, len(b.shots)}, {b.g.tilesX * b.g.tilesY * b.g.chunks, len(b.shots)}}
	layers, step, way, first := b.kernels["layers_forward"], b.kernels["step_forward"], 0, n0
	if adjoint {
		layers, step, way, first = b.kernels["layers_adjoint"], b.kernels["step_adjoint"], 1, n1-1
	}
	driver := b.device.driver
	one := func(parity int) error {
		if blocks > 0 {
			if err := driver.launch(layers, grids[0], [2]int{layerThreads, 1}, uint64(b.jobMemory.at), uint64(parity)); err != nil {
				return err
			}
		}
		return driver.launch(step, grids[1], [2]int{b.g.tileX, b.g.tileY}, uint64(b.jobMemory.at), uint64(parity))
	}
	return b.device.do(func() error {
		if err := toDevice(b.device, b.jobMemory, []job[T]{*j}); err != nil {
			return err
		}
		clock := [2]int32{int32(first), int32(first)}
		if err := toDevice(b.device, b.clock, clock[:]); err != nil {
			return err
		}
		left := n1 - n0
		for left > 0 {
			if b.parity == 0 && left >= graphSteps {
				if err := b.recordSteps(way, grids, one); err != nil {
					return err
				}
				if err := b.graphs[way].graph.launch(); err != nil {
					return err
				}
				left -= graphSteps
				continue
			}
			if err := one(b.parity); err != nil {
				return err
			}
			b.parity = 1 - b.parity
			left--
		}
		return nil
	})
}

// recordSteps records graphSteps steps unless they are.
func (b *Batch[T]) recordSteps(way int, grids [2][2]int, one func(parity int) error) error {
	known := b.graphs[way]
	if known != nil && known.grids == grids {
		return nil
	}
	if known != nil {
		known.graph.close()
		b.graphs[way] = nil
	}
	g, err := b.device.driver.record(func() error {
		for i := range graphSteps {
			if err := one(i % 2); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.graphs[way] = &recorded{g, grids}
	return nil
}

// Wait waits until everything launched has run, and returns what went wrong.
func (b *Batch[T]) Wait() error { return b.device.do(b.device.driver.synchronize) }

// Chunks calls f for pieces of the steps begin … end-1, the last first if backward, and waits for each: no longer than a piece takes does the
// context wait.
func (b *Batch[T]) Chunks(ctx context.Context, begin, end int, backward bool, f func(n0, n1 int) error) error {
	const steps = 8 * graphSteps
	for done := 0; done < end-begin; done += steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		n0, n1 := begin+done, min(begin+done+steps, end)
		if backward {
			n0, n1 = max(begin, end-done-steps), end-done
		}
		if err := f(n0, n1); err != nil {
			return err
		}
		if err := b.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// Receivers and Sources return the number of points of all loaded shots.
func (b *Batch[T]) Receivers() int { return b.receivers.count }
func (b *Batch[T]) Sources() int   { return b.sources.count }

// Record copies what Forward recorded, [NT, receiver of all shots].
func (b *Batch[T]) Record(dst []T) error { return b.toHost(dst, b.record, b.nt*b.receivers.count) }

// AtSources copies what Adjoint sampled, [NT, source of all shots].
func (b *Batch[T]) AtSources(dst []T) error { return b.toHost(dst, b.atSources, b.nt*b.sources.count) }

func (b *Batch[T]) toHost(dst []T, m *Memory, n int) error {
	if len(dst) != n {
		return fmt.Errorf("%d samples for traces of %d", len(dst), n)
	}
	return b.device.do(func() error { return toHost(b.device, dst, m) })
}

// SetResiduals sets the adjoint source, [NT, receiver of all shots], in the place of the record.
func (b *Batch[T]) SetResiduals(residuals []T) error {
	if len(residuals) != b.nt*b.receivers.count {
		return fmt.Errorf("%d samples of residuals for %d steps and %d receivers", len(residuals), b.nt, b.receivers.count)
	}
	return b.device.do(func() error { return toDevice(b.device, b.record, residuals) })
}

// Image returns the sums over the loaded shots of gradient and illumination, arrays of the domain's shape. The shots are added one after
// the other, in float32 for float32.
func (b *Batch[T]) Image(gradient, illumination []T) error {
	for _, x := range []struct {
		to   []T
		from *Memory
	}{{gradient, b.gradient}, {illumination, b.illumination}} {
		padded := make([]T, b.g.size)
		err := b.device.do(func() error {
			err := b.device.driver.launch(b.kernels["sum_shots"], [2]int{(b.g.size + layerThreads - 1) / layerThreads, 1}, [2]int{layerThreads, 1},
				uint64(b.sum.at), uint64(x.from.at), uint64(b.g.size), uint64(len(b.shots)))
			if err != nil {
				return err
			}
			return toHost(b.device, padded, b.sum)
		})
		if err != nil {
			return err
		}
		nx := b.g.shape[2]
		for row := range len(x.to) / nx {
			copy(x.to[row*nx:(row+1)*nx], padded[row*b.g.pitch:])
		}
	}
	return nil
}

// StateBytes returns the bytes of SaveState's memory.
func (b *Batch[T]) StateBytes() int {
	n := 2 * b.g.size
	for _, m := range b.g.memory {
		n += 2 * m
	}
	return b.capacity * n * int(unsafe.Sizeof(T(0)))
}

// SaveState copies what forward steps depend on, the model apart, and returns the parity that LoadState needs to go on from there to the bit.
func (b *Batch[T]) SaveState(to *Memory) (parity int, err error) {
	if to.Bytes < b.StateBytes() {
		return 0, fmt.Errorf("%d bytes are too few for a state of %d", to.Bytes, b.StateBytes())
	}
	return b.parity, b.device.do(func() error { return b.device.driver.copy(to.at, b.state.at, b.StateBytes()) })
}

// LoadState takes over a state of a batch of the same domain and capacity.
func (b *Batch[T]) LoadState(from *Memory, parity int) error {
	b.parity = parity
	return b.device.do(func() error { return b.device.driver.copy(b.state.at, from.at, b.StateBytes()) })
}

// SetStrips makes Forward save the values of cells of the grid before each step, or restore them in reverse order as kernels.Strips says. Values are [NT][shot][cell].
func (b *Batch[T]) SetStrips(cells []int32, values *Memory, restore bool) error {
	list := b.placesOf(cells)
	return b.device.do(func() (err error) {
		if b.stripCells != nil {
			_ = b.device.driver.free(b.stripCells.at)
		}
		b.stripCells, err = upload(b.device, list)
		b.stripValues, b.strips, b.restore = values, len(cells), restore
		return err
	})
}

func (b *Batch[T]) placesOf(cells []int32) []int32 {
	out, nx := make([]int32, len(cells)), int32(b.g.shape[2])
	for i, c := range cells {
		out[i] = c/nx*int32(b.g.pitch) + c%nx
	}
	return out
}

// Cells is a list of cells of a batch's grid on its device.
type Cells struct {
	memory *Memory
	count  int
	row    int // elements of a shot's field
}

// NewCells returns a list of cells, numbered as in an array of the domain's shape.
func (b *Batch[T]) NewCells(cells []int32) (*Cells, error) {
	c := &Cells{count: len(cells), row: b.g.size}
	err := b.device.do(func() (err error) {
		c.memory, err = upload(b.device, b.placesOf(cells))
		return err
	})
	return c, err
}

// Close frees the list. Closing nil is harmless.
func (c *Cells) Close() {
	if c != nil {
		c.memory.Close()
	}
}

// Gather copies the listed cells of a slot of snapshots of all shots, in the kernels' type, to a place in other memory, [shot][cell]; Spread copies them back; Join copies the
// cells of a slot of another batch, which its list names, to those of a slot of this one. Places are in slots, and in elements for what is packed.
func (b *Batch[T]) Gather(packed *Memory, offset int, snapshots *Memory, slot int, c *Cells) error {
	return b.copyCells(len(b.shots), packed.at+b.bytes(offset), 0, c.count, snapshots.at+b.bytes(slot*len(b.shots)*c.row), c.memory.at, c.row, c.count)
}

// Spread: see Gather.
func (b *Batch[T]) Spread(snapshots *Memory, slot int, packed *Memory, offset int, c *Cells) error {
	return b.copyCells(len(b.shots), snapshots.at+b.bytes(slot*len(b.shots)*c.row), c.memory.at, c.row, packed.at+b.bytes(offset), 0, c.count, c.count)
}

// Join: see Gather.
func (b *Batch[T]) Join(to *Memory, slot int, cells *Cells, from *Memory, fromSlot int, fromCells *Cells) error {
	return b.copyCells(len(b.shots), to.at+b.bytes(slot*len(b.shots)*cells.row), cells.memory.at, cells.row, from.at+b.bytes(fromSlot*len(b.shots)*fromCells.row), fromCells.memory.at, fromCells.row, cells.count)
}

func (b *Batch[T]) bytes(elements int) pointer { return pointer(elements * int(unsafe.Sizeof(T(0)))) }

func (b *Batch[T]) copyCells(rows int, to, toCell pointer, toRow int, from, fromCell pointer, fromRow, cells int) error {
	return b.device.do(func() error {
		return b.device.driver.launch(b.kernels["copy_cells"], [2]int{max(1, (cells+layerThreads-1)/layerThreads), rows}, [2]int{layerThreads, 1},
			uint64(to), uint64(toCell), uint64(toRow), uint64(from), uint64(fromCell), uint64(fromRow), uint64(cells))
	})
}

// TurnBack takes over the last two fields, exchanged, of the listed cells of another batch, as kernels.Solver says. It clears the rest.
func (b *Batch[T]) TurnBack(from *Batch[T], cells, fromCells *Cells) error {
	if err := b.Reset(); err != nil {
		return err
	}
	for k := range 2 {
		// u now of this one is u before of the other
		if err := b.copyCells(len(b.shots), b.job.field[k], cells.memory.at, cells.row, from.job.field[(from.parity+k+1)%2], fromCells.memory.at, fromCells.row, cells.count); err != nil {
			return err
		}
	}
	return nil
}
