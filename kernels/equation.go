package kernels

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Equation is an entry of the table of wave equations: what package wave, the storage planner and the tests need to know of one.
//
// Its model is the velocity v; solvers get it as M = v² dt², and ∂J/∂M = (1/M) Σ η (w + f) as Imaging has it. Whatever else the
// equation depends on are constants. Solvers of one equation agree in every result but for round-off.
type Equation struct {
	Name      string     // as users write it
	Formula   string     // for people to read
	Constants []Constant // numbers besides the velocity, in the order of Domain.Constants
	// Irreversible: a solver cannot take its steps back in time (TurnBack). Storage by boundary strips is not offered.
	Irreversible bool
	// MaxTimeStep returns the largest stable time step in seconds for velocities up to vmax (m/s) with the weights d2 of the second difference.
	MaxTimeStep func(d2 []float64, vmax float64, spacing ...float64) float64
	// Reference makes the oracle: plain Go in float64, written for the eye.
	Reference func(d Domain) (Solver[float64], error)
	// Float32 and Float64 are the fast solvers.
	Float32 Solvers[float32]
	Float64 Solvers[float64]
}

// Constant is a number that an equation depends on besides the velocity.
type Constant struct {
	Name, Unit string
	Default    float64
}

// Solvers makes the solvers of an equation in one precision.
type Solvers[T Real] struct {
	New func(d Domain, o CPUOptions) (Solver[T], error)
	// Measure returns what a solver that New would return takes, without allocating its fields.
	Measure func(d Domain, o CPUOptions) (Footprint, error)
}

// SolversOf returns an equation's solvers in the precision T.
func SolversOf[T Real](e *Equation) Solvers[T] {
	var of any = e.Float32
	if _, wide := any(T(0)).(float64); wide {
		of = e.Float64
	}
	return of.(Solvers[T])
}

// ReferenceSolvers returns the reference in the form of the others. It ignores the options.
func ReferenceSolvers(e *Equation) Solvers[float64] {
	return Solvers[float64]{
		New: func(d Domain, _ CPUOptions) (Solver[float64], error) { return e.Reference(d) },
		Measure: func(d Domain, _ CPUOptions) (Footprint, error) {
			s, err := e.Reference(d)
			if err != nil {
				return Footprint{}, err
			}
			defer s.Close()
			return Footprint{Solver: s.Bytes(), State: s.StateSize(), SnapshotElements: s.SnapshotSize(), SnapshotCells: s.SnapshotSize()}, nil
		},
	}
}

// Acoustic is the name of the constant-density acoustic equation (acoustic.h), which stands first in the table.
const Acoustic = "acoustic"

var table = struct {
	sync.RWMutex
	equations []*Equation
}{equations: []*Equation{{
	Name:        Acoustic,
	Formula:     "(1/v²) ∂²u/∂t² = ∇²u + f",
	MaxTimeStep: MaxTimeStep,
	Reference:   func(d Domain) (Solver[float64], error) { return solver[float64](NewReference(d)) },
	Float32:     cpuSolvers[float32](),
	Float64:     cpuSolvers[float64](),
}}}

func cpuSolvers[T Real]() Solvers[T] {
	return Solvers[T]{
		New:     func(d Domain, o CPUOptions) (Solver[T], error) { return solver[T](NewCPU[T](d, o)) },
		Measure: MeasureCPU[T],
	}
}

// solver makes an interface of a new solver, nil if there was an error.
func solver[T Real, S Solver[T]](s S, err error) (Solver[T], error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// RegisterEquation adds an equation to the table. It fails if the entry is incomplete or its name taken.
func RegisterEquation(e Equation) error {
	if e.Name == "" || e.MaxTimeStep == nil || e.Reference == nil || e.Float32.New == nil || e.Float32.Measure == nil || e.Float64.New == nil || e.Float64.Measure == nil {
		return fmt.Errorf("equation %q is incomplete: it needs a name, a time step's limit, a reference and solvers in both precisions", e.Name)
	}
	table.Lock()
	defer table.Unlock()
	for _, known := range table.equations {
		if known.Name == e.Name {
			return fmt.Errorf("there is an equation %q already", e.Name)
		}
	}
	e.Constants = slices.Clone(e.Constants)
	table.equations = append(table.equations, &e)
	return nil
}

// Equations returns the table.
func Equations() []*Equation {
	table.RLock()
	defer table.RUnlock()
	return slices.Clone(table.equations)
}

// FindEquation returns the equation of a name, "" for the acoustic one, or an error that names the choices.
func FindEquation(name string) (*Equation, error) {
	var names []string
	for _, e := range Equations() {
		if e.Name == name || name == "" && e.Name == Acoustic {
			return e, nil
		}
		names = append(names, e.Name)
	}
	return nil, fmt.Errorf("there is no equation %q: choose one of %s", name, strings.Join(names, ", "))
}

// Values returns the constants in the order of Domain.Constants, defaults where values names none.
func (e *Equation) Values(values map[string]float64) ([]float64, error) {
	var out []float64
	known := map[string]bool{}
	for _, c := range e.Constants {
		v, given := values[c.Name]
		if !given {
			v = c.Default
		}
		out, known[c.Name] = append(out, v), true
	}
	for name := range values {
		if !known[name] {
			return nil, fmt.Errorf("equation %q has no constant %q", e.Name, name)
		}
	}
	return out, nil
}
