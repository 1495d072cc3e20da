// Package kernels steps wave fields through time, one shot at a time, forward and adjoint, on plain arrays.
//
// The arithmetic of an equation stands once, in a header (acoustic.h), and is instantiated by every fast build; a plain Go
// implementation in float64 (Reference) is the oracle that all of them are tested against. Package wave turns models,
// surveys and units into the arrays that this package takes.
//
// A solver's grid includes its absorbing layers. Arrays on it are [NZ, NX] or [NZ, NY, NX], x fastest, z down.
package kernels
