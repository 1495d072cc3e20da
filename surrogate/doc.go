// Package surrogate is for networks that predict where an inversion will be several iterations ahead, for the wave equation to check.
// It holds no code yet.
package surrogate
