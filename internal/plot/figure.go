package plot

import (
	"fmt"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// dpi is two pixels to the point: a panel at whole points lies on whole
// pixels, and its raster is drawn without interpolation.
const dpi = 144

// Font sizes and the gap between a title and its panel, in points.
const (
	titlePadding = 7

	titleSize = 11
	labelSize = 10
	tickSize  = 9
)

var ink = color.RGBA{R: 30, G: 30, B: 30, A: 255}

// figure is a canvas measured in points, with y upwards from the lower edge.
type figure struct {
	canvas *vgimg.Canvas
	draw.Canvas
}

func newFigure(width, height vg.Length) *figure {
	c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))
	return &figure{canvas: c, Canvas: draw.New(c)}
}

// save writes the figure as PNG to a temporary file beside path and renames it.
func (f *figure) save(path string) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".fwi-plot-*.png")
	if err != nil {
		return fmt.Errorf("writing picture %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
			err = fmt.Errorf("writing picture %s: %w", path, err)
		}
	}()
	if err = png.Encode(tmp, f.canvas.Image()); err != nil {
		tmp.Close()
		return err
	}
	// CreateTemp makes the file private; a picture is for everyone to see.
	if err = tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// guard turns a panic inside the drawing library into an error: no picture is
// worth the loss of a run.
func guard(path string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("drawing picture %s: %v", path, r)
	}
}

// textStyle returns a sans-serif style, horizontally and vertically centred.
func textStyle(size vg.Length) text.Style {
	return text.Style{
		Color:   ink,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		XAlign:  draw.XCenter,
		YAlign:  draw.YCenter,
		Handler: plot.DefaultTextHandler,
	}
}

// fit returns the style, made smaller where the string is wider than width.
func fit(style text.Style, s string, width vg.Length) text.Style {
	if w := style.Width(s); w > width && w > 0 {
		style.Font.Size = max(style.Font.Size*width/w, 6)
	}
	return style
}

// newAxes returns an empty plot in the style of the package.
func newAxes(title, xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text, p.Y.Label.Text = xLabel, yLabel
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Padding = 0
		axis.LineStyle.Width = 0 // The frame is drawn instead.
		axis.Label.TextStyle.Font = textStyle(labelSize).Font
		axis.Label.Padding = vg.Points(3)
		axis.Tick.Label.Font = textStyle(tickSize).Font
		axis.Tick.Length = vg.Points(4)
		axis.Tick.LineStyle.Width = vg.Points(0.75)
		axis.Tick.LineStyle.Color = ink
	}
	return p
}

// drawAxes draws the plot such that its data fill exactly the rectangle area.
// The plot library fixes the outer rectangle instead and derives the inner one
// from its labels; their difference hardly depends on the size, so that a few
// corrections settle it.
func (f *figure) drawAxes(p *plot.Plot, area vg.Rectangle) {
	title := p.Title.Text
	p.Title.Text = "" // Drawn below, centred on the data and not on the labels too.
	outer := draw.Canvas{Canvas: f.Canvas.Canvas, Rectangle: area}
	for range 4 {
		inner := p.DataCanvas(outer)
		outer.Min.X += area.Min.X - inner.Min.X
		outer.Min.Y += area.Min.Y - inner.Min.Y
		outer.Max.X += area.Max.X - inner.Max.X
		outer.Max.Y += area.Max.Y - inner.Max.Y
	}
	p.Draw(outer)
	f.frame(area)
	if title != "" {
		style := fit(textStyle(titleSize), title, area.Size().X+vg.Points(20))
		style.YAlign = draw.YBottom
		f.FillText(style, vg.Point{X: (area.Min.X + area.Max.X) / 2, Y: area.Max.Y + titlePadding}, title)
	}
}

func (f *figure) frame(area vg.Rectangle) {
	f.StrokeLines(draw.LineStyle{Color: ink, Width: vg.Points(0.75)}, []vg.Point{
		area.Min, {X: area.Max.X, Y: area.Min.Y}, area.Max, {X: area.Min.X, Y: area.Max.Y}, area.Min,
	})
}

// pixels returns the size of a rectangle of whole points in pixels.
func pixels(area vg.Rectangle) (width, height int) {
	size := area.Size()
	return int(math.Round(size.X.Dots(dpi))), int(math.Round(size.Y.Dots(dpi)))
}

// rectangle is the area of the given size whose upper left corner stands left
// and top points from that of the figure.
func (f *figure) rectangle(left, top, width, height vg.Length) vg.Rectangle {
	return vg.Rectangle{
		Min: vg.Point{X: left, Y: f.Max.Y - top - height},
		Max: vg.Point{X: left + width, Y: f.Max.Y - top},
	}
}
