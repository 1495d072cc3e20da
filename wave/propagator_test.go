package wave

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gofwi/kernels"
)

var background = context.Background()

// testSetup is a small layered model with off-grid sources and receivers; the survey's sampling differs from the solver's.
type testSetup struct {
	grid   Grid
	survey *Survey
	vp     []float64
	dv     []float64
}

func newTestSetup(shots int) testSetup {
	rng := rand.New(rand.NewPCG(7, 7))
	s := testSetup{grid: Grid{Shape: []int{41, 62}, Spacing: []float64{10, 11}, Origin: []float64{5, 100}}}
	s.vp, s.dv = make([]float64, s.grid.Cells()), make([]float64, s.grid.Cells())
	for i := range s.vp {
		z, x := i/s.grid.NX(), i%s.grid.NX()
		s.vp[i] = 1500 + 20*float64(z) + 150*math.Sin(float64(x)/7) + 30*rng.NormFloat64()
		s.dv[i] = 40 * math.Exp(-(math.Pow(float64(z)-20, 2)+math.Pow(float64(x)-30, 2))/30) * (1 + 0.5*rng.NormFloat64())
	}
	nt, dt := 160, 0.004
	wavelet := Ricker(12, dt, nt, 0.1)
	var sources []Position
	for i := range shots {
		sources = append(sources, Position{17.3, 150 + 371.7*float64(i)/float64(shots)})
	}
	receivers := append(Line(9, 23.7, 130, 700), Position{305, 400}, Position{5, 333}) // the last on the first row of cells
	s.survey = FixedSpread(sources, receivers, wavelet, dt)
	return s
}

// newTestSetup3D is the like in three dimensions, small and short.
func newTestSetup3D(shots int) testSetup {
	rng := rand.New(rand.NewPCG(8, 8))
	s := testSetup{grid: Grid{Shape: []int{13, 12, 17}, Spacing: []float64{10, 12, 11}, Origin: []float64{5, -40, 100}}}
	s.vp, s.dv = make([]float64, s.grid.Cells()), make([]float64, s.grid.Cells())
	for i := range s.vp {
		at := s.grid.Index(i)
		z, y, x := float64(at[0]), float64(at[1]), float64(at[2])
		s.vp[i] = 1500 + 60*z + 120*math.Sin(x/4+y/3) + 30*rng.NormFloat64()
		s.dv[i] = 40 * math.Exp(-(math.Pow(z-6, 2)+math.Pow(y-5, 2)+math.Pow(x-9, 2))/8) * (1 + 0.5*rng.NormFloat64())
	}
	nt, dt := 70, 0.004
	wavelet := Ricker(16, dt, nt, 0.075)
	var sources []Position
	for i := range shots {
		sources = append(sources, Position{17.3, -33 + 97.1*float64(i)/float64(shots), 131.7 + 91.3*float64(i)/float64(shots)})
	}
	receivers := append(Patch(2, 3, 23.7, -31, 77, 113, 262), Position{105, 20, 188}, Position{5, -6, 133})
	s.survey = FixedSpread(sources, receivers, wavelet, dt)
	return s
}

func newTest64(t *testing.T, s testSetup, o Options) *PropagatorOf[float64] {
	t.Helper()
	if o.MaxVelocity == 0 {
		o.MaxVelocity = 3000
	}
	p, err := NewPropagatorOf[float64](s.grid, s.survey, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func dot(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func relative(a, b []float64) float64 {
	var num, den float64
	for i := range a {
		num += (a[i] - b[i]) * (a[i] - b[i])
		den += b[i] * b[i]
	}
	return math.Sqrt(num / den)
}

func noise(n int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

// eachPhysics calls f for each equation of the table (equations_test.go imports those of other packages), two and three dimensions and every
// order, with and without a free surface, and with a reflecting side; below a free surface with differences made for waves of three points. Each problem has the given number of shots.
func eachPhysics(t *testing.T, shots int, f func(t *testing.T, s testSetup, o Options)) {
	for _, e := range kernels.Equations() {
		t.Run(e.Name, func(t *testing.T) { eachGeometry(t, e, shots, f) })
	}
}

// equationNames lists the table, for what tests print.
func equationNames() string {
	var names []string
	for _, e := range kernels.Equations() {
		names = append(names, e.Name)
	}
	return "equations " + strings.Join(names, ", ")
}

func eachGeometry(t *testing.T, e *kernels.Equation, shots int, f func(t *testing.T, s testSetup, o Options)) {
	for axes := 2; axes <= 3; axes++ {
		s, side, layer := newTestSetup(shots), Right, 0
		if axes == 3 {
			s, side, layer = newTestSetup3D(shots), Back, 6 // a thin layer is as exact a part of the scheme
		}
		for order := 2; order <= 8; order += 2 {
			for _, free := range []bool{false, true} {
				o := Options{Equation: e.Name, Order: order, FreeSurface: free, Layer: layer}
				if order == 4 {
					o.Reflecting = map[Side]bool{side: true}
				}
				if free {
					o.PointsPerWavelength = 3
				}
				t.Run(fmt.Sprintf("%dD order %d free surface %v", axes, order, free), func(t *testing.T) { f(t, s, o) })
			}
		}
	}
}

// ⟨J δv, r⟩ = ⟨δv, Jᵀ r⟩ and ⟨F w, r⟩ = ⟨w, Fᵀ r⟩, resampling, interpolation and layers included. Round-off of 1e-16 grows
// with the square root of some 1e7 additions.
func TestBornAndForwardPassDotProduct(t *testing.T) {
	shots := []int{0, 1}
	var worst float64
	eachPhysics(t, len(shots), func(t *testing.T, s testSetup, o Options) {
		o.Storage = EveryStep
		p := newTest64(t, s, o)
		born, err := p.Born(background, s.vp, s.dv, shots)
		if err != nil {
			t.Fatal(err)
		}
		data, err := p.Forward(background, s.vp, shots)
		if err != nil {
			t.Fatal(err)
		}
		r := [][]float64{noise(len(born[0]), 2), noise(len(born[0]), 3)}
		g, err := p.Gradient(background, s.vp, shots, func(shot int, _, adjoint []float64) (float64, error) {
			copy(adjoint, r[shot])
			return 0, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		left, right := dot(born[0], r[0])+dot(born[1], r[1]), dot(s.dv, g.VP)
		worst = max(worst, math.Abs(left/right-1))
		if e := math.Abs(left/right - 1); !(e <= 1e-11) {
			t.Errorf("Born: %.15g and %.15g differ by %.1e", left, right, e)
		}
		for i := range shots {
			wavelet := make([]float64, s.survey.NT)
			for n, v := range s.survey.Shots[i].Wavelets[0] {
				wavelet[n] = float64(v)
			}
			left, right := dot(data[i], r[i]), dot(wavelet, g.Wavelets[i][0])
			worst = max(worst, math.Abs(left/right-1))
			if e := math.Abs(left/right - 1); !(e <= 1e-11) {
				t.Errorf("wavelet of shot %d: %.15g and %.15g differ by %.1e", i, left, right, e)
			}
		}
		back, err := p.BornAdjoint(background, s.vp, r, shots)
		if err != nil {
			t.Fatal(err)
		}
		if e := relative(back, g.VP); e > 0 {
			t.Errorf("BornAdjoint differs from the gradient by %.1e", e)
		}
	})
	fmt.Printf("verification: dot products of Forward and Born, %s, float64, 2D and 3D, orders 2 to 8, with and without free surface: worst relative difference %.1e\n", equationNames(), worst)
}

// leastSquares returns the misfit ½ Σ (d - observed)² with its adjoint source.
func leastSquares(observed [][]float64) Misfit[float64] {
	return func(shot int, synthetic, adjoint []float64) (float64, error) {
		var sum float64
		for i, v := range synthetic {
			r := v - observed[shot][i]
			adjoint[i] = r
			sum += r * r / 2
		}
		return sum, nil
	}
}

// The remainder |J(v + h δv) - J(v) - h ⟨g, δv⟩| falls as h².
func TestGradientMatchesTaylorExpansion(t *testing.T) {
	shots := []int{0, 1}
	least, most := math.Inf(1), 0.0
	eachPhysics(t, len(shots), func(t *testing.T, s testSetup, o Options) {
		o.Storage = EveryStep
		p := newTest64(t, s, o)
		other := make([]float64, len(s.vp))
		for i, v := range s.vp {
			other[i] = v + 60*math.Sin(float64(i)/50)
		}
		observed, err := p.Forward(background, other, shots)
		if err != nil {
			t.Fatal(err)
		}
		misfit := leastSquares(observed)
		g, err := p.Gradient(background, s.vp, shots, misfit)
		if err != nil {
			t.Fatal(err)
		}
		slope := dot(g.VP, s.dv)
		var remainders []float64
		steps := []float64{1, 0.5, 0.25, 0.125}
		for _, h := range steps {
			v := make([]float64, len(s.vp))
			for i := range v {
				v[i] = s.vp[i] + h*s.dv[i]
			}
			d, err := p.Forward(background, v, shots)
			if err != nil {
				t.Fatal(err)
			}
			var j float64
			for i := range d {
				scratch := make([]float64, len(d[i]))
				ji, _ := misfit(i, d[i], scratch)
				j += ji
			}
			remainders = append(remainders, math.Abs(j-g.Misfit-h*slope))
		}
		for i := 1; i < len(steps); i++ {
			order := math.Log2(remainders[i-1] / remainders[i])
			least, most = min(least, order), max(most, order)
			if math.Abs(order-2) > 0.1 {
				t.Errorf("remainder falls with order %.3f from h = %g to %g", order, steps[i-1], steps[i])
			}
		}
	})
	fmt.Printf("verification: Taylor test of the gradient, %s, float64, 2D and 3D, orders 2 to 8, with and without free surface: slopes %.3f to %.3f\n", equationNames(), least, most)
}

func TestFloat32KernelsMatchReference(t *testing.T) {
	var worst float64
	eachPhysics(t, 1, func(t *testing.T, s testSetup, o Options) {
		if s.grid.Axes() == 3 { // the reference takes its time
			o.Layer = 3
			s.survey = shortened(s.survey, 40)
		}
		o.Storage = EveryStep
		o.MaxVelocity = 3000
		fast, err := NewPropagator(s.grid, s.survey, o)
		if err != nil {
			t.Fatal(err)
		}
		defer fast.Close()
		o.Reference = true
		slow := newTest64(t, s, o)
		vp := make([]float32, len(s.vp))
		for i, v := range s.vp {
			vp[i] = float32(v)
		}
		want, err := slow.Gradient(background, s.vp, []int{0}, func(_ int, d, a []float64) (float64, error) { copy(a, d); return dot(d, d) / 2, nil })
		if err != nil {
			t.Fatal(err)
		}
		got, err := fast.Gradient(background, vp, []int{0}, func(_ int, d, a []float32) (float64, error) {
			copy(a, d)
			var sum float64
			for _, v := range d {
				sum += float64(v) * float64(v)
			}
			return sum / 2, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// 300 steps of float32 arithmetic, 6e-8 each, added up in the worst way would be 2e-5
		worst = max(worst, relative(converted[float64](got.VP), want.VP))
		if e := relative(converted[float64](got.VP), want.VP); !(e < 1e-4) {
			t.Errorf("gradients differ by %.1e", e)
		}
		if e := relative(converted[float64](got.Illumination), want.Illumination); !(e < 1e-4) {
			t.Errorf("illuminations differ by %.1e", e)
		}
		if e := relative(converted[float64](got.Wavelets[0][0]), want.Wavelets[0][0]); !(e < 1e-4) {
			t.Errorf("wavelet gradients differ by %.1e", e)
		}
		if e := math.Abs(got.Misfit/want.Misfit - 1); !(e < 1e-4) {
			t.Errorf("misfits %g and %g differ", got.Misfit, want.Misfit)
		}
	})
	fmt.Printf("verification: float32 kernels against the plain float64 reference, %s, 2D and 3D: gradients differ by at most %.1e\n", equationNames(), worst)
}

// shortened returns a survey with the first nt samples of another.
func shortened(s *Survey, nt int) *Survey {
	out := &Survey{DT: s.DT, NT: nt}
	for _, shot := range s.Shots {
		shot.Wavelets = [][]float32{shot.Wavelets[0][:nt]}
		out.Shots = append(out.Shots, shot)
	}
	return out
}

func converted[To, From float32 | float64](v []From) []To {
	out := make([]To, len(v))
	for i, x := range v {
		out[i] = To(x)
	}
	return out
}

// With snapshots at one and a half times the Nyquist rate of the band's upper end, -40 dB, the gradient is off by what lies
// beyond that end: some 1e-2 of amplitude, squared and again as a fraction of the product.
func TestEverykthStorageAgreesWithEveryStep(t *testing.T) {
	shots := []int{0, 1}
	var worst float64
	eachPhysics(t, len(shots), func(t *testing.T, s testSetup, o Options) {
		silence := make([]float64, len(s.survey.Shots[0].Receivers)*s.survey.NT)
		gradient := func(storage Storage) *Gradient[float64] {
			o.Storage = storage
			p := newTest64(t, s, o)
			if storage == EveryKth && p.Plan().SnapshotInterval < 2 {
				t.Fatalf("the interval is %d: nothing to test", p.Plan().SnapshotInterval)
			}
			g, err := p.Gradient(background, s.vp, shots, leastSquares([][]float64{silence, silence}))
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		all, some := gradient(EveryStep), gradient(EveryKth)
		worst = max(worst, relative(some.VP, all.VP))
		if e := relative(some.VP, all.VP); !(e < 2e-3) {
			t.Errorf("gradients differ by %.1e", e)
		}
		if e := relative(some.Illumination, all.Illumination); !(e < 1e-2) { // it only weights gradients
			t.Errorf("illuminations differ by %.1e", e)
		}
	})
	fmt.Printf("verification: storage every-kth at 1.5 times the Nyquist rate against every-step, 2D and 3D: gradients differ by at most %.1e (bound 2e-3)\n", worst)
}

func TestThreadsDoNotChangeABit(t *testing.T) {
	// Fewer shots than threads: in 3D several of them step one shot.
	for _, c := range []struct {
		s       testSetup
		threads []int
	}{{newTestSetup(7), []int{2, 5, 16}}, {newTestSetup3D(3), []int{2, 7}}, {newTestSetup3D(1), []int{2, 3}}} {
		s := c.s
		vp := make([]float32, len(s.vp))
		for i, v := range s.vp {
			vp[i] = float32(v)
		}
		run := func(threads int) *Gradient[float32] {
			p, err := NewPropagator(s.grid, s.survey, Options{MaxVelocity: 3000, Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			plan := p.Plan()
			if workers := min(threads, len(s.survey.Shots)); plan.Workers != workers || s.grid.Axes() == 3 && plan.ThreadsPerShot != threads/workers {
				t.Errorf("%d threads: %d shots at a time with %d threads each", threads, plan.Workers, plan.ThreadsPerShot)
			}
			g, err := p.Gradient(background, vp, s.survey.AllShots(), func(shot int, d, a []float32) (float64, error) {
				copy(a, d)
				return float64(d[100]) + 1e9*float64(shot), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		one := run(1)
		for _, threads := range c.threads {
			many := run(threads)
			if one.Misfit != many.Misfit {
				t.Errorf("%d threads: misfit %v instead of %v", threads, many.Misfit, one.Misfit)
			}
			for i := range one.VP {
				if one.VP[i] != many.VP[i] || one.Illumination[i] != many.Illumination[i] {
					t.Fatalf("%d threads: cell %d differs: %v, %v", threads, i, one.VP[i], many.VP[i])
				}
			}
		}
	}
	fmt.Println("verification: misfit, gradient and illumination of 1 to 16 threads over shots in 2D, of 1 to 7 over and inside shots in 3D: the same bits")
}

func TestModelsThatCannotBeSteppedAreRefused(t *testing.T) {
	s := newTestSetup(1)
	p := newTest64(t, s, Options{})
	for name, bad := range map[string]float64{"NaN": math.NaN(), "infinite": math.Inf(1), "zero": 0, "negative": -1500, "too fast": 3001} {
		vp := append([]float64{}, s.vp...)
		vp[77] = bad
		if _, err := p.Forward(background, vp, []int{0}); !errors.Is(err, ErrVelocity) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.Forward(background, s.vp[1:], []int{0}); !errors.Is(err, ErrVelocity) {
		t.Errorf("short model: %v", err)
	}
	if _, err := p.Forward(background, s.vp, []int{1}); err == nil {
		t.Error("a shot that does not exist is modelled")
	}
}

func TestCancelledWorkStops(t *testing.T) {
	s := newTestSetup(1)
	p := newTest64(t, s, Options{})
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := p.Forward(ctx, s.vp, []int{0}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestUnusableSetupsAreRefused(t *testing.T) {
	s := newTestSetup(1)
	outside, silent, deaf := newTestSetup(1), newTestSetup(1), newTestSetup(1)
	outside.survey.Shots[0].Receivers = []Position{{10, 99}}
	silent.survey.Shots[0].Wavelets = [][]float32{make([]float32, silent.survey.NT)}
	deaf.survey.Shots[0].Receivers = nil
	for name, c := range map[string]struct {
		s testSetup
		o Options
	}{
		"no maximum velocity":   {s, Options{}},
		"order 5":               {s, Options{MaxVelocity: 3000, Order: 5}},
		"dt beyond the limit":   {s, Options{MaxVelocity: 3000, DT: 0.003}},
		"receiver outside":      {outside, Options{MaxVelocity: 3000}},
		"no signal":             {silent, Options{MaxVelocity: 3000}},
		"no receivers":          {deaf, Options{MaxVelocity: 3000}},
		"unknown storage":       {s, Options{MaxVelocity: 3000, Storage: "tape"}},
		"too little memory":     {s, Options{MaxVelocity: 3000, Storage: EveryStep, MemoryLimit: 1 << 20}},
		"unknown instructions":  {s, Options{MaxVelocity: 3000, InstructionSet: "neon"}},
		"reference in float32":  {s, Options{MaxVelocity: 3000, Reference: true}},
		"side of 3D in 2D":      {s, Options{MaxVelocity: 3000, Reflecting: map[Side]bool{Front: true}}},
		"2D survey in 3D":       {testSetup{grid: newTestSetup3D(1).grid, survey: s.survey}, Options{MaxVelocity: 3000}},
		"four axes":             {testSetup{grid: Grid{Shape: []int{9, 9, 9, 9}, Spacing: []float64{1, 1, 1, 1}}, survey: s.survey}, Options{MaxVelocity: 3000}},
		"impossible grid":       {testSetup{grid: NewGrid2D(1, 5, 10, 10), survey: s.survey}, Options{MaxVelocity: 3000}},
		"impossible spacing":    {testSetup{grid: NewGrid2D(10, 5, 10, 0), survey: s.survey}, Options{MaxVelocity: 3000}},
		"negative snapshots":    {s, Options{MaxVelocity: 3000, SnapshotInterval: -1}},
		"courant number over 1": {s, Options{MaxVelocity: 3000, Courant: 1.2}},
	} {
		p, err := NewPropagator(c.s.grid, c.s.survey, c.o)
		if err == nil {
			_, err = p.Forward(background, make([]float32, c.s.grid.Cells()), nil)
			if name != "reference in float32" || err == nil {
				_, err = p.Forward(background, constant(c.s.grid.Cells(), 2000), []int{0})
			}
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func constant(n int, v float32) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// A point between cells acts through its 8 neighbours along each axis: fields linear in each coordinate are read as they are, and above
// a free surface images take the place of cells.
func TestOffGridPointsReadLinearFields(t *testing.T) {
	for _, s := range []testSetup{newTestSetup(1), newTestSetup3D(1)} {
		var added [][2]int
		for range s.grid.Shape {
			added = append(added, [2]int{6, 5})
		}
		added[0][0] = 0
		l := newLayout(s.grid, added, true)
		inSolver := Grid{Shape: l.shape}
		u := make([]float64, l.cells())
		field := func(at []float64) float64 { // odd about the surface
			v := at[0]
			for _, x := range at[1:] {
				v *= 1 + 0.05*x
			}
			return v
		}
		for i := range u {
			index := inSolver.Index(i)
			at := make([]float64, len(index))
			for d, k := range index {
				at[d] = float64(k)
			}
			u[i] = field(at)
		}
		for _, p := range s.survey.Shots[0].Receivers {
			points := interpolate[float64](&l, []Position{p})
			var got float64
			for k, c := range points.Cell {
				for r := range kernels.Run {
					if w := points.Weight[kernels.Run*k+r]; w != 0 {
						got += w * u[int(c)+r]
					}
				}
			}
			at := make([]float64, len(p))
			for d := range p {
				at[d] = l.inCells(p, d)
			}
			// the windowed sinc of 8 points reproduces a line to some 2e-3 of a cell's step
			if want := field(at); math.Abs(got-want) > 4e-3*max(1, want) {
				t.Errorf("%dD: at %v, cells %v, the field is read as %g instead of %g", s.grid.Axes(), p, at, got, want)
			}
		}
	}
}
