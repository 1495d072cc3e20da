package fwi

import (
	"fmt"
	"math"
	"slices"
)

// lbfgs is the limited-memory BFGS method (Nocedal 1980; Liu & Nocedal 1989). From the last steps s and the changes y of the
// gradient along them it forms the product of an inverse Hessian with the gradient by two loops over the pairs. Between them
// stands H0 = γ P with the preconditioner P and γ = s·y/(y·P y) of the newest pair. Where bounds hold cells, the pairs
// are restricted to the free cells and so is the direction.
type lbfgs struct {
	limit        int
	minCurvature float64
	s, y         [][]float32 // oldest first
}

func newLBFGS(o MethodOptions) *lbfgs {
	return &lbfgs{limit: o.Memory, minCurvature: o.MinCurvature}
}

func (l *lbfgs) direct(m *optimizer) {
	q := make([]float64, len(m.s.X))
	for i, g := range m.s.Gradient {
		if m.free == nil || m.free[i] {
			q[i] = float64(g)
		}
	}
	l.multiply(m, q, len(l.s))
	for i, v := range q {
		m.s.Direction[i] = float32(-v)
	}
}

// multiply replaces q, zero outside the free cells, by the product of the inverse Hessian of the oldest n pairs with it.
func (l *lbfgs) multiply(m *optimizer, q []float64, n int) {
	type pair struct {
		s, y  []float32
		sy, a float64
	}
	var pairs []pair
	for i, s := range l.s[:n] {
		// Positive when it was learned, but perhaps not on the cells that are free now.
		if sy := m.dot(s, l.y[i]); sy > l.minCurvature*math.Sqrt(m.dot(s, s)*m.dot(l.y[i], l.y[i])) {
			pairs = append(pairs, pair{s: s, y: l.y[i], sy: sy})
		}
	}
	// Cells that are not free may leave zero in q below: every vector that enters is restricted there at the end.
	for i := len(pairs) - 1; i >= 0; i-- {
		p := &pairs[i]
		p.a = m.dotWide(q, p.s) / p.sy
		addScaled(q, -p.a, p.y)
	}
	scaled, out := make([]float32, len(q)), make([]float32, len(q))
	gamma := 1.0
	if len(pairs) > 0 {
		newest := pairs[len(pairs)-1]
		m.precondition(out, newest.y)
		gamma = newest.sy / m.dot(newest.y, out)
	}
	// P works in float32: a normalised argument cannot leave its range.
	var peak float64
	for i, v := range q {
		if m.free == nil || m.free[i] {
			peak = max(peak, math.Abs(v))
		}
	}
	if peak > 0 {
		for i, v := range q {
			scaled[i] = float32(v / peak)
		}
	}
	m.precondition(out, scaled)
	for i, v := range out {
		q[i] = gamma * peak * float64(v)
	}
	for _, p := range pairs {
		addScaled(q, p.a-m.dotWide(q, p.y)/p.sy, p.s)
	}
	for i := range q {
		if m.free != nil && !m.free[i] {
			q[i] = 0
		}
	}
}

// dotWide is the inner product over the free cells.
func (m *optimizer) dotWide(a []float64, b []float32) float64 {
	var sum float64
	for i, v := range a {
		if m.free == nil || m.free[i] {
			sum += v * float64(b[i])
		}
	}
	return sum
}

func addScaled(a []float64, factor float64, b []float32) {
	for i, v := range b {
		a[i] += factor * float64(v)
	}
}

func (l *lbfgs) firstStep(m *optimizer, largest float64) (float64, bool) {
	if len(l.s) > 0 {
		return 1, false
	}
	return m.o.FirstChange / largest, false
}

func (l *lbfgs) learn(m *optimizer, x, gradient []float32, _ bool) bool {
	s, y := make([]float32, len(x)), make([]float32, len(x))
	for i, v := range x {
		s[i] = v - m.s.X[i]
		y[i] = gradient[i] - m.s.Gradient[i]
	}
	learned := l.append(s, y)
	l.trim()
	return learned
}

// append takes a pair if its curvature is positive.
func (l *lbfgs) append(s, y []float32) bool {
	var ss, sy, yy float64
	for i := range s {
		a, b := float64(s[i]), float64(y[i])
		ss += a * a
		sy += a * b
		yy += b * b
	}
	if !(sy > l.minCurvature*math.Sqrt(ss)*math.Sqrt(yy)) {
		return false
	}
	l.s, l.y = append(l.s, s), append(l.y, y)
	return true
}

// trim drops the oldest pairs beyond the limit.
func (l *lbfgs) trim() {
	if over := len(l.s) - l.limit; over > 0 {
		l.s, l.y = slices.Delete(l.s, 0, over), slices.Delete(l.y, 0, over)
	}
}

func (l *lbfgs) leapt() {}

func (l *lbfgs) forget() bool {
	had := len(l.s) > 0
	l.s, l.y = nil, nil
	return had
}

func (l *lbfgs) memory() int { return len(l.s) }

func (l *lbfgs) save(s *State) {
	s.PairS = slices.Concat(l.s...)
	s.PairY = slices.Concat(l.y...)
}

func (l *lbfgs) load(s *State) error { return l.loadPairs(s, l.limit) }

// loadPairs takes up to `most` pairs.
func (l *lbfgs) loadPairs(s *State, most int) error {
	pairs, n := s.Status.Pairs, len(s.X)
	if pairs < 0 || pairs > most || len(s.PairS) != pairs*n || len(s.PairY) != pairs*n {
		return fmt.Errorf("%d pairs of %d cells, of at most %d, need %d values each; there are %d and %d", pairs, n, most, pairs*n, len(s.PairS), len(s.PairY))
	}
	l.s, l.y = nil, nil
	for i := range pairs {
		l.s = append(l.s, slices.Clone(s.PairS[i*n:(i+1)*n]))
		l.y = append(l.y, slices.Clone(s.PairY[i*n:(i+1)*n]))
	}
	return nil
}
