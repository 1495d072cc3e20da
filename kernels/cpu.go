package kernels

/*
// All functions that take wide vectors are inlined: the calling convention of which -Wpsabi warns is moot.
#cgo CFLAGS: -O3 -fopenmp -Wall -Werror -Wno-psabi
#cgo LDFLAGS: -fopenmp
#include <stdlib.h>
#include <string.h>
#include "cpu.h"
*/
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"unsafe"
)

var _ [RowBlock - C.CPU_ROWS]struct{} // they are
var _ [C.CPU_ROWS - RowBlock]struct{} // the same

// CPU is a Solver on one core in 2D and on one or several in 3D, vectorised by function multiversioning (AVX-512, AVX2 or the baseline of the machine).
//
// It steps only the cells that the wave has reached: fields start at zero and, with subnormal numbers flushed, are exactly zero
// ahead of the wave. The results are those of stepping everything, those of an adjoint run to round-off.
type CPU[T Real] struct {
	// WholeGrid makes it step all cells at every step.
	WholeGrid bool
	// Quiet is an amplitude in units of the loudest that the sources, in adjoint runs the receivers, add to the field in a step: forerunners below it do not count as
	// the wave. They run a dozen cells and more ahead of it; 0 keeps them until they underflow. Scatter keeps them always.
	Quiet float64

	domain             Domain
	kernels            *C.cpu_kernels
	solver             *C.cpu_solver
	blocks             []allocation // everything that Close frees
	cleared            []allocation // what Reset clears
	sources, receivers cpuPoints[T]
	loudest            [2]float64 // what is added to the field in a step at most, forward and adjoint, since Reset; 0: not known
	until              []C.int    // Shot.Until by block of rows

	strips []int32 // what pieces returned last,
	of     *int32  // and for which runs
	dry    bool    // count what Reset clears instead of allocating it
}

type allocation struct {
	p     unsafe.Pointer
	bytes int
	used  []byte // what was asked for
}

// CPUOptions chooses how a CPU solver works. The zero value is right.
type CPUOptions struct {
	InstructionSet string  // avx512, avx2 or baseline; "": the widest that this machine has
	Threads        int     // that step a 3D shot together, without effect on its results; 0: one. 2D solvers use one always.
	WholeGrid      bool    // see CPU.WholeGrid
	Quiet          float64 // see CPU.Quiet
}

// InstructionSet returns the name of the kernels that NewCPU chooses for the given wish ("" for the widest of this
// machine), or an error that names the choices.
func InstructionSet(wish string) (string, error) {
	k, err := selectKernels(wish)
	if err != nil {
		return "", err
	}
	return C.GoString(k.name), nil
}

func selectKernels(wish string) (*C.cpu_kernels, error) {
	name := C.CString(wish)
	defer C.free(unsafe.Pointer(name))
	k := C.cpu_select(name)
	if k == nil {
		return nil, fmt.Errorf("this processor has no instruction set %q: choose avx512, avx2 or baseline, or none for the best", wish)
	}
	return k, nil
}

// NewCPU returns a solver for a domain of two or three axes with cleared fields and M = 0.
func NewCPU[T Real](d Domain, options CPUOptions) (*CPU[T], error) {
	return newCPU[T](d, options, false)
}

// Footprint is what solvers of a domain take.
type Footprint struct {
	Solver, State                   int // bytes
	SnapshotElements, SnapshotCells int // elements of a snapshot, and those of them that Narrow turns into 16 bits
}

// MeasureCPU returns the footprint of the solvers that NewCPU would return, without allocating their fields.
func MeasureCPU[T Real](d Domain, options CPUOptions) (Footprint, error) {
	s, err := newCPU[T](d, options, true)
	if err != nil {
		return Footprint{}, err
	}
	defer s.Close()
	return Footprint{s.Bytes(), s.StateSize(), s.SnapshotSize(), s.rows() * s.SnapshotRow()}, nil
}

func newCPU[T Real](d Domain, options CPUOptions, dry bool) (*CPU[T], error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	kernels, err := selectKernels(options.InstructionSet)
	if err != nil {
		return nil, err
	}
	s := &CPU[T]{WholeGrid: options.WholeGrid, Quiet: options.Quiet, domain: d, kernels: kernels, dry: dry}
	s.solver = (*C.cpu_solver)(s.alloc(int(unsafe.Sizeof(C.cpu_solver{})), false))
	if len(d.Shape) == 3 {
		err = s.init3D(max(1, options.Threads))
	} else {
		s.init2D()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	if s.solver.potential != nil && !dry {
		s.setPotential(d.Potential)
	}
	runtime.SetFinalizer(s, (*CPU[T]).Close)
	return s, nil
}

func (s *CPU[T]) init2D() {
	const lanes, halo, together = C.CPU_LANES, C.CPU_HALO, C.CPU_ROWS
	c, d := s.solver, s.domain
	radius, nz, nx := d.Order/2, d.Shape[0], d.NX()
	rows := (nz + together - 1) / together * together
	width := (nx + lanes - 1) / lanes * lanes
	stride := width + lanes
	if stride%256 == 0 { // rows a multiple of 1 KB apart would fall on the same cache sets
		stride += lanes
	}
	c.nz, c.nx, c.rows, c.width, c.stride = C.int(nz), C.int(nx), C.int(rows), C.int(width), C.int(stride)
	c.ny, c.plane = 1, c.stride
	c.radius = C.int(radius)
	if d.FreeSurface {
		c.free_surface = 1
	}
	c.d1 = s.doubles(d1Weights[radius], 1)
	c.d2z = s.doubles(d.SecondDifference(), 1/(d.Spacing[0]*d.Spacing[0]))
	along := d.SecondDifference()
	if d.D2Along != nil {
		along = slices.Concat(d.D2Along...)
		c.d2x_step = C.int(radius + 1)
	}
	c.d2x = s.doubles(along, 1/(d.Spacing[1]*d.Spacing[1]))
	c.iz, c.ix = C.double(1/d.Spacing[0]), C.double(1/d.Spacing[1])

	field := func() unsafe.Pointer { return s.plane(rows, stride, halo, lanes) }
	c.now, c.before, c.m = field(), field(), field()
	var level []float64 // the potential where it is the same along rows
	if d.Along != nil {
		level = d.rowsOfPotential()
		c.along, c.row_potential = s.reals(d.Along, rows), s.reals(level, rows)
	}
	if d.Potential != nil && level == nil {
		c.potential = field()
	}
	c.az, c.bz = s.reals(d.A[0], rows), s.reals(d.B[0], rows)
	c.ax, c.bx = s.reals(d.A[1], width), s.reals(d.B[1], width)
	for i, r := range layers(d.A[0], rows, radius, together) {
		c.z[i] = block(d.A[0], r)
		for k := range c.z[i].memory {
			c.z[i].memory[k] = s.plane(r[1]-r[0], stride, halo, lanes)
		}
	}
	widest := 0
	for i, r := range layers(d.A[1], width, radius, lanes) {
		c.x[i] = block(d.A[1], r)
		widest = max(widest, r[1]-r[0])
		for k := range c.x[i].memory {
			c.x[i].memory[k] = s.plane(rows, r[1]-r[0]+lanes, 0, lanes)
		}
	}
	c.strip = s.plane(together, widest+2*lanes, 0, 0)
	c.strip_step = C.int(widest + 2*lanes)
	for _, r := range []**C.cpu_range{&c.reached, &c.active, &c.limit} {
		*r = (*C.cpu_range)(s.alloc(rows/together*int(unsafe.Sizeof(C.cpu_range{})), true))
	}
}

// block returns a range that layers has returned, with the layer in it.
func block(a []float64, r [2]int) C.cpml_block {
	first, last := r[0], min(r[1], len(a))
	for first < last && a[first] == 0 {
		first++
	}
	for last > first && a[last-1] == 0 {
		last--
	}
	return C.cpml_block{begin: C.int(r[0]), end: C.int(r[1]), first: C.int(first), last: C.int(last)}
}

// layers returns the at most two disjoint ranges of rows or columns, aligned to multiples of align, that hold all a ≠ 0 and
// reach radius cells further, as the adjoint's D2 s does. size is the number of rows or columns, rounded up to a multiple of align.
func layers(a []float64, size, radius, align int) [2][2]int {
	n := len(a)
	var out [2][2]int
	begin := func(i int) int { return max(0, i-radius) / align * align }
	end := func(i int) int { return min(size, (i+1+radius+align-1)/align*align) }
	last := -1 // of the first range
	for i := 0; i < n && a[i] != 0; i++ {
		last = i
	}
	if last >= 0 {
		out[0] = [2]int{0, end(last)}
	}
	for i := last + 1; i < n; i++ {
		if a[i] == 0 {
			continue
		}
		out[1] = [2]int{begin(i), size}
		break
	}
	if out[1][1] > 0 && out[0][1] > out[1][0] { // they touch: one range
		out = [2][2]int{{0, size}}
	}
	return out
}

func (s *CPU[T]) alloc(bytes int, clearOnReset bool) unsafe.Pointer {
	// Large blocks get large pages, since 3D steps touch dozens of pages in turn, and begin at different cache lines of them, since
	// a load from the place in its page that a store goes to would wait for the store.
	align, skew := 64, 0
	if bytes >= 2*C.HUGE_PAGE {
		align, skew = C.HUGE_PAGE, 64*(37*len(s.blocks)%512)
	}
	rounded := roundUp(max(bytes+skew, 1), align)
	if s.dry && clearOnReset {
		a := allocation{bytes: rounded, used: unsafe.Slice((*byte)(unsafe.Pointer(s.solver)), bytes)}
		s.blocks, s.cleared = append(s.blocks, a), append(s.cleared, a)
		return unsafe.Pointer(s.solver)
	}
	p := C.aligned_alloc(C.size_t(align), C.size_t(rounded))
	if p == nil {
		panic(fmt.Sprintf("kernels: the system refused %d bytes", rounded)) // as Go itself does for make
	}
	if align == C.HUGE_PAGE {
		C.cpu_huge_pages(p, C.size_t(rounded))
	}
	C.memset(p, 0, C.size_t(rounded))
	a := allocation{p, rounded, unsafe.Slice((*byte)(unsafe.Add(p, skew)), bytes)}
	s.blocks = append(s.blocks, a)
	if clearOnReset {
		s.cleared = append(s.cleared, a)
	}
	return unsafe.Add(p, skew)
}

// plane allocates rows of stride elements with halo rows around and lanes columns before the first, and returns cell (0, 0).
func (s *CPU[T]) plane(rows, stride, halo, lanes int) unsafe.Pointer {
	size := int(unsafe.Sizeof(T(0)))
	p := s.alloc(((rows+2*halo)*stride+2*lanes)*size, true)
	return unsafe.Add(p, (halo*stride+lanes)*size)
}

func (s *CPU[T]) doubles(v []float64, scale float64) *C.double {
	p := s.alloc(8*len(v), false)
	dst := unsafe.Slice((*float64)(p), len(v))
	for i, x := range v {
		dst[i] = x * scale
	}
	return (*C.double)(p)
}

func (s *CPU[T]) reals(v []float64, n int) unsafe.Pointer {
	p := s.alloc(n*int(unsafe.Sizeof(T(0))), false)
	dst := unsafe.Slice((*T)(p), n)
	for i, x := range v {
		dst[i] = T(x)
	}
	return p
}

// eachRow calls f for every row of cells along x, with its number and its first cell in a field.
func (s *CPU[T]) eachRow(f func(row int, offset int)) {
	ny := int(s.solver.ny)
	for row := range s.domain.Shape[0] * ny {
		f(row, row/ny*int(s.solver.plane)+row%ny*int(s.solver.stride))
	}
}

// cells returns the row of a field at an offset.
func (s *CPU[T]) cells(field unsafe.Pointer, offset int) []T {
	return unsafe.Slice((*T)(unsafe.Add(field, offset*int(unsafe.Sizeof(T(0))))), s.domain.NX())
}

// inSurface reports whether a row of cells lies in a free surface, where u and M are zero.
func (s *CPU[T]) inSurface(row int) bool { return s.domain.FreeSurface && row < int(s.solver.ny) }

// SetModel implements Solver.
func (s *CPU[T]) SetModel(m []T) {
	nx := s.domain.NX()
	s.eachRow(func(row, offset int) {
		cells := s.cells(s.solver.m, offset)
		copy(cells, m[row*nx:(row+1)*nx])
		if s.inSurface(row) {
			clear(cells)
		}
	})
}

func (s *CPU[T]) setPotential(w []float64) {
	nx := s.domain.NX()
	s.eachRow(func(row, offset int) {
		for i, v := range w[row*nx : (row+1)*nx] {
			s.cells(s.solver.potential, offset)[i] = T(v)
		}
	})
}

// Reset implements Solver.
func (s *CPU[T]) Reset() {
	// The planes of the model and of the potential are among the cleared ones: they are no fields, keep them.
	for _, a := range s.cleared {
		if a.holds(s.solver.m) || a.holds(s.solver.potential) {
			continue
		}
		C.memset(a.p, 0, C.size_t(a.bytes))
	}
	s.solver.limited = 0
	s.loudest = [2]float64{}
}

func (a *allocation) holds(p unsafe.Pointer) bool {
	return uintptr(p) >= uintptr(a.p) && uintptr(p) < uintptr(a.p)+uintptr(a.bytes)
}

// SnapshotRow implements Solver.
func (s *CPU[T]) SnapshotRow() int { return int(s.solver.width) }

func (s *CPU[T]) rows() int { return s.domain.Shape[0] * int(s.solver.ny) }

// SnapshotSize implements Solver: a padded row for each row of cells, and for each block the range of columns that the wave had reached.
func (s *CPU[T]) SnapshotSize() int {
	blocks := int(s.solver.rows) / C.CPU_ROWS
	if len(s.domain.Shape) == 3 {
		blocks = int(s.solver.rows) / C.CPU_PLANES * int(s.solver.ny)
	}
	return s.rows()*s.SnapshotRow() + roundUp(2*blocks, C.CPU_LANES)
}

// Pack implements Solver.
func (s *CPU[T]) Pack(dst, cells []T) {
	nx, width := s.domain.NX(), int(s.solver.width)
	s.eachRow(func(row, _ int) {
		padded := dst[row*width : (row+1)*width]
		clear(padded)
		if !s.inSurface(row) {
			copy(padded, cells[row*nx:(row+1)*nx])
		}
	})
}

// Unpack implements Solver.
func (s *CPU[T]) Unpack(cells, src []T) {
	nx, width := s.domain.NX(), int(s.solver.width)
	s.eachRow(func(row, _ int) { copy(cells[row*nx:(row+1)*nx], src[row*width:]) })
}

// Bytes implements Solver.
func (s *CPU[T]) Bytes() int {
	var sum int
	for _, a := range s.blocks {
		sum += a.bytes
	}
	return sum
}

// Close implements Solver. Closing twice is harmless.
func (s *CPU[T]) Close() {
	for _, a := range s.blocks {
		C.free(a.p)
	}
	s.blocks, s.cleared, s.solver = nil, nil, nil
	runtime.SetFinalizer(s, nil)
}

// Forward implements Solver.
func (s *CPU[T]) Forward(shot *Shot[T], n0, n1 int, snap *Snapshots[T]) error {
	return s.run(shot, n0, n1, snap, nil, nil, false)
}

// Scatter implements Solver.
func (s *CPU[T]) Scatter(shot *Shot[T], n0, n1 int, snap *Snapshots[T], deltaM []T) error {
	if snap == nil || snap.Every != 1 || len(deltaM) != s.SnapshotSize() {
		return fmt.Errorf("the Born source needs snapshots of every step and a perturbation of %d cells", s.SnapshotSize())
	}
	return s.run(shot, n0, n1, snap, nil, deltaM, false)
}

// Adjoint implements Solver.
func (s *CPU[T]) Adjoint(shot *Shot[T], n0, n1 int, snap *Snapshots[T], image *Imaging[T]) error {
	return s.run(shot, n0, n1, snap, image, nil, true)
}

func (s *CPU[T]) run(shot *Shot[T], n0, n1 int, snap *Snapshots[T], image *Imaging[T], deltaM []T, adjoint bool) error {
	if s.solver == nil {
		return fmt.Errorf("the solver is closed")
	}
	if err := checkShot(&s.domain, shot, n0, n1); err != nil {
		return err
	}
	size := s.SnapshotSize()
	if err := checkSnapshots(snap, n0, n1, size); err != nil {
		return err
	}
	if n0 == n1 {
		return nil
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	run := C.cpu_run{n0: C.int(n0), n1: C.int(n1), every: 1}
	run.wavelet, run.record = pointer(&pin, shot.Wavelet), pointer(&pin, shot.Record)
	if len(shot.Wavelet) > shot.NT {
		run.wavelet_stride = C.int(shot.NT)
	}
	if snap != nil {
		run.every, run.phase, run.slot0, run.slot = C.int(snap.Every), C.int(snap.Phase), C.int(snap.First), C.int(size)
		run.snapshot = pointer(&pin, snap.Data)
	}
	if deltaM != nil {
		run.scatterer = pointer(&pin, deltaM)
	}
	if image != nil {
		if snap != nil && len(image.Gradient) != size || image.Illumination != nil && len(image.Illumination) != size {
			return fmt.Errorf("gradient and illumination have %d and %d cells instead of %d", len(image.Gradient), len(image.Illumination), size)
		}
		if image.Wavelet != nil && len(image.Wavelet) != shot.NT*shot.Sources.Count() {
			return fmt.Errorf("the wavelet gradient has %d samples for %d steps and %d sources", len(image.Wavelet), shot.NT, shot.Sources.Count())
		}
		run.gradient, run.illumination = pointer(&pin, image.Gradient), pointer(&pin, image.Illumination)
		if image.Illumination != nil {
			run.illuminate = 1
		}
		run.source_gradient = pointer(&pin, image.Wavelet)
		if image.Wavelet == nil || s.Quiet == 0 && emitsFromTheStart(shot) {
			run.limit = 1
		}
	}
	s.solver.whole_grid = 0
	if s.WholeGrid {
		s.solver.whole_grid = 1
	} else if deltaM == nil {
		run.quiet = C.double(s.Quiet * s.loudestOf(shot, adjoint))
	}
	if shot.Until != nil && !adjoint && len(s.domain.Shape) == 2 {
		s.until = s.until[:0]
		for first := 0; first < len(shot.Until); first += C.CPU_ROWS {
			s.until = append(s.until, C.int(slices.Max(shot.Until[first:min(first+C.CPU_ROWS, len(shot.Until))])))
		}
		run.until = (*C.int)(pointer(&pin, s.until))
	}
	if strips := shot.Strips; strips != nil && !adjoint && len(strips.Cell) > 0 {
		at, cells := s.pieces(strips), strips.Cells()
		first, step := n0, cells
		if strips.Restore {
			first, step, run.restore = shot.NT-1-n0, -cells, 1
		}
		pin.Pin(&strips.Values[0])
		run.pieces, run.piece = C.int(len(strips.Cell)), (*C.int)(pointer(&pin, at))
		run.strips, run.strips_step = unsafe.Pointer(&strips.Values[first*cells]), C.ptrdiff_t(step)
	}
	sources, receivers := s.points(&pin, &shot.Sources, &s.sources), s.points(&pin, &shot.Receivers, &s.receivers)
	bytes := C.int(unsafe.Sizeof(T(0)))
	switch three := len(s.domain.Shape) == 3; {
	case three && adjoint:
		C.cpu_adjoint3d(s.kernels, bytes, s.solver, &run, &sources, &receivers)
	case three:
		C.cpu_forward3d(s.kernels, bytes, s.solver, &run, &sources, &receivers)
	case adjoint:
		C.cpu_adjoint(s.kernels, bytes, s.solver, &run, &sources, &receivers)
	default:
		C.cpu_forward(s.kernels, bytes, s.solver, &run, &sources, &receivers)
	}
	runtime.KeepAlive(s)
	return nil
}

// loudestOf returns the most that a shot's points add to a cell in a step; 0 where Quiet is, as nobody asks.
func (s *CPU[T]) loudestOf(shot *Shot[T], adjoint bool) float64 {
	points, amplitudes, of := &shot.Sources, shot.Wavelet, &s.loudest[0]
	if adjoint {
		points, amplitudes, of = &shot.Receivers, shot.Record, &s.loudest[1]
	}
	if s.Quiet == 0 || *of != 0 {
		return *of
	}
	var gain, amplitude T
	for k, cell := range points.Cell {
		m := s.cells(s.solver.m, int(s.offset(cell)))
		for r, w := range points.Weight[Run*k : Run*(k+1)] {
			if w != 0 { // it may lie beyond the row
				gain = max(gain, w*m[r], -w*m[r])
			}
		}
	}
	for _, v := range amplitudes {
		amplitude = max(amplitude, v, -v)
	}
	*of = float64(gain) * float64(amplitude)
	return *of
}

// emitsFromTheStart reports whether all sources emit from the first step on, so that their waves mark where their wavelets'
// gradients depend on the adjoint field. The field of an amplitude of 1 at the first step is below 1e-18 of M where
// that of 1e-20 underflows.
func emitsFromTheStart[T Real](shot *Shot[T]) bool {
	for i := 0; i < len(shot.Wavelet); i += shot.NT {
		if !(math.Abs(float64(shot.Wavelet[i])) > 1e-20) {
			return false
		}
	}
	return true
}

func pointer[E any](pin *runtime.Pinner, v []E) unsafe.Pointer {
	if len(v) == 0 {
		return nil
	}
	pin.Pin(&v[0])
	return unsafe.Pointer(&v[0])
}

// offset returns where a cell lies in the padded fields.
func (s *CPU[T]) offset(cell int32) int32 {
	nx, ny := int32(s.domain.NX()), int32(s.solver.ny)
	row := cell / nx
	return row/ny*int32(s.solver.plane) + row%ny*int32(s.solver.stride) + cell%nx
}

// pieces returns offset, length and cells before it for each run of strips, whose cells nobody changes while they are in use.
func (s *CPU[T]) pieces(strips *Strips[T]) []int32 {
	if s.of == &strips.Cell[0] && len(s.strips) == 3*len(strips.Cell) {
		return s.strips
	}
	out := make([]int32, 0, 3*len(strips.Cell))
	var before int32
	for i, c := range strips.Cell {
		out = append(out, s.offset(c), strips.Length[i], before)
		before += strips.Length[i]
	}
	s.strips, s.of = out, &strips.Cell[0]
	return out
}

// Finite reports whether the field is free of NaN and infinities, by looking at its sum.
func (s *CPU[T]) Finite() bool {
	var sum float64
	s.eachRow(func(_, offset int) {
		for _, v := range s.cells(s.solver.now, offset) {
			sum += float64(v)
		}
	})
	return !math.IsNaN(sum) && !math.IsInf(sum, 0)
}
