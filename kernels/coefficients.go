package kernels

import (
	"fmt"
	"math"
)

// MaxRadius is half the highest order in space.
const MaxRadius = 4

// Weights of the central differences, by R. D1, of order min(2R, 4) as ACOUSTIC_CPML_RADIUS says: Σ_k d1[k] (u[i+k] - u[i-k]) / h. D2, of order
// 2R: (d2[0] u[i] + Σ_k d2[k] (u[i+k] + u[i-k])) / h². Fornberg (1988), Math. Comp. 51, 699-706.
var (
	d1Weights = [MaxRadius + 1][]float64{
		1: {0, 1. / 2},
		2: {0, 2. / 3, -1. / 12},
		3: {0, 2. / 3, -1. / 12, 0},
		4: {0, 2. / 3, -1. / 12, 0, 0},
	}
	d2Weights = [MaxRadius + 1][]float64{
		1: {-2, 1},
		2: {-5. / 2, 4. / 3, -1. / 12},
		3: {-49. / 18, 3. / 2, -3. / 20, 1. / 90},
		4: {-205. / 72, 8. / 5, -1. / 5, 8. / 315, -1. / 560},
	}
)

// CheckOrder returns an error unless order is one of the implemented orders in space.
func CheckOrder(order int) error {
	if order < 2 || order > 2*MaxRadius || order%2 != 0 {
		return fmt.Errorf("order %d in space is not available: choose 2, 4, 6 or 8", order)
	}
	return nil
}

// Weights returns Taylor's weights of the first and the second difference for unit spacing: D1's antisymmetric, D2's symmetric about the first.
// They must not be changed.
func Weights(order int) (d1, d2 []float64) { return d1Weights[order/2], d2Weights[order/2] }

// LayerRadius returns half the order of D1 in the absorbing layers: how far beyond them their memory variables act.
func LayerRadius(order int) int { return min(order/2, 2) }

// MaxTimeStep returns the largest stable time step in seconds of the second-order scheme for velocities up to vmax (m/s)
// on the given spacings (m) and with the weights d2 of the second difference: the von Neumann limit 2 / (vmax sqrt(Σ_d |symbol of D2_d at Nyquist|)).
func MaxTimeStep(d2 []float64, vmax float64, spacing ...float64) float64 {
	nyquist := math.Abs(d2[0]) // the symbol there, as signs alternate
	for _, w := range d2[1:] {
		nyquist += 2 * math.Abs(w)
	}
	var sum float64
	for _, h := range spacing {
		sum += nyquist / (h * h)
	}
	return 2 / (vmax * math.Sqrt(sum))
}

// symbol returns the eigenvalue of minus the second difference at the wavenumber κ per cell.
func symbol(d2 []float64, kappa float64) float64 {
	s := -d2[0]
	for k := 1; k < len(d2); k++ {
		s -= 2 * d2[k] * math.Cos(kappa*float64(k))
	}
	return s
}

// PhaseVelocityError returns the relative error of the phase velocity, numerical over true minus one, of a plane wave along a grid axis with
// the given number of points per wavelength and CFL number v·dt/h, for the weights d2 of the second difference.
func PhaseVelocityError(d2 []float64, pointsPerWavelength, cfl float64) float64 {
	kh := 2 * math.Pi / pointsPerWavelength
	// 4 sin²(ω dt/2) = cfl² symbol
	s := cfl * math.Sqrt(symbol(d2, kh)) / 2
	if s > 1 {
		return math.Inf(1)
	}
	return 2*math.Asin(s)/(cfl*kh) - 1
}
