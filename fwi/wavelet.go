package fwi

import (
	"context"
	"fmt"
	"math"
	"math/cmplx"

	"gonum.org/v1/gonum/dsp/fourier"
)

// fitWavelet replaces the stage's wavelets by those with which a model's data fit best. It costs a wave solve.
func (l *level) fitWavelet(ctx context.Context, vp []float32) ([]float32, error) {
	for i := range l.survey.Shots {
		l.survey.Shots[i].Wavelets = l.wavelets[i]
	}
	factor, err := l.estimateWavelet(ctx, vp)
	if err == nil {
		l.applyWavelet(factor)
	}
	return factor, err
}

// estimateWavelet returns the filter, in the frequency domain as real and imaginary parts in turn, that fits the synthetic data of a model best
// to the observed ones when applied to the wavelet of every shot (Pratt 1999, Geophysics 64, 888-901):
//
//	w(f) = Σ conj(s) d / (Σ |s|² + ε)
//
// Where the configuration bounds its length, it is cut to that many seconds before and after time zero: a filter as long as the record would explain multiples
// and reflections.
func (l *level) estimateWavelet(ctx context.Context, vp []float32) ([]float32, error) {
	gathers, err := l.propagator.Forward(ctx, vp, l.survey.AllShots())
	if err != nil {
		return nil, fmt.Errorf("wavelet estimation: %w", err)
	}
	nt := l.survey.NT
	n := filterLength(nt)
	fft := fourier.NewFFT(n)
	numerator, power := make([]complex128, n/2+1), make([]float64, n/2+1)
	s, d := make([]float64, n), make([]float64, n)
	var cs, cd []complex128
	for i, g := range gathers {
		for r := range len(g) / nt {
			weight := 1.0
			if l.weights[i] != nil {
				weight = float64(l.weights[i][r])
			}
			if weight == 0 || allZero(l.observed[i][r*nt:(r+1)*nt]) {
				continue // a dead trace would say that the source was silent
			}
			for t := range nt {
				s[t], d[t] = float64(g[r*nt+t]), float64(l.observed[i][r*nt+t])
			}
			cs, cd = fft.Coefficients(cs, s), fft.Coefficients(cd, d)
			for k := range numerator {
				numerator[k] += complex(weight, 0) * cmplx.Conj(cs[k]) * cd[k]
				power[k] += weight * real(cs[k]*cmplx.Conj(cs[k]))
			}
		}
	}
	var peak float64
	for _, p := range power {
		peak = max(peak, p)
	}
	if peak == 0 {
		return nil, fmt.Errorf("wavelet estimation: the synthetic data are zero")
	}
	for k := range numerator {
		numerator[k] /= complex(power[k]+1e-3*peak, 0)
	}
	if l.waveletLength > 0 {
		// in time, where negative lags stand at the end
		filter := fft.Sequence(nil, numerator)
		for t := range filter {
			lag := float64(min(t, n-t)) * l.survey.DT
			beyond := min(max((lag-0.75*l.waveletLength)/(0.25*l.waveletLength), 0), 1)
			filter[t] *= (0.5 + 0.5*math.Cos(math.Pi*beyond)) / float64(n)
		}
		numerator = fft.Coefficients(numerator, filter)
	}
	out := make([]float32, 0, n+2)
	for _, w := range numerator {
		out = append(out, float32(real(w)), float32(imag(w)))
	}
	return out, nil
}

// filterLength is the length of the transforms of traces of nt samples: twice as long, so that nothing wraps round.
func filterLength(nt int) int { return fastLength(2 * nt) }

// applyWavelet makes the wavelets of every shot those of the problem, filtered with an estimated factor.
func (l *level) applyWavelet(factor []float32) {
	nt := l.survey.NT
	n := filterLength(nt)
	fft := fourier.NewFFT(n)
	done := map[*float32][]float32{}
	for i := range l.survey.Shots {
		shot := &l.survey.Shots[i]
		filtered := make([][]float32, len(l.wavelets[i]))
		for k, w := range l.wavelets[i] {
			if done[&w[0]] == nil {
				in := make([]float64, n)
				for t, v := range w {
					in[t] = float64(v)
				}
				c := fft.Coefficients(nil, in)
				for j := range c {
					c[j] *= complex(float64(factor[2*j]), float64(factor[2*j+1])) / complex(float64(n), 0)
				}
				long := fft.Sequence(nil, c)
				out := make([]float32, nt)
				for t := range out {
					out[t] = float32(long[t])
				}
				done[&w[0]] = out
			}
			filtered[k] = done[&w[0]]
		}
		shot.Wavelets = filtered
	}
}
