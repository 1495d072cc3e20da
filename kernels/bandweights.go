package kernels

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// bandFlat is the part of the band over which BandWeights takes all waves for equally strong; from there to its end they fade to nothing.
const bandFlat = 0.75

// bandChecked is the part of a band over which errors are bounded.
const bandChecked = 0.95

// BandWeights returns weights of the second difference, as Weights does, made for waves with at least so many points per wavelength. A wave of κ = 2π h/λ travels a cell
// with the phase error κ e(κ)/2, where
//
//	e(κ) = S(κ)/κ² - 1,   S(κ) = -d2[0] - 2 Σ_k d2[k] cos(kκ)
//
// is the relative error of the difference's symbol. The weights minimise the mean square of a(κ) κ e(κ) over 0 < κ ≤ 2π/points, with an amplitude a that is even over the
// first three quarters and then falls to zero as a cosine, as the spectra of band-limited data do. Taylor's weights are exact as κ tends to zero and lose their
// accuracy towards short waves; these are as wrong where it matters least. At order 8 traces with three points per wavelength are 3 times as accurate as with
// Taylor's weights and four, over the same distance. The price is that the error does not fall with the order as the grid is refined: it falls as the weights are made for more
// points. Least squares over a band: Liu (2013), Geophysics 78, T113.
func BandWeights(order int, points float64) ([]float64, error) {
	if err := CheckOrder(order); err != nil {
		return nil, err
	}
	if !(points > 2) || math.IsInf(points, 0) {
		return nil, fmt.Errorf("differences for %g points per wavelength are impossible: more than 2", points)
	}
	const samples = 2000
	radius, top := order/2, 2*math.Pi/points
	system, right := mat.NewDense(samples, radius, nil), mat.NewVecDense(samples, nil)
	for i := range samples {
		part := (float64(i) + 0.5) / samples
		kappa := part * top
		weight := kappa * 0.5 * (1 + math.Cos(math.Pi*max(0, part-bandFlat)/(1-bandFlat)))
		for k := range radius {
			s := math.Sin(float64(k+1) * kappa / 2) // S/κ² = Σ_k d2[k] (2 sin(kκ/2)/κ)² with d2[0] = -2 Σ_k d2[k]
			system.Set(i, k, weight*4*s*s/(kappa*kappa))
		}
		right.SetVec(i, weight)
	}
	var solution mat.VecDense
	if err := solution.SolveVec(system, right); err != nil {
		return nil, fmt.Errorf("differences of order %d for %g points per wavelength: %w", order, points, err)
	}
	d2 := make([]float64, radius+1)
	for k := range radius {
		d2[k+1] = solution.AtVec(k)
		d2[0] -= 2 * d2[k+1]
	}
	return d2, nil
}

// LongWaveWeights returns weights of the second difference for waves with at least so many points per wavelength, more than the grid could carry, whose symbol S stays as
// small as it can be otherwise: it is what bounds the time step. Over 0.95 of the band |e| is at most the tolerance; beyond the band S is at least what it is at its
// end, so that no wave of the grid's own moves along as a longer one does. It fails, with nil, where no weights are within the tolerance.
//
// Sought among the minima of ∫ a² κ² e² dκ over the band + λ ∫ (S - t)² dκ beyond it, for some dozens of λ and t. At order 8 and a tolerance of 2e-3 they come within a tenth of the
// least that is possible (a linear programme): S ≤ 4.5 at five points, 2.8 at six and 2.6 at seven, where BandWeights' reach 6.7.
func LongWaveWeights(order int, points, tolerance float64) []float64 {
	const samples = 200
	radius, top := order/2, 2*math.Pi/points
	if CheckOrder(order) != nil || !(points > 2) || math.IsInf(points, 0) {
		return nil
	}
	terms := func(kappa float64) []float64 {
		out := make([]float64, radius)
		for k := range out {
			s := math.Sin(float64(k+1) * kappa / 2)
			out[k] = 4 * s * s
		}
		return out
	}
	inside, beyond := mat.NewSymDense(radius, nil), mat.NewSymDense(radius, nil)
	rightInside, rightBeyond := make([]float64, radius), make([]float64, radius)
	for i := range samples {
		part := (float64(i) + 0.5) / samples
		kappa := part * top
		weight := kappa * 0.5 * (1 + math.Cos(math.Pi*max(0, part-bandFlat)/(1-bandFlat)))
		a, b := terms(kappa), terms(top+part*(math.Pi-top))
		for k := range radius {
			a[k] *= weight / (kappa * kappa)
		}
		for k := range radius {
			rightInside[k] += a[k] * weight / samples
			rightBeyond[k] += b[k] / samples
			for l := k; l < radius; l++ {
				inside.SetSym(k, l, inside.At(k, l)+a[k]*a[l]/samples)
				beyond.SetSym(k, l, beyond.At(k, l)+b[k]*b[l]/samples)
			}
		}
	}
	// Where the bounds are checked: |e| in the band, S beyond it.
	const checks = 64
	var checked, free [checks][]float64
	for i := range checks {
		part := float64(i+1) / checks
		kappa := bandChecked * part * top
		checked[i], free[i] = terms(kappa), terms(top+part*(math.Pi-top))
		for k := range radius {
			checked[i][k] /= kappa * kappa
		}
	}
	within := func(c []float64, most float64) (float64, bool) {
		for _, t := range checked {
			if math.Abs(floats.Dot(t, c)-1) > tolerance {
				return 0, false
			}
		}
		largest := 0.0
		for _, t := range free {
			s := floats.Dot(t, c)
			if s < 0.995*top*top || s >= most {
				return 0, false
			}
			largest = max(largest, s)
		}
		return largest, true
	}
	least := math.Inf(1)
	var best []float64
	system, right, solution := mat.NewSymDense(radius, nil), mat.NewVecDense(radius, nil), mat.NewVecDense(radius, nil)
	for exponent := -9.0; exponent <= 0; exponent += 0.25 {
		lambda := math.Pow(10, exponent)
		for k := range radius {
			for l := k; l < radius; l++ {
				system.SetSym(k, l, inside.At(k, l)+lambda*beyond.At(k, l))
			}
		}
		var factored mat.Cholesky
		if !factored.Factorize(system) {
			continue
		}
		for t := 1.0; t <= 7; t += 0.25 {
			for k := range radius {
				right.SetVec(k, rightInside[k]+lambda*t*rightBeyond[k])
			}
			if factored.SolveVecTo(solution, right) != nil {
				continue
			}
			if most, ok := within(solution.RawVector().Data, least); ok {
				least = most
				best = append(best[:0], solution.RawVector().Data...)
			}
		}
	}
	if best == nil {
		return nil
	}
	d2 := append([]float64{0}, best...)
	d2[0] = -2 * floats.Sum(best)
	return d2
}

// MaxSymbol returns the largest eigenvalue of minus the second difference for unit spacing.
func MaxSymbol(d2 []float64) (most float64) {
	const samples = 256
	for i := 1; i <= samples; i++ {
		most = max(most, symbol(d2, math.Pi*float64(i)/samples))
	}
	return most
}

// BandError returns the largest |e| of BandWeights' comment over 0.95 of the band that ends at so many points per wavelength.
func BandError(d2 []float64, points float64) (most float64) {
	for i := 1; i <= 64; i++ {
		kappa := bandChecked * 2 * math.Pi / points * float64(i) / 64
		most = max(most, math.Abs(symbol(d2, kappa)/(kappa*kappa)-1))
	}
	return most
}
