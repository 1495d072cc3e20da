package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// reachCase is a shot whose wave does not fill the grid at once.
type reachCase struct {
	name        string
	shape       []int
	steps       int
	layer       int
	sides       [][2]bool // low and high end of each axis
	freeSurface bool
	sources     [][]int // cells; with off-grid weights around
	quiet       [2]int  // steps at which the wavelet is zero
}

func reachCases() []reachCase {
	on, off, low, high := [2]bool{true, true}, [2]bool{}, [2]bool{true, false}, [2]bool{false, true}
	all := [][2]bool{on, on}
	section, volume := []int{76, 171}, []int{39, 37, 66}
	return []reachCase{
		{"middle", section, 110, 12, all, false, [][]int{{40, 90}}, [2]int{}},
		{"edge, wavelet begins with zeros", section, 110, 12, all, false, [][]int{{0, 0}}, [2]int{0, 23}},
		{"thin layers, two sources far apart, wavelet pauses", section, 110, 1, all, false, [][]int{{5, 150}, {60, 8}}, [2]int{20, 50}},
		{"free surface", section, 110, 9, [][2]bool{high, on}, true, [][]int{{2, 160}}, [2]int{}},
		{"reflecting sides", section, 110, 10, [][2]bool{low, high}, false, [][]int{{70, 20}}, [2]int{}},
		{"no layers, source in the surface's corner", section, 110, 0, [][2]bool{off, off}, true, [][]int{{1, 165}}, [2]int{}},
		{"volume, middle", volume, 34, 7, [][2]bool{on, on, on}, false, [][]int{{20, 18, 33}}, [2]int{}},
		{"volume, edge, wavelet begins with zeros", volume, 40, 6, [][2]bool{on, on, on}, false, [][]int{{0, 0, 0}}, [2]int{0, 9}},
		{"volume, free surface, two sources", volume, 34, 5, [][2]bool{high, on, on}, true, [][]int{{2, 30, 50}, {36, 3, 4}}, [2]int{12, 20}},
		{"volume, reflecting sides", volume, 34, 9, [][2]bool{low, high, low}, false, [][]int{{35, 5, 60}}, [2]int{}},
	}
}

func newReachProblem(c reachCase, order int) testProblem {
	p := newTestProblem(testCase{c.shape, order, c.layer, c.sides, c.freeSurface})
	nt, nx, axes := c.steps, p.domain.NX(), len(c.shape)
	rng := rand.New(rand.NewPCG(7, uint64(order)))
	p.shot.NT = nt
	p.shot.Sources = Points[float64]{Begin: []int32{0}}
	for _, at := range c.sources {
		row, column := at[0], at[axes-1]
		if axes == 3 {
			row = at[0]*c.shape[1] + at[1]
		}
		for k := row; k < min(row+3, p.domain.Cells()/nx); k++ {
			p.shot.Sources.Cell = append(p.shot.Sources.Cell, int32(k*nx+column))
			for r := range Run {
				w := 0.0
				if column+r < nx {
					w = rng.NormFloat64()
				}
				p.shot.Sources.Weight = append(p.shot.Sources.Weight, w)
			}
		}
		p.shot.Sources.Begin = append(p.shot.Sources.Begin, int32(len(p.shot.Sources.Cell)))
	}
	p.shot.Wavelet = make([]float64, nt*len(c.sources))
	for i := range p.shot.Wavelet {
		if n := i % nt; n < c.quiet[0] || n >= c.quiet[1] {
			p.shot.Wavelet[i] = rng.NormFloat64()
		}
	}
	p.shot.Record = make([]float64, nt*p.shot.Receivers.Count())
	p.residue = make([]float64, len(p.shot.Record))
	for i := range p.residue {
		p.residue[i] = rng.NormFloat64()
	}
	return p
}

// reachOutcome is what a run of forward, Born and adjoint leaves.
type reachOutcome[T Real] struct {
	record, born, snapshots, gradient, illumination, wavelet []T
	skipped                                                  float64 // share of the cells times steps of the forward run
}

// reachSolve runs a problem from chunk to chunk of random lengths, in solvers and snapshots that another shot has used before.
func reachSolve[T Real](t *testing.T, p testProblem, o CPUOptions, whole bool) reachOutcome[T] {
	t.Helper()
	s, s2 := newCPUs[T](t, p.domain, o)
	s.WholeGrid, s2.WholeGrid = whole, whole
	pts := func(q Points[float64]) Points[T] { return Points[T]{q.Begin, q.Cell, convert[T](q.Weight)} }
	nt, size := p.shot.NT, s.SnapshotSize()
	shot := Shot[T]{NT: nt, Sources: pts(p.shot.Sources), Receivers: pts(p.shot.Receivers), Wavelet: convert[T](p.shot.Wavelet), Record: make([]T, len(p.shot.Record))}
	born, adjoint := shot, shot
	born.Record, adjoint.Record = make([]T, len(shot.Record)), convert[T](p.residue)
	snap := &Snapshots[T]{Every: 1, Data: make([]T, nt*size)}
	image := &Imaging[T]{Gradient: make([]T, size), Illumination: make([]T, size), Wavelet: make([]T, nt*shot.Sources.Count())}
	deltaM := make([]T, size)
	s.Pack(deltaM, convert[T](p.deltaM))
	for i := range snap.Data { // as another shot's would be: finite and wrong
		snap.Data[i] = 3
	}
	rng := rand.New(rand.NewPCG(3, 9))
	var chunks [][2]int
	for n := 0; n < nt; {
		n1 := min(n+1+rng.IntN(40), nt)
		chunks = append(chunks, [2]int{n, n1})
		n = n1
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []*CPU[T]{s, s2} {
		x.SetModel(convert[T](p.m))
		other := adjoint
		other.Sources = shot.Receivers
		other.Wavelet = shot.Wavelet[:nt]
		other.Record = make([]T, len(adjoint.Record))
		must(x.Forward(&other, 0, nt/2, nil))
		x.Reset()
	}
	for _, c := range chunks {
		must(s.Forward(&shot, c[0], c[1], snap))
		must(s2.Scatter(&born, c[0], c[1], snap, deltaM))
	}
	s.Reset()
	for i := range chunks {
		c := chunks[len(chunks)-1-i]
		must(s.Adjoint(&adjoint, c[0], c[1], snap, image))
	}
	out := reachOutcome[T]{record: shot.Record, born: born.Record, wavelet: image.Wavelet}
	rows, ny, width, nx := s.rows(), int(s.solver.ny), int(s.solver.width), s.domain.NX()
	for n := range nt {
		slot := snap.Data[n*size:]
		for i := range rows {
			row := slot[i*width : (i+1)*width]
			block := i / 8 // of CPU_ROWS rows
			if ny > 1 {
				block = i/ny/4*ny + i%ny // of a row of CPU_PLANES planes
			}
			reached := slot[rows*width+2*block:]
			begin, end := int(reached[0]), int(reached[1])
			for j := range row {
				if j < begin || j >= end {
					row[j] = 0
				}
			}
			out.snapshots = append(out.snapshots, row[:nx]...)
			if n == 0 {
				out.gradient = append(out.gradient, image.Gradient[i*width:i*width+nx]...)
				out.illumination = append(out.illumination, image.Illumination[i*width:i*width+nx]...)
			}
			out.skipped += 1 - float64(end-begin)/float64(width)
		}
	}
	out.skipped /= float64(nt * rows)
	return out
}

func sameBits[T Real](t *testing.T, what string, got, want []T) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s differs from that of stepping everything at %d: %g, %g", what, i, got[i], want[i])
			return
		}
	}
}

func checkReach[T Real](t *testing.T, p testProblem, o CPUOptions, leastSkipped, tolerance float64) {
	t.Helper()
	got, want := reachSolve[T](t, p, o, false), reachSolve[T](t, p, o, true)
	sameBits(t, "record", got.record, want.record)
	sameBits(t, "Born record", got.born, want.born)
	sameBits(t, "snapshot", got.snapshots, want.snapshots)
	sameBits(t, "illumination", got.illumination, want.illumination)
	for _, q := range []struct {
		name      string
		got, want []T
	}{{"gradient", got.gradient, want.gradient}, {"wavelet gradient", got.wavelet, want.wavelet}} {
		if e := relative(convert[float64](q.got), convert[float64](q.want)); !(e <= tolerance) {
			t.Errorf("%s differs by %.1e from that of stepping everything", q.name, e)
		}
	}
	if want.skipped != 0 {
		t.Errorf("%.2f of the cells were not stepped although all were asked for", want.skipped)
	}
	if !(got.skipped >= leastSkipped) {
		t.Errorf("only %.2f of the cells were not stepped", got.skipped)
	}
}

func TestSkippingWhatTheWaveHasNotReachedChangesNoBit(t *testing.T) {
	for _, c := range reachCases() {
		for order := 2; order <= 8; order += 2 {
			for _, isa := range []string{"avx512", "avx2", "baseline"} {
				if isa != "avx512" && order != 2 && order != 8 {
					continue
				}
				t.Run(fmt.Sprintf("%s/order %d/%s", c.name, order, isa), func(t *testing.T) {
					p := newReachProblem(c, order)
					// Gradients differ by adjoint values times forward values that have underflowed: nothing that is
					// left after rounding. Underflow comes much later in float64.
					o := CPUOptions{InstructionSet: isa, Threads: 1 + order/2%2} // in 3D inside a shot
					checkReach[float32](t, p, o, 0.05, 1e-6)
					if isa == "avx512" {
						checkReach[float64](t, p, o, 0.01, 1e-14)
					}
				})
			}
		}
	}
}

// With a threshold for forerunners more is left out, and what they would have done is of its size.
func TestForerunnersBelowAThresholdAreLeftOut(t *testing.T) {
	for _, c := range reachCases() {
		for _, isa := range []string{"avx512", "avx2", "baseline"} {
			t.Run(c.name+"/"+isa, func(t *testing.T) {
				p := newReachProblem(c, 8)
				o := CPUOptions{InstructionSet: isa, Threads: 2}
				all := reachSolve[float32](t, p, o, false)
				o.Quiet = 1e-9
				quiet := reachSolve[float32](t, p, o, false)
				if !(quiet.skipped > all.skipped) {
					t.Errorf("with a threshold %.3f of the cells were not stepped, without %.3f", quiet.skipped, all.skipped)
				}
				for _, q := range []struct {
					name      string
					got, want []float32
				}{{"snapshot", quiet.snapshots, all.snapshots}, {"illumination", quiet.illumination, all.illumination}} {
					// float32 rounds by 6e-8 in each of some hundred steps.
					if e := relative(convert[float64](q.got), convert[float64](q.want)); !(e <= 1e-6) {
						t.Errorf("%s differs by %.1e from that with all forerunners", q.name, e)
					}
				}
				// Some of these receivers hear forerunners alone: what they miss is small beside what is injected.
				s, _ := newCPUs[float32](t, p.domain, o)
				s.SetModel(convert[float32](p.m))
				loudest := s.loudestOf(&Shot[float32]{Sources: Points[float32]{p.shot.Sources.Begin, p.shot.Sources.Cell, convert[float32](p.shot.Sources.Weight)}, Wavelet: convert[float32](p.shot.Wavelet)}, false)
				most := loudest
				for _, v := range all.record {
					most = max(most, math.Abs(float64(v)))
				}
				var sum float64
				for i, v := range quiet.record {
					d := float64(v - all.record[i])
					sum += d * d
				}
				if e := math.Sqrt(sum / float64(len(quiet.record))); !(e <= 1e-6*most) {
					t.Errorf("samples of the record differ by %.1e (RMS), with %.1e injected", e, loudest)
				}
			})
		}
	}
}

// A shot's last steps of rows: what comes later there is not stepped, what came before is that of stepping everything.
func TestRowsAreLeftAfterTheirLastStep(t *testing.T) {
	p := newReachProblem(reachCases()[0], 8)
	nt, nz, nx := p.shot.NT, p.domain.Shape[0], p.domain.NX()
	s, whole := newCPUs[float64](t, p.domain, CPUOptions{})
	size, width := s.SnapshotSize(), s.SnapshotRow()
	until := make([]int32, nz)
	for i := range until {
		until[i] = int32(nt)
		if i >= 48 { // a block of rows' limit is the last of its rows'
			until[i] = 40
		}
	}
	snapshots := [2]*Snapshots[float64]{}
	for k, x := range []*CPU[float64]{s, whole} {
		x.SetModel(p.m)
		shot := p.shot
		shot.Record = make([]float64, len(p.shot.Record))
		if snapshots[k] = (&Snapshots[float64]{Every: 1, Data: make([]float64, nt*size)}); k == 0 {
			shot.Until = until
		}
		if err := x.Forward(&shot, 0, nt, snapshots[k]); err != nil {
			t.Fatal(err)
		}
	}
	for n := range nt {
		got, want := snapshots[0].Data[n*size:(n+1)*size], snapshots[1].Data[n*size:(n+1)*size]
		for b := range (nz + RowBlock - 1) / RowBlock {
			begin, end := got[nz*width+2*b], got[nz*width+2*b+1]
			if left := n > 40 && b >= 6; left != (begin >= end) && (left || n > 100) {
				t.Fatalf("step %d, block %d of rows: the snapshot holds columns %g to %g", n, b, begin, end)
			}
			last := 40
			if b < 6 { // the block below is stepped on: two steps until what stands still beyond it shows there, one more until here
				last = 43
			}
			for i := RowBlock * b; i < min(RowBlock*(b+1), nz) && n <= last; i++ {
				sameBits(t, fmt.Sprintf("snapshot of step %d", n), got[i*width:i*width+nx], want[i*width:i*width+nx])
			}
		}
	}
	short := p.shot
	short.Until = until[1:]
	if err := s.Forward(&short, 0, nt, nil); err == nil {
		t.Error("last steps for too few rows were accepted")
	}
}

// A solver whose wave is over the grid must go on after a Reset as a new one does.
func TestResetForgetsWhatTheWaveHasReached(t *testing.T) {
	p := newReachProblem(reachCases()[0], 8)
	s, fresh := newCPUs[float64](t, p.domain, CPUOptions{})
	var records [][]float64
	for i, x := range []*CPU[float64]{s, s, fresh} {
		x.SetModel(p.m)
		x.Reset()
		shot := p.shot
		shot.Record = make([]float64, len(p.shot.Record))
		if err := x.Forward(&shot, 0, shot.NT, nil); err != nil {
			t.Fatal(err)
		}
		if records = append(records, shot.Record); i == 0 {
			continue
		}
		sameBits(t, "record", records[i], records[0])
	}
	if dot(records[0], records[0]) == 0 || math.IsNaN(dot(records[0], records[0])) {
		t.Error("nothing was recorded")
	}
}
