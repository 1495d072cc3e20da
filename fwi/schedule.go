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

// predicted is the correlation with the observed trace from which on a synthetic one is no more than a sixth of a period off.
const predicted = 0.5

// mostIterations of a stage, in units of the last one's.
const mostIterations = 12

// DefaultStages returns a multiscale schedule for data between two frequencies in Hz, slowest velocity vmin in m/s and largest offset in m. At 1.25
// times the lowest frequency it hears first the near offsets; then those twice as far and, in two stages (in one where that hears almost all traces), first arrivals with two and a half periods after
// them, each of those traces that the model predicts to within a sixth of a period; then all of the data, half as long as it would
// be heard without these. Should that end cycle-skipped, a second attempt begins with all first arrivals at once. From there low-pass stages go up to the highest frequency. The last takes the given iterations, those before
// it more, as the square of the frequencies' ratio and up to twelve times as many: they cost less, about the cube of the frequency, and
// what they leave wrong below is not mended later (docs/decisions/schedule.md).
func DefaultStages(low, high, vmin, maxOffset float64, iterations int) []Stage {
	many := func(f float64) int {
		return min(int(math.Round(float64(iterations)*(high/f)*(high/f))), mostIterations*iterations)
	}
	round := func(f, unit float64) float64 { return math.Round(f/unit) * unit }
	first := min(1.25*low, high)
	all := Stage{MaxFrequency: round(first*10, 1) / 10, Iterations: many(first)}
	of := func(share float64) Stage {
		s := all
		s.Iterations = max(1, int(math.Round(share*float64(s.Iterations))))
		return s
	}
	var stages []Stage
	for _, n := range firstOffsets {
		if offset := n * vmin / first; offset < 0.75*maxOffset {
			near := of(0.25)
			near.MaxOffset = round(offset, 10)
			if len(stages) > 0 {
				near.MinCorrelation = predicted
			}
			stages = append(stages, near)
		}
	}
	if len(stages) > 0 {
		diving := of(0.2)
		diving.Window = Window{FirstArrival: true, Begin: -round(125/first, 1) / 100, End: round(250/first, 1) / 100}
		diving.MinCorrelation = predicted
		all.Iterations = of(0.5).Iterations // what more would fit at one frequency, the next mends sooner
		stages = append(stages, diving, diving, all)
		for i := range stages {
			stages[i].Attempt = 1
		}
		diving.Iterations, diving.MinCorrelation, diving.Attempt = all.Iterations, 0, 2
		all.Attempt = 2
		stages = append(stages, diving)
	}
	stages = append(stages, all)
	steps := int(math.Round(math.Log(high/first) / math.Log(stageRatio)))
	for i := 1; i <= steps; i++ {
		f := first * math.Pow(high/first, float64(i)/float64(steps))
		stages = append(stages, Stage{MaxFrequency: round(f*10, 1) / 10, Iterations: many(f)})
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

// downSpacing is the spacing down in units of that along the section: beds lie flat, more often than not, and what a wave reflects from has half its length.
const downSpacing = 0.75

// maxCoarsening bounds a stage's spacing down and along the section in units of the last stage's. Where many points per wavelength cost little, thin layers
// such as shallow water are worth them (docs/decisions/stage-grids.md).
var maxCoarsening = struct{ down, along float64 }{2.5, 4.2}

// spacing returns the widest spacing in m along an axis that carries a frequency in Hz at the configured points per wavelength of the slowest velocity.
func (c Config) spacing(p *Problem, axis int, f, vmin float64) float64 {
	h := vmin / (f * c.points(p))
	if axis == 0 {
		h *= downSpacing
	}
	return h
}

// stageGrid returns the coarsest grid that carries frequencies up to top (Hz) and is not much coarser than that of the schedule's highest frequency.
func (c Config) stageGrid(p *Problem, top, vmin float64) wave.Grid {
	highest := top
	for _, s := range c.Stages {
		highest = max(highest, s.MaxFrequency)
	}
	spacing := make([]float64, p.Grid.Axes())
	for axis := range spacing {
		limit := maxCoarsening.along
		if axis == 0 {
			limit = maxCoarsening.down
		}
		spacing[axis] = min(c.spacing(p, axis, top, vmin), limit*c.spacing(p, axis, highest, vmin))
	}
	return p.Grid.Coarsen(spacing...)
}

// Notes says in words what a row of a table of stages has no column for.
func (s Stage) Notes() string {
	var notes []string
	if s.Attempt > 0 {
		notes = append(notes, fmt.Sprintf("attempt %d", s.Attempt))
	}
	if s.Window.FirstArrival {
		notes = append(notes, "first arrivals")
	} else if s.Window.any() {
		notes = append(notes, "window")
	}
	if s.MinCorrelation > 0 {
		notes = append(notes, fmt.Sprintf("correlated by %g", s.MinCorrelation))
	}
	if s.MinOffset > 0 {
		notes = append(notes, fmt.Sprintf("offsets from %g m", s.MinOffset))
	}
	if s.Encoded > 0 {
		notes = append(notes, fmt.Sprintf("%d encoded shots", s.Encoded))
	}
	if s.Every > 1 {
		notes = append(notes, fmt.Sprintf("one in %d shots", s.Every))
	}
	if s.Misfit != "" && s.Misfit != "least-squares" {
		notes = append(notes, s.Misfit)
	}
	return strings.Join(notes, ", ")
}

// FormatStages prints a schedule as a table.
func FormatStages(stages []Stage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "stage  band (Hz)    iterations  shots  offsets\n")
	for i, s := range stages {
		shots, offsets := "all", "all"
		if s.Shots > 0 {
			shots = fmt.Sprint(s.Shots)
		}
		if s.MaxOffset > 0 {
			offsets = fmt.Sprintf("%g m", s.MaxOffset)
		}
		row := fmt.Sprintf("%5d  %4.1f – %4.1f  %10d  %5s  %7s  %s", i+1, s.MinFrequency, s.MaxFrequency, s.Iterations, shots, offsets, s.Notes())
		fmt.Fprintln(&b, strings.TrimRight(row, " "))
	}
	return b.String()
}
