package kernels

import (
	"fmt"
	"math"
	"testing"
)

// A solver that takes over another's state in the middle of a shot goes on with the same bits, whatever it did before.
func TestSavedStateGoesOnToTheBit(t *testing.T) {
	check := func(t *testing.T, p testProblem, a, b Solver[float64]) {
		const middle = 41
		for _, s := range []Solver[float64]{a, b} {
			s.SetModel(p.m)
			s.Reset()
		}
		shot, again := p.shot, p.shot
		shot.Record, again.Record = make([]float64, len(p.shot.Record)), make([]float64, len(p.shot.Record))
		forward := func(s Solver[float64], shot *Shot[float64], n0, n1 int) {
			if err := s.Forward(shot, n0, n1, nil); err != nil {
				t.Fatal(err)
			}
		}
		forward(a, &shot, 0, middle)
		state := make([]byte, a.StateSize())
		a.SaveState(state)
		forward(a, &shot, middle, shot.NT)
		forward(b, &again, 0, 60)
		b.LoadState(state)
		clear(again.Record)
		forward(b, &again, middle, shot.NT)
		at := middle * shot.Receivers.Count()
		sameBits(t, "record", again.Record[at:], shot.Record[at:])
		if dot(shot.Record[at:], shot.Record[at:]) == 0 {
			t.Error("nothing was recorded")
		}
	}
	eachEquation(t, func(t *testing.T, e *Equation) {
		for _, c := range testCases() {
			if c.order == 4 || c.order == 8 {
				t.Run(c.String(), func(t *testing.T) {
					p := problemOf(t, e, c)
					a, b := solversOf(t, e.Float64, p.domain, CPUOptions{})
					check(t, p, a, b)
					r1, r2 := solversOf(t, ReferenceSolvers(e), p.domain, CPUOptions{})
					check(t, p, r1, r2)
				})
			}
		}
	})
	p := newReachProblem(reachCases()[1], 8) // whose wave has not reached everything
	a, b := newCPUs[float64](t, p.domain, CPUOptions{})
	check(t, p, a, b)
}

// The footprint of a solver is known without making it.
func TestFootprintIsThatOfTheSolver(t *testing.T) {
	for _, c := range append(testCases(), testCase{[]int{200, 300}, 8, 20, [][2]bool{{true, true}, {true, true}}, false},
		testCase{[]int{70, 60, 90}, 6, 9, [][2]bool{{false, true}, {true, true}, {true, true}}, true}) {
		p := newTestProblem(c)
		s, _ := newCPUs[float32](t, p.domain, CPUOptions{Threads: 2})
		got, err := MeasureCPU[float32](p.domain, CPUOptions{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		if want := (Footprint{s.Bytes(), s.StateSize(), s.SnapshotSize(), len(p.m) / c.shape[len(c.shape)-1] * s.SnapshotRow()}); got != want {
			t.Errorf("%v: %+v measured, %+v taken", c, got, want)
		}
	}
}

// With strips of the field restored around its grid, a solver of the interior steps back through what another did.
func TestStripsAndTheLastFieldsGiveTheFieldBack(t *testing.T) {
	check := func(t *testing.T, name string, p testProblem, a, inner Solver[float64], origin []int, d Domain) {
		r := p.domain.Order / 2
		nt := p.shot.NT
		strips := &Strips[float64]{}
		back := *strips
		var m []float64
		for row := range d.Cells() / d.NX() {
			lead := []int{row}
			if len(d.Shape) == 3 {
				lead = []int{row / d.Shape[1], row % d.Shape[1]}
			}
			at, edge := 0, false
			for axis, i := range lead {
				at = at*p.domain.Shape[axis] + i + origin[axis]
				edge = edge || (i < r && origin[axis] > 0) || i >= d.Shape[axis]-r
			}
			first := at*p.domain.NX() + origin[len(origin)-1]
			for j := range d.NX() {
				if edge || j < r || j >= d.NX()-r {
					m = append(m, 0)
					strips.Cell, strips.Length = append(strips.Cell, int32(first+j)), append(strips.Length, 1)
					back.Cell, back.Length = append(back.Cell, int32(row*d.NX()+j)), append(back.Length, 1)
				} else {
					m = append(m, p.m[first+j])
				}
			}
		}
		strips.Values = make([]float64, nt*strips.Cells())
		back.Values, back.Restore = strips.Values, true
		a.SetModel(p.m)
		a.Reset()
		inner.SetModel(m)
		shot := p.shot
		shot.Strips, shot.Record = strips, make([]float64, len(p.shot.Record))
		// sources in the interior only
		shot.Sources, shot.Wavelet = Points[float64]{Begin: []int32{0, 1}, Weight: []float64{1, 7: 0}}, p.shot.Wavelet[:nt]
		reversed := Shot[float64]{NT: nt, Sources: Points[float64]{Begin: []int32{0, 1}, Weight: []float64{1, 7: 0}}, Wavelet: make([]float64, nt), Strips: &back}
		cell, inCell := 0, 0
		for axis, n := range d.Shape {
			cell, inCell = cell*p.domain.Shape[axis]+origin[axis]+n/2, inCell*n+n/2
		}
		shot.Sources.Cell, reversed.Sources.Cell = []int32{int32(cell)}, []int32{int32(inCell)}
		for n := range nt {
			reversed.Wavelet[n] = shot.Wavelet[nt-1-n]
		}
		size, innerSize := a.SnapshotSize(), inner.SnapshotSize()
		snap := &Snapshots[float64]{Every: 4, Data: make([]float64, (nt+3)/4*size)}
		again := &Snapshots[float64]{Every: 4, Phase: (nt - 1) % 4, Data: make([]float64, (nt+3)/4*innerSize)}
		for n := 0; n < nt; n += 37 {
			if err := a.Forward(&shot, n, min(n+37, nt), snap); err != nil {
				t.Fatal(err)
			}
		}
		if err := inner.TurnBack(a, origin); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < nt; n += 23 {
			if err := inner.Forward(&reversed, n, min(n+23, nt), again); err != nil {
				t.Fatal(err)
			}
		}
		slots := (nt + 3) / 4
		all, some := make([]float64, p.domain.Cells()), make([]float64, d.Cells())
		var difference, norm float64
		for s := range slots {
			a.Unpack(all, snap.Data[s*size:(s+1)*size])
			inner.Unpack(some, again.Data[(slots-1-s)*innerSize:(slots-s)*innerSize])
			for i, v := range some {
				if m[i] == 0 {
					continue
				}
				at, rest, stride := 0, i, 1
				for axis := len(d.Shape) - 1; axis >= 0; axis-- {
					at += (rest%d.Shape[axis] + origin[axis]) * stride
					rest /= d.Shape[axis]
					stride *= p.domain.Shape[axis]
				}
				if s*4 > 8 { // what the wave has not reached in the first steps need not be written
					difference += (v - all[at]) * (v - all[at])
					norm += all[at] * all[at]
				}
			}
		}
		// 90 steps of round-off, 1e-16 each, near the stability limit
		if e := math.Sqrt(difference / norm); !(e < 1e-11) {
			t.Errorf("%s: differs by %.1e", name, e)
		}
	}
	for _, c := range []struct {
		testCase
		layers int // cells of the strip's outer side from the grid's
	}{
		{testCase{[]int{41, 53}, 8, 6, [][2]bool{{true, true}, {true, true}}, false}, 8},
		{testCase{[]int{41, 53}, 4, 6, [][2]bool{{false, true}, {true, true}}, true}, 8},
		{testCase{[]int{23, 22, 24}, 6, 3, [][2]bool{{true, true}, {true, true}, {true, true}}, false}, 5},
		{testCase{[]int{23, 22, 24}, 8, 3, [][2]bool{{false, true}, {true, true}, {true, true}}, true}, 5},
	} {
		p := newTestProblem(c.testCase)
		p.domain.Along, p.domain.D2Along, p.domain.Potential = nil, nil, nil // the part that is stepped back would need its own (package wave has it)
		r := c.order / 2
		d := Domain{Spacing: p.domain.Spacing, Order: c.order, D2: p.domain.D2, FreeSurface: c.freeSurface}
		var origin []int
		for axis, n := range c.shape {
			low, high := 0, n
			if c.sides[axis][0] {
				low = c.layers - r
			}
			if c.sides[axis][1] {
				high = n - c.layers + r
			}
			origin = append(origin, low)
			d.Shape = append(d.Shape, high-low)
			d.A, d.B = append(d.A, make([]float64, high-low)), append(d.B, make([]float64, high-low))
		}
		for _, threads := range []int{1, 3} {
			a, _ := newCPUs[float64](t, p.domain, CPUOptions{Threads: threads})
			inner, _ := newCPUs[float64](t, d, CPUOptions{Threads: threads})
			inner.WholeGrid = true
			check(t, fmt.Sprintf("%v, %d threads", c.testCase, threads), p, a, inner, origin, d)
		}
		r1, _ := newReferences(t, p.domain)
		r2, _ := newReferences(t, d)
		check(t, fmt.Sprintf("%v, reference", c.testCase), p, r1, r2, origin, d)
	}
}

// bfloat16 has 8 significant bits: rounding to nearest is off by 2⁻⁸ of a value at most. Zeros, signs and the range stay.
func TestNarrowSnapshotsRoundToNearest(t *testing.T) {
	for _, c := range []testCase{{[]int{41, 53}, 8, 10, [][2]bool{{true, true}, {true, true}}, false}, {[]int{13, 11, 19}, 4, 3, [][2]bool{{true, true}, {true, true}, {true, true}}, false}} {
		p := newTestProblem(c)
		for _, isa := range []string{"baseline", "avx2", "avx512"} {
			s, _ := newCPUs[float32](t, p.domain, CPUOptions{InstructionSet: isa, Threads: 2})
			r, _ := newReferences(t, p.domain)
			s.SetModel(convert[float32](p.m))
			shot := Shot[float32]{NT: p.shot.NT, Sources: Points[float32]{p.shot.Sources.Begin, p.shot.Sources.Cell, convert[float32](p.shot.Sources.Weight)}, Wavelet: convert[float32](p.shot.Wavelet)}
			size := s.SnapshotSize()
			snap := &Snapshots[float32]{Every: p.shot.NT - 1, Phase: p.shot.NT - 2, Data: make([]float32, size)}
			if err := s.Forward(&shot, 0, p.shot.NT, snap); err != nil {
				t.Fatal(err)
			}
			cells := s.rows() * s.SnapshotRow()
			half, wide := make([]uint16, cells), append([]float32{}, snap.Data...)
			s.Narrow(half, snap.Data)
			s.Widen(wide, half)
			kept, want := make([]float32, p.domain.Cells()), make([]float32, p.domain.Cells())
			s.Unpack(kept, wide)
			s.Unpack(want, snap.Data)
			rounded, widened := make([]uint16, len(want)), make([]float64, len(want))
			r.Narrow(rounded, convert[float64](want))
			r.Widen(widened, rounded)
			sameBits(t, "narrow snapshot", kept, convert[float32](widened))
			for i, v := range want {
				if math.Abs(float64(kept[i]-v)) > math.Abs(float64(v))/256 {
					t.Fatalf("%v: %g became %g", c, v, kept[i])
				}
			}
			if wide[0] == snap.Data[0] {
				t.Error("nothing was rounded")
			}
		}
	}
}
