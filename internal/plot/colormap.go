package plot

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/palette/moreland"
)

// missing is the colour of cells that are NaN.
var missing = color.RGBA{R: 150, G: 150, B: 150, A: 255}

// tableSize is odd, so that a diverging map has one entry that is its centre.
const tableSize = 513

// A Colormap is a table of colours from the least to the greatest value.
type Colormap []color.RGBA

// Sequential is the map for velocities: dark blue over teal and green to pale
// yellow. Its lightness in CIELAB rises steadily, so that equal steps of
// velocity look equal and a grey print keeps their order.
func Sequential() Colormap { return sequential }

// Diverging is the map for signed quantities: blue over white to red.
func Diverging() Colormap { return diverging }

var (
	sequential = tabulateSequential()
	diverging  = tabulateDiverging()
)

func tabulateSequential() Colormap {
	return tabulate(tableSize,
		color.RGBA{R: 24, G: 18, B: 70, A: 255},
		color.RGBA{R: 36, G: 50, B: 128, A: 255},
		color.RGBA{R: 30, G: 94, B: 148, A: 255},
		color.RGBA{R: 22, G: 134, B: 142, A: 255},
		color.RGBA{R: 52, G: 170, B: 118, A: 255},
		color.RGBA{R: 138, G: 198, B: 84, A: 255},
		color.RGBA{R: 226, G: 214, B: 84, A: 255},
		color.RGBA{R: 252, G: 244, B: 190, A: 255})
}

func tabulateDiverging() Colormap {
	const half = tableSize/2 + 1
	white := color.RGBA{R: 255, G: 255, B: 255, A: 255}
	negative := tabulate(half, color.RGBA{R: 16, G: 42, B: 120, A: 255}, color.RGBA{R: 58, G: 112, B: 190, A: 255},
		color.RGBA{R: 160, G: 196, B: 230, A: 255}, white)
	positive := tabulate(half, color.RGBA{R: 118, G: 8, B: 30, A: 255}, color.RGBA{R: 200, G: 62, B: 54, A: 255},
		color.RGBA{R: 244, G: 172, B: 148, A: 255}, white)
	slices.Reverse(positive)
	// Both branches end in white: exactly, whatever their arithmetic.
	negative[half-1] = white
	return append(negative, positive[1:]...)
}

// tabulate interpolates in CIELAB between controls of rising lightness, at a
// rate that makes the lightness linear in the index.
func tabulate(n int, controls ...color.Color) Colormap {
	m, err := moreland.NewLuminance(controls)
	if err != nil { // Only for controls that a test would not have let pass.
		panic("plot: colour map: " + err.Error())
	}
	m.SetMin(0)
	m.SetMax(1)
	table := make(Colormap, n)
	for i := range table {
		c, err := m.At(float64(i) / float64(n-1))
		if err != nil {
			panic("plot: colour map: " + err.Error())
		}
		table[i] = color.RGBAModel.Convert(c).(color.RGBA)
	}
	return table
}

// A scale assigns colours to the values between min and max; values outside
// take the colour of the nearer end.
type scale struct {
	colours  Colormap
	min, max float64
}

func (s scale) colour(value float64) color.RGBA {
	if math.IsNaN(value) {
		return missing
	}
	last := len(s.colours) - 1
	at := (value - s.min) / (s.max - s.min) * float64(last)
	return s.colours[int(math.Round(min(max(at, 0), float64(last))))]
}
