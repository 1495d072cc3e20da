package fwi

import (
	"fmt"
	"math"
	"strings"
)

// Multiply writes src weighted cell by cell to dst, which may be src: a mask, a taper, an illumination or depth weight.
func Multiply(dst, src, weight []float32) {
	for i, v := range src {
		dst[i] = v * weight[i]
	}
}

// Normalise writes src divided by its largest magnitude to dst, which may be src. It is not linear. Zeros stay.
func Normalise(dst, src []float32) {
	var peak float32
	for _, v := range src {
		peak = max(peak, v, -v)
	}
	if peak == 0 {
		clear(dst)
		return
	}
	for i, v := range src {
		dst[i] = v / peak
	}
}

// Clip writes src limited to magnitudes up to limit to dst, which may be src. It is not linear.
func Clip(dst, src []float32, limit float32) {
	for i, v := range src {
		dst[i] = min(max(v, -limit), limit)
	}
}

// IlluminationWeight returns ((S/m + floor)/(1 + floor))^-power for the illumination S, not negative, and its mean m over the
// cells where mask is not 0 (nil: all): about 1 where the illumination is average, large where it is weak, floor^-power at most. Of
// an illumination of zeros it returns ones.
func IlluminationWeight(illumination, mask []float32, power, floor float64) ([]float32, error) {
	if !(floor > 0) || math.IsInf(floor, 0) || math.IsNaN(power) || math.IsInf(power, 0) {
		return nil, fmt.Errorf("the illumination weight needs a positive floor and a finite power, not %g and %g", floor, power)
	}
	if mask != nil && len(mask) != len(illumination) {
		return nil, fmt.Errorf("the illumination has %d cells, its mask %d", len(illumination), len(mask))
	}
	var sum float64
	count := 0
	for i, s := range illumination {
		if !(s >= 0) || math.IsInf(float64(s), 0) {
			return nil, fmt.Errorf("the illumination of cell %d is %g", i, s)
		}
		if mask == nil || mask[i] != 0 {
			sum += float64(s)
			count++
		}
	}
	weight := make([]float32, len(illumination))
	for i, s := range illumination {
		weight[i] = 1
		if sum > 0 {
			weight[i] = float32(math.Pow((float64(s)*float64(count)/sum+floor)/(1+floor), -power))
		}
	}
	return weight, nil
}

// DepthWeight returns (row/rows)^power for each cell of a grid of the given shape, rows counted from 1 at the top: 1 at the
// base, where amplitudes are weak, less above.
func DepthWeight(shape []int, power float64) []float32 {
	n := 1
	for _, cells := range shape {
		n *= cells
	}
	weight := make([]float32, n)
	for i := range weight {
		row := i/(n/shape[0]) + 1
		weight[i] = float32(math.Pow(float64(row)/float64(shape[0]), power))
	}
	return weight
}

// PreconditionerOptions choose the factors of a Preconditioner.
type PreconditionerOptions struct {
	Shape   []int     // of the grid, (z, x) or (z, y, x)
	Spacing []float64 // m per axis

	// Mask weights the cells between 0, frozen, and 1; between them it is a taper. Nil: ones.
	Mask []float32
	// IlluminationPower raises the illumination to -IlluminationPower; zero leaves it out.
	IlluminationPower float64
	// IlluminationFloor is added to the illumination divided by its mean. Zero: 0.01.
	IlluminationFloor float64
	// IlluminationSmoothing is the standard deviation in m of the smoothing of the illumination; zero: none.
	IlluminationSmoothing float64
	// Reach multiplies the illumination: what the receivers hear of each cell. Nil: ones.
	Reach []float32
	// DepthPower raises the relative depth to DepthPower; zero leaves it out.
	DepthPower float64
	// Smoothing is the standard deviation of the smoothing in m per axis; nil: none.
	Smoothing []float64
}

// Preconditioner is the linear, symmetric, positive operator
//
//	P = W S Sᵀ W,   W = √(mask · illumination weight · depth weight)
//
// with S the smoother, of 1/√2 of the standard deviation because it is applied twice: what L-BFGS can take as its initial inverse
// Hessian. It is positive on the cells of the mask and zero elsewhere.
type Preconditioner struct {
	o            PreconditionerOptions
	fixed        []float32 // √(mask · depth weight)
	root         []float32 // W
	smoother     *Smoother // nil: none
	illumination *Smoother // nil: none
}

// NewPreconditioner returns a preconditioner whose illumination weight is one until SetIllumination.
func NewPreconditioner(o PreconditionerOptions) (*Preconditioner, error) {
	if o.IlluminationFloor == 0 {
		o.IlluminationFloor = 0.01
	}
	n := 1
	for _, cells := range o.Shape {
		n *= cells
	}
	if len(o.Shape) == 0 || n < 1 || len(o.Spacing) != len(o.Shape) || o.Mask != nil && len(o.Mask) != n {
		return nil, fmt.Errorf("preconditioner: a grid %v with spacings %v m does not fit a mask of %d cells", o.Shape, o.Spacing, len(o.Mask))
	}
	if o.Reach != nil && len(o.Reach) != n {
		return nil, fmt.Errorf("preconditioner: the receivers' reach has %d cells, the grid %v has %d", len(o.Reach), o.Shape, n)
	}
	if !(o.IlluminationFloor > 0) || !(o.IlluminationSmoothing >= 0) || !isFinite(o.IlluminationPower) || !isFinite(o.DepthPower) {
		return nil, fmt.Errorf("preconditioner: illumination power %g, floor %g, smoothing %g m or depth power %g is impossible",
			o.IlluminationPower, o.IlluminationFloor, o.IlluminationSmoothing, o.DepthPower)
	}
	p := &Preconditioner{o: o, fixed: DepthWeight(o.Shape, o.DepthPower)}
	for i, v := range p.fixed {
		if o.Mask != nil {
			if m := o.Mask[i]; !(m >= 0 && m <= 1) {
				return nil, fmt.Errorf("preconditioner: the mask of cell %d is %g, not between 0 and 1", i, m)
			}
			v *= o.Mask[i]
		}
		p.fixed[i] = float32(math.Sqrt(float64(v)))
	}
	p.root = p.fixed
	var err error
	if o.Smoothing != nil {
		half := make([]float64, len(o.Smoothing))
		for d, sigma := range o.Smoothing {
			half[d] = sigma / math.Sqrt2
		}
		if p.smoother, err = NewSmoother(o.Shape, o.Spacing, half, o.Mask); err != nil {
			return nil, fmt.Errorf("preconditioner: %w", err)
		}
	}
	if o.IlluminationSmoothing > 0 {
		sigma := make([]float64, len(o.Shape))
		for d := range sigma {
			sigma[d] = o.IlluminationSmoothing
		}
		if p.illumination, err = NewSmoother(o.Shape, o.Spacing, sigma, o.Mask); err != nil {
			return nil, fmt.Errorf("preconditioner: %w", err)
		}
	}
	return p, nil
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// SetIllumination takes a new illumination, not negative, one value a cell.
func (p *Preconditioner) SetIllumination(illumination []float32) error {
	if len(illumination) != len(p.fixed) {
		return fmt.Errorf("preconditioner: the illumination has %d cells, the grid %v has %d", len(illumination), p.o.Shape, len(p.fixed))
	}
	if p.o.IlluminationPower == 0 {
		return nil
	}
	if p.o.Reach != nil {
		heard := make([]float32, len(illumination))
		Multiply(heard, illumination, p.o.Reach)
		illumination = heard
	}
	if p.illumination != nil {
		smooth := make([]float32, len(illumination))
		p.illumination.Apply(smooth, illumination)
		illumination = smooth
	}
	weight, err := IlluminationWeight(illumination, p.o.Mask, p.o.IlluminationPower, p.o.IlluminationFloor)
	if err != nil {
		return fmt.Errorf("preconditioner: %w", err)
	}
	root := make([]float32, len(weight))
	for i, w := range weight {
		root[i] = p.fixed[i] * float32(math.Sqrt(float64(w)))
	}
	p.root = root
	return nil
}

// Apply writes P·gradient to dst, which may be gradient. It fits MethodOptions.Precondition.
func (p *Preconditioner) Apply(dst, gradient []float32) {
	Multiply(dst, gradient, p.root)
	if p.smoother != nil {
		p.smoother.Adjoint(dst, dst)
		p.smoother.Apply(dst, dst)
	}
	Multiply(dst, dst, p.root)
}

// String names the factors.
func (p *Preconditioner) String() string {
	var factors []string
	if p.o.Mask != nil {
		factors = append(factors, "mask")
	}
	if p.o.IlluminationPower != 0 {
		factors = append(factors, fmt.Sprintf("illumination^-%g (floor %g)", p.o.IlluminationPower, p.o.IlluminationFloor))
	}
	if p.o.DepthPower != 0 {
		factors = append(factors, fmt.Sprintf("depth^%g", p.o.DepthPower))
	}
	if p.smoother != nil {
		factors = append(factors, fmt.Sprintf("smoothing %v m", p.o.Smoothing))
	}
	if factors == nil {
		return "none"
	}
	return strings.Join(factors, ", ")
}
