package fwi

import (
	"path/filepath"
	"slices"
	"testing"

	"gofwi/wave"
)

// A run goes on from another's result where that ended, and from a problem where that starts.
func TestStartFromAResultIsWhatItEndedWith(t *testing.T) {
	level := func(v float32) []float32 { return slices.Repeat([]float32{v}, 12*15) }
	p := &Problem{Grid: wave.NewGrid2D(12, 15, 10, 10), Start: level(2000), Truth: level(2500)}
	result := filepath.Join(t.TempDir(), "result.h5")
	if err := WriteResult(result, p, Config{}, &Outcome{Model: level(2300), History: []Record{{Misfit: 1}}}, "test"); err != nil {
		t.Fatal(err)
	}
	problem := filepath.Join(t.TempDir(), "problem.h5")
	if err := p.Save(problem); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]float32{result: 2300, problem: 2000} {
		v, g, err := OpenStart(path)
		if err != nil {
			t.Fatal(err)
		}
		if !g.SameShape(p.Grid) || !slices.Equal(v, level(want)) {
			t.Errorf("%s: a model of %v cells begins with %g m/s, want %g", filepath.Base(path), g.Shape, v[0], want)
		}
	}
}
