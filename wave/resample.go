package wave

import "math"

// Resampler converts traces between sampling intervals by band-limited interpolation: a Kaiser-windowed sinc that cuts at
// the lower Nyquist frequency (flat to 1e-4 below 0.8 of it). Both samplings begin at time zero.
type Resampler[T float32 | float64] struct {
	in, out int
	begin   []int32 // first input sample of each output sample
	weight  [][]T
}

const (
	resampleHalfWidth = 16  // samples of the coarser sampling
	resampleBeta      = 9.0 // Kaiser window: side lobes below 1e-4
)

// NewResampler returns the operator from nin samples every dtIn seconds to nout samples every dtOut seconds.
func NewResampler[T float32 | float64](nin int, dtIn float64, nout int, dtOut float64) *Resampler[T] {
	r := &Resampler[T]{in: nin, out: nout}
	if sameInterval(dtIn, dtOut) {
		return r
	}
	coarse := max(dtIn, dtOut)
	reach := resampleHalfWidth * coarse
	r.begin = make([]int32, nout)
	r.weight = make([][]T, nout)
	for i := range nout {
		t := float64(i) * dtOut
		first := max(0, int(math.Ceil((t-reach)/dtIn)))
		last := min(nin-1, int(math.Floor((t+reach)/dtIn)))
		r.begin[i] = int32(first)
		for j := first; j <= last; j++ {
			x := (t - float64(j)*dtIn) / coarse
			r.weight[i] = append(r.weight[i], T(dtIn/coarse*sinc(x)*kaiser(x/resampleHalfWidth, resampleBeta)))
		}
	}
	return r
}

func sameInterval(a, b float64) bool { return math.Abs(a-b) <= 1e-9*a }

// Identity reports whether the operator copies.
func (r *Resampler[T]) Identity() bool { return r.weight == nil }

// Apply writes the resampled trace to out; in has nin samples and out nout. Samples of one trace are stride apart.
func (r *Resampler[T]) Apply(out []T, outStride int, in []T, inStride int) {
	if r.Identity() {
		for i := range r.out {
			if i < r.in {
				out[i*outStride] = in[i*inStride]
			} else {
				out[i*outStride] = 0
			}
		}
		return
	}
	for i, w := range r.weight {
		var sum T
		at := int(r.begin[i]) * inStride
		for _, x := range w {
			sum += x * in[at]
			at += inStride
		}
		out[i*outStride] = sum
	}
}

// Adjoint writes the transpose of Apply: in has nout samples and out nin.
func (r *Resampler[T]) Adjoint(out []T, outStride int, in []T, inStride int) {
	for j := range r.in {
		out[j*outStride] = 0
	}
	if r.Identity() {
		for i := range min(r.in, r.out) {
			out[i*outStride] = in[i*inStride]
		}
		return
	}
	for i, w := range r.weight {
		v := in[i*inStride]
		at := int(r.begin[i]) * outStride
		for _, x := range w {
			out[at] += x * v
			at += outStride
		}
	}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser returns the Kaiser window at x in [-1, 1], zero outside.
func kaiser(x, beta float64) float64 {
	if x < -1 || x > 1 {
		return 0
	}
	return bessel0(beta*math.Sqrt(1-x*x)) / bessel0(beta)
}

// bessel0 is the modified Bessel function I0, by its power series.
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1; k < 200 && term > 1e-18*sum; k++ {
		term *= (x / 2) * (x / 2) / float64(k*k)
		sum += term
	}
	return sum
}
