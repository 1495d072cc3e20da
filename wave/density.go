package wave

import (
	"fmt"
	"math"
	"slices"

	"gofwi/kernels"
)

// CheckDensity returns the least and the largest of densities in kg/m³ on a grid, or an error for what is none.
func CheckDensity(g Grid, density []float32) (low, high float64, err error) {
	if len(density) != g.Cells() {
		return 0, 0, fmt.Errorf("the density has %d cells, the grid of %s has %d", len(density), Times("%d", g.Shape), g.Cells())
	}
	low, high = math.Inf(1), 0
	for i, v := range density {
		if rho := float64(v); rho > 0 && !math.IsInf(rho, 0) {
			low, high = min(low, rho), max(high, rho)
		} else {
			return 0, 0, fmt.Errorf("the density is %g kg/m³ in cell %s", v, g.CellName(i))
		}
	}
	if high < 30 {
		return low, high, fmt.Errorf("densities run from %g to %g: these look like g/cm³, they must be in kg/m³", low, high)
	}
	return low, high, nil
}

// takeDensity extends the density to the solver's grid, constant outwards through the absorbing layers, so that there it changes along them only, keeps √(ρ s), and
// returns the potential of the solvers; nil if the density is constant and the rows are the grid's.
func (p *PropagatorOf[T]) takeDensity() ([]float64, error) {
	o := &p.options
	if o.Density == nil && p.stretch == nil {
		return nil, nil
	}
	if o.Density == nil {
		p.root = make([]float64, p.layout.cells())
		for i := range p.root {
			p.root[i] = math.Sqrt(p.ratioAt(i))
		}
		return kernels.StretchedPotential(&p.domain, p.stretch.ratio, nil)
	}
	if p.equation.Name != kernels.Acoustic {
		return nil, fmt.Errorf("equation %q does not know densities: %q does", p.equation.Name, kernels.Acoustic)
	}
	if _, _, err := CheckDensity(p.grid, o.Density); err != nil {
		return nil, err
	}
	given := make([]float64, len(o.Density))
	for i, v := range o.Density {
		given[i] = float64(v)
	}
	rho := make([]float64, p.layout.cells())
	var potential []float64
	var err error
	if p.stretch == nil {
		extend(&p.layout, rho, given)
		potential, err = kernels.Potential(&p.domain, rho)
	} else {
		nx := p.grid.NX()
		rows := make([]float64, p.stretch.rows()*nx)
		mapRows(rows, given, p.stretch.take, nx)
		low, high := slices.Min(given), slices.Max(given)
		for i, v := range rows { // no mean beyond the densities given, as in Regrid.Density
			rows[i] = min(max(v, low), high)
		}
		extend(&p.layout, rho, rows)
		potential, err = kernels.StretchedPotential(&p.domain, p.stretch.ratio, rho)
	}
	if err != nil {
		return nil, err
	}
	for i, v := range rho {
		rho[i] = math.Sqrt(v * p.ratioAt(i))
	}
	p.root = rho
	return potential, nil
}

// Density averages densities of the fine grid (kg/m³) to the coarse one, arithmetically: a wave across layers thinner than its wavelength moves their masses together
// (Backus 1962; along them it would be the harmonic mean). No density is outside the range of those given.
func (r *Regrid) Density(coarse, fine []float32) {
	r.Restrict(coarse, fine)
	low, high := fine[0], fine[0]
	for _, v := range fine {
		low, high = min(low, v), max(high, v)
	}
	for i, v := range coarse {
		coarse[i] = min(max(v, low), high)
	}
}
