package plot

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// roundStep returns the smallest step of 1, 2 or 5 times a power of ten that
// puts at most count steps into the range.
func roundStep(width float64, count int) float64 {
	power := math.Pow(10, math.Floor(math.Log10(width/float64(count))))
	for _, m := range []float64{1, 2, 5} {
		if width/(m*power) <= float64(count) {
			return m * power
		}
	}
	return 10 * power
}

// ticksWithin returns labelled ticks at round values, about one every spacing
// points of an axis of the given length. With magnitude set the labels leave
// out the sign, as for depth plotted upwards.
func ticksWithin(lo, hi float64, length, spacing vg.Length, magnitude bool) plot.ConstantTicks {
	if !(hi > lo) {
		return nil
	}
	step := roundStep(hi-lo, max(2, int(length/spacing)))
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var ticks plot.ConstantTicks
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+1e-9*step; i++ {
		value, shown := i*step, i*step
		if magnitude || value == 0 { // The latter spares the label "-0".
			shown = math.Abs(value)
		}
		label := strconv.FormatFloat(shown, 'f', decimals, 64)
		if shown < 0 {
			label = minus + label[1:]
		}
		ticks = append(ticks, plot.Tick{Value: min(max(value, lo), hi), Label: label})
	}
	return ticks
}

// logTicks returns ticks for an axis that carries the decimal logarithm:
// labels at the powers of ten, and at 2 and 5 times them where there are few.
func logTicks(lo, hi float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	every := max(1, int(math.Ceil((hi-lo)/8)))
	for power := math.Floor(lo); power <= math.Ceil(hi); power++ {
		for m := 1.0; m < 10; m++ {
			at := power + math.Log10(m)
			if at < lo-1e-9 || at > hi+1e-9 {
				continue
			}
			labelled := m == 1 && int(power)%every == 0 || hi-lo < 2.2 && (m == 2 || m == 5) || hi-lo < 0.6
			tick := plot.Tick{Value: at}
			if labelled {
				tick.Label = strconv.FormatFloat(m*math.Pow(10, power), 'g', 3, 64)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}
