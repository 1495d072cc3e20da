package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// testProblem is a small grid with everything that can go wrong: odd sizes, CPML on chosen sides (even one cell wide and
// overlapping from both sides), off-grid points, several sources.
type testProblem struct {
	domain  Domain
	m       []float64
	shot    Shot[float64]
	deltaM  []float64
	residue []float64 // adjoint source
}

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
			testCase{[]int{41, 53}, order, 10, [][2]bool{on, on}, false},
			testCase{[]int{41, 53}, order, 10, [][2]bool{high, on}, true},
			testCase{[]int{30, 100}, order, 1, [][2]bool{on, on}, false},
			testCase{[]int{17, 33}, order, 12, [][2]bool{on, on}, false},
			testCase{[]int{48, 80}, order, 8, [][2]bool{low, high}, false},
			testCase{[]int{23, 19}, order, 0, [][2]bool{off, off}, true},
			testCase{[]int{13, 11, 19}, order, 3, [][2]bool{on, on, on}, false},
			testCase{[]int{15, 10, 37}, order, 2, [][2]bool{high, on, on}, true},
			testCase{[]int{9, 23, 35}, order, 1, [][2]bool{on, on, on}, false},
			testCase{[]int{11, 14, 18}, order, 9, [][2]bool{on, on, on}, false}, // layers overlap
			testCase{[]int{14, 5, 50}, order, 4, [][2]bool{low, high, low}, false},
			testCase{[]int{7, 3, 6}, order, 0, [][2]bool{off, off, off}, true},
		)
	}
	return cases
}

func newTestProblem(c testCase) testProblem {
	axes, cells := len(c.shape), 1
	for _, n := range c.shape {
		cells *= n
	}
	rng := rand.New(rand.NewPCG(1, uint64(cells*c.order)))
	d := Domain{Shape: c.shape, Spacing: []float64{9, 12, 11}[:axes], A: make([][]float64, axes), B: make([][]float64, axes), Order: c.order, FreeSurface: c.freeSurface}
	if axes == 2 {
		d.Spacing = []float64{9, 11}
	}
	layer := func(n int, low, high bool) (a, b []float64) {
		a, b = make([]float64, n), make([]float64, n)
		for i := range a {
			depth := 0.0
			if low && i < c.layer {
				depth = float64(c.layer-i) / float64(c.layer)
			}
			if high && n-1-i < c.layer {
				depth = max(depth, float64(c.layer-(n-1-i))/float64(c.layer))
			}
			if depth > 0 {
				b[i] = 0.95 - 0.3*depth*depth
				a[i] = -0.3 * depth * depth
			}
		}
		return a, b
	}
	for k, n := range c.shape {
		d.A[k], d.B[k] = layer(n, c.sides[k][0], c.sides[k][1])
	}
	p := testProblem{domain: d, m: make([]float64, cells), deltaM: make([]float64, cells)}
	if c.freeSurface { // these cases have weights of their own
		var err error
		if d.D2, err = BandWeights(c.order, 3); err != nil {
			panic(err)
		}
		p.domain = d
	}
	if axes == 2 && (c.freeSurface || c.layer == 12) { // and rows of uneven depth, with a potential that is or is not the same along them
		d.Along, d.Potential = make([]float64, c.shape[0]), make([]float64, cells)
		for i := range d.Potential {
			row := i / d.NX()
			d.Along[row] = 0.4 + 0.6*float64(row)/float64(c.shape[0])
			d.Potential[i] = 1e-4 * math.Sin(float64(row)) // of some 0.03/m² that D2 has at most
			if c.layer != 12 {
				d.Potential[i] *= rng.Float64()
			}
		}
		for row := 0; row < c.shape[0]; row += RowBlock {
			w := d.SecondDifference()
			if long := LongWaveWeights(c.order, 6, 0.05); row > 0 && long != nil {
				w = long
			}
			d.D2Along = append(d.D2Along, w)
		}
		p.domain = d
	}
	limit := MaxTimeStep(d.SecondDifference(), 1, d.Spacing...) // v dt at the stability limit
	for i := range p.m {
		v := limit * (0.5 + 0.4*rng.Float64())
		p.m[i] = v * v
		p.deltaM[i] = 0.1 * v * v * rng.NormFloat64()
	}
	randomPoints := func(n int) Points[float64] {
		pts := Points[float64]{Begin: []int32{0}}
		for range n {
			for range 1 + rng.IntN(4) {
				column := rng.IntN(d.NX())
				pts.Cell = append(pts.Cell, int32(rng.IntN(cells/d.NX())*d.NX()+column))
				for r := range Run {
					w := rng.NormFloat64()
					if column+r >= d.NX() {
						w = 0
					}
					pts.Weight = append(pts.Weight, w)
				}
			}
			pts.Begin = append(pts.Begin, int32(len(pts.Cell)))
		}
		return pts
	}
	nt := 90
	p.shot = Shot[float64]{NT: nt, Sources: randomPoints(2), Receivers: randomPoints(7), Wavelet: make([]float64, 2*nt), Record: make([]float64, 7*nt)}
	p.residue = make([]float64, 7*nt)
	for i := range p.shot.Wavelet {
		p.shot.Wavelet[i] = rng.NormFloat64()
	}
	for i := range p.residue {
		p.residue[i] = rng.NormFloat64()
	}
	return p
}

// outcome is everything a solver can produce for a problem.
type outcome struct {
	record, born, gradient, illumination, wavelet []float64
}

func convert[B, A Real](a []A) []B {
	b := make([]B, len(a))
	for i, v := range a {
		b[i] = B(v)
	}
	return b
}

func solve[T Real](t *testing.T, p testProblem, s, s2 Solver[T], chunk int) outcome {
	t.Helper()
	nt := p.shot.NT
	pts := func(q Points[float64]) Points[T] { return Points[T]{q.Begin, q.Cell, convert[T](q.Weight)} }
	shot := Shot[T]{NT: nt, Sources: pts(p.shot.Sources), Receivers: pts(p.shot.Receivers),
		Wavelet: convert[T](p.shot.Wavelet), Record: make([]T, len(p.shot.Record))}
	born, adjoint := shot, shot
	born.Record = make([]T, len(shot.Record))
	adjoint.Record = convert[T](p.residue)
	for _, x := range []Solver[T]{s, s2} {
		x.SetModel(convert[T](p.m))
		x.Reset()
	}
	size := s.SnapshotSize()
	snap := &Snapshots[T]{Every: 1, Data: make([]T, nt*size)}
	image := &Imaging[T]{Gradient: make([]T, size), Illumination: make([]T, size), Wavelet: make([]T, nt*shot.Sources.Count())}
	deltaM := make([]T, size)
	s.Pack(deltaM, convert[T](p.deltaM))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; n < nt; n += chunk {
		must(s.Forward(&shot, n, min(n+chunk, nt), snap))
		must(s2.Scatter(&born, n, min(n+chunk, nt), snap, deltaM))
	}
	s.Reset()
	for n := nt; n > 0; n -= chunk {
		must(s.Adjoint(&adjoint, max(0, n-chunk), n, snap, image))
	}
	unpack := func(v []T) []float64 {
		cells := make([]T, p.domain.Cells())
		s.Unpack(cells, v)
		return convert[float64](cells)
	}
	return outcome{convert[float64](shot.Record), convert[float64](born.Record), unpack(image.Gradient), unpack(image.Illumination), convert[float64](image.Wavelet)}
}

func relative(a, b []float64) float64 {
	var num, den float64
	for i := range a {
		num += (a[i] - b[i]) * (a[i] - b[i])
		den += b[i] * b[i]
	}
	return math.Sqrt(num / den)
}

func dot(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func newReferences(t *testing.T, d Domain) (a, b *Reference) {
	t.Helper()
	a, err := NewReference(d)
	if err != nil {
		t.Fatal(err)
	}
	b, _ = NewReference(d)
	return a, b
}

func newCPUs[T Real](t *testing.T, d Domain, options CPUOptions) (a, b *CPU[T]) {
	t.Helper()
	a, err := NewCPU[T](d, options)
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	b, _ = NewCPU[T](d, options)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// eachEquation calls f for each equation of the table. equations_test.go imports those of other packages.
func eachEquation(t *testing.T, f func(t *testing.T, e *Equation)) {
	for _, e := range Equations() {
		t.Run(e.Name, func(t *testing.T) { f(t, e) })
	}
}

// problemOf returns a problem for an equation, with its default constants and a time step that makes them count.
func problemOf(t *testing.T, e *Equation, c testCase) testProblem {
	t.Helper()
	p := newTestProblem(c)
	p.domain.DT = 0.02
	var err error
	if p.domain.Constants, err = e.Values(nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// solversOf returns two solvers of one kind.
func solversOf[T Real](t *testing.T, s Solvers[T], d Domain, options CPUOptions) (a, b Solver[T]) {
	t.Helper()
	if _, err := InstructionSet(options.InstructionSet); err != nil {
		t.Skipf("skipped: %v", err)
	}
	for _, v := range []*Solver[T]{&a, &b} {
		var err error
		if *v, err = s.New(d, options); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*v).Close)
	}
	return a, b
}

func TestKernelsMatchReference(t *testing.T) { eachEquation(t, testKernelsMatchReference) }

func testKernelsMatchReference(t *testing.T, e *Equation) {
	for _, c := range testCases() {
		p := problemOf(t, e, c)
		r1, r2 := solversOf(t, ReferenceSolvers(e), p.domain, CPUOptions{})
		want := solve(t, p, r1, r2, 17)
		for _, isa := range []string{"baseline", "avx2", "avx512"} {
			t.Run(fmt.Sprintf("%v/%s", c, isa), func(t *testing.T) {
				a, b := solversOf(t, e.Float64, p.domain, CPUOptions{InstructionSet: isa})
				c, d := solversOf(t, e.Float32, p.domain, CPUOptions{InstructionSet: isa})
				// Round-off alone separates the float64 builds from the reference: 90 steps × ~30 operations × 1e-16,
				// amplified by white noise near the stability limit. float32 likewise with 6e-8.
				compare(t, solve(t, p, a, b, 90), want, 1e-12)
				compare(t, solve(t, p, c, d, 31), want, 1e-4)
			})
		}
	}
}

// Layers may begin and end anywhere among the vectors and the rows that are stepped together, as may the grid.
func TestLayersOfAnyWidthMatchReference(t *testing.T) {
	both := [][2]bool{{true, true}, {true, true}}
	for k := range 16 {
		c := testCase{[]int{29 + k, 45 + k}, 2 + 2*(k%4), 1 + 5*k%13, both, false}
		p := newTestProblem(c)
		r1, r2 := newReferences(t, p.domain)
		want := solve(t, p, Solver[float64](r1), Solver[float64](r2), 90)
		for _, isa := range []string{"baseline", "avx2", "avx512"} {
			t.Run(fmt.Sprintf("%v/%s", c, isa), func(t *testing.T) {
				a, b := newCPUs[float64](t, p.domain, CPUOptions{InstructionSet: isa})
				c, d := newCPUs[float32](t, p.domain, CPUOptions{InstructionSet: isa})
				compare(t, solve(t, p, Solver[float64](a), Solver[float64](b), 90), want, 1e-12) // tolerances: testKernelsMatchReference
				compare(t, solve(t, p, Solver[float32](c), Solver[float32](d), 31), want, 1e-4)
			})
		}
	}
}

func compare(t *testing.T, got, want outcome, tolerance float64) {
	t.Helper()
	for _, q := range []struct {
		name      string
		got, want []float64
	}{{"record", got.record, want.record}, {"born", got.born, want.born}, {"gradient", got.gradient, want.gradient},
		{"illumination", got.illumination, want.illumination}, {"wavelet", got.wavelet, want.wavelet}} {
		if e := relative(q.got, q.want); !(e <= tolerance) {
			t.Errorf("%s differs by %.2e, more than %.0e", q.name, e, tolerance)
		}
	}
}

// ⟨F f, r⟩ = ⟨f, Fᵀ r⟩ for the source wavelets and ⟨B δM, r⟩ = ⟨δM, Bᵀ r⟩ for Born, where Bᵀ r = Σ η (w+f) / M.
func TestAdjointOfForwardAndBornPassDotProduct(t *testing.T) {
	eachEquation(t, testAdjointOfForwardAndBornPassDotProduct)
}

func testAdjointOfForwardAndBornPassDotProduct(t *testing.T, e *Equation) {
	for _, c := range testCases() {
		p := problemOf(t, e, c)
		check := func(name string, o outcome) {
			// wavelet gradients are [n][source], wavelets [source][n]
			var right float64
			nt, ns := p.shot.NT, p.shot.Sources.Count()
			for i := range ns {
				for n := range nt {
					right += p.shot.Wavelet[i*nt+n] * o.wavelet[n*ns+i]
				}
			}
			left := dot(o.record, p.residue)
			if e := math.Abs(left-right) / math.Abs(left); !(e <= 1e-11) {
				t.Errorf("%v, %s: forward dot products %.16e and %.16e differ by %.1e", c, name, left, right, e)
			}
			left, right = dot(o.born, p.residue), 0
			for i, g := range o.gradient {
				if p.domain.FreeSurface && i < p.domain.Cells()/p.domain.Shape[0] {
					continue // M = 0 in the surface: u does not depend on it
				}
				right += p.deltaM[i] * g / p.m[i]
			}
			if e := math.Abs(left-right) / math.Abs(left); !(e <= 1e-11) {
				t.Errorf("%v, %s: Born dot products %.16e and %.16e differ by %.1e", c, name, left, right, e)
			}
		}
		r1, r2 := solversOf(t, ReferenceSolvers(e), p.domain, CPUOptions{})
		check("reference", solve(t, p, r1, r2, 90))
		a, b := solversOf(t, e.Float64, p.domain, CPUOptions{})
		check("CPU", solve(t, p, a, b, 90))
	}
}

func TestThreadsDoNotChangeABit(t *testing.T) { eachEquation(t, testThreadsDoNotChangeABit) }

func testThreadsDoNotChangeABit(t *testing.T, e *Equation) {
	for _, c := range []testCase{
		{[]int{57, 60, 40}, 8, 5, [][2]bool{{true, true}, {true, true}, {true, true}}, false}, // many tiles
		{[]int{40, 9, 150}, 4, 6, [][2]bool{{false, true}, {true, true}, {true, true}}, true}, // cut in depth only
		{[]int{7, 3, 6}, 4, 0, [][2]bool{{}, {}, {}}, true},                                   // fewer tiles than threads
	} {
		p := problemOf(t, e, c)
		p.shot.NT = 20
		p.shot.Wavelet, p.shot.Record, p.residue = p.shot.Wavelet[:2*20], p.shot.Record[:7*20], p.residue[:7*20]
		one, other := solversOf(t, e.Float32, p.domain, CPUOptions{})
		want := solve(t, p, one, other, 20)
		for _, threads := range []int{2, 3, 7} {
			a, b := solversOf(t, e.Float32, p.domain, CPUOptions{Threads: threads})
			compare(t, solve(t, p, a, b, 11), want, 0)
		}
	}
}

func TestEverykthSnapshotsHoldTheSameFields(t *testing.T) {
	p := newTestProblem(testCases()[0])
	a, b := newCPUs[float64](t, p.domain, CPUOptions{})
	a.SetModel(p.m)
	b.SetModel(p.m)
	size := a.SnapshotSize()
	all := &Snapshots[float64]{Every: 1, Data: make([]float64, p.shot.NT*size)}
	some := &Snapshots[float64]{Every: 7, Phase: 3, First: 2, Data: make([]float64, 9*size)}
	if err := a.Forward(&p.shot, 0, p.shot.NT, all); err != nil {
		t.Fatal(err)
	}
	if err := b.Forward(&p.shot, 0, 14, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Forward(&p.shot, 14, 75, some); err != nil {
		t.Fatal(err)
	}
	for slot := range 9 {
		n := (slot+2)*7 + 3
		got, want := some.Data[slot*size:(slot+1)*size], all.Data[n*size:(n+1)*size]
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("snapshot of step %d differs at cell %d: %g, %g", n, i, got[i], want[i])
			}
		}
	}
}

func TestBadArgumentsAreRefused(t *testing.T) {
	p := newTestProblem(testCases()[0])
	a, _ := newCPUs[float64](t, p.domain, CPUOptions{})
	size := a.SnapshotSize()
	bad := p.shot
	bad.Receivers.Cell = append([]int32{int32(p.domain.Cells())}, bad.Receivers.Cell[1:]...)
	short := p.shot
	short.Record = short.Record[1:]
	for name, err := range map[string]error{
		"receiver outside":     a.Forward(&bad, 0, 1, nil),
		"short record":         a.Forward(&short, 0, 1, nil),
		"too many steps":       a.Forward(&p.shot, 0, p.shot.NT+1, nil),
		"too few slots":        a.Forward(&p.shot, 0, 3, &Snapshots[float64]{Every: 1, Data: make([]float64, 2*size)}),
		"slots begin later":    a.Forward(&p.shot, 0, 3, &Snapshots[float64]{Every: 1, First: 1, Data: make([]float64, 3*size)}),
		"small gradient":       a.Adjoint(&p.shot, 0, 1, &Snapshots[float64]{Every: 1, Data: make([]float64, size)}, &Imaging[float64]{Gradient: make([]float64, 3)}),
		"unknown instructions": func() error { _, err := NewCPU[float32](p.domain, CPUOptions{InstructionSet: "neon"}); return err }(),
		"odd order":            CheckOrder(3),
		"order 10":             CheckOrder(10),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTimeStepLimitIsTheStabilityLimit(t *testing.T) {
	for order := 2; order <= 8; order += 2 {
		band, err := BandWeights(order, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			factor  float64
			weights []float64
			stable  bool
		}{{0.999, nil, true}, {1.01, nil, false}, {0.999, band, true}, {1.01, band, false}} {
			n := 24
			zero := [][]float64{make([]float64, n), make([]float64, n)}
			d := Domain{Shape: []int{n, n}, Spacing: []float64{10, 14}, Order: order, A: zero, B: zero, D2: c.weights}
			s, _ := newCPUs[float64](t, d, CPUOptions{})
			// The limit belongs to the checkerboard of an infinite grid; a grid with walls reaches it from below as it grows.
			vdt := c.factor * MaxTimeStep(d.SecondDifference(), 1, d.Spacing...)
			m := make([]float64, n*n)
			for i := range m {
				m[i] = vdt * vdt
			}
			s.SetModel(m)
			nt := 20000
			shot := Shot[float64]{NT: nt, Sources: Points[float64]{Begin: []int32{0, 1}, Cell: []int32{int32(n*n/2 + n/3)}, Weight: []float64{1, 7: 0}},
				Receivers: Points[float64]{Begin: []int32{0, 1}, Cell: []int32{int32(n*n/3 + n/2)}, Weight: []float64{1, 7: 0}}, Wavelet: make([]float64, nt), Record: make([]float64, nt)}
			shot.Wavelet[0] = 1
			if err := s.Forward(&shot, 0, nt, nil); err != nil {
				t.Fatal(err)
			}
			last := math.Abs(shot.Record[nt-1])
			if stable := s.Finite() && last < 1e6; stable != c.stable {
				t.Errorf("order %d, weights %.3g, at %g of the limit: stable is %v (last sample %g)", order, d.SecondDifference(), c.factor, stable, last)
			}
		}
	}
}
