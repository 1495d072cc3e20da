package plot

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func decode(t *testing.T, path string) image.Image {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, err := png.Decode(file)
	if err != nil {
		t.Fatalf("%s is no PNG: %v", path, err)
	}
	return img
}

// panelArea is the rectangle in pixels of the first panel of a figure of
// sections with the given size in points.
func panelArea(width, height float64) image.Rectangle {
	const perPoint = dpi / 72
	left, top := perPoint*(leftSpace+axisNameSpace), perPoint*titleSpace
	return image.Rect(left, top, left+int(perPoint*width), top+int(perPoint*height))
}

// at returns the colour at fractions of the width and height of an area.
func at(img image.Image, area image.Rectangle, across, down float64) color.RGBA {
	x := area.Min.X + int(across*float64(area.Dx()))
	y := area.Min.Y + int(down*float64(area.Dy()))
	return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
}

func requireColour(t *testing.T, what string, got, want color.RGBA) {
	t.Helper()
	// Panels lie on whole pixels; two levels cover rounding when the image is
	// composited.
	const tolerance = 2
	for _, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B)} {
		if d > tolerance || d < -tolerance {
			t.Errorf("%s is drawn as %v, want %v", what, got, want)
			return
		}
	}
}

// layered returns a section [nz, nx] of 2000 m/s above 3000 m/s, split at half
// its depth, with a block of 4500 m/s in the lower right quarter.
func layered(nz, nx int) Section {
	s := Section{Title: "layered", Values: make([]float32, nz*nx), NZ: nz, NX: nx, DZ: 10, DX: 10}
	for i := range nz {
		for j := range nx {
			v := float32(2000)
			if i >= nz/2 {
				v = 3000
			}
			if i >= 6*nz/10 && i < 9*nz/10 && j >= 6*nx/10 && j < 9*nx/10 {
				v = 4500
			}
			s.Values[i*nx+j] = v
		}
	}
	return s
}

func TestModelsDrawsVelocitiesInTheColoursOfTheScaleWithShallowOnTop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.png")
	s := layered(100, 200)
	opts := ModelOptions{MinVelocity: 1500, MaxVelocity: 5000}
	if err := Models(path, []Panel{{Section: s}}, opts); err != nil {
		t.Fatal(err)
	}
	img := decode(t, path)
	area := panelArea(560, 280) // Alone, and at equal scale half as high as wide.
	sc := scale{Sequential(), 1500, 5000}
	requireColour(t, "the upper layer", at(img, area, 0.25, 0.25), sc.colour(2000))
	requireColour(t, "the lower layer", at(img, area, 0.25, 0.75), sc.colour(3000))
	requireColour(t, "the fast block", at(img, area, 0.75, 0.75), sc.colour(4500))
	requireColour(t, "the mirror image of the block", at(img, area, 0.75, 0.25), sc.colour(2000))
	// Half a pixel inside the panel the upper layer begins, outside is paper.
	requireColour(t, "the paper above the panel", at(img, area, 0.25, -0.03), color.RGBA{255, 255, 255, 255})
	requireColour(t, "the upper edge", at(img, area, 0.25, 0.02), sc.colour(2000))
	requireColour(t, "the lower edge", at(img, area, 0.25, 0.98), sc.colour(3000))
}

func TestModelsSizeFollowsTheAspectRatioOfTheSection(t *testing.T) {
	for _, shape := range []struct {
		nz, nx        int
		panels        int
		width, height int // Pixels.
	}{
		// left 52 + panels and gaps + bars of 74 + edge 14; rows of
		// 30 + height + 18, + 18 and the footer of 14: in points, twice.
		{100, 200, 1, 2 * (52 + 560 + 74 + 14), 2 * (30 + 280 + 18 + 18 + 14)},
		{100, 200, 2, 2 * (52 + 2*330 + 34 + 74 + 14), 2 * (30 + 165 + 18 + 18 + 14)},
		{100, 200, 3, 2 * (52 + 2*330 + 34 + 74 + 14), 2 * (2*(30+165+18) + 18 + 14)},
		// Flatter than 1:5.5 is exaggerated, which a footer of 16 more says.
		{10, 400, 2, 2 * (52 + 2*330 + 34 + 74 + 14), 2 * (30 + 60 + 18 + 18 + 14 + 16)},
	} {
		path := filepath.Join(t.TempDir(), "model.png")
		panels := make([]Panel, shape.panels)
		for i := range panels {
			panels[i].Section = layered(shape.nz, shape.nx)
		}
		if err := Models(path, panels, ModelOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := decode(t, path).Bounds(); got.Dx() != shape.width || got.Dy() != shape.height {
			t.Errorf("%d panels of %d × %d cells: picture of %d × %d pixels, want %d × %d",
				shape.panels, shape.nz, shape.nx, got.Dx(), got.Dy(), shape.width, shape.height)
		}
	}
}

func TestDifferencePanelIsWhiteAtZeroAndRedAbove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "difference.png")
	s := layered(100, 200)
	for i, v := range s.Values {
		s.Values[i] = map[float32]float32{2000: 0, 3000: -300, 4500: 300}[v]
	}
	if err := Models(path, []Panel{{Section: s, Difference: true}}, ModelOptions{MaxDifference: 600}); err != nil {
		t.Fatal(err)
	}
	img, area := decode(t, path), panelArea(560, 280)
	sc := scale{Diverging(), -600, 600}
	requireColour(t, "zero", at(img, area, 0.25, 0.25), color.RGBA{255, 255, 255, 255})
	requireColour(t, "-300 m/s", at(img, area, 0.25, 0.75), sc.colour(-300))
	requireColour(t, "300 m/s", at(img, area, 0.75, 0.75), sc.colour(300))
	if above, below := sc.colour(300), sc.colour(-300); above.R <= above.B || below.B <= below.R {
		t.Errorf("300 m/s is %v and -300 m/s %v, want red and blue", above, below)
	}
}

func TestMissingCellsAreGreyAndDoNotMoveTheRange(t *testing.T) {
	dir := t.TempDir()
	whole, holed := layered(100, 200), layered(100, 200)
	nan := float32(math.NaN())
	for i := 10; i < 30; i++ {
		for j := 20; j < 60; j++ {
			holed.Values[i*200+j] = nan
		}
	}
	areas := panelArea(560, 280)
	images := make([]image.Image, 2)
	for i, s := range []Section{whole, holed} {
		path := filepath.Join(dir, fmt.Sprint(i, ".png"))
		if err := Models(path, []Panel{{Section: s}}, ModelOptions{}); err != nil {
			t.Fatal(err)
		}
		images[i] = decode(t, path)
	}
	requireColour(t, "a hole of NaN", at(images[1], areas, 0.2, 0.2), missing)
	requireColour(t, "the layer beside it", at(images[1], areas, 0.5, 0.2), at(images[0], areas, 0.5, 0.2))
}

func TestArraysWithoutARangeAreDrawn(t *testing.T) {
	fill := func(v float64) Section {
		s := layered(20, 40)
		for i := range s.Values {
			s.Values[i] = float32(v)
		}
		return s
	}
	for _, v := range []float64{0, 1500, -3, 1e-30, math.NaN(), math.Inf(1)} {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			dir := t.TempDir()
			s := fill(v)
			if err := Models(filepath.Join(dir, "a.png"), []Panel{{Section: s}, {Section: s, Difference: true}}, ModelOptions{}); err != nil {
				t.Error(err)
			}
			if err := Heatmap(filepath.Join(dir, "b.png"), []Section{s}, HeatmapOptions{}); err != nil {
				t.Error(err)
			}
			shot := Shot{Observed: s.Values, Synthetic: s.Values, NReceivers: 20, NT: 40, DT: 0.01}
			if err := Gathers(filepath.Join(dir, "c.png"), shot); err != nil {
				t.Error(err)
			}
			if math.IsNaN(v) {
				requireColour(t, "NaN in a heat map", at(decode(t, filepath.Join(dir, "b.png")), panelArea(560, 280), 0.5, 0.5), missing)
			}
		})
	}
}

func TestSingleCellAndSingleTraceAreDrawn(t *testing.T) {
	dir := t.TempDir()
	s := Section{Values: []float32{2000}, NZ: 1, NX: 1, DZ: 10, DX: 10}
	if err := Models(filepath.Join(dir, "a.png"), []Panel{{Section: s}}, ModelOptions{}); err != nil {
		t.Error(err)
	}
	if err := Gathers(filepath.Join(dir, "b.png"), Shot{Observed: []float32{1}, NReceivers: 1, NT: 1, DT: 0.01, X: []float64{7}}); err != nil {
		t.Error(err)
	}
}

func TestLargeSectionsAreAveragedToPixels(t *testing.T) {
	// Columns alternate between 1000 and 3000 m/s, many to the pixel: each
	// pixel must show their mean, not one of them.
	const nz, nx = 500, 5600
	s := Section{Values: make([]float32, nz*nx), NZ: nz, NX: nx, DZ: 10, DX: 1}
	for i := range s.Values {
		s.Values[i] = 1000 + 2000*float32(i%2)
	}
	rows := spans(nz, 0, s.DZ, -5, 4995, 200)
	cols := spans(nx, 0, s.DX, -0.5, nx-0.5, nx/4)
	sc := scale{Sequential(), 1000, 3000}
	img := rasterise(grid{s.Values, nx, 1}, rows, cols, sc)
	for x := range nx / 4 {
		if got, want := img.RGBAAt(x, 100), sc.colour(2000); got != want {
			t.Fatalf("pixel %d is %v, want the colour of the mean %v", x, got, want)
		}
	}
}

func TestSpansCoverEveryCellOnceWhenThereAreMoreCellsThanPixels(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	for range 200 {
		cells := 1 + r.IntN(3000)
		count := 1 + r.IntN(cells)
		step := math.Exp(4 * (r.Float64() - 0.5))
		origin := 100 * r.Float64()
		next := 0
		for p, s := range spans(cells, origin, step, origin-step/2, origin+(float64(cells)-0.5)*step, count) {
			if s.first != next || s.end <= s.first {
				t.Fatalf("%d cells on %d pixels: pixel %d shows cells %d to %d after %d", cells, count, p, s.first, s.end, next)
			}
			next = s.end
		}
		if next != cells {
			t.Fatalf("%d cells on %d pixels: only %d are shown", cells, count, next)
		}
	}
}

func TestGathersDrawsTimeDownAndReceiversInOrderOfPosition(t *testing.T) {
	const receivers, nt = 40, 200
	observed := make([]float32, receivers*nt)
	x := make([]float64, receivers)
	for r := range receivers {
		x[r] = float64(receivers-r) * 50 // Stored from right to left.
		for k := range nt {
			if r < receivers/2 && k < nt/2 {
				observed[r*nt+k] = 1
			}
		}
	}
	synthetic := make([]float32, len(observed))
	for i, v := range observed {
		synthetic[i] = v / 2
	}
	path := filepath.Join(t.TempDir(), "gathers.png")
	shot := Shot{Observed: observed, Synthetic: synthetic, NReceivers: receivers, NT: nt, DT: 0.004, X: x}
	if err := Gathers(path, shot); err != nil {
		t.Fatal(err)
	}
	img := decode(t, path)
	sc := scale{Diverging(), -1, 1}
	white := color.RGBA{255, 255, 255, 255}
	for i, want := range []float64{1, 0.5, -0.5} { // Observed, synthetic, residual.
		area := panelArea(220, 330).Add(image.Pt(i*2*(220+22), 0))
		requireColour(t, fmt.Sprintf("panel %d, early and right", i), at(img, area, 0.75, 0.25), sc.colour(want))
		requireColour(t, fmt.Sprintf("panel %d, early and left", i), at(img, area, 0.25, 0.25), white)
		requireColour(t, fmt.Sprintf("panel %d, late and right", i), at(img, area, 0.75, 0.75), white)
	}
}

func TestHeatmapSaturatesAtThePercentile(t *testing.T) {
	s := layered(100, 200)
	for i := range s.Values {
		s.Values[i] = 1e-9
	}
	s.Values[150*1] = 5 // One spike must not wash out the rest.
	path := filepath.Join(t.TempDir(), "gradient.png")
	if err := Heatmap(path, []Section{s}, HeatmapOptions{Quantity: "gradient"}); err != nil {
		t.Fatal(err)
	}
	colours := Diverging()
	requireColour(t, "the background", at(decode(t, path), panelArea(560, 280), 0.5, 0.7), colours[len(colours)-1])
}

func stagesForTest() []Stage {
	return []Stage{
		{Label: "3–5 Hz", Solves: []float64{0, 10, 20}, Misfit: []float64{8, 2, 0.8}, ModelError: []float64{400, 350, 300}},
		{Label: "3–10 Hz", Solves: []float64{22, 30, 40}, Misfit: []float64{5, math.NaN(), 0.5}, ModelError: []float64{300, 250, 200}},
	}
}

func TestConvergenceShadesEverySecondStageAndDrawsTheErrorWhereKnown(t *testing.T) {
	dir := t.TempDir()
	with, without := filepath.Join(dir, "a.png"), filepath.Join(dir, "b.png")
	stages := stagesForTest()
	if err := Convergence(with, "run", stages); err != nil {
		t.Fatal(err)
	}
	for i := range stages {
		stages[i].ModelError = nil
	}
	if err := Convergence(without, "run", stages); err != nil {
		t.Fatal(err)
	}
	a, b := decode(t, with), decode(t, without)
	if grown := a.Bounds().Dy() - b.Bounds().Dy(); grown != 2*(170+16) {
		t.Errorf("the model error adds %d pixels to the height, want %d", grown, 2*(170+16))
	}
	area := image.Rect(2*62, 2*titleSpace, 2*(62+560), 2*(titleSpace+250))
	requireColour(t, "the first stage", at(a, area, 0.1, 0.95), color.RGBA{255, 255, 255, 255})
	requireColour(t, "the second stage", at(a, area, 0.9, 0.3), bandColours[1].(color.RGBA))
	var curve, modelError int
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			switch a.At(x, y) {
			case misfitColour:
				curve++
			case errorColour:
				modelError++
			}
		}
	}
	// Lines of three pixels over most of 1100: far more than stray pixels.
	if curve < 500 || modelError < 500 {
		t.Errorf("%d pixels of the misfit and %d of the model error are drawn", curve, modelError)
	}
}

func TestConvergenceTakesCrowdedAndSinglePointStages(t *testing.T) {
	var crowded []Stage
	for k := range 60 {
		crowded = append(crowded, Stage{Label: fmt.Sprintf("stage %d", k), Solves: []float64{float64(k)}, Misfit: []float64{1}})
	}
	for name, stages := range map[string][]Stage{
		"crowded": crowded,
		"single":  {{Label: "a", Solves: []float64{0}, Misfit: []float64{3}, ModelError: []float64{0}}},
		"gap":     {{Label: "a"}, {Label: "b", Solves: []float64{4, 6}, Misfit: []float64{0, 3}}},
	} {
		if err := Convergence(filepath.Join(t.TempDir(), "c.png"), "", stages); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInputThatCannotBeDrawnIsRefusedInASentence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.png")
	good := layered(10, 20)
	short, flat, origin := good, good, good
	short.Values = short.Values[:7]
	flat.DZ = 0
	origin.OriginX = math.NaN()
	many := make([]Panel, maxPanels+1)
	models := func(s Section) error { return Models(path, []Panel{{Section: s}}, ModelOptions{}) }
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"no panels":     {Models(path, nil, ModelOptions{}), "0 panels"},
		"many panels":   {Models(path, many, ModelOptions{}), "25 panels"},
		"empty":         {models(Section{Title: "void"}), "0 × 0"},
		"short":         {models(short), "7 values"},
		"spacing":       {models(flat), "dz = 0 m"},
		"origin":        {models(origin), "NaN"},
		"empty heatmap": {Heatmap(path, []Section{{}}, HeatmapOptions{}), "0 × 0"},
		"no gather":     {Gathers(path, Shot{NReceivers: 2, NT: 3, DT: 1}), "no gather"},
		"empty gather":  {Gathers(path, Shot{}), "0 receivers"},
		"short gather":  {Gathers(path, Shot{Observed: good.Values, NReceivers: 3, NT: 5, DT: 1}), "200 values"},
		"no interval":   {Gathers(path, Shot{Observed: good.Values, NReceivers: 10, NT: 20}), "interval 0 s"},
		"positions":     {Gathers(path, Shot{Observed: good.Values, NReceivers: 10, NT: 20, DT: 1, X: []float64{1}}), "1 receiver positions"},
		"no stages":     {Convergence(path, "", nil), "no convergence"},
		"ragged stage":  {Convergence(path, "", []Stage{{Solves: []float64{1}}}), "1 counts"},
		"NaN solves":    {Convergence(path, "", []Stage{{Solves: []float64{math.NaN()}, Misfit: []float64{1}}}), "NaN"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.says) || !strings.Contains(c.err.Error(), path) {
			t.Errorf("%s: error %v, want one that names the file and says %q", name, c.err, c.says)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused picture left a file")
	}
}

func TestFailedWriteKeepsTheOldPictureAndLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	// A folder in the place of the picture makes the final rename fail.
	path := filepath.Join(dir, "model.png")
	if err := os.MkdirAll(filepath.Join(path, "kept"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := Models(path, []Panel{{Section: layered(10, 20)}}, ModelOptions{})
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names %s", err, path)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != "model.png" {
		t.Errorf("the folder holds %v, want only what was there before", entries)
	}
}

// lightness is CIELAB L* of an sRGB colour.
func lightness(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	y := 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
	if y <= 216.0/24389 {
		return y * 24389 / 27
	}
	return 116*math.Cbrt(y) - 16
}

func TestColourMapsChangeLightnessEvenly(t *testing.T) {
	// Eight bits a channel and the library's white point leave about 1.5 of
	// the 100 units of lightness.
	const tolerance = 1.5
	even := func(name string, colours []color.RGBA) {
		t.Helper()
		first, last := lightness(colours[0]), lightness(colours[len(colours)-1])
		for i, c := range colours {
			want := first + (last-first)*float64(i)/float64(len(colours)-1)
			if d := math.Abs(lightness(c) - want); d > tolerance {
				t.Errorf("%s, entry %d of %d: lightness %.1f, want %.1f", name, i, len(colours), lightness(c), want)
				return
			}
		}
	}
	even("sequential", Sequential())
	both, centre := Diverging(), tableSize/2
	even("negative half", both[:centre+1])
	even("positive half", both[centre:])
	if both[centre] != (color.RGBA{255, 255, 255, 255}) || len(both) != tableSize {
		t.Errorf("the centre of %d colours is %v, want white among %d", len(both), both[centre], tableSize)
	}
}

func TestTicksAreRoundAndShowDepthWithoutSign(t *testing.T) {
	labels := func(lo, hi float64, magnitude bool) string {
		var s []string
		for _, tick := range ticksWithin(lo, hi, 200, 40, magnitude) {
			s = append(s, tick.Label)
		}
		return strings.Join(s, " ")
	}
	for _, c := range []struct {
		got, want string
	}{
		{labels(-3.1, 0.01, true), "3 2 1 0"},
		{labels(-0.006, 0.4, false), "0.0 0.1 0.2 0.3 0.4"},
		{labels(-250, 250, false), minus + "200 " + minus + "100 0 100 200"},
		{labels(1500, 5500, false), "2000 3000 4000 5000"},
	} {
		if c.got != c.want {
			t.Errorf("ticks %q, want %q", c.got, c.want)
		}
	}
}
