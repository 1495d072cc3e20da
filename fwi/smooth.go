package fwi

import (
	"fmt"
	"math"

	"gofwi/internal/parallel"
)

// Smoother averages models [nz, nx] (or [nz, ny, nx]) with a Gaussian, cut at four standard deviations. With G that convolution and M
// the mask, 1 where cells take part and 0 where not, the smoothed model is
//
//	S x = M (G M x) / (G M 1) + (1 - M) x
//
// so constants stay as they are at the edges of the grid and of the mask, nothing crosses from outside the mask, and cells
// outside keep their values. The adjoint is Sᵀ y = M G (M y / (G M 1)) + (1 - M) y, as G is symmetric. Results do not depend on the number
// of threads. A smoother may be used concurrently.
type Smoother struct {
	shape   []int
	kernels []gaussian
	mask    []bool    // nil: all cells
	inverse []float64 // 1/(G M 1) in the mask
}

// NewSmoother returns the smoother of the given standard deviations in m per axis, for a grid of the given shape and
// spacings in m. Cells where mask is 0 take no part; nil is a mask of ones.
func NewSmoother(shape []int, spacing, sigma []float64, mask []float32) (*Smoother, error) {
	if len(shape) == 0 || len(spacing) != len(shape) || len(sigma) != len(shape) {
		return nil, fmt.Errorf("a smoother of a grid %v needs as many spacings and standard deviations, not %v and %v m", shape, spacing, sigma)
	}
	s := &Smoother{shape: shape}
	n := 1
	for d, cells := range shape {
		if cells < 1 || !(spacing[d] > 0) || !(sigma[d] >= 0) || math.IsInf(sigma[d], 0) {
			return nil, fmt.Errorf("a smoother of a grid %v with spacing %v m and standard deviation %v m is impossible", shape, spacing, sigma)
		}
		n *= cells
		s.kernels = append(s.kernels, newGaussian(sigma[d]/spacing[d], cells))
	}
	if mask != nil && len(mask) != n {
		return nil, fmt.Errorf("the mask of a smoother has %d cells, the grid %v has %d", len(mask), shape, n)
	}
	s.inverse = make([]float64, n)
	for i := range s.inverse {
		s.inverse[i] = 1
	}
	if mask != nil {
		s.mask = make([]bool, n)
		for i, v := range mask {
			s.mask[i] = v != 0
			if v == 0 {
				s.inverse[i] = 0
			}
		}
	}
	s.convolve(s.inverse)
	for i, v := range s.inverse {
		if s.in(i) {
			s.inverse[i] = 1 / v // at least the kernel's centre
		}
	}
	return s, nil
}

func (s *Smoother) in(i int) bool { return s.mask == nil || s.mask[i] }

// Cells returns the number of cells of the grid.
func (s *Smoother) Cells() int { return len(s.inverse) }

// Apply writes S src to dst, which may be src. Both have Cells() values.
func (s *Smoother) Apply(dst, src []float32) { via64(dst, src, s.apply) }

// Adjoint writes Sᵀ src to dst, which may be src.
func (s *Smoother) Adjoint(dst, src []float32) { via64(dst, src, s.adjoint) }

func via64(dst, src []float32, f func([]float64)) {
	a := make([]float64, len(src))
	for i, v := range src {
		a[i] = float64(v)
	}
	f(a)
	for i, v := range a {
		dst[i] = float32(v)
	}
}

// apply replaces x with S x.
func (s *Smoother) apply(x []float64) {
	a := make([]float64, len(x))
	for i, v := range x {
		if s.in(i) {
			a[i] = v
		}
	}
	s.convolve(a)
	for i, v := range a {
		if s.in(i) {
			x[i] = v * s.inverse[i]
		}
	}
}

// adjoint replaces y with Sᵀ y.
func (s *Smoother) adjoint(y []float64) {
	a := make([]float64, len(y))
	for i, v := range y {
		if s.in(i) {
			a[i] = v * s.inverse[i]
		}
	}
	s.convolve(a)
	for i, v := range a {
		if s.in(i) {
			y[i] = v
		}
	}
}

// convolve applies G in place.
func (s *Smoother) convolve(a []float64) {
	inner := len(a)
	for d, n := range s.shape {
		inner /= n
		if s.kernels[d].radius > 0 {
			s.kernels[d].alongAxis(a, n, inner)
		}
	}
}

// gaussian is a truncated Gaussian of unit sum on a line of cells, zero beyond its ends.
type gaussian struct {
	radius int
	weight []float64 // [radius+1], from the centre outwards
	// Wide kernels are applied by Fourier transforms of lines padded to this length, so that the cost hardly grows with the width.
	padded int
	gain   []float64
}

// widestDirect is the radius in cells from which the transforms are faster (about 60 ns a cell against 1 ns a weight).
const widestDirect = 64

// newGaussian returns the kernel of standard deviation sigma, in cells, for lines of n cells.
func newGaussian(sigma float64, n int) gaussian {
	radius := int(min(math.Ceil(4*sigma), float64(n-1))) // beyond n-1 no cell meets another
	if sigma < 0.1 {
		radius = 0 // neighbours weigh less than 1e-21
	}
	g := gaussian{radius: radius, weight: make([]float64, radius+1)}
	sum := 0.0
	for k := range g.weight {
		g.weight[k] = 1
		if k > 0 {
			g.weight[k] = math.Exp(-0.5 * float64(k) * float64(k) / (sigma * sigma))
			sum += g.weight[k]
		}
		sum += g.weight[k]
	}
	for k := range g.weight {
		g.weight[k] /= sum
	}
	if radius < widestDirect {
		return g
	}
	g.padded = fastLength(n + radius)
	s := acquireSpectrum(g.padded)
	defer s.release()
	wrapped := make([]float64, g.padded)
	for k, w := range g.weight {
		wrapped[k] += w
		if k > 0 {
			wrapped[g.padded-k] += w
		}
	}
	s.load(wrapped)
	g.gain = make([]float64, len(s.coefficients))
	for k, c := range s.coefficients {
		g.gain[k] = real(c) / float64(g.padded)
	}
	return g
}

// alongAxis convolves all lines of n cells, inner cells apart, of an array.
func (g *gaussian) alongAxis(a []float64, n, inner int) {
	const together = 16 // lines read and written at a time, so that strided axes use whole cache lines
	block := n * inner
	groups := (inner + together - 1) / together
	parallel.Ranges(len(a)/block*groups, func(first, last int) {
		lines := make([]float64, together*n)
		scratch := make([]float64, n+2*g.radius)
		for group := first; group < last; group++ {
			at := group/groups*block + group%groups*together
			width := min(together, inner-group%groups*together)
			for i := range n {
				for j, v := range a[at+i*inner : at+i*inner+width] {
					lines[j*n+i] = v
				}
			}
			for j := range width {
				g.line(lines[j*n:(j+1)*n], scratch)
			}
			for i := range n {
				row := a[at+i*inner : at+i*inner+width]
				for j := range row {
					row[j] = lines[j*n+i]
				}
			}
		}
	})
}

// line convolves one line in place; scratch has 2·radius cells more.
func (g *gaussian) line(x, scratch []float64) {
	if g.gain != nil {
		s := acquireSpectrum(g.padded)
		defer s.release()
		s.load(x)
		for k, v := range g.gain {
			s.coefficients[k] *= complex(v, 0)
		}
		s.back()
		copy(x, s.trace)
		return
	}
	r := g.radius
	clear(scratch[:r])
	clear(scratch[r+copy(scratch[r:], x):])
	i := 0
	for ; i+4 <= len(x); i += 4 { // four sums at a time, as each alone would wait for its last addition
		var a, b, c, d float64
		for k, w := range g.weight {
			left, right := (*[4]float64)(scratch[i+r-k:]), (*[4]float64)(scratch[i+r+k:])
			if k == 0 {
				w *= 0.5 // the centre is met from both sides
			}
			a += w * (left[0] + right[0])
			b += w * (left[1] + right[1])
			c += w * (left[2] + right[2])
			d += w * (left[3] + right[3])
		}
		x[i], x[i+1], x[i+2], x[i+3] = a, b, c, d
	}
	for ; i < len(x); i++ {
		sum := g.weight[0] * scratch[i+r]
		for k := 1; k <= r; k++ {
			sum += g.weight[k] * (scratch[i+r-k] + scratch[i+r+k])
		}
		x[i] = sum
	}
}

// StartSmooth returns a start model: the slowness of vp (m/s) smoothed with the standard deviation sigma in m along every
// axis. Slowness, as travel times are its integrals. Cells where mask is 0 (water) keep their velocity and do not leak
// into the rest; nil is a mask of ones.
func StartSmooth(vp, mask []float32, shape []int, spacing []float64, sigma float64) ([]float32, error) {
	all := make([]float64, len(shape))
	for d := range all {
		all[d] = sigma
	}
	s, err := NewSmoother(shape, spacing, all, mask)
	if err != nil {
		return nil, fmt.Errorf("start model: %w", err)
	}
	if len(vp) != s.Cells() {
		return nil, fmt.Errorf("start model: the velocity model has %d cells, the grid %v has %d", len(vp), shape, s.Cells())
	}
	slowness := make([]float32, len(vp))
	for i, v := range vp {
		if !(v > 0) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("start model: the velocity of cell %d is %g m/s", i, v)
		}
		slowness[i] = 1 / v
	}
	s.Apply(slowness, slowness)
	out := make([]float32, len(vp))
	for i, v := range vp {
		if s.in(i) {
			v = 1 / slowness[i]
		}
		out[i] = v
	}
	return out, nil
}

// StartGradient returns a start model v = intercept + slope·z with z in m below the first row, the least-squares fit to
// vp (m/s) where mask is not 0. It keeps within the velocities found there; other cells keep theirs. nil is a mask of ones.
func StartGradient(vp, mask []float32, shape []int, spacing []float64) (model []float32, intercept, slope float64, err error) {
	n := 1
	for _, cells := range shape {
		n *= cells
	}
	if len(shape) == 0 || len(spacing) != len(shape) || n == 0 || len(vp) != n || mask != nil && len(mask) != n {
		return nil, 0, 0, fmt.Errorf("start model: a grid %v with spacings %v m does not fit a model of %d cells and a mask of %d", shape, spacing, len(vp), len(mask))
	}
	row := n / shape[0]
	depth := func(i int) float64 { return float64(i/row) * spacing[0] }
	free := func(i int) bool { return mask == nil || mask[i] != 0 }
	var count, meanZ, meanV float64
	low, high := float32(math.Inf(1)), float32(math.Inf(-1))
	for i, v := range vp {
		if free(i) {
			count++
			meanZ += depth(i)
			meanV += float64(v)
			low, high = min(low, v), max(high, v)
		}
	}
	if count == 0 {
		return nil, 0, 0, fmt.Errorf("start model: the mask freezes all %d cells", n)
	}
	if !(low > 0) || math.IsInf(float64(high), 0) || math.IsNaN(meanV) {
		return nil, 0, 0, fmt.Errorf("start model: the velocities lie between %g and %g m/s", low, high)
	}
	meanZ /= count
	meanV /= count
	var zz, zv float64
	for i, v := range vp {
		if free(i) {
			z := depth(i) - meanZ
			zz += z * z
			zv += z * (float64(v) - meanV)
		}
	}
	if zz > 0 {
		slope = zv / zz
	}
	intercept = meanV - slope*meanZ
	model = make([]float32, n)
	for i, v := range vp {
		if free(i) {
			v = min(max(float32(intercept+slope*depth(i)), low), high)
		}
		model[i] = v
	}
	return model, intercept, slope, nil
}
