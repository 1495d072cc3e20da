package wave

import (
	"fmt"
	"math"
	"strings"
)

// Position is a point in metres, in the order (z, x) or (z, y, x).
type Position []float64

// Distance returns the distance between two positions in m.
func Distance(a, b Position) float64 {
	var d float64
	for i, x := range a {
		d = math.Hypot(d, x-b[i])
	}
	return d
}

// String writes the position as in (z 20 m, x 150 m).
func (p Position) String() string {
	parts := make([]string, len(p))
	names := AxisNames(len(p))
	for d, x := range p {
		parts[d] = fmt.Sprintf("%s %g m", names[min(d, len(names)-1)], x)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// Shot is one firing: its sources with their wavelets, and the receivers that listen.
type Shot struct {
	Sources   []Position
	Wavelets  [][]float32 // one per source, or one for all; each Survey.NT samples
	Receivers []Position
}

// Survey is a set of shots sampled alike. Traces have NT samples, DT seconds apart, from the time zero of the wavelet.
type Survey struct {
	DT    float64
	NT    int
	Shots []Shot
}

// AllShots returns the indices 0 … len(Shots)-1.
func (s *Survey) AllShots() []int {
	all := make([]int, len(s.Shots))
	for i := range all {
		all[i] = i
	}
	return all
}

// Duration returns the time of the last sample in seconds.
func (s *Survey) Duration() float64 { return float64(s.NT-1) * s.DT }

// Validate returns an error unless all positions lie on the grid and all wavelets are finite and as long as the traces.
func (s *Survey) Validate(g Grid) error {
	if !(s.DT > 0) || math.IsInf(s.DT, 0) || s.NT < 2 {
		return fmt.Errorf("a survey of %d samples every %g s is impossible", s.NT, s.DT)
	}
	if len(s.Shots) == 0 {
		return fmt.Errorf("the survey has no shots")
	}
	for i := range s.Shots {
		shot := &s.Shots[i]
		if len(shot.Sources) == 0 || len(shot.Receivers) == 0 {
			return fmt.Errorf("shot %d has %d sources and %d receivers", i, len(shot.Sources), len(shot.Receivers))
		}
		if n := len(shot.Wavelets); n != 1 && n != len(shot.Sources) {
			return fmt.Errorf("shot %d has %d wavelets for %d sources", i, n, len(shot.Sources))
		}
		for _, w := range shot.Wavelets {
			if len(w) != s.NT {
				return fmt.Errorf("shot %d: its wavelet has %d samples, its traces %d", i, len(w), s.NT)
			}
			for n, v := range w {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					return fmt.Errorf("shot %d: sample %d of its wavelet is %g", i, n, v)
				}
			}
		}
		for k, p := range shot.Sources {
			if err := onGrid(g, p); err != nil {
				return fmt.Errorf("shot %d, source %d: %w", i, k, err)
			}
		}
		for k, p := range shot.Receivers {
			if err := onGrid(g, p); err != nil {
				return fmt.Errorf("shot %d, receiver %d: %w", i, k, err)
			}
		}
	}
	return nil
}

func onGrid(g Grid, p Position) error {
	if len(p) != len(g.Shape) {
		return fmt.Errorf("position %v has %d coordinates on a grid of %d axes", []float64(p), len(p), g.Axes())
	}
	for d, x := range p {
		slack := 1e-6 * g.Spacing[d] // a position computed in float32 may miss the last cell by a hair
		if !(x >= g.Start(d)-slack && x <= g.End(d)+slack) {
			var extent []string
			for k, name := range AxisNames(len(p)) {
				extent = append(extent, fmt.Sprintf("%s %g to %g m", name, g.Start(k), g.End(k)))
			}
			return fmt.Errorf("position %v lies outside the grid, %s", p, strings.Join(extent, ", "))
		}
	}
	return nil
}

// Line returns n positions at depth z, evenly spaced in x from first to last (m), for a 2D survey.
func Line(n int, z, first, last float64) []Position {
	line := make([]Position, n)
	for i, x := range evenly(n, first, last) {
		line[i] = Position{z, x}
	}
	return line
}

// Patch returns ny × nx positions at depth z for a 3D survey, evenly spaced in y and x between the given ends (m); those of a line
// along x follow each other.
func Patch(ny, nx int, z, firstY, lastY, firstX, lastX float64) []Position {
	var patch []Position
	for _, y := range evenly(ny, firstY, lastY) {
		for _, x := range evenly(nx, firstX, lastX) {
			patch = append(patch, Position{z, y, x})
		}
	}
	return patch
}

func evenly(n int, first, last float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = first
		if n > 1 {
			out[i] += (last - first) * float64(i) / float64(n-1)
		}
	}
	return out
}

// FixedSpread returns a survey in which every source fires once, with the same wavelet, into the same receivers.
func FixedSpread(sources, receivers []Position, wavelet []float32, dt float64) *Survey {
	s := &Survey{DT: dt, NT: len(wavelet)}
	for _, p := range sources {
		s.Shots = append(s.Shots, Shot{Sources: []Position{p}, Wavelets: [][]float32{wavelet}, Receivers: receivers})
	}
	return s
}
