package kernels

import (
	"fmt"
	"math"
)

// Variable density. With the pressure p = √ρ u, density ρ fixed in time, and a source f,
//
//	(1/v²) ∂²p/∂t² = ρ ∇·(∇p/ρ) + f    becomes    (1/v²) ∂²u/∂t² = ∇²u - W u + f/√ρ,    W = √ρ ∇²(1/√ρ),
//
// the acoustic equation with a potential (the Schrödinger form; Berryhill 1983 uses the same substitution for stratified media). Discretely W is made with the
// differences D2 that step u. Then, with s = 1/√ρ and c_k D2's weights,
//
//	-Σ u (D2 u - W u) = Σ_i Σ_k c_k s_i s_{i+k} (p_i - p_{i+k})²,
//
// so a constant pressure stays at rest, and order 2 is the flux form with the buoyancy √(1/ρ_i 1/ρ_{i+1}) between neighbours. W acts on each cell alone: the
// operator stays its own adjoint, and ∂J/∂M keeps its form with w - W u in the place of w.

// Potential returns W in 1/m² for densities in kg/m³, one a cell of the domain. Beyond the grid the density goes on as in the outermost cells, above a free surface
// as below it. It fails where the density jumps so much between close cells that the form above might be negative: the field would grow without bound.
func Potential(d *Domain, density []float64) ([]float64, error) {
	return potential(d, density, func(int, int) float64 { return 1 })
}

// potential returns W with the part of each axis times a factor of the cell.
func potential(d *Domain, density []float64, factor func(axis, cell int) float64) ([]float64, error) {
	if len(density) != d.Cells() {
		return nil, fmt.Errorf("the density has %d cells, the grid %v %d", len(density), d.Shape, d.Cells())
	}
	s := make([]float64, len(density))
	for c, rho := range density {
		if !(rho > 0) || math.IsInf(rho, 0) {
			return nil, fmt.Errorf("the density is %g kg/m³ in cell %d", rho, c)
		}
		s[c] = 1 / math.Sqrt(rho)
	}
	weights := d.SecondDifference()
	w := make([]float64, len(s))
	stride := len(s)
	for axis, n := range d.Shape {
		stride /= n
		scale := 1 / (d.Spacing[axis] * d.Spacing[axis])
		line := make([]float64, n+2*MaxRadius)
		for c := range s {
			if c/stride%n != 0 {
				continue
			}
			for i := range line {
				k := i - MaxRadius
				if k < 0 && axis == 0 && d.FreeSurface {
					k = -k
				}
				line[i] = s[c+min(max(k, 0), n-1)*stride]
			}
			if k := weakLink(weights, line); k >= 0 {
				at := c + min(max(k-MaxRadius, 0), n-1)*stride
				return nil, fmt.Errorf("the density changes from %.0f to %.0f kg/m³ between cells %d and %d along axis %d: too much for order %d in space to be stable; smooth it or take order 2",
					1/(line[k]*line[k]), 1/(line[k+1]*line[k+1]), at, at+stride, axis, d.Order)
			}
			for i := range n {
				sum := weights[0] * line[i+MaxRadius]
				for k := 1; k < len(weights); k++ {
					sum += weights[k] * (line[i+MaxRadius+k] + line[i+MaxRadius-k])
				}
				w[c+i*stride] += factor(axis, c+i*stride) * sum / line[i+MaxRadius] * scale
			}
		}
	}
	return w, nil
}

// weakLink returns the first pair of neighbours i, i+1 of a line of s = 1/√ρ whose term c_1 s_i s_{i+1} (p_i - p_{i+1})² may not hold those of negative c_k that
// reach across it, by (p_j - p_{j+k})² ≤ k Σ (p_i - p_{i+1})² over the k pairs between; -1 if there is none: then the form is not negative.
func weakLink(weights, s []float64) int {
	for i := MaxRadius - 1; i < len(s)-MaxRadius; i++ {
		left := weights[1] * s[i] * s[i+1]
		for k := 2; k < len(weights); k++ {
			if weights[k] >= 0 {
				continue
			}
			for j := i + 1 - k; j <= i; j++ {
				left += float64(k) * weights[k] * s[j] * s[j+k]
			}
		}
		if left < 0 {
			return i
		}
	}
	return -1
}

// LimitWithPotential returns the stable time step in s with a potential, given that without it, for velocities up to vmax (m/s). By Gershgorin's theorem no
// eigenvalue of D2 - W exceeds Σ_d |symbol of D2_d at Nyquist| + max W, the former being 4/(vmax limit)².
func LimitWithPotential(limit, vmax float64, potential []float64) float64 {
	var most float64
	for _, w := range potential {
		most = max(most, w)
	}
	nyquist := 4 / (vmax * limit * vmax * limit)
	return 2 / (vmax * math.Sqrt(nyquist+most))
}
