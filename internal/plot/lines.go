package plot

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Curve is a line through points; values that are not finite, or on a
// logarithmic axis not positive, are left out.
type Curve struct {
	Name   string // In the legend; "" leaves the curve out of it.
	X, Y   []float64
	Colour int // Curves of one colour belong together.
	Thin   bool
}

// A Diagram holds several curves.
type Diagram struct {
	Title, X, Y string
	LogX, LogY  bool
	FromZero    bool // The ordinates' axis begins at zero.
	Curves      []Curve
}

var curveColours = []color.Color{
	color.RGBA{R: 33, G: 66, B: 160, A: 255}, color.RGBA{R: 190, G: 44, B: 38, A: 255}, color.RGBA{R: 20, G: 130, B: 80, A: 255},
	color.RGBA{R: 200, G: 120, B: 0, A: 255}, color.RGBA{R: 120, G: 60, B: 150, A: 255}, color.RGBA{R: 90, G: 90, B: 90, A: 255},
	color.RGBA{R: 0, G: 140, B: 170, A: 255}, color.RGBA{R: 160, G: 110, B: 70, A: 255},
}

// Lines draws panels, two in a row, with the legend of the first under them.
func Lines(path string, panels []Diagram) (err error) {
	defer guard(path, &err)
	if len(panels) == 0 {
		return fmt.Errorf("picture %s: there are no panels to draw", path)
	}
	const w, h, left, gapX, gapY = 330, 230, 58, 72, 74
	columns := min(len(panels), 2)
	rows := (len(panels) + columns - 1) / columns
	var names []Curve
	for _, c := range panels[0].Curves {
		if c.Name != "" {
			names = append(names, c)
		}
	}
	legendHeight := vg.Length(16*((len(names)+3)/4) + 10)
	width := vg.Length(left + columns*w + (columns-1)*gapX + edgeSpace)
	f := newFigure(width, titleSpace+vg.Length(rows*h+(rows-1)*gapY)+bottomSpace+axisNameSpace+legendHeight+edgeSpace)
	for i, panel := range panels {
		area := f.rectangle(vg.Length(left+i%columns*(w+gapX)), titleSpace+vg.Length(i/columns*(h+gapY)), w, h)
		p, err := panel.axes(w, h)
		if err != nil {
			return fmt.Errorf("picture %s: %w", path, err)
		}
		f.drawAxes(p, area)
	}
	style := textStyle(tickSize)
	style.XAlign, style.YAlign = text.XLeft, text.YCenter
	for i, c := range names {
		x := left + vg.Length(i%4)*(width-left-edgeSpace)/4
		y := legendHeight + edgeSpace/2 - vg.Length(16*(i/4)) - 10
		f.StrokeLine2(draw.LineStyle{Color: curveColours[c.Colour%len(curveColours)], Width: vg.Points(2)}, x, y, x+18, y)
		f.FillText(fit(style, c.Name, (width-left-edgeSpace)/4-26), vg.Point{X: x + 23, Y: y}, c.Name)
	}
	return f.save(path)
}

// axes returns the panel's plot; logarithmic axes carry the logarithm.
func (n *Diagram) axes(w, h vg.Length) (*plot.Plot, error) {
	p := newAxes(n.Title, n.X, n.Y)
	lo, hi := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for _, c := range n.Curves {
		if len(c.X) != len(c.Y) {
			return nil, fmt.Errorf("curve %q has %d abscissas and %d ordinates", c.Name, len(c.X), len(c.Y))
		}
		var points plotter.XYs
		for i := range c.X {
			x, y := c.X[i], c.Y[i]
			if n.LogX {
				x = math.Log10(x)
			}
			if n.LogY {
				y = math.Log10(y)
			}
			if !finite(x) || !finite(y) {
				continue
			}
			points = append(points, plotter.XY{X: x, Y: y})
			for k, v := range [2]float64{x, y} {
				lo[k], hi[k] = min(lo[k], v), max(hi[k], v)
			}
		}
		if len(points) == 0 {
			continue
		}
		thickness := 1.8
		if c.Thin {
			thickness = 0.7
		}
		p.Add(&plotter.Line{XYs: points, LineStyle: draw.LineStyle{Color: curveColours[c.Colour%len(curveColours)], Width: vg.Points(thickness)}})
	}
	for k, a := range []struct {
		axis      *plot.Axis
		log       bool
		length    vg.Length
		separator vg.Length
	}{{&p.X, n.LogX, w, 55}, {&p.Y, n.LogY, h, 30}} {
		if !(hi[k] >= lo[k]) {
			lo[k], hi[k] = 0, 1
		}
		if k == 1 && n.FromZero {
			lo[k] = 0
		}
		margin := max(0.03*(hi[k]-lo[k]), 0.01)
		a.axis.Min, a.axis.Max = lo[k]-margin, hi[k]+margin
		if a.log {
			a.axis.Tick.Marker = logTicks(a.axis.Min, a.axis.Max)
		} else {
			a.axis.Tick.Marker = ticksWithin(a.axis.Min, a.axis.Max, a.length, a.separator, false)
		}
	}
	return p, nil
}
