package fwi

import (
	"math"

	"gofwi/internal/parallel"
)

// On Earth and in models, the wave along the surface holds a thousand times the energy of a reflection from depth. Least squares would have the
// inversion work at the last percent of the former, which no coarse grid predicts, before it hears the latter. What a discrete model
// cannot predict is about proportional to the arrivals themselves, and errors that are so want residuals in their units
// (docs/decisions/balance.md).

// balanceFloor returns the energy, in units of the mean, below which arrivals are hardly raised any further: a hundred times that of the noise,
// whose residuals the weak arrivals share, or 1e-4.
func (l *level) balanceFloor() float64 { return max(1e-4, 100*2*l.noiseMisfit()) }

// balanceGain returns (E/m + floor)^(-power/2) for each sample of some shots' gathers, with the energy E around it, over a window of about
// `width` samples to half its height, and its mean m over all traces whose weight is positive.
func balanceGain(gathers, weights [][]float32, nt, width int, power, floor float64) [][]float32 {
	out := make([][]float32, len(gathers))
	sums, counts := make([]float64, len(gathers)), make([]int, len(gathers))
	parallel.Ranges(len(gathers), func(first, last int) {
		energy, smoothed := make([]float64, nt), make([]float64, nt)
		for shot := first; shot < last; shot++ {
			gather := gathers[shot]
			out[shot] = make([]float32, len(gather))
			for at := 0; at < len(gather); at += nt {
				for i, v := range gather[at : at+nt] {
					energy[i] = float64(v) * float64(v)
				}
				for range 3 { // about a Gaussian
					movingMean(smoothed, energy, width)
					energy, smoothed = smoothed, energy
				}
				heard := weights[shot] == nil || weights[shot][at/nt] > 0
				for i, v := range energy {
					out[shot][at+i] = float32(v)
					if heard {
						sums[shot] += v
						counts[shot]++
					}
				}
			}
		}
	})
	var sum float64
	var samples int
	for shot, v := range sums {
		sum += v
		samples += counts[shot]
	}
	raise := newPowers(-power / 2)
	parallel.Ranges(len(out), func(first, last int) {
		for _, gain := range out[first:last] {
			for i, v := range gain {
				gain[i] = raise.of(float32(float64(v)*float64(samples)/sum + floor))
			}
		}
	})
	return out
}

// powers has the powers of two and of the numbers from 1 to 2 in steps of 2^-8, for one exponent.
type powers struct{ two, one []float32 }

func newPowers(exponent float64) powers {
	p := powers{make([]float32, 256), make([]float32, 1<<8+1)}
	for k := range p.two[:255] {
		p.two[k] = float32(math.Exp2(exponent * float64(k-127)))
	}
	p.two[255] = float32(math.NaN()) // infinity and NaN
	for k := range p.one {
		p.one[k] = float32(math.Pow(1+float64(k)/(1<<8), exponent))
	}
	return p
}

// of raises a positive normal number, a tenth of a microsecond sooner than math.Pow; between -1 and 1, the exponent e puts the result off by |e (e-1)| 2^-19 of it at most, besides rounding.
func (p powers) of(x float32) float32 {
	bits := math.Float32bits(x)
	k, rest := bits>>15&(1<<8-1), float32(bits&(1<<15-1))/(1<<15)
	return p.two[bits>>23] * (p.one[k] + rest*(p.one[k+1]-p.one[k]))
}

// movingMean writes the means of about width samples of src around each, zeros beyond its ends. None is negative where src is not.
func movingMean(dst, src []float64, width int) {
	half := width / 2
	var sum float64
	for i := -half; i < len(src); i++ {
		if in := i + half; in < len(src) {
			sum += src[in]
		}
		if out := i - half - 1; out >= 0 {
			sum -= src[out]
		}
		if i >= 0 {
			dst[i] = max(sum, 0) / float64(2*half+1)
		}
	}
}
