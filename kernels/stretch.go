package kernels

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Rows that lie unevenly in depth. With z = z(ζ), s = dz/dζ, the pressure p = √s u and a source f, the acoustic equation
//
//	(1/v²) ∂²p/∂t² = ∇²p + f    becomes    (s²/v²) ∂²u/∂t² = s² ∂²u/∂x² + ∂²u/∂ζ² - W u + √s f,    W = √s ∂²(1/√s)/∂ζ²,
//
// the same equation on a regular grid in ζ with M = v² dt²/s², a factor s² of what differences along x give, and the potential that a density s along ζ alone
// would have (density.go). The factor changes along z alone, so that it commutes with the differences along x and CPML's recursions: the operator stays its own
// adjoint, and both keep their form. With a density ρ besides, p = √(ρ s) u, and its root takes the place of √s in W, with s² times the part along x.

// StretchedPotential returns W in 1/m² for ratios s of the rows' spacings to Domain.Spacing, and densities in kg/m³ or nil, as Potential does.
func StretchedPotential(d *Domain, stretch, density []float64) ([]float64, error) {
	nx := d.NX()
	out := make([]float64, d.Cells())
	if density == nil {
		rows, err := rowPotential(d, stretch)
		if err != nil {
			return nil, err
		}
		for c := range out {
			out[c] = rows[c/nx]
		}
		return out, nil
	}
	for c := range out {
		out[c] = density[c] * stretch[c/nx]
	}
	return potential(d, out, func(axis, c int) float64 {
		if axis == 0 {
			return 1
		}
		return stretch[c/nx] * stretch[c/nx]
	})
}

// rowPotential returns W in 1/m² of each row. It fails unless W - D2 down, as a matrix, is positive: the field would grow without bound. For densities, which may change along
// both axes, weakLink shows it from neighbour to neighbour; with LongWaveWeights, whose second and third weights are as large as the first, it can not, not even for even rows.
func rowPotential(d *Domain, stretch []float64) ([]float64, error) {
	weights, n := d.SecondDifference(), len(stretch)
	radius := len(weights) - 1
	at := func(i int) (row int, sign float64) { // of row i's value, beyond the grid too
		if i < 0 && d.FreeSurface {
			return min(-i, n-1), -1
		}
		return min(max(i, 0), n-1), 1
	}
	out := make([]float64, n)
	operator := mat.NewSymBandDense(n, min(radius, n-1), nil)
	for i, s := range stretch {
		if !(s > 0) || math.IsInf(s, 0) {
			return nil, fmt.Errorf("row %d lies %g rows from the next", i, s)
		}
		var sum float64
		for k := -radius; k <= radius; k++ {
			row, _ := at(i + k)
			sum += weights[max(k, -k)] * math.Sqrt(s/stretch[row])
		}
		out[i] = sum / (d.Spacing[0] * d.Spacing[0])
		operator.SetSymBand(i, i, sum)
		for k := -radius; k <= radius; k++ { // the field is zero beyond the grid, odd about a free surface
			if row, sign := at(i + k); row >= i && (i+k == row || sign < 0) {
				operator.SetSymBand(i, row, operator.At(i, row)-sign*weights[max(k, -k)])
			}
		}
	}
	if d.FreeSurface { // whose row stays zero
		for k := range min(radius+1, n) {
			operator.SetSymBand(0, k, 0)
		}
		operator.SetSymBand(0, 0, 1)
	}
	var factored mat.BandCholesky
	if !factored.Factorize(operator) {
		return nil, fmt.Errorf("the spacing of %d rows changes by %.1f %% from one to the next: too much to be stable", n, 100*steepest(stretch))
	}
	return out, nil
}

// steepest returns the largest relative change from a value to the next.
func steepest(v []float64) (most float64) {
	for i := 1; i < len(v); i++ {
		most = max(most, math.Abs(v[i]-v[i-1])/v[i-1])
	}
	return most
}

// rowsOfPotential returns the potential of each row if it is the same along all rows, otherwise nil.
func (d *Domain) rowsOfPotential() []float64 {
	rows, nx := make([]float64, d.Shape[0]), d.NX()
	for c, w := range d.Potential {
		if c%nx == 0 {
			rows[c/nx] = w
		}
		if w != rows[c/nx] && math.Abs(w-rows[c/nx]) > 1e-12*math.Abs(w) {
			return nil
		}
	}
	return rows
}
