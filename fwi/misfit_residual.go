package fwi

import (
	"errors"
	"fmt"
	"math"
)

// leastSquares is ½ ∫ r² dt with the residual r = s - d; its adjoint source is r dt.
type leastSquares struct{}

func newLeastSquares(MisfitOptions) (traceMisfit, error) { return leastSquares{}, nil }

func (m leastSquares) trace(b *traceBuffers, dt, level float64) float64 {
	return residualEnergy(b, m.curvature(b, dt, level))
}

func (leastSquares) curvature(_ *traceBuffers, dt, _ float64) float64 { return dt }

// residualEnergy returns ½ factor Σ r² and writes its gradient, factor·r.
func residualEnergy(b *traceBuffers, factor float64) float64 {
	var sum float64
	for i, s := range b.synthetic {
		r := s - b.observed[i]
		sum += r * r
		b.adjoint[i] = factor * r
	}
	return 0.5 * factor * sum
}

// traceNormalised divides the least squares of each trace by the energy of the observed one, so that far offsets
// count as much as near ones: ½ ∫ r² dt / (∫ d² dt + ε). Normalising s by its own energy as well would be the correlation misfit.
type traceNormalised struct{}

// A trace with less than this fraction of the gather's mean energy is mostly noise and is not raised to full weight.
const weakTrace = 1e-3

func newTraceNormalised(MisfitOptions) (traceMisfit, error) {
	return traceNormalised{}, nil
}

func (m traceNormalised) trace(b *traceBuffers, dt, level float64) float64 {
	return residualEnergy(b, m.curvature(b, dt, level))
}

func (traceNormalised) curvature(b *traceBuffers, _, level float64) float64 {
	return 1 / (traceEnergy(b.observed) + weakTrace*level*level*float64(len(b.observed)))
}

// constantCurvature is a misfit whose second derivative with respect to a sample of the synthetic trace is a number, the same for all of the trace.
type constantCurvature interface {
	traceMisfit
	curvature(b *traceBuffers, dt, level float64) float64
}

// linearised is ½ δ·C δ for a change δ of the synthetic trace, which comes in its place, and C the curvature of a quadratic misfit: its adjoint
// source is C δ.
type linearised struct{ constantCurvature }

func (m linearised) trace(b *traceBuffers, dt, level float64) float64 {
	factor := m.curvature(b, dt, level)
	clear(b.observed)
	return residualEnergy(b, factor)
}

// linearise returns the misfit that gives the products of a misfit's second derivative with changes of the synthetic gathers.
func linearise(m Misfit) (Misfit, error) {
	if g, ok := m.(gatherMisfit); ok {
		if q, ok := g.core.(constantCurvature); ok {
			return gatherMisfit{g.name, linearised{q}}, nil
		}
	}
	return nil, fmt.Errorf("the method gauss-newton needs a misfit that is quadratic in the residuals, least-squares or trace-normalised, not %s", m.Name())
}

// student is the negative logarithm of Student's t likelihood (Aravkin, van Leeuwen & Herrmann 2011), scaled to become least
// squares as σ or ν grow: ½ ν σ² ∫ log(1 + r²/(ν σ²)) dt. A residual far above σ has an adjoint source that falls as 1/r.
type student struct {
	degrees, scale float64
}

func newStudent(o MisfitOptions) (traceMisfit, error) {
	m := student{o.StudentDegrees, o.StudentScale}
	if m.degrees == 0 {
		m.degrees = 2
	}
	if !(m.degrees > 0) || math.IsInf(m.degrees, 0) || !(m.scale >= 0) || math.IsInf(m.scale, 0) {
		return nil, fmt.Errorf("degrees of freedom %g and scale %g must be positive and finite", m.degrees, m.scale)
	}
	return m, nil
}

func (m student) trace(b *traceBuffers, dt, level float64) float64 {
	scale := m.scale
	if scale == 0 {
		scale = level
	}
	spread := m.degrees * scale * scale
	var sum float64
	for i, s := range b.synthetic {
		r := s - b.observed[i]
		sum += math.Log1p(r * r / spread)
		b.adjoint[i] = r / (1 + r*r/spread) * dt
	}
	return 0.5 * spread * sum * dt
}

// StudentScale returns the scale σ that makes the residuals of the given gathers most likely under Student's t with the given
// degrees of freedom (zero: 2), to be set as MisfitOptions.StudentScale at the start of an inversion. Samples below a
// thousandth of the RMS residual are left out: the silence before the first arrivals says nothing about the scale.
func StudentScale(synthetic, observed [][]float32, degrees float64) (float64, error) {
	if degrees == 0 {
		degrees = 2
	}
	if !(degrees > 0) {
		return 0, fmt.Errorf("Student's t needs positive degrees of freedom, not %g", degrees)
	}
	if len(synthetic) != len(observed) {
		return 0, fmt.Errorf("there are %d synthetic and %d observed gathers", len(synthetic), len(observed))
	}
	var squares []float64
	var mean float64
	for g := range synthetic {
		if len(synthetic[g]) != len(observed[g]) {
			return 0, fmt.Errorf("gather %d has %d synthetic and %d observed samples", g, len(synthetic[g]), len(observed[g]))
		}
		for i, s := range synthetic[g] {
			r := float64(s) - float64(observed[g][i])
			squares = append(squares, r*r)
			mean += r * r
		}
	}
	mean /= float64(max(len(squares), 1))
	if mean == 0 {
		return 0, errors.New("the residuals are all zero: there is no scale to estimate")
	}
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return 0, errors.New("the residuals are not finite")
	}
	kept := squares[:0]
	for _, r2 := range squares {
		if r2 > 1e-6*mean {
			kept = append(kept, r2)
		}
	}
	// Expectation maximisation: each residual weighs (ν+1)/(ν + r²/σ²).
	variance := mean
	for range 200 {
		var sum float64
		for _, r2 := range kept {
			sum += r2 / (degrees + r2/variance)
		}
		next := (degrees + 1) * sum / float64(len(kept))
		done := math.Abs(next-variance) <= 1e-8*variance
		variance = next
		if done {
			break
		}
	}
	return math.Sqrt(variance), nil
}
