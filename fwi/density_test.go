package fwi

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gofwi/wave"
)

func TestGivenDensityIsPartOfDataAndInversion(t *testing.T) {
	p, c := smallProblem(t, nil)
	p.Density = make([]float32, p.Grid.Cells())
	for i, v := range p.Truth {
		p.Density[i] = 1000
		if !p.Water[i] {
			p.Density[i] = 1700 + 0.25*(v-1500)
		}
	}
	var err error
	if p.Observed, err = ModelData(background, p, c, nil); err != nil {
		t.Fatal(err)
	}
	misfit := func(p *Problem, vp []float32) float64 {
		e, err := NewEvaluator(background, p, c, c.Stages[1])
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		j, err := e.Misfit(background, vp)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	limit := slices.Max(p.Truth)
	c.MaxVelocity = max(c.MaxVelocity, float64(limit)+1)
	without := *p
	without.Density = nil
	truth, ignored, start := misfit(p, p.Truth), misfit(&without, p.Truth), misfit(p, p.Start)
	t.Logf("true model %.2e, with constant density %.2e; start model %.2e", truth, ignored, start)
	// What is left of the truth are errors of the stage's grid, of density and velocity alike.
	if !(truth < 0.1*ignored && truth < 0.1*start) {
		t.Errorf("the misfit of the true model is %.2e with its density, %.2e without, that of the start %.2e", truth, ignored, start)
	}
	path := filepath.Join(t.TempDir(), "density.h5")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	back, err := OpenProblem(path)
	if err != nil || !slices.Equal(back.Density, p.Density) {
		t.Errorf("the density does not survive a file: %v", err)
	}
	if Fingerprint(p, c) == Fingerprint(&without, c) {
		t.Error("a checkpoint does not know the density")
	}
	for i := range p.Density {
		p.Density[i] /= 1000
	}
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenProblem(path); err == nil || !strings.Contains(err.Error(), "/rho") || !strings.Contains(err.Error(), "g/cm³") {
		t.Errorf("g/cm³ pass for kg/m³: %v", err)
	}
	coarse := make([]float32, wave.NewGrid2D(31, 73, 50, 50).Cells())
	wave.NewRegrid(p.Grid, wave.NewGrid2D(31, 73, 50, 50)).Density(coarse, p.Density)
	if slices.Min(coarse) < slices.Min(p.Density) || slices.Max(coarse) > slices.Max(p.Density) {
		t.Error("averaged densities leave the range of those given")
	}
}
