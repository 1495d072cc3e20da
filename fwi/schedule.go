package fwi

import (
	"fmt"
	"math"
	"strings"

	"gofwi/wave"
)

// stageRatio is the factor from one stage's highest frequency to the next: wide enough for few stages, narrow enough that a model
// good at one frequency predicts phases at the next to within half a cycle (Bunks et al. 1995; Sirgue & Pratt 2004).
const stageRatio = 1.4

// DefaultStages returns a multiscale schedule for data between two frequencies in Hz: low-pass stages that climb from 1.6
// times the lowest frequency to the highest.
func DefaultStages(low, high float64, iterations int) []Stage {
	first := min(max(1.6*low, low+1), high)
	n := max(1, int(math.Round(math.Log(high/first)/math.Log(stageRatio)))+1)
	var stages []Stage
	for i := range n {
		f := high
		if n > 1 {
			f = first * math.Pow(high/first, float64(i)/float64(n-1))
		}
		stages = append(stages, Stage{MaxFrequency: math.Round(f*10) / 10, Iterations: iterations})
	}
	return stages
}

// stageGrid returns the coarsest grid that carries frequencies up to maxFrequency (Hz) at the given points per wavelength of the slowest velocity.
func stageGrid(g wave.Grid, maxFrequency, vmin, pointsPerWavelength float64) wave.Grid {
	h := vmin / (maxFrequency * pointsPerWavelength)
	return g.Coarsen(h, h)
}

// FormatStages prints a schedule as a table.
func FormatStages(stages []Stage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "stage  band (Hz)    iterations  shots  offsets  misfit\n")
	for i, s := range stages {
		shots, offsets := "all", "all"
		if s.Shots > 0 {
			shots = fmt.Sprint(s.Shots)
		}
		if s.MaxOffset > 0 {
			offsets = fmt.Sprintf("%g m", s.MaxOffset)
		}
		fmt.Fprintf(&b, "%5d  %4.1f – %4.1f  %10d  %5s  %7s  %s\n", i+1, s.MinFrequency, s.MaxFrequency, s.Iterations, shots, offsets, s.Misfit)
	}
	return b.String()
}
