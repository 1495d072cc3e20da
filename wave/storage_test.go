package wave

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gofwi/kernels"
)

// storageSetup is a problem of two shots: one from a cell in the middle, one from between cells next to a corner, so that it acts on cells
// of the layers as well.
func storageSetup(s testSetup) testSetup {
	var middle, corner Position
	for axis, n := range s.grid.Shape {
		middle = append(middle, s.grid.Start(axis)+float64(n/2)*s.grid.Spacing[axis])
		corner = append(corner, s.grid.End(axis)-0.3*s.grid.Spacing[axis])
	}
	corner[0] = s.grid.Start(0) + 1.4*s.grid.Spacing[0]
	s.survey.Shots[0].Sources, s.survey.Shots[1].Sources = []Position{middle}, []Position{corner}
	return s
}

// withPieces makes the plan's pieces and segments small and few, so that a shot crosses many of their borders.
func (p *PropagatorOf[T]) withPieces(piece, segment, checkpoints int) {
	p.plan.piece = piece
	if p.plan.Storage == Revolve {
		p.plan.segment, p.plan.Checkpoints = segment, checkpoints
	}
}

// Each strategy's gradient is that of EveryKth: to the bit, to round-off, or within what 16 bits leave, as storageBounds says; and gathers
// are the same. 16 bits are off by 2⁻⁸ at most, in every cell and step. 300 steps back and forth amplify round-off of 1e-16 by some 1e3.
func TestStorageStrategiesGiveTheSameGradient(t *testing.T) {
	bounds := map[Storage]float64{SixteenBit: 4e-3, Disk: 0, Boundary: 1e-10, Revolve: 0}
	worst := map[Storage]float64{}
	eachPhysics(t, 2, func(t *testing.T, s testSetup, o Options) {
		s = storageSetup(s)
		shots := s.survey.AllShots()
		silence := make([]float64, len(s.survey.Shots[0].Receivers)*s.survey.NT)
		misfit := leastSquares([][]float64{silence, silence})
		for i, interval := range []int{1, 3, 7} {
			if (i+o.Order/2)%3 != 0 { // one of them an order
				continue
			}
			o.SnapshotInterval, o.Threads = interval, 1
			gradient := func(storage Storage) *Gradient[float64] {
				o := o
				o.Storage = storage
				p := newTest64(t, s, o)
				p.withPieces(1+i, 3, 3)
				g, err := p.Gradient(background, s.vp, shots, misfit)
				if err != nil {
					t.Fatal(err)
				}
				return g
			}
			want := gradient(EveryKth)
			for storage, bound := range bounds {
				if storage == Boundary && irreversible(t, o.Equation) {
					continue
				}
				got := gradient(storage)
				if got.Misfit != want.Misfit {
					t.Errorf("%s: misfit %v instead of %v", storage, got.Misfit, want.Misfit)
				}
				for name, e := range map[string]float64{"gradient": relative(got.VP, want.VP), "illumination": relative(got.Illumination, want.Illumination),
					"wavelet gradient": relative(got.Wavelets[1][0], want.Wavelets[1][0])} {
					worst[storage] = max(worst[storage], e)
					if !(e <= bound) {
						t.Errorf("%s, every %d steps: %s differs by %.1e, more than %.0e", storage, interval, name, e, bound)
					}
				}
			}
		}
	})
	fmt.Printf("verification: storage strategies against every-kth, %s, float64, 2D and 3D, orders 2 to 8, with and without free surface and reflecting sides: gradients and illuminations differ by %.1e (sixteen-bit), %.1e (disk), %.1e (boundary), %.1e (revolve)\n",
		equationNames(), worst[SixteenBit], worst[Disk], worst[Boundary], worst[Revolve])
}

func irreversible(t *testing.T, equation string) bool {
	t.Helper()
	e, err := kernels.FindEquation(equation)
	if err != nil {
		t.Fatal(err)
	}
	return e.Irreversible
}

// The planner offers no strategy that the equation does not allow, and says so where it is asked for.
func TestPlannerKnowsTheEquation(t *testing.T) {
	s := storageSetup(newTestSetup(2))
	for _, e := range kernels.Equations() {
		o := Options{MaxVelocity: 3000, Equation: e.Name, Storage: Boundary}
		p, err := NewPropagator(s.grid, s.survey, o)
		if err == nil {
			p.Close()
		}
		if refused := err != nil && strings.Contains(err.Error(), e.Name); refused != e.Irreversible {
			t.Errorf("%s, irreversible %v: storage %q gives %v", e.Name, e.Irreversible, Boundary, err)
		}
		o.Storage, o.Constants = AutoStorage, map[string]float64{"colour": 3}
		if _, err := NewPropagator(s.grid, s.survey, o); err == nil || !strings.Contains(err.Error(), "colour") {
			t.Errorf("%s: a constant that it does not have gives %v", e.Name, err)
		}
	}
	if _, err := NewPropagator(s.grid, s.survey, Options{MaxVelocity: 3000, Equation: "heat"}); err == nil || !strings.Contains(err.Error(), kernels.Acoustic) {
		t.Errorf("an unknown equation gives %v", err)
	}
}

// In float32, what stepping back adds in round-off: 300 steps of 6e-8 each that also travel.
func TestBoundaryStorageInSinglePrecision(t *testing.T) {
	var worst float64
	for _, s := range []testSetup{newTestSetup(2), newTestSetup3D(2)} {
		s = storageSetup(s)
		vp := make([]float32, len(s.vp))
		for i, v := range s.vp {
			vp[i] = float32(v)
		}
		var results [][]float64
		for _, storage := range []Storage{EveryKth, Boundary} {
			p, err := NewPropagator(s.grid, s.survey, Options{MaxVelocity: 3000, Storage: storage, Layer: 6})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			g, err := p.Gradient(background, vp, s.survey.AllShots(), func(_ int, d, a []float32) (float64, error) { copy(a, d); return 0, nil })
			if err != nil {
				t.Fatal(err)
			}
			results = append(results, converted[float64](g.VP))
		}
		e := relative(results[1], results[0])
		worst = max(worst, e)
		if !(e < 1e-4) {
			t.Errorf("%dD: gradients differ by %.1e", s.grid.Axes(), e)
		}
	}
	fmt.Printf("verification: storage boundary against every-kth in float32: gradients differ by at most %.1e\n", worst)
}

func TestEveryStorageGradientMatchesTaylorExpansion(t *testing.T) {
	s := storageSetup(newTestSetup(2))
	other := make([]float64, len(s.vp))
	for i, v := range s.vp {
		other[i] = v + 60*math.Sin(float64(i)/50)
	}
	for _, e := range kernels.Equations() {
		for _, storage := range []Storage{Disk, Boundary, Revolve} {
			if storage == Boundary && e.Irreversible {
				continue
			}
			taylor(t, s, other, Options{Equation: e.Name, Storage: storage, SnapshotInterval: 1, FreeSurface: true})
		}
	}
}

// taylor checks the order with which the remainder of the misfit's expansion falls.
func taylor(t *testing.T, s testSetup, other []float64, o Options) {
	t.Helper()
	shots := s.survey.AllShots()
	p := newTest64(t, s, o)
	p.withPieces(5, 20, 4)
	observed, err := p.Forward(background, other, shots)
	if err != nil {
		t.Fatal(err)
	}
	misfit := leastSquares(observed)
	g, err := p.Gradient(background, s.vp, shots, misfit)
	if err != nil {
		t.Fatal(err)
	}
	var remainders []float64
	for _, h := range []float64{1, 0.5} {
		v := make([]float64, len(s.vp))
		for i := range v {
			v[i] = s.vp[i] + h*s.dv[i]
		}
		d, err := p.Forward(background, v, shots)
		if err != nil {
			t.Fatal(err)
		}
		j := -g.Misfit - h*dot(g.VP, s.dv)
		for i := range d {
			ji, _ := misfit(i, d[i], make([]float64, len(d[i])))
			j += ji
		}
		remainders = append(remainders, math.Abs(j))
	}
	if order := math.Log2(remainders[0] / remainders[1]); math.Abs(order-2) > 0.1 {
		t.Errorf("%s, %s: the remainder falls with order %.3f", o.Equation, o.Storage, order)
	}
}

// Nothing of one shot is left for the next of the same worker, and the number of workers and threads does not matter.
func TestStorageKeepsShotsApart(t *testing.T) {
	for _, base := range []testSetup{newTestSetup(3), newTestSetup3D(3)} {
		s := storageSetup(base)
		s.survey = shortened(s.survey, 60)
		vp := make([]float32, len(s.vp))
		for i, v := range s.vp {
			vp[i] = float32(v)
		}
		for _, storage := range storages[1:] {
			run := func(threads int, shots ...int) (last *Gradient[float32]) {
				p, err := NewPropagator(s.grid, s.survey, Options{MaxVelocity: 3000, Threads: threads, Storage: storage, Layer: 6})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				p.withPieces(2, 4, 2)
				for _, set := range [][]int{shots[:len(shots)-1], shots[len(shots)-1:]} {
					if last, err = p.Gradient(background, vp, set, func(_ int, d, a []float32) (float64, error) { copy(a, d); return float64(d[30]), nil }); err != nil {
						t.Fatal(err)
					}
					if threads > 1 {
						break
					}
				}
				return last
			}
			after, alone := run(1, 0, 1, 2), run(1, 2)
			if !reflect.DeepEqual(after, alone) {
				t.Errorf("%dD, %s: the gradient of a shot depends on those before", s.grid.Axes(), storage)
			}
			n := len(s.survey.Shots)
			all := append(s.survey.AllShots(), 0)
			one, many := run(4, all...), run(n+4, all...)
			if !reflect.DeepEqual(one, many) {
				t.Errorf("%dD, %s: the gradient depends on the number of threads", s.grid.Axes(), storage)
			}
		}
	}
}

func TestStorageStopsWhenCancelled(t *testing.T) {
	s := storageSetup(newTestSetup(2))
	for _, storage := range storages {
		ctx, cancel := context.WithCancel(background)
		p := newTest64(t, s, Options{Storage: storage})
		_, err := p.Gradient(ctx, s.vp, []int{0}, func(int, []float64, []float64) (float64, error) { cancel(); return 0, nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", storage, err)
		}
		silence := make([]float64, len(s.survey.Shots[0].Receivers)*s.survey.NT)
		if _, err := p.Gradient(background, s.vp, []int{0}, leastSquares([][]float64{silence})); err != nil {
			t.Errorf("%s: the next gradient fails: %v", storage, err)
		}
	}
}

// Files of snapshots have no name, and a directory that cannot take them is named.
func TestDiskStorageLeavesNothingAndNamesWhatFails(t *testing.T) {
	s := storageSetup(newTestSetup(2))
	dir := t.TempDir()
	p := newTest64(t, s, Options{Storage: Disk, ScratchDir: dir})
	if _, err := p.Gradient(background, s.vp, []int{0}, func(int, []float64, []float64) (float64, error) {
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%v is visible", left[0].Name())
		}
		return 0, nil
	}); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	if _, err := NewPropagatorOf[float64](s.grid, s.survey, Options{MaxVelocity: 3000, Storage: Disk, ScratchDir: missing}); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing directory: %v", err)
	}
	// a file that refuses to grow, as on a full disk
	p = newTest64(t, s, Options{Storage: Disk, ScratchDir: dir, Threads: 1})
	w, err := p.acquire()
	if err != nil {
		t.Fatal(err)
	}
	if w.history, err = p.newHistory(w.solver); err != nil {
		t.Fatal(err)
	}
	h := w.history.(*diskHistory[float64])
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	h.file.Close()
	h.file = full
	p.release(w)
	_, err = p.Gradient(background, s.vp, []int{0}, func(int, []float64, []float64) (float64, error) { return 0, nil })
	if err == nil || !strings.Contains(err.Error(), h.path) || !strings.Contains(err.Error(), "MiB of snapshots") {
		t.Errorf("a full disk: %v", err)
	}
}

// The schedule goes back through all segments, loads only what it saved, stays within its slots, and recomputes as little as is
// possible: as found by trying everything.
func TestRevolveScheduleIsTheBest(t *testing.T) {
	type key struct{ l, s int }
	known := map[key]int{}
	var back func(l, s int) int // segments stepped to go back through l of them from a kept state
	back = func(l, s int) int {
		if l <= 1 {
			return l
		}
		if v, ok := known[key{l, s}]; ok {
			return v
		}
		best := l + back(l-1, s) // no state kept
		for m := 1; m < l && s > 0; m++ {
			best = min(best, m+back(l-m, s-1)+back(m, s))
		}
		known[key{l, s}] = best
		return best
	}
	var through func(l, s int) int // the like from the first time through, which records the last segment
	through = func(l, s int) int {
		best := l + back(l-1, s)
		for m := 1; m < l && s > 0; m++ {
			best = min(best, m+through(l-m, s-1)+back(m, s))
		}
		return best
	}
	for segments := 1; segments <= 24; segments++ {
		for slots := range 5 {
			least := through(segments, slots)
			held := map[int]int{-1: 0}
			at, done, stepped, recorded := -1, segments, 0, -1
			for _, a := range revolveSchedule(segments, slots) {
				switch a.do {
				case revolveLoad:
					segment, ok := held[a.slot]
					if !ok || segment != a.segment {
						t.Fatalf("%d segments, %d slots: slot %d does not hold segment %d", segments, slots, a.slot, a.segment)
					}
					at = segment
				case revolveSave:
					if a.slot < 0 || a.slot >= slots || a.segment != at {
						t.Fatalf("%d segments, %d slots: segment %d is kept in slot %d", segments, slots, at, a.slot)
					}
					held[a.slot] = at
				case revolveAdvance:
					stepped += a.segment - at
					at = a.segment
				case revolveRecord:
					if at != a.segment {
						t.Fatalf("%d segments, %d slots: segment %d is recorded from %d", segments, slots, a.segment, at)
					}
					stepped++
					at, recorded = at+1, a.segment
				case revolveAdjoint:
					if done--; a.segment != done || recorded != done {
						t.Fatalf("%d segments, %d slots: the adjoint of %d instead of %d", segments, slots, a.segment, done)
					}
				}
			}
			if done != 0 || stepped != least || stepped-segments != revolveExtra(segments, slots) {
				t.Errorf("%d segments, %d slots: %d steps, %d are possible, %d predicted", segments, slots, stepped, least, segments+revolveExtra(segments, slots))
			}
		}
	}
}

// With less and less memory the planner goes from every-kth on to what recomputes more, stays within the limit, and the smallest limit that it
// names when nothing fits is one under which it works.
func TestPlannerChoosesWhatFits(t *testing.T) {
	for _, s := range []testSetup{newTestSetup(2), newTestSetup3D(2)} {
		s.survey = lengthened(s.survey, 12)
		plan := func(limit int) (Plan, error) {
			p, err := NewPropagator(s.grid, s.survey, Options{MaxVelocity: 3000, Threads: 2, MemoryLimit: limit, SnapshotInterval: 2})
			if err != nil {
				return Plan{}, err
			}
			p.Close()
			return p.Plan(), nil
		}
		all, err := plan(1 << 40)
		if err != nil {
			t.Fatal(err)
		}
		if all.Storage != EveryKth || all.Workers != 2 {
			t.Errorf("with all memory: %s, %d workers", all.Storage, all.Workers)
		}
		seen := map[Storage]bool{}
		limit := all.Bytes
		for ; ; limit = limit * 5 / 6 {
			var got Plan
			if got, err = plan(limit); err != nil {
				break
			}
			seen[got.Storage] = true
			if got.Bytes > limit {
				t.Errorf("%d bytes planned, %d allowed", got.Bytes, limit)
			}
			sum := 0
			for _, item := range got.Memory {
				sum += item.Bytes
			}
			if sum != got.Bytes {
				t.Errorf("parts of %d bytes make %d", sum, got.Bytes)
			}
			if got.Storage == Revolve && !(got.Recomputed > 0) {
				t.Errorf("%s recomputes nothing", got.StorageLine())
			}
		}
		if !seen[EveryKth] || !seen[SixteenBit] || !seen[Revolve] {
			t.Errorf("only %v were chosen", seen)
		}
		if !strings.Contains(err.Error(), string(Revolve)) {
			t.Errorf("the refusal names no way out: %v", err)
		}
	}
}

// lengthened returns a survey whose records are so many times as long.
func lengthened(s *Survey, factor int) *Survey {
	out := &Survey{DT: s.DT, NT: s.NT * factor}
	for _, shot := range s.Shots {
		shot.Wavelets = [][]float32{append(append([]float32{}, shot.Wavelets[0]...), make([]float32, s.NT*(factor-1))...)}
		out.Shots = append(out.Shots, shot)
	}
	return out
}

func TestBoundaryStorageNeedsAnInterior(t *testing.T) {
	s := newTestSetup3D(1)
	_, err := newInterior(kernels.Domain{Shape: []int{9}, Order: 8, Spacing: []float64{1}, A: [][]float64{{1, 1, 1, 0, 0, 0, 1, 1, 1}}})
	if err == nil || !strings.Contains(err.Error(), "axis 0") {
		t.Errorf("three cells between layers: %v", err)
	}
	p := newTest64(t, s, Options{Storage: Boundary, Layer: 1}) // thinner than half the order
	silence := make([]float64, len(s.survey.Shots[0].Receivers)*s.survey.NT)
	got, err := p.Gradient(background, s.vp, []int{0}, leastSquares([][]float64{silence}))
	if err != nil {
		t.Fatal(err)
	}
	q := newTest64(t, s, Options{Storage: EveryKth, Layer: 1})
	want, err := q.Gradient(background, s.vp, []int{0}, leastSquares([][]float64{silence}))
	if err != nil {
		t.Fatal(err)
	}
	if e := relative(got.VP, want.VP); !(e < 1e-10) {
		t.Errorf("gradients differ by %.1e", e)
	}
}

// The plan's bytes are those of what a worker holds.
func TestPlannedMemoryIsWhatAGradientTakes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, s := range []testSetup{newTestSetup(1), newTestSetup3D(1)} {
		s.survey = shortened(s.survey, 30)
		vp := constant(s.grid.Cells(), 2000)
		for _, storage := range storages {
			for _, o := range []Options{{}, {Order: 2, Layer: 3, FreeSurface: true}, {Reflecting: map[Side]bool{Left: true, Bottom: true}}} {
				o.MaxVelocity, o.Threads, o.Storage, o.SnapshotInterval = 3000, 1, storage, 1+rng.IntN(5)
				p, err := NewPropagator(s.grid, s.survey, o)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.Gradient(background, vp, []int{0}, func(int, []float32, []float32) (float64, error) { return 0, nil }); err != nil {
					t.Fatal(err)
				}
				w := p.workers[0]
				taken := w.solver.Bytes() + 4*(len(w.gradient.Data)+len(w.illumination.Data)+len(w.record.Data)+len(w.synthetic)+len(w.adjoint)+len(w.atSources.Data))
				switch h := w.history.(type) {
				case *memoryHistory[float32]:
					taken += 4 * len(h.buffer.Data)
				case *narrowHistory[float32]:
					taken += 2*len(h.half.Data) + 4*(len(h.exact.Data)+len(h.wide.Data))
				case *diskHistory[float32]:
					taken += 4 * 2 * len(h.buffers[0].Data)
				case *boundaryHistory[float32]:
					taken += 56*len(h.in.strips) + 8*len(h.in.layers) // their lists
					taken += h.inner.Bytes() + 4*(len(h.m.Data)+len(h.values.Data)+len(h.layers.Data)+len(h.whole.Data)+len(h.part.Data))
				case *revolveHistory[float32]:
					taken += h.again.Bytes() + len(h.states.Data) + 4*len(h.buffer.Data)
				default:
					t.Fatalf("%T is not known here", h)
				}
				if ratio := float64(p.plan.BytesPerWorker) / float64(taken); math.Abs(ratio-1) > 0.01 {
					t.Errorf("%dD, %+v: %d bytes planned, %d taken", s.grid.Axes(), o, p.plan.BytesPerWorker, taken)
				}
				p.Close()
			}
		}
	}
}
