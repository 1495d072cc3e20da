package plot

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Position is a point of a section in metres.
type Position struct{ Z, X float64 }

var (
	sourceStyle   = draw.GlyphStyle{Color: color.RGBA{R: 214, G: 30, B: 40, A: 255}, Radius: 4.5, Shape: star{}}
	receiverStyle = draw.GlyphStyle{Color: color.RGBA{R: 20, G: 20, B: 20, A: 255}, Radius: 3, Shape: triangle{}}
)

// markSpacing is the least distance in points between marks of one kind.
// Hundreds of receivers would otherwise run together into a black bar.
const markSpacing = 8

// marks draws glyphs at positions, thinned where they lie closer than
// markSpacing, after the order given.
type marks struct {
	positions []Position
	style     draw.GlyphStyle
}

var _ plot.Plotter = marks{}

func (m marks) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	last := vg.Point{X: vg.Length(math.Inf(-1))}
	for _, position := range m.positions {
		at := vg.Point{X: toX(position.X / 1000), Y: toY(-position.Z / 1000)}
		if !c.Contains(at) || math.Hypot(float64(at.X-last.X), float64(at.Y-last.Y)) < markSpacing {
			continue
		}
		c.DrawGlyph(m.style, at)
		last = at
	}
}

// star is a five-pointed star with a white rim, for sources.
type star struct{}

func (star) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	var path vg.Path
	for i := range 10 {
		radius := style.Radius
		if i%2 == 1 {
			radius *= 0.42
		}
		sin, cos := math.Sincos(math.Pi/2 + float64(i)*math.Pi/5)
		addVertex(&path, i, vg.Point{X: at.X + radius*vg.Length(cos), Y: at.Y + radius*vg.Length(sin)})
	}
	fillRimmed(c, path, style)
}

// triangle points down at its position, for receivers.
type triangle struct{}

func (triangle) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	var path vg.Path
	for i := range 3 {
		sin, cos := math.Sincos(-math.Pi/2 + float64(i)*2*math.Pi/3)
		addVertex(&path, i, vg.Point{X: at.X + style.Radius*vg.Length(cos), Y: at.Y + style.Radius*vg.Length(sin)})
	}
	fillRimmed(c, path, style)
}

func addVertex(path *vg.Path, i int, at vg.Point) {
	if i == 0 {
		path.Move(at)
		return
	}
	path.Line(at)
}

func fillRimmed(c *draw.Canvas, path vg.Path, style draw.GlyphStyle) {
	path.Close()
	c.SetLineStyle(draw.LineStyle{Color: color.White, Width: vg.Points(1)})
	c.Stroke(path)
	c.SetColor(style.Color)
	c.Fill(path)
}
