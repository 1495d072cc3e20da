package kernels

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// MinimaxWeights returns weights of the second difference, as Weights does, made for waves with at least so many points per wavelength: their symbol
//
//	S(κ) = -d2[0] - 2 Σ_k d2[k] cos(kκ),   κ = 2π h/λ,
//
// whose largest deviation from κ², relative to it, is the least that R weights allow on 0 < κ ≤ 2π/points. Taylor's weights are exact as κ tends to zero and lose
// their accuracy towards short waves; these spread a small error evenly over all of them. At order 8 and three points a wavelength it is 1.5e-3 of κ²,
// half of that in phase velocity, where Taylor's have 6.7e-3 in phase velocity with four points. The price is that the error does not fall with order R as
// the grid is refined: it falls as the weights are made for more points. Holberg (1987), Geophysical Prospecting 35, 629-655, began this; the
// exchange of extrema is Remez's (1934).
func MinimaxWeights(order int, points float64) ([]float64, error) {
	if err := CheckOrder(order); err != nil {
		return nil, err
	}
	if !(points > 2) || math.IsInf(points, 0) {
		return nil, fmt.Errorf("differences for %g points per wavelength are impossible: more than 2", points)
	}
	radius, top := order/2, 2*math.Pi/points
	weights := make([]float64, radius)
	// S/κ² = Σ_k d2[k] φ_k with d2[0] = -2 Σ_k d2[k]
	phi := func(k int, kappa float64) float64 {
		s := math.Sin(float64(k) * kappa / 2)
		return 4 * s * s / (kappa * kappa)
	}
	deviation := func(kappa float64) float64 {
		e := -1.0
		for k, w := range weights {
			e += w * phi(k+1, kappa)
		}
		return e
	}
	const samples = 4000
	at := func(i int) float64 { return top * float64(i+1) / samples }
	extrema := make([]int, radius+1) // indices of samples, ascending
	for i := range extrema {
		extrema[i] = int((1 - math.Cos(math.Pi*float64(i)/float64(radius))) / 2 * (samples - 1))
	}
	system, right := mat.NewDense(radius+1, radius+1, nil), mat.NewVecDense(radius+1, nil)
	for range 50 {
		for i, sample := range extrema {
			for k := range radius {
				system.Set(i, k, phi(k+1, at(sample)))
			}
			system.Set(i, radius, float64(1-2*(i%2)))
			right.SetVec(i, 1)
		}
		var solution mat.VecDense
		if err := solution.SolveVec(system, right); err != nil {
			if _, poor := err.(mat.Condition); !poor {
				return nil, fmt.Errorf("differences of order %d for %g points per wavelength: %w", order, points, err)
			}
		}
		for k := range weights {
			weights[k] = solution.AtVec(k)
		}
		// the extreme of each stretch of one sign
		var next []int
		previous := math.NaN()
		for i := range samples {
			e := deviation(at(i))
			switch {
			case len(next) == 0 || e*previous < 0:
				next = append(next, i)
			case math.Abs(e) > math.Abs(deviation(at(next[len(next)-1]))):
				next[len(next)-1] = i
			}
			previous = e
		}
		if len(next) != radius+1 {
			break // the deviation is round-off
		}
		same := true
		for i, sample := range next {
			same = same && sample == extrema[i]
			extrema[i] = sample
		}
		if same {
			break
		}
	}
	d2 := append([]float64{0}, weights...)
	for _, w := range weights {
		d2[0] -= 2 * w
	}
	return d2, nil
}
