package fwi

import (
	"fmt"
	"math"
	"strings"

	"gofwi/wave"
)

// stageRatio is the factor from one stage's highest frequency to the next: wide enough for few stages, narrow enough that a model
// good at one frequency predicts phases at the next to within half a cycle (Bunks et al. 1995; Sirgue & Pratt 2004).
const stageRatio = 1.36

// firstOffsets are the largest offsets of the first stages, in wavelengths: phases that a start model gets wrong by a tenth are off by
// half a cycle after five. What the near offsets have put right, the far ones then build upon.
var firstOffsets = []float64{4, 8}

// DefaultStages returns a multiscale schedule for data between two frequencies in Hz, slowest velocity vmin in m/s and largest
// offset in m: at 1.25 times the lowest frequency first the near, then all offsets; from there low-pass stages up to the highest. The last
// takes the given iterations, those before it more, as the square of the frequencies' ratio and up to twenty times as many: they cost
// less, about the cube of the frequency, and what they leave wrong below is not mended later (docs/decisions/schedule.md).
func DefaultStages(low, high, vmin, maxOffset float64, iterations int) []Stage {
	many := func(f float64) int {
		return min(int(math.Round(float64(iterations)*(high/f)*(high/f))), 20*iterations)
	}
	round := func(f float64) float64 { return math.Round(f*10) / 10 }
	first := min(1.25*low, high)
	var stages []Stage
	for _, n := range firstOffsets {
		if offset := n * vmin / first; offset < 0.75*maxOffset {
			stages = append(stages, Stage{MaxFrequency: round(first), Iterations: max(1, many(first)/4), MaxOffset: math.Round(offset/10) * 10})
		}
	}
	steps := int(math.Round(math.Log(high/first) / math.Log(stageRatio)))
	for i := range steps + 1 {
		f := first
		if i > 0 {
			f = first * math.Pow(high/first, float64(i)/float64(steps))
		}
		stages = append(stages, Stage{MaxFrequency: round(f), Iterations: many(f)})
	}
	return stages
}

// largestOffset returns the largest distance between a source and a receiver of its shot, m.
func largestOffset(s *wave.Survey) float64 {
	var out float64
	for i := range s.Shots {
		for _, p := range s.Shots[i].Sources {
			for _, r := range s.Shots[i].Receivers {
				out = max(out, wave.Distance(p, r))
			}
		}
	}
	return out
}

// maxCoarsening bounds a stage's spacing in units of the last stage's. Where many points per wavelength cost little, thin layers
// such as shallow water are worth them.
const maxCoarsening = 3

// stageGrid returns the coarsest grid that carries frequencies up to top (Hz) at the configured points per wavelength of the slowest velocity, and
// is not much coarser than that of the schedule's highest frequency.
func (c Config) stageGrid(g wave.Grid, top, vmin float64) wave.Grid {
	h := vmin / (top * c.PointsPerWavelength)
	for _, s := range c.Stages {
		h = min(h, maxCoarsening*vmin/(s.MaxFrequency*c.PointsPerWavelength))
	}
	return g.Coarsen(h)
}

// FormatStages prints a schedule as a table.
func FormatStages(stages []Stage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "stage  band (Hz)    iterations  shots  offsets  misfit\n")
	for i, s := range stages {
		shots, offsets, misfit := "all", "all", ""
		if s.Misfit != "" {
			misfit = "  " + s.Misfit
		}
		if s.Shots > 0 {
			shots = fmt.Sprint(s.Shots)
		}
		if s.MaxOffset > 0 {
			offsets = fmt.Sprintf("%g m", s.MaxOffset)
		}
		fmt.Fprintf(&b, "%5d  %4.1f – %4.1f  %10d  %5s  %7s%s\n", i+1, s.MinFrequency, s.MaxFrequency, s.Iterations, shots, offsets, misfit)
	}
	return b.String()
}
