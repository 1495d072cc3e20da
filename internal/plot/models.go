package plot

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
)

// maxPanels bounds the panels of either kind in one figure.
const maxPanels = 24

// A Panel of a figure of models: a velocity in m/s, or a difference of two.
type Panel struct {
	Section
	Difference bool // Drawn on the diverging scale, white at zero.
}

// ModelOptions adjusts a figure of models.
type ModelOptions struct {
	// MinVelocity and MaxVelocity are the ends of the velocity scale in m/s.
	// Where MaxVelocity is not above MinVelocity, as with both zero, they
	// follow from the velocities shown.
	MinVelocity, MaxVelocity float64
	// MaxDifference is the end of the difference scale in m/s. Zero takes
	// the 99th percentile of the magnitudes shown.
	MaxDifference float64
	// Columns is the number of panels side by side. Zero takes two, and
	// more for sections that are deeper than wide.
	Columns int
	// PanelWidth is the width of a panel in points of 1/72 inch. Zero takes
	// 330 beside other panels and 560 alone.
	PanelWidth float64
	// Apart lets every column show what its own panels cover instead of what
	// all do, at one scale: for cuts through a volume in several directions.
	Apart bool
}

// Models draws velocity panels with one common colour bar in m/s, and
// difference panels with a second one that is white at zero, row by row in the
// order given. All panels show the same area of the earth, both axes in km at
// the same scale unless that made them unreadable (a note then states the
// exaggeration). It refuses no panels, more than 24, and arrays that do not
// fit their shape.
func Models(path string, panels []Panel, opts ModelOptions) (err error) {
	defer guard(path, &err)
	if len(panels) == 0 || len(panels) > maxPanels {
		return fmt.Errorf("picture %s: %d panels, 1 to %d can be drawn", path, len(panels), maxPanels)
	}
	var velocities, differences [][]float32
	sections := make([]*Section, len(panels))
	shown := extent{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	for i := range panels {
		s := &panels[i].Section
		if err := s.check(); err != nil {
			return fmt.Errorf("picture %s: %w", path, err)
		}
		shown = union(shown, s.extent())
		sections[i] = s
		if panels[i].Difference {
			differences = append(differences, s.Values)
		} else {
			velocities = append(velocities, s.Values)
		}
	}

	velocity := scale{colours: Sequential(), min: opts.MinVelocity, max: opts.MaxVelocity}
	if !(velocity.max > velocity.min) {
		velocity.min, velocity.max = spread(velocities...)
	}
	limit := opts.MaxDifference
	if !(limit > 0) {
		limit = clip(99, differences...)
	}
	difference := scale{colours: Diverging(), min: -limit, max: limit}

	columns := opts.Columns
	if columns <= 0 {
		columns = 2
		if shown.bottom-shown.top > 1.4*(shown.right-shown.left) {
			columns = 4
		}
	}
	columns = min(columns, len(panels))
	panelWidth := vg.Length(opts.PanelWidth)
	if !(panelWidth > 0) {
		panelWidth = 330
		if columns == 1 {
			panelWidth = 560
		}
	}
	across := layOut(sections, columns, panelWidth, min(110, panelWidth/5.5), max(420, panelWidth), opts.Apart)
	width, h, stretch := measure(across)
	rows := (len(panels) + columns - 1) / columns
	footer := vg.Length(edgeSpace)
	if needsFooter(sections, stretch) {
		footer += 16
	}
	bars := make([]func(vg.Rectangle), 0, 2)
	f := new(figure)
	if len(velocities) > 0 {
		bars = append(bars, func(area vg.Rectangle) { f.drawColorBar(velocity, "Velocity (m/s)", area) })
	}
	if len(differences) > 0 {
		bars = append(bars, func(area vg.Rectangle) { f.drawColorBar(difference, "Difference (m/s)", area) })
	}

	left := vg.Length(leftSpace + axisNameSpace)
	right := left + width
	bottom := vg.Length(rows) * (titleSpace + h + bottomSpace)
	*f = *newFigure(right+vg.Length(len(bars))*barSpace+edgeSpace, bottom+axisNameSpace+footer)
	for i, s := range sections {
		row, column := i/columns, i%columns
		xLabel, yLabel := s.axisLabels()
		if i+columns < len(panels) {
			xLabel = ""
		}
		if column > 0 && !opts.Apart {
			yLabel = ""
		}
		sc := velocity
		if panels[i].Difference {
			sc = difference
		}
		at := across[column]
		area := f.rectangle(left+at.left, vg.Length(row)*(titleSpace+h+bottomSpace)+titleSpace, at.w, at.h)
		f.drawSection(s, at.shown, sc, area, xLabel, yLabel)
	}
	// A bar of the full height of many rows is hard to read across.
	barHeight := min(bottom-titleSpace-bottomSpace, 420)
	barTop := titleSpace + vg.Length(math.Round(float64(bottom-titleSpace-bottomSpace-barHeight)/2))
	for i, bar := range bars {
		bar(f.rectangle(right+vg.Length(i)*barSpace+18, barTop, barWidth, barHeight))
	}
	f.footer(left, sections, stretch)
	return f.save(path)
}

// HeatmapOptions adjusts the picture of a signed quantity.
type HeatmapOptions struct {
	// Quantity names what is drawn, with its unit, at the colour bar.
	// Empty: "Amplitude".
	Quantity string
	// Percentile of the magnitudes at which the colours saturate. Zero: 98.
	Percentile float64
}

// Heatmap draws a signed section such as a gradient in blue, white and red,
// clipped at a percentile of its magnitude, or several side by side.
func Heatmap(path string, sections []Section, opts HeatmapOptions) (err error) {
	defer guard(path, &err)
	if len(sections) == 0 || len(sections) > maxPanels {
		return fmt.Errorf("picture %s: %d sections, 1 to %d can be drawn", path, len(sections), maxPanels)
	}
	panels := make([]*Section, len(sections))
	values := make([][]float32, len(sections))
	for i := range sections {
		if err := sections[i].check(); err != nil {
			return fmt.Errorf("picture %s: %w", path, err)
		}
		panels[i], values[i] = &sections[i], sections[i].Values
	}
	if opts.Quantity == "" {
		opts.Quantity = "Amplitude"
	}
	if !(opts.Percentile > 0) {
		opts.Percentile = 98
	}
	limit := clip(opts.Percentile, values...)
	width := vg.Length(560)
	if len(sections) > 1 {
		width = 330
	}
	across := layOut(panels, len(panels), width, 130, 560, true)
	w, h, stretch := measure(across)
	footer := vg.Length(edgeSpace)
	if needsFooter(panels, stretch) {
		footer += 16
	}
	left := vg.Length(leftSpace + axisNameSpace)
	f := newFigure(left+w+barSpace+edgeSpace, titleSpace+h+bottomSpace+axisNameSpace+footer)
	sc := scale{colours: Diverging(), min: -limit, max: limit}
	for i, c := range across {
		xLabel, yLabel := panels[i].axisLabels()
		f.drawSection(panels[i], c.shown, sc, f.rectangle(left+c.left, titleSpace, c.w, c.h), xLabel, yLabel)
	}
	f.drawColorBar(sc, opts.Quantity, f.rectangle(left+w+18, titleSpace, barWidth, h))
	f.footer(left, panels, stretch)
	return f.save(path)
}
