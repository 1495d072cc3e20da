package kernels

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// atOneDepth puts receivers at random columns of the same rows, with the same shares of these.
func atOneDepth(d *Domain, count int) Points[float64] {
	rng := rand.New(rand.NewPCG(3, 4))
	rows := []int{0, 2, 3, 4, d.Shape[0] - 1}
	p := Points[float64]{Begin: []int32{0}}
	share := make([]float64, len(rows))
	for k := range share {
		share[k] = rng.NormFloat64()
	}
	for range count {
		column := d.NX() - 1 - rng.IntN(min(d.NX(), 48)) // a line of no more columns than the runs have together
		var along [Run]float64
		for r := 0; r < Run && column+r < d.NX(); r++ {
			along[r] = rng.NormFloat64()
		}
		for k, row := range rows {
			p.Cell = append(p.Cell, int32(row*d.NX()+column))
			for _, w := range along {
				p.Weight = append(p.Weight, share[k]*w)
			}
		}
		p.Begin = append(p.Begin, int32(len(p.Cell)))
	}
	return p
}

func TestReceiversAtOneDepthMatchReference(t *testing.T) {
	for _, surface := range []bool{false, true} {
		p := newTestProblem(testCase{[]int{41, 53}, 8, 10, [][2]bool{{!surface, true}, {true, true}}, surface})
		p.shot.Receivers = atOneDepth(&p.domain, p.shot.Receivers.Count())
		r1, r2 := newReferences(t, p.domain)
		want := solve(t, p, Solver[float64](r1), Solver[float64](r2), 17)
		a, b := newCPUs[float64](t, p.domain, CPUOptions{})
		compare(t, solve(t, p, Solver[float64](a), Solver[float64](b), 90), want, 1e-12) // tolerances: testKernelsMatchReference
		c, d := newCPUs[float32](t, p.domain, CPUOptions{})
		compare(t, solve(t, p, Solver[float32](c), Solver[float32](d), 31), want, 1e-4)
		if a.receivers.line.row == nil || c.receivers.line.row == nil {
			t.Error("receivers at one depth share no line")
		}
	}
}

func TestPointsThatShareNoLine(t *testing.T) {
	p := newTestProblem(testCase{[]int{41, 53}, 8, 10, [][2]bool{{true, true}, {true, true}}, false})
	s, _ := newCPUs[float64](t, p.domain, CPUOptions{})
	all := atOneDepth(&p.domain, 7)
	if s.lineOf(&all).row == nil {
		t.Fatal("receivers at one depth share no line")
	}
	for name, change := range map[string]func(*Points[float64]){
		"other shares":  func(p *Points[float64]) { p.Weight[Run*7+1] *= 1.001 },
		"another row":   func(p *Points[float64]) { p.Cell[7] += 53 },
		"more rows":     func(p *Points[float64]) { p.Begin[7]-- },
		"far apart":     func(p *Points[float64]) { *p = atOneDepth(&s.domain, 2) },
		"nothing there": func(p *Points[float64]) { clear(p.Weight) },
	} {
		q := Points[float64]{Begin: slices.Clone(all.Begin), Cell: slices.Clone(all.Cell), Weight: slices.Clone(all.Weight)}
		change(&q)
		if s.lineOf(&q).row != nil {
			t.Errorf("%s: a line", name)
		}
	}
}
