package fwi

import (
	"math"
	"slices"

	"gofwi/wave"
)

// Window is what a stage hears of each trace: the samples from Begin to End seconds after a reference that may move out with offset. Observed and
// synthetic traces are both multiplied by it. Times are those of the stage's data, whose filter delays arrivals by a fraction of a period.
type Window struct {
	Begin        float64 `yaml:"begin,omitempty"`         // s; negative: before the reference
	End          float64 `yaml:"end,omitempty"`           // s, 0: the end of the record
	Velocity     float64 `yaml:"velocity,omitempty"`      // m/s: the reference is offset/velocity; 0: time zero
	FirstArrival bool    `yaml:"first_arrival,omitempty"` // the reference is the first arrival picked on the observed trace
	Taper        float64 `yaml:"taper,omitempty"`         // s that the window takes to open and to close, inside it; 0: a period of the stage's highest frequency
}

func (w Window) any() bool { return w != Window{} }

// weight returns the window's value at a time after the reference.
func (w Window) weight(t, taper float64) float64 {
	open := 1.0
	if w.Begin != 0 || w.Velocity > 0 || w.FirstArrival { // a record's own beginning needs no taper
		open = (t - w.Begin) / taper
	}
	if w.End > 0 {
		open = min(open, (w.End-t)/taper)
	}
	if open <= 0 {
		return 0
	}
	return 0.5 * (1 - math.Cos(math.Pi*min(open, 1)))
}

// apply multiplies traces [receiver, nt] by the window, whose references are given in s. Traces without a first arrival are left as they are.
func (w Window) apply(traces []float32, references []float64, nt int, dt, taper float64) {
	for r, reference := range references {
		if math.IsInf(reference, 1) {
			continue
		}
		trace := traces[r*nt : (r+1)*nt]
		for i := range trace {
			trace[i] *= float32(w.weight(float64(i)*dt-reference, taper))
		}
	}
}

// references returns the time in s that a shot's window begins to count from, for each receiver.
func (w Window) references(shot *wave.Shot, picks []float64) []float64 {
	out := make([]float64, len(shot.Receivers))
	for r := range out {
		switch {
		case w.FirstArrival:
			out[r] = picks[r]
		case w.Velocity > 0:
			out[r] = offset(shot, shot.Receivers[r]) / w.Velocity
		}
	}
	return out
}

// offset returns the distance in m from a receiver to the nearest source of its shot.
func offset(shot *wave.Shot, r wave.Position) float64 {
	out := math.Inf(1)
	for _, s := range shot.Sources {
		out = min(out, wave.Distance(r, s))
	}
	return out
}

// rejected returns the traces of a gather [receiver, nt] whose RMS is more than factor times, or less than 1/factor of, the median of the live ones among
// the nine receivers around. Dead ones are left to the misfit, which counts them nowhere.
func rejected(gather []float32, nt int, factor float64) []bool {
	rms := make([]float64, len(gather)/nt)
	for r := range rms {
		rms[r] = math.Sqrt(traceEnergy(gather[r*nt:(r+1)*nt]) / float64(nt))
	}
	out := make([]bool, len(rms))
	for r := range rms {
		near := slices.Clone(rms[max(r-4, 0):min(r+5, len(rms))])
		near = slices.DeleteFunc(near, func(v float64) bool { return v == 0 })
		if rms[r] == 0 || len(near) == 0 {
			continue
		}
		slices.Sort(near)
		median := near[len(near)/2]
		out[r] = rms[r] > factor*median || rms[r]*factor < median
	}
	return out
}
