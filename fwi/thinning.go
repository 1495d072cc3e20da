package fwi

import (
	"math"
	"slices"

	"gofwi/wave"
)

// keptReceivers returns the indices of the receivers that remain when those closer than a quarter of the shortest wavelength (m) are
// thinned: the field between them is known from those that remain, and on coarse grids reading them costs more than stepping the field.
func keptReceivers(receivers []wave.Position, wavelength float64) []int {
	if len(receivers[0]) == 3 {
		return thinSpread(receivers, wavelength)
	}
	var kept []int
	for r, every := 0, receiverStep(receivers, wavelength); r < len(receivers); r += every {
		kept = append(kept, r)
	}
	return kept
}

// receiverStep is the step through receivers along a line.
func receiverStep(receivers []wave.Position, wavelength float64) int {
	if len(receivers) < 2 {
		return 1
	}
	spacing := wave.Distance(receivers[len(receivers)-1], receivers[0]) / float64(len(receivers)-1)
	if !(spacing > 0) {
		return 1
	}
	return max(1, int(0.25*wavelength/spacing))
}

// thinSpread thins receivers that cover an area: one is left out if another that remains is nearer than the largest multiple of
// their spacing that fits into a quarter of the wavelength. On a lattice that keeps every n-th along each axis, whichever lines are
// close enough; spreads without order keep their density but for the crowds.
func thinSpread(receivers []wave.Position, wavelength float64) []int {
	var steps []float64
	for i := 1; i < len(receivers); i++ {
		if d := wave.Distance(receivers[i-1], receivers[i]); d > 0 {
			steps = append(steps, d)
		}
	}
	every := 1.0
	if len(steps) > 0 {
		slices.Sort(steps)
		every = max(1, math.Floor(0.25*wavelength/steps[len(steps)/2]))
	}
	kept := []int{}
	if every == 1 {
		for i := range receivers {
			kept = append(kept, i)
		}
		return kept
	}
	reach := every * steps[len(steps)/2] * (1 - 1e-6) // neighbours at just that distance stay
	type box [3]int
	boxOf := func(p wave.Position) (b box) {
		for d, x := range p {
			b[d] = int(math.Floor(x / reach))
		}
		return b
	}
	taken := map[box][]int{}
	near := func(p wave.Position) bool {
		at := boxOf(p)
		for k := range 27 { // the boxes around
			b := box{at[0] + k/9 - 1, at[1] + k/3%3 - 1, at[2] + k%3 - 1}
			for _, i := range taken[b] {
				if wave.Distance(receivers[i], p) < reach {
					return true
				}
			}
		}
		return false
	}
	for i, p := range receivers {
		if !near(p) {
			kept = append(kept, i)
			taken[boxOf(p)] = append(taken[boxOf(p)], i)
		}
	}
	return kept
}
