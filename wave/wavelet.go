package wave

import (
	"fmt"
	"math"
	"math/cmplx"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Ricker returns nt samples, dt seconds apart, of a Ricker wavelet of the given peak frequency in Hz and amplitude 1 at
// delay seconds (1.2/peak or more lets it start from nothing).
func Ricker(peak, dt float64, nt int, delay float64) []float32 {
	w := make([]float32, nt)
	for n := range w {
		a := math.Pi * peak * (float64(n)*dt - delay)
		w[n] = float32((1 - 2*a*a) * math.Exp(-a*a))
	}
	return w
}

// Ormsby returns nt samples, dt seconds apart, of the zero-phase wavelet with a trapezoid for its amplitude spectrum: rising from f1 to f2, flat
// to f3, falling to f4 (Hz), with cosine flanks so that it is short. Its peak, 1, is at delay seconds; outside
// [f1, f4] its spectrum is zero but for truncation.
func Ormsby(f1, f2, f3, f4, dt float64, nt int, delay float64) ([]float32, error) {
	if !(0 <= f1 && f1 <= f2 && f2 <= f3 && f3 <= f4 && f4 < 0.5/dt) {
		return nil, fmt.Errorf("an Ormsby wavelet needs 0 ≤ f1 ≤ f2 ≤ f3 ≤ f4 < Nyquist, not %g, %g, %g, %g Hz with Nyquist %g Hz", f1, f2, f3, f4, 0.5/dt)
	}
	n := 8
	for n < 4*nt {
		n *= 2
	}
	fft := fourier.NewFFT(n)
	spectrum := make([]complex128, n/2+1)
	for i := range spectrum {
		f := float64(i) / (float64(n) * dt)
		a := 0.0
		switch {
		case f >= f2 && f <= f3:
			a = 1
		case f > f1 && f < f2:
			a = 0.5 - 0.5*math.Cos(math.Pi*(f-f1)/(f2-f1))
		case f > f3 && f < f4:
			a = 0.5 + 0.5*math.Cos(math.Pi*(f-f3)/(f4-f3))
		}
		spectrum[i] = complex(a, 0) * cmplx.Exp(complex(0, -2*math.Pi*f*delay))
	}
	long := fft.Sequence(nil, spectrum)
	var peak float64
	for _, v := range long {
		peak = max(peak, math.Abs(v))
	}
	if peak == 0 {
		return nil, fmt.Errorf("an Ormsby wavelet of %g, %g, %g, %g Hz is empty", f1, f2, f3, f4)
	}
	w := make([]float32, nt)
	for i := range w {
		w[i] = float32(long[i] / peak)
	}
	return w, nil
}

// Band returns the lowest and highest frequency in Hz at which the amplitude spectrum of a trace is above the given level in dB
// (negative) relative to its peak; zeros for a trace of zeros.
func Band(trace []float32, dt, decibel float64) (low, high float64) {
	n := 8
	for n < 2*len(trace) {
		n *= 2
	}
	padded := make([]float64, n)
	for i, v := range trace {
		padded[i] = float64(v)
	}
	spectrum := fourier.NewFFT(n).Coefficients(nil, padded)
	var peak float64
	for _, c := range spectrum {
		peak = max(peak, cmplx.Abs(c))
	}
	if peak == 0 {
		return 0, 0
	}
	level := peak * math.Pow(10, decibel/20)
	low = -1
	for i, c := range spectrum {
		if cmplx.Abs(c) >= level {
			f := float64(i) / (float64(n) * dt)
			if low < 0 {
				low = f
			}
			high = f
		}
	}
	return low, high
}
