//go:build cuda

package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gofwi/kernels"
)

// testCase is a small grid with what can go wrong: odd sizes, layers one cell wide or overlapping, a free surface.
type testCase struct {
	shape        []int
	order, layer int
	sides        [][2]bool // low and high end of each axis: is there a layer?
	freeSurface  bool
}

func (c testCase) String() string {
	return fmt.Sprintf("%v order %d layer %d %v free surface %v", c.shape, c.order, c.layer, c.sides, c.freeSurface)
}

func testCases() []testCase {
	on, off, low, high := [2]bool{true, true}, [2]bool{}, [2]bool{true, false}, [2]bool{false, true}
	var cases []testCase
	for order := 2; order <= 8; order += 2 {
		cases = append(cases,
			testCase{[]int{41, 73}, order, 10, [][2]bool{high, on}, true},
			testCase{[]int{30, 129}, order, 1, [][2]bool{on, on}, false},
			testCase{[]int{17, 33}, order, 12, [][2]bool{on, on}, false}, // layers overlap
			testCase{[]int{48, 80}, order, 8, [][2]bool{low, high}, false},
			testCase{[]int{23, 3}, order, 0, [][2]bool{off, off}, true},
			testCase{[]int{11, 14, 29}, order, 2, [][2]bool{high, on, on}, true},
			testCase{[]int{9, 17, 31}, order, 1, [][2]bool{on, on, on}, false},
			testCase{[]int{12, 5, 35}, order, 4, [][2]bool{low, high, low}, false},
			testCase{[]int{7, 3, 6}, order, 0, [][2]bool{off, off, off}, true},
		)
	}
	return cases
}

// problem is a batch of shots with random models, points and traces.
type problem[T kernels.Real] struct {
	domain    kernels.Domain
	m, deltaM []T
	shots     []*kernels.Shot[T]
	residuals [][]T // of each shot, [NT, receiver]
}

const testSteps = 45

func newProblem[T kernels.Real](c testCase, shots int) *problem[T] {
	axes, cells := len(c.shape), 1
	for _, n := range c.shape {
		cells *= n
	}
	rng := rand.New(rand.NewPCG(7, uint64(cells*c.order)))
	d := kernels.Domain{Shape: c.shape, Spacing: []float64{9, 12, 11}[:axes], Order: c.order, FreeSurface: c.freeSurface}
	for k, n := range c.shape {
		a, b := make([]float64, n), make([]float64, n)
		for i := range n {
			depth := 0.0
			if c.sides[k][0] && i < c.layer {
				depth = float64(c.layer-i) / float64(c.layer)
			}
			if c.sides[k][1] && n-1-i < c.layer {
				depth = max(depth, float64(c.layer-(n-1-i))/float64(c.layer))
			}
			if depth > 0 {
				a[i], b[i] = -0.3*depth*depth, 0.95-0.3*depth*depth
			}
		}
		d.A, d.B = append(d.A, a), append(d.B, b)
	}
	p := &problem[T]{domain: d, m: make([]T, cells), deltaM: make([]T, cells)}
	if c.freeSurface { // these cases have weights of their own
		var err error
		if d.D2, err = kernels.BandWeights(c.order, 3); err != nil {
			panic(err)
		}
	}
	limit := kernels.MaxTimeStep(d.SecondDifference(), 1, d.Spacing...)
	for i := range p.m {
		v := limit * (0.5 + 0.4*rng.Float64())
		p.m[i], p.deltaM[i] = T(v*v), T(0.1*v*v*rng.NormFloat64())
	}
	points := func(n int) kernels.Points[T] {
		p := kernels.Points[T]{Begin: []int32{0}}
		for range n {
			for range 1 + rng.IntN(4) {
				x := rng.IntN(d.NX())
				p.Cell = append(p.Cell, int32(rng.IntN(cells/d.NX())*d.NX()+x))
				for r := range kernels.Run {
					w := T(rng.NormFloat64())
					if x+r >= d.NX() {
						w = 0
					}
					p.Weight = append(p.Weight, w)
				}
			}
			p.Begin = append(p.Begin, int32(len(p.Cell)))
		}
		return p
	}
	noise := func(n int) []T {
		v := make([]T, n)
		for i := range v {
			v[i] = T(rng.NormFloat64())
		}
		return v
	}
	for i := range shots {
		receivers := 9 + 31*i // more than a block samples, and another number for each shot
		s := &kernels.Shot[T]{NT: testSteps, Sources: points(1 + i%2), Receivers: points(receivers), Record: make([]T, testSteps*receivers)}
		s.Wavelet = noise(testSteps * (1 + i%2))
		p.shots = append(p.shots, s)
		p.residuals = append(p.residuals, noise(testSteps*receivers))
	}
	return p
}

// outcome is all that a solver can produce, summed over the shots in their order where the batch sums.
type outcome[T kernels.Real] struct {
	records, born, wavelets [][]T
	gradient, illumination  []T
}

// onCPU is what package kernels makes of a problem, with snapshots every k steps, rounded to 16 bits if half.
func (p *problem[T]) onCPU(t *testing.T, every int, half bool) outcome[T] {
	t.Helper()
	solvers := [2]*kernels.CPU[T]{}
	for i := range solvers {
		s, err := kernels.NewCPU[T](p.domain, kernels.CPUOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.SetModel(p.m)
		solvers[i] = s
	}
	s, scattered := solvers[0], solvers[1]
	size, cells := s.SnapshotSize(), p.domain.Cells()
	o := outcome[T]{gradient: make([]T, cells), illumination: make([]T, cells)}
	packed := make([]T, size)
	s.Pack(packed, p.deltaM)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, shot := range p.shots {
		forward, born, adjoint := *shot, *shot, *shot
		forward.Record, born.Record, adjoint.Record = make([]T, len(shot.Record)), make([]T, len(shot.Record)), p.residuals[i]
		all := &kernels.Snapshots[T]{Every: 1, Data: make([]T, testSteps*size)}
		s.Reset()
		scattered.Reset()
		must(s.Forward(&forward, 0, testSteps, all))
		must(scattered.Scatter(&born, 0, testSteps, all, packed))
		snap := &kernels.Snapshots[T]{Every: every}
		for n := 0; n < testSteps; n += every {
			snap.Data = append(snap.Data, all.Data[n*size:(n+1)*size]...)
			if half {
				slot := snap.Data[len(snap.Data)-size:]
				bits := make([]uint16, size)
				s.Narrow(bits, slot)
				s.Widen(slot, bits)
			}
		}
		image := &kernels.Imaging[T]{Gradient: make([]T, size), Illumination: make([]T, size), Wavelet: make([]T, testSteps*shot.Sources.Count())}
		s.Reset()
		must(s.Adjoint(&adjoint, 0, testSteps, snap, image))
		v := make([]T, cells)
		s.Unpack(v, image.Gradient)
		for c := range v {
			o.gradient[c] += v[c]
		}
		s.Unpack(v, image.Illumination)
		for c := range v {
			o.illumination[c] += v[c]
		}
		o.records, o.born, o.wavelets = append(o.records, forward.Record), append(o.born, born.Record), append(o.wavelets, image.Wavelet)
	}
	return o
}

// onGPU is what a batch makes of the same, in chunks of steps.
func (p *problem[T]) onGPU(t *testing.T, d *Device, every int, half bool, chunk int) outcome[T] {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := NewBatch[T](d, p.domain, len(p.shots)+1)
	must(err)
	defer b.Close()
	must(b.SetModel(p.m))
	must(b.Load(p.shots))
	slots := (testSteps + every - 1) / every
	history, err := d.Alloc(slots * b.SlotBytes(half))
	must(err)
	defer history.Close()
	snap := &Snapshots{Every: every, Half: half, Memory: history}
	for n := 0; n < testSteps; n += chunk {
		must(b.Forward(n, min(n+chunk, testSteps), snap))
	}
	o := outcome[T]{gradient: make([]T, p.domain.Cells()), illumination: make([]T, p.domain.Cells())}
	o.records = apart(p.shots, b.Receivers(), func(s *kernels.Shot[T]) int { return s.Receivers.Count() }, func(all []T) { must(b.Record(all)) })

	residuals := make([]T, testSteps*b.Receivers())
	column := 0
	for i, s := range p.shots {
		n := s.Receivers.Count()
		for k, v := range p.residuals[i] {
			residuals[k/n*b.Receivers()+column+k%n] = v
		}
		column += n
	}
	must(b.SetResiduals(residuals))
	must(b.Reset())
	must(b.ClearImage())
	for n := testSteps; n > 0; n -= chunk {
		must(b.Adjoint(max(0, n-chunk), n, snap))
	}
	must(b.Image(o.gradient, o.illumination))
	o.wavelets = apart(p.shots, b.Sources(), func(s *kernels.Shot[T]) int { return s.Sources.Count() }, func(all []T) { must(b.AtSources(all)) })

	scattered, err := NewBatch[T](d, p.domain, len(p.shots)+1)
	must(err)
	defer scattered.Close()
	must(scattered.SetModel(p.m))
	must(scattered.SetPerturbation(p.deltaM))
	must(scattered.Load(p.shots))
	must(b.Reset())
	piece, err := d.Alloc(7 * b.SlotBytes(false))
	must(err)
	defer piece.Close()
	for n := 0; n < testSteps; n += 7 {
		snap := &Snapshots{Every: 1, First: n, Memory: piece}
		must(b.Forward(n, min(n+7, testSteps), snap))
		must(scattered.Scatter(n, min(n+7, testSteps), snap))
	}
	o.born = apart(p.shots, b.Receivers(), func(s *kernels.Shot[T]) int { return s.Receivers.Count() }, func(all []T) { must(scattered.Record(all)) })
	return o
}

// apart divides traces [NT, point of all shots] among the shots.
func apart[T kernels.Real](shots []*kernels.Shot[T], points int, count func(*kernels.Shot[T]) int, read func([]T)) [][]T {
	all := make([]T, testSteps*points)
	read(all)
	var out [][]T
	column := 0
	for _, s := range shots {
		n := count(s)
		v := make([]T, testSteps*n)
		for k := range v {
			v[k] = all[k/n*points+column+k%n]
		}
		out = append(out, v)
		column += n
	}
	return out
}

func relative[T kernels.Real](a, b []T) float64 {
	var num, den float64
	for i := range a {
		num += float64(a[i]-b[i]) * float64(a[i]-b[i])
		den += float64(b[i]) * float64(b[i])
	}
	if num == 0 {
		return 0
	}
	return math.Sqrt(num / den)
}

// compare returns the largest relative difference of all parts of two outcomes.
func compare[T kernels.Real](t *testing.T, got, want outcome[T], tolerance float64) float64 {
	t.Helper()
	worst := 0.0
	look := func(name string, a, b []T) {
		t.Helper()
		e := relative(a, b)
		if !(e <= tolerance) {
			t.Errorf("%s differs by %.2e, more than %.0e", name, e, tolerance)
		}
		worst = max(worst, e)
	}
	for i := range want.records {
		look(fmt.Sprintf("record %d", i), got.records[i], want.records[i])
		look(fmt.Sprintf("born %d", i), got.born[i], want.born[i])
		look(fmt.Sprintf("wavelet %d", i), got.wavelets[i], want.wavelets[i])
	}
	look("gradient", got.gradient, want.gradient)
	look("illumination", got.illumination, want.illumination)
	return worst
}

func device(t *testing.T) *Device {
	t.Helper()
	devices, err := Devices()
	if err != nil {
		t.Fatalf("no device: %v", err)
	}
	return devices[0]
}
