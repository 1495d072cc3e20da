package exchange

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gofwi/internal/segy"
	"gofwi/wave"
)

// shots returns a file of two shots into three receivers each.
func shots() *segy.File {
	f := &segy.File{Format: segy.IEEE, Interval: 2000}
	for s := range 2 {
		for r := range 3 {
			h := segy.Header{FieldRecord: int32(s + 1), SourceX: float64(100 * s), ReceiverX: float64(100*s + 50*r + 25)}
			f.Traces = append(f.Traces, segy.Trace{Header: h, Samples: []float32{1, 2, 3, 4}})
		}
	}
	return f
}

var headerDepths = GatherOptions{SourceDepth: math.NaN(), ReceiverDepth: math.NaN()}

func TestReadGathersRefusesHeadersThatMakeNoSurvey(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(f *segy.File)
		word  string
	}{
		{"a source that moves within a shot", func(f *segy.File) { f.Traces[1].Header.SourceX = 7 }, "7, 0"},
		{"receivers at the sources", func(f *segy.File) {
			for i := range f.Traces {
				f.Traces[i].Header.ReceiverX = f.Traces[i].Header.SourceX
			}
		}, "geometry"},
		{"degrees", func(f *segy.File) { f.Traces[2].Header.CoordinateUnits = 3 }, "trace 3"},
		{"no sample interval", func(f *segy.File) { f.Interval = 0 }, "interval"},
		{"another sample interval", func(f *segy.File) { f.Traces[0].Header.Interval, f.Traces[4].Header.Interval = 2000, 4000 }, "trace 5"},
		{"a delay between samples", func(f *segy.File) { f.Traces[0].Header.Delay = 0.003 }, "0.003"},
		{"traces that end before the shot", func(f *segy.File) {
			for i := range f.Traces {
				f.Traces[i].Header.Delay = -0.008
			}
		}, "-0.008"},
		{"another length", func(f *segy.File) { f.Traces[3].Samples = f.Traces[3].Samples[:3] }, "trace 4"},
	} {
		f := shots()
		c.spoil(f)
		if _, err := ReadGathers(f, headerDepths); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := ReadGathers(shots(), headerDepths); err != nil {
		t.Errorf("sound headers: %v", err)
	}
}

func TestReadGathersSharesReceiversOfAFixedSpread(t *testing.T) {
	f := shots()
	g, err := ReadGathers(f, headerDepths)
	if err != nil {
		t.Fatal(err)
	}
	if &g.Receivers[0][0] == &g.Receivers[1][0] {
		t.Error("a moving spread is taken for a fixed one")
	}
	for i := range f.Traces {
		f.Traces[i].Header.ReceiverX = float64(300 + i%3)
	}
	if g, err = ReadGathers(f, headerDepths); err != nil {
		t.Fatal(err)
	}
	if &g.Receivers[0][0] != &g.Receivers[1][0] {
		t.Error("a fixed spread is stored once for each shot")
	}
}

func TestReadGathersCutsWhatWasRecordedBeforeTheShot(t *testing.T) {
	f := shots()
	for i := range f.Traces {
		f.Traces[i].Header.Delay = -0.004
	}
	g, err := ReadGathers(f, headerDepths)
	if err != nil {
		t.Fatal(err)
	}
	if g.NT != 2 || g.Data[0][0] != 3 || g.Data[0][1] != 4 || len(g.Notes) != 1 {
		t.Errorf("%d samples that begin %v; notes %q", g.NT, g.Data[0], g.Notes)
	}
}

func TestSurveyTakesOneWaveletOrOnePerShotAndNoneThatIsTooLong(t *testing.T) {
	g, err := ReadGathers(shots(), headerDepths)
	if err != nil {
		t.Fatal(err)
	}
	s, err := g.Survey([][]float32{{5}, {6, 7, 0, 0, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	if w := s.Shots[1].Wavelets[0]; len(w) != 4 || w[0] != 6 || w[1] != 7 || s.Shots[0].Wavelets[0][0] != 5 {
		t.Errorf("wavelets %v and %v", s.Shots[0].Wavelets, s.Shots[1].Wavelets)
	}
	if _, err := g.Survey([][]float32{{1, 2, 3, 4, 5}}); err == nil {
		t.Error("a wavelet longer than the traces is cut silently")
	}
	if _, err := g.Survey([][]float32{{1}, {2}, {3}}); err == nil {
		t.Error("three wavelets serve two shots")
	}
}

func TestSEGYRefusesSpacingsThatItWouldRound(t *testing.T) {
	for _, dz := range []float64{1.0 / 3, 70, 1e-5} {
		if _, err := ModelTraces(make([]float32, 4), wave.NewGrid2D(2, 2, dz, 5)); err == nil {
			t.Errorf("a spacing of %g m fits", dz)
		}
	}
	for _, dt := range []float64{0.001 / 3, 0.07, 1e-9} {
		s := wave.FixedSpread([]wave.Position{{0, 0}}, []wave.Position{{0, 5}}, make([]float32, 2), dt)
		if _, err := GatherTraces(s, [][]float32{{1, 2}}); err == nil {
			t.Errorf("an interval of %g s fits", dt)
		}
	}
}

func TestUnevenPositionsLeaveTheSpacingOpen(t *testing.T) {
	f := &segy.File{Interval: 5000}
	for _, x := range []float64{0, 10, 20, 35} {
		f.Traces = append(f.Traces, segy.Trace{Header: segy.Header{CDPX: x}, Samples: []float32{1500, 1600}})
	}
	m, err := ReadModel(f)
	if err != nil {
		t.Fatal(err)
	}
	if m.Spacing[1] != 0 || m.Origin != nil || m.Spacing[0] != 5 {
		t.Errorf("spacing %v, origin %v", m.Spacing, m.Origin)
	}
}

func TestVolumesAreKnownByPositionsThatFillARectangle(t *testing.T) {
	g := wave.Grid{Shape: []int{4, 3, 5}, Spacing: []float64{10, 30, 20}, Origin: []float64{-20, 500, 1000}}
	values := make([]float32, g.Cells())
	for i := range values {
		values[i] = float32(1500 + i)
	}
	f, err := ModelTraces(values, g)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadModel(f)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Shape, g.Shape) || !slices.Equal(m.Spacing, g.Spacing) || !slices.Equal(m.Origin, g.Origin) || !slices.Equal(m.Values, values) {
		t.Errorf("%+v comes back as %v, %v, %v", g, m.Shape, m.Spacing, m.Origin)
	}
	f.Traces[7].Header.CDPY += 3
	if m, err = ReadModel(f); err != nil || len(m.Shape) != 2 {
		t.Errorf("a trace beside its line: shape %v, %v", m.Shape, err)
	}
}

func TestTransposedVolumesKeepEveryValueInItsPlace(t *testing.T) {
	m := &Model{Shape: []int{5, 3, 4}, Spacing: []float64{1, 2, 3}} // [nx, ny, nz]
	for x := range 5 {
		for y := range 3 {
			for z := range 4 {
				m.Values = append(m.Values, float32(100*z+10*y+x))
			}
		}
	}
	m.Transpose()
	if !slices.Equal(m.Shape, []int{4, 3, 5}) || m.Values[(2*3+1)*5+4] != 214 {
		t.Errorf("shape %v, value %g", m.Shape, m.Values[(2*3+1)*5+4])
	}
	m.Thin(2)
	if !slices.Equal(m.Shape, []int{2, 2, 3}) || !slices.Equal(m.Values, []float32{0, 2, 4, 20, 22, 24, 200, 202, 204, 220, 222, 224}) || !slices.Equal(m.Spacing, []float64{2, 4, 6}) {
		t.Errorf("thinned to %v, %v, %v", m.Shape, m.Spacing, m.Values)
	}
}
