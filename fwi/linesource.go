package fwi

import (
	"fmt"
	"math"
	"math/cmplx"

	"gonum.org/v1/gonum/dsp/fourier"
)

// LineSource turns traces [n, nt] of a point source into those that a line source would have given: what a propagator in two dimensions
// models. In a homogeneous medium of velocity c the Green's functions at the distance r are
//
//	G3 = e^{iωr/c} / (4πr),    G2 ≈ e^{iωr/c} (8πωr/c)^-½ e^{iπ/4}    (far from the source),
//
// so that with r = c t their ratio is c √(2π t) (-iω)^-½: a gain of √t and half an integration in time (Bleistein 1986, Geophysical
// Prospecting 34, 686-703; Forbriger, Groos & Schäfer 2014, Geophysical Journal International 198, 1465-1484). The factor c
// √(2π) is left out: a survey's wavelet, which is estimated, absorbs it. Waves that did not travel straight are corrected approximately.
func LineSource(traces []float32, nt int, dt float64) error {
	if nt < 2 || len(traces)%nt != 0 || !(dt > 0) {
		return fmt.Errorf("line source: %d values are no traces of %d samples every %g s", len(traces), nt, dt)
	}
	n := fastLength(4 * nt) // the half integral decays as 1/√t only
	fft := fourier.NewFFT(n)
	half := make([]complex128, n/2+1) // (-iω)^-½, in the transform's convention e^{-iωt} → (iω)^-½; nothing at 0 Hz
	for k := 1; k < len(half); k++ {
		half[k] = cmplx.Pow(complex(0, 2*math.Pi*float64(k)/(float64(n)*dt)), -0.5) / complex(float64(n), 0)
	}
	long := make([]float64, n)
	var c []complex128
	for at := 0; at < len(traces); at += nt {
		trace := traces[at : at+nt]
		clear(long)
		for t, v := range trace {
			long[t] = float64(v)
		}
		c = fft.Coefficients(c, long)
		for k, h := range half {
			c[k] *= h
		}
		fft.Sequence(long, c)
		for t := range trace {
			trace[t] = float32(long[t] * math.Sqrt(float64(t)*dt))
		}
	}
	return nil
}
