// Package arena compares ways to invert: every method on every model, from every start, with every level of noise. It runs unattended
// and goes on where it was killed, and it scores what each evaluation of the wave equation bought (docs/decisions/arena.md).
package arena
