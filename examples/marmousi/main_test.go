package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gofwi/fwi"
	"gofwi/internal/geology"
	"gofwi/wave"
)

const schedule = `
start: smooth:200m
acquisition: {shots: 6, receivers: 61, max_frequency: 8, duration: 2}
stages:
- {min_frequency: 0, max_frequency: 6, iterations: 6}
`

func TestBareModelIsInverted(t *testing.T) {
	const nz, nx, spacing = 51, 121, 20.0
	earth, err := geology.Section(geology.Options{NZ: nz, NX: nx, DZ: spacing, DX: spacing, Seed: 3, Kind: geology.Folded, WaterDepth: 100})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	model, result, config := filepath.Join(folder, "model.h5"), filepath.Join(folder, "result.h5"), filepath.Join(folder, "config.yaml")
	if err := (&fwi.Problem{Grid: wave.NewGrid2D(nz, nx, spacing, spacing), Truth: earth.VP}).Save(model); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(schedule), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := invert(context.Background(), &out, []string{model, result, config}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if text := out.String(); strings.Contains(text, "NaN") || !strings.Contains(text, "iteration  6") {
		t.Errorf("it does not reach its last iteration with finite numbers:\n%s", text)
	}
	inverted, err := fwi.OpenProblem(result)
	if err != nil {
		t.Fatal(err)
	}
	rms := func(vp []float32) float64 {
		e, err := fwi.ModelRMS(vp, earth.VP, nil)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	before, after := rms(inverted.Start), rms(inverted.Truth) // a result's /vp is the inverted model
	t.Logf("model error %.1f m/s, at the start %.1f m/s", after, before)
	// Six iterations up to 6 Hz take off a tenth; a wrong gradient or a wrong unit takes off nothing.
	if math.IsNaN(after) || after > 0.93*before {
		t.Errorf("model error %.1f m/s, at the start %.1f m/s\n%s", after, before, out.String())
	}
}

func TestMissingFileIsAnError(t *testing.T) {
	err := invert(context.Background(), &bytes.Buffer{}, []string{filepath.Join(t.TempDir(), "no.h5"), "r.h5"})
	if err == nil || !strings.Contains(err.Error(), "no.h5") {
		t.Errorf("got %v", err)
	}
}
