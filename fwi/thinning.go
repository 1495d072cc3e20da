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

// everyShot returns every so many-th of the shots, in turn 0 as many left out before the first as after the last, in each further one those that follow.
func everyShot(shots []int, every, turn int) []int {
	var out []int
	for i := ((len(shots)-1)%every/2 + turn) % every; i < len(shots); i += every {
		out = append(out, shots[i])
	}
	return out
}

// What a stage of the default schedule hears of the shots: those up to two wavelengths apart, of the slowest wave at the first stage's highest frequency, no fewer than twelve,
// and at least every fourth.
const (
	shotWavelengths = 2
	fewestShots     = 12
	mostEvery       = 4
	allShotsTo      = 2 // times the lowest stage's frequency, from layered starts

	// Of their iterations, from layered starts. All shots below cost as much as these stages save, where they bring least: what the low ones leave wrong, they do not mend.
	thinnedShare = 0.65
)

// thinShots lets the stages of a section's schedule hear every so many-th shot each, in turns: what one stage does not hear, the next ones of the schedule do. From a start that is layered,
// far from the truth, the low stages hear all, and those above take fewer iterations.
func thinShots(stages []Stage, p *Problem, vmin float64) {
	shots := p.Survey.Shots
	if p.Grid.Axes() != 2 || len(shots) < 2 {
		return
	}
	var apart []float64
	for i := 1; i < len(shots); i++ {
		apart = append(apart, wave.Distance(shots[i].Sources[0], shots[i-1].Sources[0]))
	}
	slices.Sort(apart)
	reach := shotWavelengths * vmin / stages[0].MaxFrequency
	every := min(mostEvery, len(shots)/fewestShots)
	for every > 1 && float64(every)*apart[len(apart)/2] > reach {
		every--
	}
	first := 0.0
	if layered(p) {
		first = allShotsTo * stages[0].MaxFrequency
	}
	for i := range stages {
		if every > 1 && stages[i].MaxFrequency > first {
			stages[i].Every = every
			if first > 0 {
				stages[i].Iterations = max(1, int(math.Round(thinnedShare*float64(stages[i].Iterations))))
			}
		}
	}
}

// layered reports whether a start model depends, where it may change, on depth alone, to a per cent.
func layered(p *Problem) bool {
	cells := len(p.Start) / p.Grid.Shape[0]
	for row := range p.Grid.Shape[0] {
		var slowest, fastest float32
		for i := row * cells; i < (row+1)*cells; i++ {
			if v := p.Start[i]; p.Mask == nil || p.Mask[i] != 0 {
				if slowest == 0 {
					slowest = v
				}
				slowest, fastest = min(slowest, v), max(fastest, v)
			}
		}
		if fastest > 1.01*slowest {
			return false
		}
	}
	return true
}
