package fwi

import (
	"fmt"
	"math"
	"slices"

	"gofwi/wave"
)

// fastestArrival bounds, in m/s, how fast any wave can be: what a trace holds before it is noise.
const fastestArrival = 6500

// FirstBreaks picks the first arrival of each trace [receiver, nt] in s: the first sample that exceeds both a hundredth of the trace's largest and six
// times the RMS of the noise, which is what comes before any wave can have travelled the offset (m). Traces of zeros have none: NaN.
func FirstBreaks(traces []float32, offsets []float64, nt int, dt float64) []float64 {
	picks := make([]float64, len(offsets))
	for r := range picks {
		trace := traces[r*nt : (r+1)*nt]
		var peak, noise float64
		for _, v := range trace {
			peak = max(peak, math.Abs(float64(v)))
		}
		quiet := min(max(10, int(offsets[r]/fastestArrival/dt)), nt)
		for _, v := range trace[:quiet] {
			noise += float64(v) * float64(v)
		}
		threshold := max(0.01*peak, 6*math.Sqrt(noise/float64(quiet)))
		picks[r] = math.NaN()
		for t, v := range trace {
			if peak > 0 && math.Abs(float64(v)) > threshold {
				picks[r] = float64(t) * dt
				break
			}
		}
	}
	return picks
}

// Layered is a model of the velocity in depth alone: water, if there is any, over a medium of constant gradient.
type Layered struct {
	WaterVelocity float64 // m/s
	WaterDepth    float64 // m; 0: there is none
	Top           float64 // velocity below the water, m/s
	Gradient      float64 // 1/s
	Delay         float64 // of the picks after the ray's time, s
	Error         float64 // median of |picked - fitted time|, s
	Picks         int
}

// String describes the model.
func (l Layered) String() string {
	return fmt.Sprintf("water of %.0f m/s to %.0f m; below it %.0f m/s + %.2f /s × depth; %d first arrivals, picked %.0f ms late, fitted to %.0f ms (median)",
		l.WaterVelocity, l.WaterDepth, l.Top, l.Gradient, l.Picks, 1e3*l.Delay, 1e3*l.Error)
}

// Model returns the model on a grid, nowhere faster than fastest (m/s).
func (l Layered) Model(g wave.Grid, fastest float64) []float32 {
	out := make([]float32, g.Cells())
	columns := g.Columns()
	for i := range out {
		z := g.Start(0) + float64(i/columns)*g.DZ()
		v := l.WaterVelocity
		if z >= l.WaterDepth {
			v = min(l.Top+l.Gradient*(z-l.WaterDepth), max(fastest, l.Top))
		}
		out[i] = float32(v)
	}
	return out
}

// arrival is a picked first arrival.
type arrival struct{ offset, time float64 }

// FitFirstArrivals fits a layered model to the first arrivals of a survey's data: the delay and the water's velocity to the direct wave, the
// depth of the sea floor, unless it is given, to the onset of its reflection, what is below to the refracted waves, that dive in a constant gradient.
// waterDepth and waterVelocity are NaN where they are unknown; a depth of 0 means that there is no water. Medians and absolute values make
// single wrong picks harmless. It is a start, not a result: of the velocity below the deepest turning point it knows nothing.
func FitFirstArrivals(s *wave.Survey, observed [][]float32, waterDepth, waterVelocity float64) (Layered, error) {
	l := Layered{WaterDepth: waterDepth, WaterVelocity: waterVelocity}
	var arrivals []arrival
	var lift float64 // depths of source and receiver together: what the waves need not travel down and up
	offsets := make([][]float64, len(s.Shots))
	for i := range s.Shots {
		shot := &s.Shots[i]
		for _, r := range shot.Receivers {
			offsets[i] = append(offsets[i], wave.Distance(r, shot.Sources[0]))
		}
		lift += (shot.Sources[0][0] + shot.Receivers[0][0]) / float64(len(s.Shots))
		for r, t := range FirstBreaks(observed[i], offsets[i], s.NT, s.DT) {
			if !math.IsNaN(t) {
				arrivals = append(arrivals, arrival{offsets[i][r], t})
			}
		}
	}
	if l.Picks = len(arrivals); l.Picks < 10 {
		return l, fmt.Errorf("first arrivals: %d traces have one; ten at least are needed", l.Picks)
	}
	slices.SortFunc(arrivals, func(a, b arrival) int {
		if a.offset < b.offset {
			return -1
		}
		return 1
	})
	if waterDepth != 0 {
		l.fitDirectWave(arrivals)
		if math.IsNaN(waterDepth) {
			if err := l.fitSeaFloor(s, observed, offsets, lift); err != nil {
				return l, err
			}
		}
	}
	l.fitBelow(arrivals, max(2*l.WaterDepth-lift, 0))
	return l, nil
}

// fitDirectWave fits the delay and, unless it is known, the velocity of the water to the arrivals of the nearest offsets. Those at which the sea
// floor has overtaken do not disturb the median of the absolute errors, as long as they are not the most.
func (l *Layered) fitDirectWave(arrivals []arrival) {
	near := arrivals[:max(len(arrivals)/3, 10)]
	slow, fast := 1430.0, 1560.0
	if !math.IsNaN(l.WaterVelocity) {
		slow, fast = l.WaterVelocity, l.WaterVelocity
	}
	best := math.Inf(1)
	residual := make([]float64, len(near))
	for v := slow; v <= fast; v += 2 {
		for i, a := range near {
			residual[i] = a.time - a.offset/v
		}
		delay := median(residual)
		for i := range residual {
			residual[i] = math.Abs(residual[i] - delay)
		}
		if e := median(residual); e < best {
			best, l.WaterVelocity, l.Delay = e, v, delay
		}
	}
}

// fitSeaFloor finds the depth whose reflection, after the direct wave at near offsets, begins most abruptly: the energy in a window behind its time
// over that in the window before, as the mean of logarithms.
func (l *Layered) fitSeaFloor(s *wave.Survey, observed [][]float32, offsets [][]float64, lift float64) error {
	const window = 0.04 // s: a period or two of the source
	n := max(int(window/s.DT), 2)
	best := math.Inf(-1)
	l.WaterDepth = math.NaN()
	for depth := max(lift, 10); depth < l.WaterVelocity*s.Duration()/2; depth += 2 {
		var sum, count float64
		for i, traces := range observed {
			for r, x := range offsets[i] {
				t := l.Delay + math.Hypot(x, 2*depth-lift)/l.WaterVelocity
				direct := l.Delay + x/l.WaterVelocity
				if x > 2*depth || t-direct < 3*window { // at wide angles, or in the direct wave
					continue
				}
				at := int(t / s.DT)
				if at+n > s.NT || at < n {
					continue
				}
				trace := traces[r*s.NT : (r+1)*s.NT]
				before, after := traceEnergy(trace[at-n:at]), traceEnergy(trace[at:at+n])
				if after > 0 {
					sum += math.Log(after / (before + 1e-4*traceEnergy(trace)/float64(s.NT)*float64(n)))
					count++
				}
			}
		}
		if count >= 4 && sum/count > best {
			best, l.WaterDepth = sum/count, depth
		}
	}
	if math.IsNaN(l.WaterDepth) {
		return fmt.Errorf("first arrivals: no trace is near enough to show the reflection of the sea floor apart from the direct wave: give the water's depth")
	}
	return nil
}

// fitBelow fits the velocity at the sea floor and its gradient below to all arrivals, the direct ones included, by trying a net of them.
func (l *Layered) fitBelow(arrivals []arrival, down float64) {
	const gradients, apexes = 30, 200
	low, high := 1.02*l.WaterVelocity, 3500.0
	if l.WaterDepth == 0 {
		low, high = 200, 6000
	}
	best := math.Inf(1)
	residual := make([]float64, len(arrivals))
	times := make([]float64, len(arrivals))
	for top := low; top <= high; top *= 1.01 {
		for k := 1; k <= gradients; k++ {
			gradient := 0.05 * float64(k)
			l.times(times, arrivals, down, top, gradient, apexes)
			for i, a := range arrivals {
				residual[i] = a.time - times[i]
			}
			delay := l.Delay
			if l.WaterDepth == 0 {
				delay = median(residual)
			}
			var sum float64
			for i, r := range residual {
				residual[i] = math.Abs(r - delay)
				sum += residual[i]
			}
			if sum < best {
				best, l.Top, l.Gradient, l.Error = sum, top, gradient, median(residual)
				if l.WaterDepth == 0 {
					l.Delay = delay
				}
			}
		}
	}
	if l.WaterDepth == 0 {
		l.WaterVelocity = l.Top
	}
}

// times writes the first of the direct and the diving wave at each arrival's offset, which ascend. A ray of parameter p goes `down` metres of water in all and
// then a circle (Slotnick 1959, Lessons in Seismic Computing):
//
//	x = down p c / √(1-p²c²) + 2 √(1-p²v²) / (p k),    t = down / (c √(1-p²c²)) + (2/k) arcosh(1/(p v)).
func (l *Layered) times(out []float64, arrivals []arrival, down, top, gradient float64, rays int) {
	for i, a := range arrivals {
		out[i] = math.Inf(1)
		if l.WaterDepth > 0 {
			out[i] = a.offset / l.WaterVelocity
		}
	}
	furthest := arrivals[len(arrivals)-1].offset
	var x0, t0 float64
	for i := range rays {
		// the deepest ray of these turns where its circle alone spans twice the furthest offset
		depth := (math.Hypot(furthest, top/gradient) - top/gradient) * float64(i) / float64(rays-1)
		p := 1 / (top + gradient*depth)
		x, t := 2*math.Sqrt(max(1-p*p*top*top, 0))/(p*gradient), 2/gradient*math.Acosh(max(1/(p*top), 1))
		if down > 0 {
			c := p * l.WaterVelocity
			x += down * c / math.Sqrt(1-c*c)
			t += down / (l.WaterVelocity * math.Sqrt(1-c*c))
		}
		if i > 0 {
			a, b := min(x0, x), max(x0, x)
			from, _ := slices.BinarySearchFunc(arrivals, a, func(e arrival, x float64) int {
				if e.offset < x {
					return -1
				}
				return 1
			})
			for j := from; j < len(arrivals) && arrivals[j].offset <= b; j++ {
				share := 0.0
				if x != x0 {
					share = (arrivals[j].offset - x0) / (x - x0)
				}
				out[j] = min(out[j], t0+share*(t-t0))
			}
		}
		x0, t0 = x, t
	}
}

// median returns the median of values, which it does not change.
func median(v []float64) float64 {
	sorted := slices.Clone(v)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
