package kernels

import "math"

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
	product := make([]float64, d.Cells())
	for c := range product {
		product[c] = stretch[c/nx]
		if density != nil {
			product[c] *= density[c]
		}
	}
	return potential(d, product, func(axis, c int) float64 {
		if axis == 0 {
			return 1
		}
		return stretch[c/nx] * stretch[c/nx]
	})
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
