package fwi

import "math"

// LineSearch is the state of a search along a direction d for a step t with sufficient decrease (Armijo; Nocedal & Wright,
// Numerical Optimization, section 3.5). Steps are in units of d. The search keeps a bracket: Low is zero or a step with
// sufficient decrease that is too short (weak Wolfe, Lewis & Overton 2013), High one that is too long.
//
// Trials ask for misfit and gradient at once: a step is accepted more often than not, and the gradient alone would need
// the forward field again. Only the probe of the parabolic search is surely moved on from, and asks for the misfit alone.
type LineSearch struct {
	Trials int     // evaluations so far
	Step   float64 // under trial
	Limit  float64 // longest step allowed

	Low, LowMisfit, LowSlope float64
	High                     float64 // 0: none found yet
	Best, BestMisfit         float64 // lowest misfit below that of the start, whether or not sufficient; Best 0: none
	Slope                    float64 // along d at step 0
}

const (
	wolfeSlope  = 0.9  // fraction of the initial slope below which a step is long enough
	refusedStep = 0.25 // a refused step is shortened to this, as its misfit tells nothing
	longest     = 5.0  // a parabola is trusted up to this many times the probe
)

// begin starts a search at a point with the given misfit and slope.
func (l *LineSearch) begin(misfit, slope, step, limit float64) {
	*l = LineSearch{Step: min(step, limit), Limit: limit, LowMisfit: misfit, LowSlope: slope, Slope: slope}
}

// noteBest remembers the step under trial if it is the lowest so far; start is the misfit at step 0.
func (l *LineSearch) noteBest(misfit, start float64) {
	if misfit < start && (l.Best == 0 || misfit < l.BestMisfit) {
		l.Best, l.BestMisfit = l.Step, misfit
	}
}

// refuse shortens a step whose misfit is unknown.
func (l *LineSearch) refuse() {
	l.High = l.Step
	l.Step = l.Low + refusedStep*(l.Step-l.Low)
}

// tooLong shortens the step by the minimum of the cubic through the values and slopes at Low and at the step.
func (l *LineSearch) tooLong(misfit, slope float64) {
	width := l.Step - l.Low
	at := 0.5
	d1 := l.LowSlope + slope - 3*(misfit-l.LowMisfit)/width
	if square := d1*d1 - l.LowSlope*slope; square >= 0 {
		d2 := math.Sqrt(square)
		at = 1 - (slope+d2-d1)/(slope-l.LowSlope+2*d2)
	}
	if math.IsNaN(at) {
		at = 0.5
	}
	l.High = l.Step
	l.Step = l.Low + min(max(at, 0.1), 0.6)*width
}

// tooShort lengthens a step with sufficient decrease at whose end the misfit still falls steeply.
func (l *LineSearch) tooShort(misfit, slope float64) {
	l.Low, l.LowMisfit, l.LowSlope = l.Step, misfit, slope
	if l.High == 0 {
		l.Step = min(2*l.Step, l.Limit)
	} else {
		l.Step = 0.5 * (l.Low + l.High)
	}
}

// parabola moves the step to the minimum of the parabola through the start, with its slope, and the probe.
func (l *LineSearch) parabola(misfit, start float64) {
	stretch := longest
	if rise := misfit - start - l.Slope*l.Step; rise > 0 {
		stretch = min(max(-0.5*l.Slope*l.Step/rise, 0.1), longest)
	}
	l.Step = min(stretch*l.Step, l.Limit)
}
