package fwi

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// stopBand is the level to which a filter is taken to fall for the phase that makes it causal.
const stopBand = 1e-4

// minimumPhase returns the phases at n frequencies from 0, df Hz apart, with which a filter of the given amplitudes is causal and as early as
// can be: minus the Hilbert transform of the logarithm of the amplitude (Oppenheim & Schafer 1989, section 12.4), by way of the cepstrum.
func minimumPhase(amplitude func(float64) float64, df float64, n int) []float64 {
	const finer = 16 // quefrencies wrap round after finer/df
	half := 1
	for half < 4*n*finer {
		half *= 2
	}
	fft := fourier.NewCmplxFFT(2 * half)
	c := make([]complex128, 2*half)
	for k := range half + 1 {
		a := complex(math.Log(max(amplitude(float64(k)*df/finer), stopBand)), 0)
		c[k] = a
		if k > 0 && k < half {
			c[2*half-k] = a
		}
	}
	fft.Sequence(c, c)
	for q := range c {
		switch {
		case q == 0 || q == half:
		case q < half:
			c[q] *= 2
		default:
			c[q] = 0
		}
	}
	fft.Coefficients(c, c)
	phase := make([]float64, n)
	for k := range phase {
		phase[k] = imag(c[k*finer]) / float64(2*half)
	}
	return phase
}
