package fwi

import (
	"fmt"
	"math"
	"slices"
)

// spectral is preconditioned steepest descent with the step lengths of Barzilai & Borwein (1988), which follow from the last step and cost no solve: one
// gradient an iteration. In the metric of the preconditioner they are, for the step s = -t P g and the change y of the gradient,
//
//	t₁ = s·P⁻¹s / s·y = -t s·g / s·y,   t₂ = s·y / y·P y
//
// and t₂ is taken where it is much the smaller (Zhou, Gao & Dai 2006). The misfit may rise: steps are accepted below the largest of the last
// few misfits (Raydan 1997).
type spectral struct {
	next    float64   // step; 0: unknown
	misfits []float64 // of the last iterates before the current one
}

const (
	spectralMemory = 5   // misfits
	spectralSwitch = 0.5 // t₂/t₁ below which t₂ is taken
)

func (*spectral) direct(m *optimizer) { steepest{}.direct(m) }

func (c *spectral) firstStep(m *optimizer, largest float64) (float64, bool) {
	if c.next > 0 {
		return c.next, false
	}
	return m.o.FirstChange / largest, false
}

// reference is the misfit from which a step must descend.
func (c *spectral) reference(misfit float64) float64 {
	for _, v := range c.misfits {
		misfit = max(misfit, v)
	}
	return misfit
}

func (c *spectral) learn(m *optimizer, x, gradient []float32, own bool) bool {
	if !own {
		c.leapt()
		return true
	}
	if c.misfits = append(c.misfits, m.s.Status.Misfit); len(c.misfits) == spectralMemory {
		c.misfits = slices.Delete(c.misfits, 0, 1)
	}
	c.next = 0
	y, py := make([]float32, len(x)), make([]float32, len(x))
	var sy, sg float64
	for i, v := range x {
		s := float64(v) - float64(m.s.X[i])
		y[i] = gradient[i] - m.s.Gradient[i]
		sy += s * float64(y[i])
		sg += s * float64(m.s.Gradient[i])
	}
	m.precondition(py, y)
	long, short := -m.s.Search.Step*sg/sy, sy/m.dot(y, py)
	if !(sy > 0) || !(long > 0) || !(short > 0) || math.IsInf(long, 0) || math.IsInf(short, 0) {
		return false
	}
	if c.next = long; short < spectralSwitch*long {
		c.next = short
	}
	return true
}

func (c *spectral) leapt() { c.forget() }

func (c *spectral) forget() bool {
	had := c.next > 0 || len(c.misfits) > 0
	c.next, c.misfits = 0, nil
	return had
}

func (*spectral) memory() int { return 0 }

func (c *spectral) save(s *State) {
	s.NextStep, s.Misfits = c.next, slices.Clone(c.misfits)
}

func (c *spectral) load(s *State) error {
	if len(s.Misfits) > spectralMemory || !(s.NextStep >= 0) {
		return fmt.Errorf("its next step is %g, after %d misfits of at most %d", s.NextStep, len(s.Misfits), spectralMemory)
	}
	c.next, c.misfits = s.NextStep, slices.Clone(s.Misfits)
	return nil
}
