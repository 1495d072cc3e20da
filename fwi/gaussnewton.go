package fwi

import (
	"fmt"
	"math"
	"slices"
)

// gaussNewton is the truncated Gauss-Newton method (Métivier, Brossier, Virieux & Operto 2013): its direction d solves H d = -g as
// far as inner conjugate gradients come with few products, H = JᵀJ in the metric of the residuals. They end when the residual has fallen to the
// forcing term of Eisenstat & Walker (1996): as far as the linearisation was worth believing in the last step. They are preconditioned with
// L-BFGS, whose pairs are the outer steps and the inner ones, p and H p (Morales & Nocedal 2000): one product alone is a step of L-BFGS of the right length.
type gaussNewton struct {
	*lbfgs
	most      int
	fresh     int       // newest pairs that the preconditioner of the inner iterations under way does not use
	forcing   float64   // of the next direction
	residual  []float32 // r = -g - H d
	direction []float32 // p
	norm      float64   // r·P r
	first     float64   // the same at d = 0
}

const (
	firstForcing   = 0.5
	largestForcing = 0.9
)

func newGaussNewton(o MethodOptions) *gaussNewton {
	return &gaussNewton{lbfgs: newLBFGS(o), most: o.Products, forcing: firstForcing}
}

// weigh returns the product of the preconditioner with a residual, and their inner product.
func (c *gaussNewton) weigh(m *optimizer, r []float32) ([]float64, float64) {
	z := make([]float64, len(r))
	for i, v := range r {
		z[i] = float64(v)
	}
	c.multiply(m, z, len(c.s)-c.fresh)
	return z, m.dotWide(z, r)
}

func (c *gaussNewton) seek(m *optimizer, dst []float32) {
	c.fresh = 0
	n := len(m.s.X)
	c.residual, c.direction = make([]float32, n), make([]float32, n)
	clear(m.s.Direction)
	for i, g := range m.s.Gradient {
		if m.free == nil || m.free[i] {
			c.residual[i] = -g
		}
	}
	z, norm := c.weigh(m, c.residual)
	for i, v := range z {
		c.direction[i] = float32(v)
	}
	c.norm, c.first = norm, norm
	c.vector(m, dst)
}

// vector is p with the largest change of 1: fields far smaller than that would leave the range of float32.
func (c *gaussNewton) vector(m *optimizer, dst []float32) {
	if peak := m.largest(c.direction); peak > 0 {
		for i, v := range c.direction {
			dst[i] = float32(float64(v) / peak)
		}
	}
}

func (c *gaussNewton) multiplied(m *optimizer, vector, product []float32) bool {
	m.restrict(product)
	peak := m.largest(c.direction)
	curvature := m.dot(vector, product)
	if !(curvature > 0) {
		// Only round-off, or a field that nobody hears, can bring this about.
		if m.s.Status.Inner == 1 {
			copy(m.s.Direction, c.direction)
		}
		return true
	}
	if c.append(slices.Clone(vector), slices.Clone(product)) {
		c.fresh++
	}
	step := c.norm / (curvature * peak) // of vector
	for i, v := range vector {
		m.s.Direction[i] += float32(step * float64(v))
		c.residual[i] -= float32(step * float64(product[i]))
	}
	z, norm := c.weigh(m, c.residual)
	if m.s.Status.Inner >= c.most || !(norm > c.forcing*c.forcing*c.first) {
		return true
	}
	beta := norm / c.norm
	c.norm = norm
	for i, v := range z {
		c.direction[i] = float32(v + beta*float64(c.direction[i]))
	}
	c.vector(m, vector)
	return false
}

// restrict clears what is not free.
func (m *optimizer) restrict(a []float32) {
	for i := range a {
		if m.free != nil && !m.free[i] {
			a[i] = 0
		}
	}
}

func (c *gaussNewton) firstStep(m *optimizer, largest float64) (float64, bool) {
	if len(c.s) == 0 { // no product had a curvature
		return m.o.FirstChange / largest, false
	}
	return 1, false
}

func (c *gaussNewton) learn(m *optimizer, x, gradient []float32, own bool) bool {
	c.fresh = 0
	if own && len(c.residual) == len(x) {
		c.forcing = c.force(m, gradient)
	}
	return c.lbfgs.learn(m, x, gradient, own)
}

// force returns Eisenstat & Walker's first choice, |‖g'‖ - ‖g + t H d‖| / ‖g‖ after a step t, norms by the preconditioner, and their safeguard
// against falling too fast.
func (c *gaussNewton) force(m *optimizer, gradient []float32) float64 {
	t := m.s.Search.Step
	predicted, now := make([]float32, len(gradient)), slices.Clone(gradient)
	for i, g := range m.s.Gradient {
		predicted[i] = float32((1-t)*float64(g) - t*float64(c.residual[i]))
	}
	m.restrict(predicted)
	m.restrict(now)
	_, a := c.weigh(m, now)
	_, b := c.weigh(m, predicted)
	f := math.Abs(math.Sqrt(a)-math.Sqrt(b)) / math.Sqrt(c.first)
	if guard := math.Pow(c.forcing, (1+math.Sqrt(5))/2); guard > 0.1 {
		f = max(f, guard)
	}
	if math.IsNaN(f) {
		return largestForcing
	}
	return min(f, largestForcing)
}

func (c *gaussNewton) leapt() { c.fresh = 0 }

// forget tells of pairs of earlier directions only: without them the next direction would be the same again.
func (c *gaussNewton) forget() bool {
	had := len(c.s) > c.fresh
	c.fresh, c.forcing = 0, firstForcing
	c.lbfgs.forget()
	return had
}

func (c *gaussNewton) save(s *State) {
	c.lbfgs.save(s)
	s.Forcing, s.CurrentNorm, s.PreviousNorm, s.Fresh = c.forcing, c.norm, c.first, c.fresh
	s.InnerResidual, s.InnerDirection = slices.Clone(c.residual), slices.Clone(c.direction)
}

func (c *gaussNewton) load(s *State) error {
	n := len(s.X)
	if len(s.InnerResidual) != len(s.InnerDirection) || len(s.InnerResidual) != 0 && len(s.InnerResidual) != n || s.Phase == phaseProduct && len(s.InnerResidual) != n {
		return fmt.Errorf("its inner vectors have %d and %d cells, its model %d", len(s.InnerResidual), len(s.InnerDirection), n)
	}
	if s.Fresh < 0 || s.Fresh > s.Status.Pairs {
		return fmt.Errorf("%d of its %d pairs are of inner iterations", s.Fresh, s.Status.Pairs)
	}
	if err := c.loadPairs(s, c.limit+c.most); err != nil {
		return err
	}
	c.forcing, c.norm, c.first, c.fresh = s.Forcing, s.CurrentNorm, s.PreviousNorm, s.Fresh
	if c.forcing == 0 {
		c.forcing = firstForcing
	}
	c.residual, c.direction = slices.Clone(s.InnerResidual), slices.Clone(s.InnerDirection)
	return nil
}
