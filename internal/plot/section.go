package plot

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Section is an array [nz, nx] over depth and distance, or over whatever the
// names of its axes say.
type Section struct {
	Title            string
	Values           []float32 // [nz, nx], x fastest.
	NZ, NX           int
	DZ, DX           float64    // Spacing in metres.
	OriginZ, OriginX float64    // Position of the first value in metres.
	XName, ZName     string     // Of the axes, without unit. Empty: Distance and Depth.
	Sources          []Position // Drawn as stars.
	Receivers        []Position // Drawn as triangles.
}

func (s *Section) check() error {
	switch {
	case s.NZ <= 0 || s.NX <= 0:
		return fmt.Errorf("section %q is empty: %d × %d cells", s.Title, s.NZ, s.NX)
	case len(s.Values) != s.NZ*s.NX:
		return fmt.Errorf("section %q has %d values, %d × %d cells need %d", s.Title, len(s.Values), s.NZ, s.NX, s.NZ*s.NX)
	case !(s.DZ > 0) || !(s.DX > 0) || math.IsInf(s.DZ, 0) || math.IsInf(s.DX, 0):
		return fmt.Errorf("section %q has spacing dz = %g m, dx = %g m, both must be positive", s.Title, s.DZ, s.DX)
	case !finite(s.OriginZ) || !finite(s.OriginX):
		return fmt.Errorf("section %q starts at z = %g m, x = %g m", s.Title, s.OriginZ, s.OriginX)
	}
	return nil
}

// extent is a rectangle of the earth in metres.
type extent struct{ top, bottom, left, right float64 }

// extent returns the area that the cells cover, half a cell beyond the nodes.
func (s *Section) extent() extent {
	return extent{
		top:    s.OriginZ - s.DZ/2,
		bottom: s.OriginZ + (float64(s.NZ)-0.5)*s.DZ,
		left:   s.OriginX - s.DX/2,
		right:  s.OriginX + (float64(s.NX)-0.5)*s.DX,
	}
}

func union(a, b extent) extent {
	return extent{min(a.top, b.top), max(a.bottom, b.bottom), min(a.left, b.left), max(a.right, b.right)}
}

// axisLabels returns the labels of the section's axes.
func (s *Section) axisLabels() (x, z string) {
	x, z = "Distance (km)", "Depth (km)"
	if s.XName != "" {
		x = s.XName + " (km)"
	}
	if s.ZName != "" {
		z = s.ZName + " (km)"
	}
	return x, z
}

// drawSection draws one panel into area, which shows the extent shown.
func (f *figure) drawSection(s *Section, shown extent, sc scale, area vg.Rectangle, xLabel, yLabel string) {
	width, height := pixels(area)
	img := rasterise(grid{s.Values, s.NX, 1},
		spans(s.NZ, s.OriginZ, s.DZ, shown.top, shown.bottom, height),
		spans(s.NX, s.OriginX, s.DX, shown.left, shown.right, width), sc)

	p := newAxes(s.Title, xLabel, yLabel)
	p.X.Min, p.X.Max = shown.left/1000, shown.right/1000
	p.Y.Min, p.Y.Max = -shown.bottom/1000, -shown.top/1000
	p.X.Tick.Marker = ticksWithin(p.X.Min, p.X.Max, area.Size().X, 45, false)
	p.Y.Tick.Marker = ticksWithin(p.Y.Min, p.Y.Max, area.Size().Y, 22, true)
	p.Add(plotter.NewImage(img, p.X.Min, p.Y.Min, p.X.Max, p.Y.Max),
		marks{s.Receivers, receiverStyle}, marks{s.Sources, sourceStyle})
	f.drawAxes(p, area)
}

// Margins of a panel in points: what its title and tick labels need, and what
// the names of the axes add at the left and lower edges of a figure.
const (
	titleSpace    = 30
	leftSpace     = 34
	bottomSpace   = 18
	axisNameSpace = 18
	edgeSpace     = 14
)

// panelSize returns the size in points of a panel that shows the extent at
// equal scale of both axes, as wide as asked unless that makes it too flat or
// too tall to read; stretch is the vertical exaggeration that remains.
func panelSize(shown extent, width, minHeight, maxHeight vg.Length) (w, h vg.Length, stretch float64) {
	const minWidth = 150
	ratio := vg.Length((shown.bottom - shown.top) / (shown.right - shown.left))
	w, h = width, width*ratio
	if h > maxHeight {
		h = maxHeight
		w = max(h/ratio, minWidth)
	}
	h = max(h, minHeight)
	w, h = vg.Length(math.Round(float64(w))), vg.Length(math.Round(float64(h)))
	return w, h, float64(h / w / ratio)
}

// A column of panels in a figure, in points: all its panels show the same
// extent.
type column struct {
	shown         extent
	left          vg.Length // From the first column's left edge.
	w, h, stretch vg.Length
}

// layOut arranges sections row by row in columns. They all show the same
// extent or, if apart, those of each column what its own cover, all at one
// scale and as wide as asked on average.
func layOut(sections []*Section, columns int, width, minHeight, maxHeight vg.Length, apart bool) []column {
	nothing := extent{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	out := make([]column, columns)
	for i := range out {
		out[i].shown = nothing
	}
	all := nothing
	for i, s := range sections {
		c := &out[i%columns]
		c.shown = union(c.shown, s.extent())
		all = union(all, s.extent())
	}
	var total float64 // Metres across.
	for i := range out {
		if !apart {
			out[i].shown = all
		}
		total += out[i].shown.right - out[i].shown.left
	}
	var left vg.Length
	for i := range out {
		c := &out[i]
		wide := width
		if apart {
			wide = vg.Length(columns) * width * vg.Length((c.shown.right-c.shown.left)/total)
		}
		var stretch float64
		c.w, c.h, stretch = panelSize(c.shown, wide, minHeight, maxHeight)
		c.stretch = vg.Length(stretch)
		c.left = left
		left += c.w + leftSpace
		if apart {
			left += axisNameSpace // Each column names its axes.
		}
	}
	return out
}

// measure returns what a row of columns takes: its width, its height and the largest vertical
// exaggeration.
func measure(columns []column) (right, height vg.Length, stretch float64) {
	for _, c := range columns {
		right = c.left + c.w
		height = max(height, c.h)
		if math.Abs(float64(c.stretch)-1) > math.Abs(stretch-1) || stretch == 0 {
			stretch = float64(c.stretch)
		}
	}
	return right, height, stretch
}

// footer explains the marks and the vertical exaggeration below the panels,
// from the given left edge.
func (f *figure) footer(left vg.Length, sections []*Section, stretch float64) {
	style := textStyle(tickSize)
	style.XAlign = draw.XLeft
	at := vg.Point{X: left, Y: f.Min.Y + edgeSpace}
	var sources, receivers bool
	for _, s := range sections {
		sources = sources || len(s.Sources) > 0
		receivers = receivers || len(s.Receivers) > 0
	}
	item := func(glyph *draw.GlyphStyle, label string) {
		if glyph != nil {
			f.DrawGlyph(*glyph, vg.Point{X: at.X + 4, Y: at.Y})
			at.X += 13
		}
		f.FillText(style, at, label)
		at.X += style.Width(label) + 18
	}
	if sources {
		item(&sourceStyle, "sources")
	}
	if receivers {
		item(&receiverStyle, "receivers")
	}
	if exaggerated(stretch) {
		item(nil, fmt.Sprintf("vertical exaggeration %.2g", stretch))
	}
}

// exaggerated tells whether the axes differ by more than rounding to points.
func exaggerated(stretch float64) bool { return math.Abs(stretch-1) > 0.03 }

func needsFooter(sections []*Section, stretch float64) bool {
	for _, s := range sections {
		if len(s.Sources) > 0 || len(s.Receivers) > 0 {
			return true
		}
	}
	return exaggerated(stretch)
}
