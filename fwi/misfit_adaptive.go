package fwi

import "math"

// adaptive is adaptive waveform inversion (Warner & Guasch 2016, Geophysics 81, R429): the filter that turns the synthetic trace
// into the observed one should be a spike at zero lag. Of the traces p and d, each divided by its norm, take the Wiener filter
// that leans towards the spike,
//
//	w = argmin ‖p * w - d‖² + ε ‖w - δ‖²,   W = (P̄ D + ε)/(|P|² + ε),
//
// so that e = w - δ vanishes where the traces agree. The misfit is ½ Σ T² e² / ‖|D|²/(|D|² + ε)‖² with T the lag in seconds: for a trace
// delayed by τ it grows as τ², however many periods τ lasts. With q = |P|² + ε, E = P̄ (D - P)/q and G the spectrum of ∂J/∂e,
//
//	A = Ḡ C₁ + G C̄₂,   C₁ = ((D - P) - E P)/q,   C₂ = -P̄ (1 + E)/q
//
// is the spectrum of the adjoint source of p; the norm of the synthetic trace projects it.
type adaptive struct{}

// ε in units of the largest |D|²: the filter is told by the band that the observed trace has.
const adaptiveFloor = 0.02

// adaptiveLag is the lag in s beyond which lags count no more: filters between traces of several arrivals hold lags between different ones.
const adaptiveLag = 1.0

func newAdaptive(MisfitOptions) (traceMisfit, error) { return adaptive{}, nil }

func (adaptive) trace(b *traceBuffers, dt, _ float64) float64 {
	nt := len(b.observed)
	n := fastLength(2 * nt)
	pp, dd := traceEnergy(b.synthetic), traceEnergy(b.observed)
	if pp <= silentTrace*dd {
		clear(b.adjoint)
		return 0.5 * adaptiveLag * adaptiveLag
	}
	p, d, work := acquireSpectrum(n), acquireSpectrum(n), acquireSpectrum(n)
	defer p.release()
	defer d.release()
	defer work.release()
	p.load(b.synthetic)
	d.load(b.observed)
	scaleP, scaleD := complex(1/math.Sqrt(pp), 0), complex(1/math.Sqrt(dd), 0)
	var floor float64
	for k := range d.coefficients {
		p.coefficients[k] *= scaleP
		d.coefficients[k] *= scaleD
		floor = max(floor, square(d.coefficients[k]))
	}
	floor *= adaptiveFloor
	var norm float64
	for k, dk := range d.coefficients {
		pk := p.coefficients[k]
		work.coefficients[k] = conj(pk) * (dk - pk) / complex(square(pk)+floor, 0)
		s := square(dk) / (square(dk) + floor)
		if k == 0 || 2*k == n {
			norm += s * s
		} else {
			norm += 2 * s * s
		}
	}
	norm /= float64(n)
	work.back()
	var sum float64
	for i, v := range work.trace {
		lag := float64(min(i, n-i)) * dt
		lag = min(lag, adaptiveLag)
		e := v / float64(n)
		g := lag * lag * e / norm
		sum += g * e
		work.trace[i] = g
	}
	e := make([]complex128, len(work.coefficients))
	for k, dk := range d.coefficients {
		pk := p.coefficients[k]
		e[k] = conj(pk) * (dk - pk) / complex(square(pk)+floor, 0)
	}
	work.fft.Coefficients(work.coefficients, work.trace)
	for k, g := range work.coefficients {
		pk, dk := p.coefficients[k], d.coefficients[k]
		q := complex(square(pk)+floor, 0)
		c1, c2 := ((dk-pk)-e[k]*pk)/q, -conj(pk)*(1+e[k])/q
		work.coefficients[k] = conj(g)*c1 + g*conj(c2)
	}
	work.store(b.adjoint)
	var along float64
	root := math.Sqrt(pp)
	for i, s := range b.synthetic {
		along += s / root * b.adjoint[i]
	}
	for i, s := range b.synthetic {
		b.adjoint[i] = (b.adjoint[i] - along*s/root) / root
	}
	return 0.5 * sum
}

func square(c complex128) float64 { return real(c)*real(c) + imag(c)*imag(c) }

func conj(c complex128) complex128 { return complex(real(c), -imag(c)) }
