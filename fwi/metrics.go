package fwi

import (
	"errors"
	"fmt"
	"math"
)

// ModelRMS returns the root mean square of the difference of two models over the cells of a mask (nil: all), in their unit.
func ModelRMS(a, b []float32, mask []bool) (float64, error) {
	if len(a) != len(b) || mask != nil && len(mask) != len(a) {
		return 0, fmt.Errorf("models of %d and %d cells with a mask of %d cannot be compared", len(a), len(b), len(mask))
	}
	var sum float64
	count := 0
	for i, v := range a {
		if mask == nil || mask[i] {
			d := float64(v) - float64(b[i])
			sum += d * d
			count++
		}
	}
	if count == 0 {
		return 0, errors.New("the mask leaves no cell to compare")
	}
	return math.Sqrt(sum / float64(count)), nil
}

const (
	ssimRadius = 5 // windows of 11 × 11 cells
	ssimSigma  = 1.5
	ssimK1     = 0.01
	ssimK2     = 0.03
)

// SSIM returns the mean structural similarity of a model to the truth, both of the given shape (Wang, Bovik, Sheikh & Simoncelli 2004): Gaussian
// windows of 11 × 11 cells and standard deviation 1.5, K1 = 0.01, K2 = 0.03, in z and x; of a model [nz, ny, nx] the mean runs over all its
// sections along x, so that figures of 2D and 3D compare. dataRange is L in the stabilising constants
// (K L)²; zero takes the range of the truth in the mask. The mean runs over the windows inside the grid whose centre lies in the mask
// (nil: all); the windows themselves also see cells outside the mask.
func SSIM(model, truth []float32, mask []bool, shape []int, dataRange float64) (float64, error) {
	n := 1
	for _, cells := range shape {
		n *= cells
	}
	if len(shape) < 2 || len(model) != n || len(truth) != n || mask != nil && len(mask) != n {
		return 0, fmt.Errorf("models of %d and %d cells with a mask of %d are not of the shape %v", len(model), len(truth), len(mask), shape)
	}
	if dataRange == 0 {
		low, high := math.Inf(1), math.Inf(-1)
		for i, v := range truth {
			if mask == nil || mask[i] {
				low, high = min(low, float64(v)), max(high, float64(v))
			}
		}
		dataRange = high - low
	}
	if !(dataRange > 0) || math.IsInf(dataRange, 0) {
		return 0, fmt.Errorf("the structural similarity needs a positive range of values, not %g", dataRange)
	}
	s := newSimilarity(model, truth, mask, dataRange)
	nz, nx := shape[0], shape[len(shape)-1]
	columns := n / nz
	for first := 0; first < columns; first += nx {
		s.section(first, nz, nx, columns)
	}
	if s.count == 0 {
		return 0, fmt.Errorf("no window of %d by %d cells of a model of shape %v has its centre in the mask", 2*ssimRadius+1, 2*ssimRadius+1, shape)
	}
	return s.total / float64(s.count), nil
}

// similarity sums the structural similarity over sections.
type similarity struct {
	model, truth []float32
	mask         []bool
	weight       [2*ssimRadius + 1]float64
	c1, c2       float64
	total        float64
	count        int // of windows
}

func newSimilarity(model, truth []float32, mask []bool, dataRange float64) *similarity {
	s := &similarity{model: model, truth: truth, mask: mask, c1: math.Pow(ssimK1*dataRange, 2), c2: math.Pow(ssimK2*dataRange, 2)}
	var sum float64
	for k := range s.weight {
		d := float64(k - ssimRadius)
		s.weight[k] = math.Exp(-0.5 * d * d / (ssimSigma * ssimSigma))
		sum += s.weight[k]
	}
	for k := range s.weight {
		s.weight[k] /= sum
	}
	return s
}

// section adds the windows of the section [nz, nx] whose first cell is given and whose rows are columns cells apart.
func (s *similarity) section(first, nz, nx, columns int) {
	// The Gaussian is separable: moments are filtered along x, then along z.
	type moments struct{ a, b, aa, bb, ab float64 }
	add := func(m *moments, w float64, o moments) {
		m.a += w * o.a
		m.b += w * o.b
		m.aa += w * o.aa
		m.bb += w * o.bb
		m.ab += w * o.ab
	}
	middle := float64(s.truth[0]) // variances do not depend on it; it keeps their differences from cancelling
	along := make([]moments, nz*nx)
	for iz := range nz {
		row := first + iz*columns
		for ix := ssimRadius; ix < nx-ssimRadius; ix++ {
			for k, w := range s.weight {
				i := row + ix + k - ssimRadius
				a, b := float64(s.model[i])-middle, float64(s.truth[i])-middle
				add(&along[iz*nx+ix], w, moments{a, b, a * a, b * b, a * b})
			}
		}
	}
	for iz := ssimRadius; iz < nz-ssimRadius; iz++ {
		for ix := ssimRadius; ix < nx-ssimRadius; ix++ {
			if s.mask != nil && !s.mask[first+iz*columns+ix] {
				continue
			}
			var m moments
			for k, w := range s.weight {
				add(&m, w, along[(iz+k-ssimRadius)*nx+ix])
			}
			varA, varB, cov := m.aa-m.a*m.a, m.bb-m.b*m.b, m.ab-m.a*m.b
			a, b := m.a+middle, m.b+middle
			s.total += (2*a*b + s.c1) * (2*cov + s.c2) / ((a*a + b*b + s.c1) * (varA + varB + s.c2))
			s.count++
		}
	}
}
