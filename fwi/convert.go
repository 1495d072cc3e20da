package fwi

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/dsp/fourier"
)

// converter carries traces between physical time and the time of the scheme, filters and resamples them, all at once.
//
// Stepping with dt treats a frequency ω as if it were Ω(ω) = (2/dt) sin(ω dt/2); otherwise the scheme is exact in time. So
// if the spectra of the wavelet and of the data are both read at Ω(ω), the scheme with that wavelet gives those data: the
// dispersion of the time step is gone, to round-off, at no cost per step (Stork 2013, EAGE Expanded Abstracts; Wang & Xu
// 2015, Geophysics 80, "Finite-difference time dispersion transforms for wave propagation"). Without it a time step near the
// stability limit shifts late arrivals of the highest frequencies by a tenth of a period.
type converter struct {
	ntIn, ntOut int
	length      int       // of the inverse transform
	basis       []float32 // [2·bins, ntIn]: what the spectrum at each bin takes from each sample, real and imaginary parts
	bins        int
	fft         sync.Pool
}

// toScheme maps a frequency of the scheme with step dt to the physical one, fromScheme the other way; Hz.
func toScheme(f, dt float64) float64   { return math.Sin(math.Pi*f*dt) / (math.Pi * dt) }
func fromScheme(f, dt float64) float64 { return math.Asin(math.Pi*f*dt) / (math.Pi * dt) }

// ringing is the length of a stage filter's response in periods of its limit.
const ringing = 24

// newConverter converts ntIn samples every dtIn seconds to ntOut every dtOut. source maps an output frequency to the input frequency
// that it is read at, amplitude is the filter at that physical frequency, zero above limit (all in Hz).
func newConverter(ntIn int, dtIn float64, ntOut int, dtOut, limit float64, source, amplitude func(float64) float64, causal bool) *converter {
	// Room for what the filter rings beyond the record's end, lest it come in at the beginning.
	length := fastLength(ntOut + max(ntOut/2, int(ringing/(limit*dtOut))))
	c := &converter{ntIn: ntIn, ntOut: ntOut, length: length}
	c.bins = min(int(math.Ceil(limit*float64(length)*dtOut))+1, length/2)
	phase := make([]float64, c.bins)
	if causal {
		phase = minimumPhase(amplitude, 1/(float64(length)*dtOut), c.bins)
	}
	c.basis = make([]float32, 2*c.bins*ntIn)
	for k := range c.bins {
		f := float64(k) / (float64(length) * dtOut)
		at := source(f)
		scale := amplitude(f) * dtIn / (float64(length) * dtOut)
		re, im := c.basis[2*k*ntIn:(2*k+1)*ntIn], c.basis[(2*k+1)*ntIn:(2*k+2)*ntIn]
		for m := range ntIn {
			sin, cos := math.Sincos(phase[k] - 2*math.Pi*at*float64(m)*dtIn)
			re[m], im[m] = float32(scale*cos), float32(scale*sin)
		}
	}
	c.fft.New = func() any { return fourier.NewFFT(length) }
	return c
}

// apply converts traces [n, ntIn] to [n, ntOut]. It may be called from several goroutines.
func (c *converter) apply(traces []float32) []float32 {
	n := len(traces) / c.ntIn
	out := make([]float32, n*c.ntOut)
	if n == 0 {
		return out
	}
	spectra := blas32.General{Rows: n, Cols: 2 * c.bins, Stride: 2 * c.bins, Data: make([]float32, n*2*c.bins)}
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, blas32.General{Rows: n, Cols: c.ntIn, Stride: c.ntIn, Data: traces},
		blas32.General{Rows: 2 * c.bins, Cols: c.ntIn, Stride: c.ntIn, Data: c.basis}, 0, spectra)
	fft := c.fft.Get().(*fourier.FFT)
	defer c.fft.Put(fft)
	bins := make([]complex128, c.length/2+1)
	long := make([]float64, c.length)
	for i := range n {
		row := spectra.Data[i*2*c.bins:]
		for k := range c.bins {
			bins[k] = complex(float64(row[2*k]), float64(row[2*k+1]))
		}
		fft.Sequence(long, bins)
		for t := range c.ntOut {
			out[i*c.ntOut+t] = float32(long[t])
		}
	}
	return out
}
