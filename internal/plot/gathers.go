package plot

import (
	"fmt"
	"math"
	"sort"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// A Shot holds the gathers of one shot. Each gather is [receiver, time] or nil.
type Shot struct {
	Title string // Above the panels; may be empty.

	Observed, Synthetic []float32
	// Residual, where nil, is Synthetic minus Observed if both are given.
	Residual []float32

	NReceivers, NT int
	DT             float64 // Sample interval in seconds.
	StartTime      float64 // Time of the first sample in seconds.

	// X is the position or offset of each receiver in metres, in any order.
	// Nil, or all equal: traces are numbered from 1.
	X []float64
	// XName names X without its unit. Empty: "Receiver x".
	XName string

	// Percentile of the magnitudes of the observed gather (the first one
	// given, where there is none) at which the colours of all panels
	// saturate. Zero: 98.
	Percentile float64
}

type gatherPanel struct {
	title  string
	values []float32
}

// Gathers draws the observed, synthetic and residual gathers of one shot side
// by side on one colour scale, time downwards.
func Gathers(path string, shot Shot) (err error) {
	defer guard(path, &err)
	panels, err := shot.panels()
	if err != nil {
		return fmt.Errorf("picture %s: %w", path, err)
	}
	if !(shot.Percentile > 0) {
		shot.Percentile = 98
	}
	limit := clip(shot.Percentile, panels[0].values)
	sc := scale{colours: Diverging(), min: -1, max: 1}
	traces := shot.traces()

	const w, h, gap = 220, 330, 22
	top := vg.Length(titleSpace)
	if shot.Title != "" {
		top += 18
	}
	left := vg.Length(leftSpace + axisNameSpace)
	right := left + vg.Length(len(panels))*(w+gap) - gap
	f := newFigure(right+barSpace+edgeSpace, top+h+bottomSpace+axisNameSpace+edgeSpace)
	for i, panel := range panels {
		area := f.rectangle(left+vg.Length(i)*(w+gap), top, w, h)
		f.drawGather(&shot, panel, traces, limit, sc, area, i == 0)
	}
	f.drawColorBar(sc, fmt.Sprintf("Amplitude (1 = %s)", compact(limit)),
		f.rectangle(right+18, top, barWidth, h))
	if shot.Title != "" {
		title := fit(textStyle(titleSize+1), shot.Title, right-left)
		f.FillText(title, vg.Point{X: (left + right) / 2, Y: f.Max.Y - 16}, shot.Title)
	}
	return f.save(path)
}

// compact writes a positive number with three digits.
func compact(v float64) string {
	if v < 0.01 || v >= 1e5 {
		return fmt.Sprintf("%.2e", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func (s *Shot) panels() ([]gatherPanel, error) {
	if s.NReceivers <= 0 || s.NT <= 0 {
		return nil, fmt.Errorf("gather is empty: %d receivers × %d samples", s.NReceivers, s.NT)
	}
	if !(s.DT > 0) || math.IsInf(s.DT, 0) {
		return nil, fmt.Errorf("gather has sample interval %g s, it must be positive", s.DT)
	}
	if s.X != nil && len(s.X) != s.NReceivers {
		return nil, fmt.Errorf("gather has %d receiver positions for %d receivers", len(s.X), s.NReceivers)
	}
	residual := s.Residual
	if residual == nil && len(s.Observed) == len(s.Synthetic) {
		residual = make([]float32, len(s.Observed))
		for i := range residual {
			residual[i] = s.Synthetic[i] - s.Observed[i]
		}
	}
	var panels []gatherPanel
	for _, p := range []gatherPanel{{"Observed", s.Observed}, {"Synthetic", s.Synthetic}, {"Residual", residual}} {
		if len(p.values) == 0 {
			continue
		}
		if len(p.values) != s.NReceivers*s.NT {
			return nil, fmt.Errorf("gather %q has %d values, %d receivers × %d samples need %d",
				p.title, len(p.values), s.NReceivers, s.NT, s.NReceivers*s.NT)
		}
		panels = append(panels, p)
	}
	if len(panels) == 0 {
		return nil, fmt.Errorf("no gather is given: observed, synthetic and residual are all empty")
	}
	return panels, nil
}

// traceAxis is the horizontal axis of a gather: the traces in the order of
// their positions, and the range of the axis.
type traceAxis struct {
	order  []int
	at     []float64 // Sorted positions in axis units.
	lo, hi float64
	name   string
}

func (s *Shot) traces() traceAxis {
	axis := traceAxis{order: make([]int, s.NReceivers), at: make([]float64, s.NReceivers), name: "Trace"}
	for i := range axis.order {
		axis.order[i], axis.at[i] = i, float64(i+1)
	}
	if s.X != nil && usable(s.X) {
		axis.name = s.XName
		if axis.name == "" {
			axis.name = "Receiver x"
		}
		axis.name += " (km)"
		sort.SliceStable(axis.order, func(a, b int) bool { return s.X[axis.order[a]] < s.X[axis.order[b]] })
		for i, receiver := range axis.order {
			axis.at[i] = s.X[receiver] / 1000
		}
	}
	n := len(axis.at)
	half := 0.5
	if n > 1 {
		half = (axis.at[n-1] - axis.at[0]) / float64(n-1) / 2
	}
	axis.lo, axis.hi = axis.at[0]-half, axis.at[n-1]+half
	return axis
}

// usable tells whether positions are finite and not all the same.
func usable(x []float64) bool {
	differ := false
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
		differ = differ || v != x[0]
	}
	return differ
}

// spans returns the traces, in sorted order, that each pixel across shows: all
// whose positions it holds, or the nearest.
func (a traceAxis) spans(pixels int) []span {
	out := make([]span, pixels)
	width := (a.hi - a.lo) / float64(pixels)
	edge := func(p int) int { return sort.SearchFloat64s(a.at, a.lo+float64(p)*width) }
	for p := range out {
		first, end := edge(p), edge(p+1)
		if end <= first {
			centre := a.lo + (float64(p)+0.5)*width
			first = min(sort.SearchFloat64s(a.at, centre), len(a.at)-1)
			if first > 0 && centre-a.at[first-1] < a.at[first]-centre {
				first--
			}
			end = first + 1
		}
		out[p] = span{first, end}
	}
	return out
}

func (f *figure) drawGather(shot *Shot, panel gatherPanel, axis traceAxis, limit float64, sc scale, area vg.Rectangle, first bool) {
	width, height := pixels(area)
	sorted := make([]float32, len(panel.values))
	for i, receiver := range axis.order {
		for t, v := range panel.values[receiver*shot.NT : (receiver+1)*shot.NT] {
			sorted[i*shot.NT+t] = float32(float64(v) / limit)
		}
	}
	top, bottom := shot.StartTime-shot.DT/2, shot.StartTime+(float64(shot.NT)-0.5)*shot.DT
	img := rasterise(grid{sorted, 1, shot.NT},
		spans(shot.NT, shot.StartTime, shot.DT, top, bottom, height), axis.spans(width), sc)

	yLabel := ""
	if first {
		yLabel = "Time (s)"
	}
	p := newAxes(panel.title, axis.name, yLabel)
	p.X.Min, p.X.Max = axis.lo, axis.hi
	p.Y.Min, p.Y.Max = -bottom, -top
	p.X.Tick.Marker = ticksWithin(p.X.Min, p.X.Max, area.Size().X, 40, false)
	times := ticksWithin(p.Y.Min, p.Y.Max, area.Size().Y, 30, false)
	for i := range times { // Time grows downwards; a start before zero stays negative.
		times[i].Label = flipSign(times[i].Label, times[i].Value)
		if !first {
			times[i].Label = ""
		}
	}
	p.Y.Tick.Marker = times
	p.Add(plotter.NewImage(img, p.X.Min, p.Y.Min, p.X.Max, p.Y.Max))
	f.drawAxes(p, area)
}

const minus = "\u2212"

// flipSign returns the label of -value, given that of value.
func flipSign(label string, value float64) string {
	switch {
	case value < 0:
		return label[len(minus):]
	case value > 0:
		return minus + label
	}
	return label
}
