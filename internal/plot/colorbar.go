package plot

import (
	"fmt"
	"image"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	barWidth = 12 // The coloured strip, in points.
	barSpace = 74 // A bar with its gap, tick labels and name.
)

// drawColorBar draws the scale as a vertical strip that fills area, with ticks
// and the name of the quantity on its right.
func (f *figure) drawColorBar(s scale, name string, area vg.Rectangle) {
	_, height := pixels(area)
	img := image.NewRGBA(image.Rect(0, 0, 1, height))
	for y := range height {
		fraction := (float64(height-y) - 0.5) / float64(height)
		img.SetRGBA(0, y, s.colour(s.min+fraction*(s.max-s.min)))
	}
	f.DrawImage(area, img)
	f.frame(area)

	lo, hi, unit := s.min, s.max, 1.0
	if size := max(math.Abs(lo), math.Abs(hi)); size < 0.01 || size >= 1e5 {
		// Long numbers go into the name once instead of to each tick.
		exponent := int(math.Floor(math.Log10(size)))
		unit = math.Pow(10, float64(exponent))
		name = fmt.Sprintf("%s × 1e%d", name, exponent)
	}
	style := textStyle(tickSize)
	style.XAlign = draw.XLeft
	var widest vg.Length
	for _, tick := range ticksWithin(lo/unit, hi/unit, area.Size().Y, 28, false) {
		y := area.Min.Y + area.Size().Y*vg.Length((tick.Value*unit-lo)/(hi-lo))
		f.StrokeLine2(draw.LineStyle{Color: ink, Width: vg.Points(0.75)}, area.Max.X, y, area.Max.X+3, y)
		f.FillText(style, vg.Point{X: area.Max.X + 5, Y: y}, tick.Label)
		widest = max(widest, style.Width(tick.Label))
	}
	label := fit(textStyle(labelSize), name, area.Size().Y+bottomSpace+axisNameSpace)
	label.Rotation = math.Pi / 2
	f.FillText(label, vg.Point{X: area.Max.X + 5 + widest + 10, Y: (area.Min.Y + area.Max.Y) / 2}, name)
}
