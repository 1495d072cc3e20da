package fwi

import (
	"fmt"
	"slices"
)

// steepest follows the preconditioned gradient, with the parabolic line search: a probe as long as the last step, then the
// minimum of the parabola.
type steepest struct{}

func (steepest) direct(m *optimizer) {
	m.precondition(m.s.Direction, m.s.Gradient)
	for i, v := range m.s.Direction {
		m.s.Direction[i] = -v
	}
}

func (steepest) firstStep(m *optimizer, largest float64) (float64, bool) {
	return probeStep(m, largest), true
}

// probeStep returns the step whose first-order decrease, halved as at the minimum of a parabola, is that of the last step
// (Nocedal & Wright, equation 3.60), changing the model not much more or less than that did; at the start, the first change.
func probeStep(m *optimizer, largest float64) float64 {
	st := &m.s.Status
	if st.Change == 0 {
		return m.o.FirstChange / largest
	}
	similar := st.Change / largest
	slope, _ := m.descends()
	return min(max(-2*st.Decrease/slope, 0.1*similar), 10*similar)
}

func (steepest) learn(*optimizer, []float32, []float32, bool) bool { return true }
func (steepest) leapt()                                            {}
func (steepest) forget() bool                                      { return false }
func (steepest) memory() int                                       { return 0 }
func (steepest) save(*State)                                       {}
func (steepest) load(*State) error                                 { return nil }

// conjugate is the method of non-linear conjugate gradients, preconditioned: d = -P g + β d₋ with, for y = g - g₋,
//
//	β = max(0, y·P g / g₋·P g₋)   Polak & Ribière
//	β = max(0, y·P g / y·d₋)      Hestenes & Stiefel
//
// where the maximum restarts the method by itself (Gilbert & Nocedal 1992).
type conjugate struct {
	hestenesStiefel bool
	gradient        []float32 // g₋; nil: the next direction is steepest descent
	norm            float64   // g₋·P g₋
	next            float64   // the same of the current iterate
}

func newConjugate(o MethodOptions) *conjugate {
	return &conjugate{hestenesStiefel: o.HestenesStiefel}
}

func (c *conjugate) direct(m *optimizer) {
	g := m.s.Gradient
	z := make([]float32, len(g))
	m.precondition(z, g)
	beta := 0.0
	if c.gradient != nil {
		var yz, yd float64
		for i, before := range c.gradient {
			if m.free == nil || m.free[i] {
				y := float64(g[i]) - float64(before)
				yz += y * float64(z[i])
				yd += y * float64(m.s.Direction[i])
			}
		}
		denominator := c.norm
		if c.hestenesStiefel {
			denominator = yd
		}
		if denominator > 0 {
			beta = max(0, yz/denominator)
		}
	}
	c.next = m.dot(g, z)
	for i, v := range z {
		d := -float64(v)
		if m.free == nil || m.free[i] {
			d += beta * float64(m.s.Direction[i])
		}
		m.s.Direction[i] = float32(d)
	}
}

func (c *conjugate) firstStep(m *optimizer, largest float64) (float64, bool) {
	return probeStep(m, largest), true
}

func (c *conjugate) learn(m *optimizer, _, _ []float32, own bool) bool {
	if !own {
		c.leapt()
		return true
	}
	c.gradient = slices.Clone(m.s.Gradient)
	c.norm = c.next
	return true
}

// leapt ends the conjugacy: the last direction does not lead to this iterate.
func (c *conjugate) leapt() { c.forget() }

func (c *conjugate) forget() bool {
	had := c.gradient != nil
	c.gradient = nil
	return had
}

func (c *conjugate) memory() int { return 0 }

func (c *conjugate) save(s *State) {
	s.PreviousGradient = slices.Clone(c.gradient)
	s.PreviousNorm = c.norm
	s.CurrentNorm = c.next
}

func (c *conjugate) load(s *State) error {
	if len(s.PreviousGradient) != 0 && len(s.PreviousGradient) != len(s.X) {
		return fmt.Errorf("its previous gradient has %d cells, its model %d", len(s.PreviousGradient), len(s.X))
	}
	c.gradient = nil
	if len(s.PreviousGradient) > 0 {
		c.gradient = slices.Clone(s.PreviousGradient)
	}
	c.norm, c.next = s.PreviousNorm, s.CurrentNorm
	return nil
}
