package fwi

import (
	"fmt"
	"math"
)

// correlation is 1 - ⟨s, d⟩/(‖s‖ ‖d‖) of each trace (Choi & Alkhalifah 2012): it sees the phase, not the amplitude, and lies
// in [0, 2]. The sampling interval cancels. Where the synthetic is silent the correlation is taken as zero and so is its gradient.
type correlation struct{}

// Below this ratio of energies a synthetic trace is silent: its direction is round-off.
const silentTrace = 1e-20

func newCorrelation(MisfitOptions) (traceMisfit, error) { return correlation{}, nil }

func (correlation) trace(b *traceBuffers, _, _ float64) float64 {
	var ss, sd, dd float64
	for i, s := range b.synthetic {
		d := b.observed[i]
		ss += s * s
		sd += s * d
		dd += d * d
	}
	if ss <= silentTrace*dd {
		clear(b.adjoint)
		return 1
	}
	norm := math.Sqrt(ss) * math.Sqrt(dd)
	for i, s := range b.synthetic {
		b.adjoint[i] = (s*sd/ss - b.observed[i]) / norm
	}
	return 1 - sd/norm
}

// envelope compares E[s] = √(s² + H[s]² + ε²), H the Hilbert transform, with E[d] (Bozdağ, Trampert & Tromp 2011). Envelopes hold
// the low frequencies that the band-limited trace lacks (Wu, Luo & Wu 2014), so they skip no cycles as early.
// With a = ∂J/∂E / E the adjoint source is a s + Hᵀ[a H[s]], and Hᵀ = -H.
type envelope struct {
	power int
}

// ε as a fraction of the RMS of the observed trace: where both envelopes vanish, a has no pole.
const envelopeFloor = 0.01

func newEnvelope(o MisfitOptions) (traceMisfit, error) {
	switch o.EnvelopePower {
	case 0, 1:
		return envelope{1}, nil
	case 2:
		return envelope{2}, nil
	}
	return nil, fmt.Errorf("the power of the envelope is 1 or 2, not %d", o.EnvelopePower)
}

func (m envelope) trace(b *traceBuffers, dt, _ float64) float64 {
	nt := len(b.observed)
	floor := envelopeFloor * envelopeFloor * traceEnergy(b.observed) / float64(nt)
	hilbert(b.quadrature, b.observed)
	for i, d := range b.observed {
		b.envelope[i] = d*d + b.quadrature[i]*b.quadrature[i] + floor
	}
	hilbert(b.quadrature, b.synthetic)
	var sum float64
	for i, s := range b.synthetic {
		q := b.quadrature[i]
		square := s*s + q*q + floor
		var difference, a float64
		if m.power == 1 {
			root := math.Sqrt(square)
			difference = root - math.Sqrt(b.envelope[i])
			a = difference / root
		} else {
			difference = square - b.envelope[i]
			a = 2 * difference
		}
		sum += difference * difference
		b.adjoint[i] = a * s
		b.work[i] = a * q
	}
	hilbert(b.quadrature, b.work)
	for i, q := range b.quadrature {
		b.adjoint[i] = (b.adjoint[i] - q) * dt
	}
	return 0.5 * sum * dt
}

// hilbert writes the Hilbert transform of src to dst (not the same slice). The trace is padded by half its length, so that
// what wraps round is the far tail of an oscillating trace. Cropping is the transpose of padding: the operator is antisymmetric.
func hilbert(dst, src []float64) {
	s := acquireSpectrum(fastLength(len(src) + len(src)/2 + 1))
	defer s.release()
	s.load(src)
	last := len(s.coefficients) - 1
	for k, c := range s.coefficients {
		if k == 0 || k == last && s.fft.Len()%2 == 0 {
			s.coefficients[k] = 0 // neither the mean nor Nyquist has a quadrature
			continue
		}
		s.coefficients[k] = complex(imag(c), -real(c))
	}
	s.store(dst)
}
