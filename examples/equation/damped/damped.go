// Package damped adds an equation to gofwi's table of equations: waves that lose amplitude at the same rate at all frequencies,
//
//	(1/v²) (∂/∂t + γ/2)² u = ∇²u + f,
//
// so that a plane wave decays as exp(-γt/2) and keeps its shape and its velocity. A program that imports the package finds the equation under
// Name, with γ in 1/s as the constant Damping. docs/equations.md explains each step.
package damped

import (
	"fmt"
	"math"

	"gofwi/kernels"
)

// Name of the equation, and of its constant.
const (
	Name    = "damped"
	Damping = "damping"
)

func init() {
	err := kernels.RegisterEquation(kernels.Equation{
		Name:         Name,
		Formula:      "(1/v²) (∂/∂t + γ/2)² u = ∇²u + f",
		Constants:    []kernels.Constant{{Name: Damping, Unit: "1/s", Default: 1}},
		Irreversible: true,
		MaxTimeStep:  kernels.MaxTimeStep,
		Reference:    newReference,
		Float32:      solvers[float32](),
		Float64:      solvers[float64](),
	})
	if err != nil {
		panic(err)
	}
}

// decay returns what a wave is multiplied by in one step, exp(-γ dt/2), or an error.
func decay(d *kernels.Domain) (float64, error) {
	if len(d.Constants) != 1 || !(d.Constants[0] >= 0) || !(d.DT > 0) {
		return 0, fmt.Errorf("the damped equation needs γ ≥ 0 and a time step, not %v 1/s and %g s", d.Constants, d.DT)
	}
	return math.Exp(-d.Constants[0] * d.DT / 2), nil
}
