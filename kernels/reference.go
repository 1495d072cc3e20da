package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Reference is the oracle: the scheme of acoustic.h and its adjoint in plain Go and float64, written for the eye, for any
// number of axes. It keeps CPML's memory variables on the whole grid and evaluates every difference anew.
type Reference struct {
	// Step returns u at the next step, or in the adjoint η at the one before, from the last two values and w + f. It is acoustic.h's unless
	// another equation sets it. The adjoint's has the same form if it is linear, with weights that are the same in all cells but for M.
	Step func(now, before, m, w float64) float64

	domain      Domain
	d1, d2      []float64
	stride      []int   // from cell to cell along each axis
	index       [][]int // where each cell lies along each axis
	m           []float64
	now, before []float64
	memory      [][2][]float64 // per axis: ψ and ζ, or p and s
	scratch     []float64
}

var (
	_ Solver[float64] = (*Reference)(nil)
	_ Solver[float64] = (*CPU[float64])(nil)
	_ Solver[float32] = (*CPU[float32])(nil)
)

// NewReference returns a reference solver with cleared fields and M = 0.
func NewReference(d Domain) (*Reference, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	s := &Reference{Step: acousticStep, domain: d, d1: d1Weights[d.Order/2], d2: d.SecondDifference(), m: make([]float64, d.Cells())}
	s.stride, s.index, s.memory = make([]int, len(d.Shape)), make([][]int, len(d.Shape)), make([][2][]float64, len(d.Shape))
	stride := 1
	for axis := len(d.Shape) - 1; axis >= 0; axis-- {
		s.stride[axis], s.index[axis] = stride, make([]int, d.Cells())
		for c := range s.index[axis] {
			s.index[axis][c] = c / stride % d.Shape[axis]
		}
		stride *= d.Shape[axis]
	}
	s.Reset()
	return s, nil
}

// Reset implements Solver.
func (s *Reference) Reset() {
	fields := []*[]float64{&s.now, &s.before, &s.scratch}
	for axis := range s.memory {
		fields = append(fields, &s.memory[axis][0], &s.memory[axis][1])
	}
	for _, f := range fields {
		*f = make([]float64, s.domain.Cells())
	}
}

// at returns u at k cells from cell c along an axis: zero outside the grid, odd about a free surface.
func (s *Reference) at(u []float64, c, axis, k int) float64 {
	i := s.index[axis][c]
	sign := 1.0
	if axis == 0 && i+k < 0 && s.domain.FreeSurface {
		sign, k = -1, -k-2*i
	}
	if i+k < 0 || i+k >= s.domain.Shape[axis] {
		return 0
	}
	return sign * u[c+k*s.stride[axis]]
}

// first returns D1 u at cell c along an axis, second D2 u.
func (s *Reference) first(u []float64, c, axis int) float64 {
	var sum float64
	for k := 1; k < len(s.d1); k++ {
		sum += s.d1[k] * (s.at(u, c, axis, k) - s.at(u, c, axis, -k))
	}
	return sum / s.domain.Spacing[axis]
}

func (s *Reference) second(u []float64, c, axis int) float64 {
	d2 := s.d2
	if axis > 0 && s.domain.D2Along != nil {
		d2 = s.domain.D2Along[s.index[0][c]/RowBlock]
	}
	sum := d2[0] * u[c]
	for k := 1; k < len(d2); k++ {
		sum += d2[k] * (s.at(u, c, axis, k) + s.at(u, c, axis, -k))
	}
	h := s.domain.Spacing[axis]
	return sum / (h * h)
}

func (s *Reference) coefficients(c, axis int) (a, b float64) {
	i := s.index[axis][c]
	return s.domain.A[axis][i], s.domain.B[axis][i]
}

// along returns the factor of what the differences along an axis give in cell c. It commutes with them and with CPML's recursions.
func (s *Reference) along(c, axis int) float64 {
	if axis == 0 || s.domain.Along == nil {
		return 1
	}
	return s.domain.Along[s.index[0][c]]
}

// spatialForward returns w[n] of acoustic.h and advances ψ and ζ.
func (s *Reference) spatialForward() []float64 {
	w := make([]float64, len(s.now))
	for axis, memory := range s.memory {
		psi, zeta := memory[0], memory[1]
		for c := range w {
			a, b := s.coefficients(c, axis)
			psi[c] = b*psi[c] + a*s.first(s.now, c, axis)
		}
		for c := range w {
			a, b := s.coefficients(c, axis)
			d2u, d1psi := s.second(s.now, c, axis), s.first(psi, c, axis)
			zeta[c] = b*zeta[c] + a*(d2u+d1psi)
			w[c] += s.along(c, axis) * (d2u + d1psi + zeta[c])
		}
	}
	s.subtractPotential(w)
	return w
}

// subtractPotential makes w - W u of w: its own adjoint.
func (s *Reference) subtractPotential(w []float64) {
	for c, v := range s.domain.Potential {
		w[c] -= v * s.now[c]
	}
}

// spatialAdjoint returns the adjoint of spatialForward at η = now and advances p and s.
func (s *Reference) spatialAdjoint() []float64 {
	w := make([]float64, len(s.now))
	for axis, memory := range s.memory {
		p, sv := memory[0], memory[1]
		for c := range w {
			a, b := s.coefficients(c, axis)
			sv[c] = b*sv[c] + a*s.now[c]
			s.scratch[c] = s.now[c] + sv[c]
		}
		for c := range w {
			a, b := s.coefficients(c, axis)
			p[c] = b*p[c] - a*s.first(s.scratch, c, axis)
		}
		for c := range w {
			w[c] += s.along(c, axis) * (s.second(s.scratch, c, axis) - s.first(p, c, axis))
		}
	}
	s.subtractPotential(w)
	return w
}

func acousticStep(now, before, m, w float64) float64 { return 2*now - before + m*w }

func (s *Reference) step(w []float64) {
	for c, m := range s.m {
		s.before[c] = s.Step(s.now[c], s.before[c], m, w[c])
	}
	s.now, s.before = s.before, s.now
}

// eachCell calls f for every cell that point i acts on.
func (p *Points[T]) eachCell(i, cells int, f func(cell int, weight T)) {
	for k := p.Begin[i]; k < p.Begin[i+1]; k++ {
		for r := range Run {
			if cell := int(p.Cell[k]) + r; cell < cells {
				f(cell, p.Weight[Run*int(k)+r])
			}
		}
	}
}

func sampleAt(u []float64, p *Points[float64], i int) float64 {
	var sum float64
	p.eachCell(i, len(u), func(cell int, weight float64) { sum += weight * u[cell] })
	return sum
}

func addAt(u []float64, p *Points[float64], i int, value float64) {
	p.eachCell(i, len(u), func(cell int, weight float64) { u[cell] += weight * value })
}

func (snap *Snapshots[T]) slot(n, size int) []T {
	if snap == nil || n%snap.Every != snap.Phase {
		return nil
	}
	k := n/snap.Every - snap.First
	return snap.Data[k*size : (k+1)*size]
}

func (s *Reference) check(shot *Shot[float64], n0, n1 int, snap *Snapshots[float64]) error {
	if err := checkShot(&s.domain, shot, n0, n1); err != nil {
		return err
	}
	return checkSnapshots(snap, n0, n1, s.SnapshotSize())
}

// Forward implements Solver.
func (s *Reference) Forward(shot *Shot[float64], n0, n1 int, snap *Snapshots[float64]) error {
	if err := s.check(shot, n0, n1, snap); err != nil {
		return err
	}
	for n := n0; n < n1; n++ {
		s.exchange(shot, n)
		s.record(shot, n)
		w := s.spatialForward()
		for i := 0; i < shot.Sources.Count(); i++ {
			at := n
			if len(shot.Wavelet) > shot.NT {
				at += i * shot.NT
			}
			addAt(w, &shot.Sources, i, shot.Wavelet[at])
		}
		copy(snap.slot(n, len(w)), w)
		s.step(w)
	}
	return nil
}

// exchange saves or restores the strips before step n.
func (s *Reference) exchange(shot *Shot[float64], n int) {
	if shot.Strips == nil {
		return
	}
	at := n
	if shot.Strips.Restore {
		at = shot.NT - 1 - n
	}
	values := shot.Strips.Values[at*shot.Strips.Cells():]
	for i, c := range shot.Strips.Cell {
		cells := s.now[c : c+shot.Strips.Length[i]]
		if shot.Strips.Restore {
			copy(cells, values)
		} else {
			copy(values, cells)
		}
		values = values[len(cells):]
	}
}

func (s *Reference) record(shot *Shot[float64], n int) {
	count := shot.Receivers.Count()
	for i := 0; i < count; i++ {
		shot.Record[n*count+i] = sampleAt(s.now, &shot.Receivers, i)
	}
}

// Scatter implements Solver.
func (s *Reference) Scatter(shot *Shot[float64], n0, n1 int, snap *Snapshots[float64], deltaM []float64) error {
	if snap == nil || snap.Every != 1 || len(deltaM) != len(s.m) {
		return fmt.Errorf("the Born source needs snapshots of every step and a perturbation of %d cells", len(s.m))
	}
	if err := s.check(shot, n0, n1, snap); err != nil {
		return err
	}
	for n := n0; n < n1; n++ {
		s.record(shot, n)
		s.step(s.spatialForward())
		for c, w := range snap.slot(n, len(s.m)) {
			s.now[c] += s.Step(0, 0, deltaM[c], w)
		}
	}
	return nil
}

// Adjoint implements Solver.
func (s *Reference) Adjoint(shot *Shot[float64], n0, n1 int, snap *Snapshots[float64], image *Imaging[float64]) error {
	if err := s.check(shot, n0, n1, snap); err != nil {
		return err
	}
	for n := n1 - 1; n >= n0; n-- {
		for c, w := range snap.slot(n, len(s.m)) {
			image.Gradient[c] += s.now[c] * w
			if image.Illumination != nil {
				image.Illumination[c] += w * w
			}
		}
		if image != nil && image.Wavelet != nil {
			count := shot.Sources.Count()
			for i := 0; i < count; i++ {
				image.Wavelet[n*count+i] = sampleAt(s.now, &shot.Sources, i)
			}
		}
		w := s.spatialAdjoint()
		count := shot.Receivers.Count()
		for i := 0; i < count; i++ {
			addAt(w, &shot.Receivers, i, shot.Record[n*count+i])
		}
		s.step(w)
	}
	return nil
}

// SetModel implements Solver.
func (s *Reference) SetModel(m []float64) {
	copy(s.m, m)
	if s.domain.FreeSurface {
		clear(s.m[:s.stride[0]])
	}
}

// TurnBack implements Solver.
func (s *Reference) TurnBack(from Solver[float64], origin []int) error {
	f, ok := from.(*Reference)
	if !ok || !contains(f.domain.Shape, s.domain.Shape, origin) {
		return fmt.Errorf("a reference solver of %v cells cannot take over the fields at %v of another kind or shape", s.domain.Shape, origin)
	}
	s.Reset()
	for c := range s.now {
		at := 0
		for axis, o := range origin {
			at += (s.index[axis][c] + o) * f.stride[axis]
		}
		s.now[c], s.before[c] = f.before[at], f.now[at]
	}
	return nil
}

func (s *Reference) state() [][]float64 {
	fields := [][]float64{s.now, s.before}
	for axis := range s.memory {
		fields = append(fields, s.memory[axis][0], s.memory[axis][1])
	}
	return fields
}

// StateSize implements Solver.
func (s *Reference) StateSize() int { return 8 * len(s.state()) * len(s.m) }

// SaveState implements Solver.
func (s *Reference) SaveState(dst []byte) {
	for _, f := range s.state() {
		for i, v := range f {
			binary.NativeEndian.PutUint64(dst[8*i:], math.Float64bits(v))
		}
		dst = dst[8*len(f):]
	}
}

// LoadState implements Solver.
func (s *Reference) LoadState(src []byte) {
	for _, f := range s.state() {
		for i := range f {
			f[i] = math.Float64frombits(binary.NativeEndian.Uint64(src[8*i:]))
		}
		src = src[8*len(f):]
	}
}

// Narrow implements Solver.
func (s *Reference) Narrow(dst []uint16, snapshot []float64) {
	for i, v := range snapshot {
		bits := math.Float32bits(float32(v))
		dst[i] = uint16((bits + 0x7fff + bits>>16&1) >> 16)
	}
}

// Widen implements Solver.
func (s *Reference) Widen(snapshot []float64, src []uint16) {
	for i := range snapshot {
		snapshot[i] = float64(math.Float32frombits(uint32(src[i]) << 16))
	}
}

// SnapshotRow implements Solver.
func (s *Reference) SnapshotRow() int { return s.domain.NX() }

// SnapshotSize implements Solver.
func (s *Reference) SnapshotSize() int { return s.domain.Cells() }

// Pack implements Solver.
func (s *Reference) Pack(dst, cells []float64) {
	copy(dst, cells)
	if s.domain.FreeSurface {
		clear(dst[:s.stride[0]])
	}
}

// Unpack implements Solver.
func (s *Reference) Unpack(cells, src []float64) { copy(cells, src) }

// Bytes implements Solver.
func (s *Reference) Bytes() int { return 8 * (4 + 3*len(s.memory)) * len(s.m) }

// Close implements Solver.
func (s *Reference) Close() {}
