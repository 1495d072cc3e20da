//go:build cuda

package cuda

import (
	"fmt"
	"testing"

	"gofwi/kernels"
)

// Round-off alone separates the kernels from the CPU's in float64. In float32, each of the 45 steps adds some 1e-7 to fields of white
// noise, which the arithmetic of the CPU fuses and orders otherwise.
func TestBatchesMatchTheCPU(t *testing.T) {
	d := device(t)
	var worst [2]float64
	for i, c := range testCases() {
		if testing.Short() && i%9 != 2*(i/9) { // one or two of each order
			continue
		}
		every, half := 1+i%3, i%2 == 1
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			p := newProblem[float64](c, 2)
			// half a unit of bfloat16 is decided by round-off in one value of many
			tolerance := 1e-11
			if half {
				tolerance = 1e-4
			}
			if e := compare(t, p.onGPU(t, d, every, half, 37), p.onCPU(t, every, half), tolerance); !half {
				worst[0] = max(worst[0], e)
			}
			q := newProblem[float32](c, 2)
			worst[1] = max(worst[1], compare(t, q.onGPU(t, d, every, false, testSteps), q.onCPU(t, every, false), 5e-6))
		})
	}
	fmt.Printf("verification: CUDA kernels on %s against the CPU's, 2D and 3D, orders 2 to 8, all kinds of boundaries: records, Born data, gradients, illumination and wavelet gradients differ by %.1e in float64 and %.1e in float32\n",
		d.Name, worst[0], worst[1])
}

func TestChunksAndBatchesDoNotChangeABit(t *testing.T) {
	d := device(t)
	c := testCases()[0]
	p := newProblem[float32](c, 3)
	want := p.onGPU(t, d, 2, false, testSteps)
	compare(t, p.onGPU(t, d, 2, false, 7), want, 0)
	for i := range p.shots {
		one := *p
		one.shots, one.residuals = p.shots[i:i+1], p.residuals[i:i+1]
		got := one.onGPU(t, d, 2, false, 23)
		if e := relative(got.records[0], want.records[i]); e != 0 {
			t.Errorf("shot %d alone records something else: %.1e", i, e)
		}
	}
}

// ⟨F f, r⟩ = ⟨f, Fᵀ r⟩ and ⟨B δM, r⟩ = ⟨δM, Bᵀ r⟩ with Bᵀ r = Σ η (w+f) / M.
func TestBatchAdjointPassesDotProduct(t *testing.T) {
	d := device(t)
	for i, c := range testCases() {
		if testing.Short() && i%9 > 0 {
			continue
		}
		p := newProblem[float64](c, 1)
		o := p.onGPU(t, d, 1, false, testSteps)
		s := p.shots[0]
		dot := func(a, b []float64) (sum float64) {
			for i := range a {
				sum += a[i] * b[i]
			}
			return sum
		}
		check := func(name string, left, right float64) {
			if e := (left - right) / left; !(e <= 1e-11 && e >= -1e-11) {
				t.Errorf("%v: %s dot products %.16e and %.16e", c, name, left, right)
			}
		}
		wavelets := make([]float64, len(o.wavelets[0])) // as wavelets: [source][n]
		ns := s.Sources.Count()
		for k, v := range o.wavelets[0] {
			wavelets[k%ns*testSteps+k/ns] = v
		}
		check("forward", dot(o.records[0], p.residuals[0]), dot(s.Wavelet, wavelets))
		right := 0.0
		for i, g := range o.gradient {
			if c.freeSurface && i < p.domain.Cells()/c.shape[0] {
				continue // M = 0 in the surface
			}
			right += p.deltaM[i] * g / p.m[i]
		}
		check("Born", dot(o.born[0], p.residuals[0]), right)
	}
}

// A state goes on to the bit, in a batch of its own.
func TestStatesGoOnToTheBit(t *testing.T) {
	d := device(t)
	p := newProblem[float32](testCases()[1], 2)
	run := func(split int) []float32 {
		b, err := NewBatch[float32](d, p.domain, 2)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		other, err := NewBatch[float32](d, p.domain, 2)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		state, err := d.Alloc(b.StateBytes())
		if err != nil {
			t.Fatal(err)
		}
		defer state.Close()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, x := range []*Batch[float32]{b, other} {
			must(x.SetModel(p.m))
			must(x.Load(p.shots))
		}
		must(b.Forward(0, split, nil))
		parity, err := b.SaveState(state)
		must(err)
		must(other.LoadState(state, parity))
		must(other.Forward(split, testSteps, nil))
		record := make([]float32, testSteps*other.Receivers())
		must(other.Record(record))
		return record[split*other.Receivers():]
	}
	want, got := run(20), run(33)
	if e := relative(got, want[len(want)-len(got):]); e != 0 {
		t.Errorf("a state from step 33 goes on differently by %.1e", e)
	}
}

func TestDeviceMemoryReturnsToItsStart(t *testing.T) {
	d := device(t)
	p := newProblem[float32](testCases()[0], 3)
	p.onGPU(t, d, 3, true, 20) // a driver keeps the code of kernels
	before, _, err := d.Memory()
	if err != nil {
		t.Fatal(err)
	}
	p.onGPU(t, d, 3, true, 20)
	after, _, err := d.Memory()
	if err != nil {
		t.Fatal(err)
	}
	if after != before {
		t.Errorf("%d bytes are free, %d were before", after, before)
	}
}

func TestBadArgumentsOfABatchAreRefused(t *testing.T) {
	d := device(t)
	p := newProblem[float64](testCases()[0], 2)
	b, err := NewBatch[float64](d, p.domain, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Load(p.shots); err != nil {
		t.Fatal(err)
	}
	memory, err := d.Alloc(2 * b.SlotBytes(false))
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	outside := *p.shots[0]
	outside.Receivers.Cell = append([]int32{int32(p.domain.Cells())}, outside.Receivers.Cell[1:]...)
	absorbing := p.domain
	absorbing.A = append([][]float64{append([]float64{-0.1}, p.domain.A[0][1:]...)}, p.domain.A[1])
	_, noRadius := NewBatch[float64](d, absorbing, 1)
	_, noShots := NewBatch[float64](d, p.domain, 0)
	for name, err := range map[string]error{
		"receiver outside":           b.Load([]*kernels.Shot[float64]{&outside}),
		"too many shots":             b.Load(append(p.shots, p.shots...)),
		"too many steps":             b.Forward(0, testSteps+1, nil),
		"too few slots":              b.Forward(0, 3, &Snapshots{Every: 1, Memory: memory}),
		"slots begin later":          b.Forward(0, 2, &Snapshots{Every: 1, First: 1, Memory: memory}),
		"adjoint without image":      b.Adjoint(0, 2, &Snapshots{Every: 1, Memory: memory}),
		"Born without perturbation":  b.Scatter(0, 2, &Snapshots{Every: 1, Memory: memory}),
		"a surface that absorbs":     noRadius,
		"no shots":                   noShots,
		"a short model":              b.SetModel(p.m[1:]),
		"residuals of another shape": b.SetResiduals(make([]float64, 3)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
