package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gofwi/fwi"
	"gofwi/internal/geology"
	"gofwi/wave"
)

// bareVolume writes a file with nothing but a small volume of velocities, and returns flags that make its run short.
func bareVolume(t *testing.T) (file string, short []string) {
	t.Helper()
	m, err := geology.Volume(geology.VolumeOptions{Options: geology.Options{NZ: 17, NX: 22, DZ: 50, DX: 50, Seed: 5, Kind: geology.Folded, WaterDepth: 100}, NY: 20, DY: 50})
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "volume.h5")
	p := &fwi.Problem{Title: "bare volume", Grid: wave.NewGrid3D(m.NZ, m.NY, m.NX, m.DZ, m.DY, m.DX), Truth: m.VP}
	if err := p.Save(file); err != nil {
		t.Fatal(err)
	}
	return file, []string{"--iterations", "1", "--shots", "4", "--receivers", "36", "--duration", "2", "--max-frequency", "6", "--start", "smooth:200m"}
}

func TestVerbsTakeVolumes(t *testing.T) {
	file, short := bareVolume(t)
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	expect := func(text string, words ...string) {
		t.Helper()
		for _, word := range words {
			if !strings.Contains(text, word) {
				t.Errorf("nothing is said of %q:\n%s", word, text)
			}
		}
	}
	with := func(flags []string, args ...string) string { return mustExecute(t, append(args, flags...)...) }
	expect(with(append(short, "-q"), "run", file, "--out", in("result")), "17 × 20 × 22 cells of 50 × 50 × 50 m", "4 shots and 36 receivers across the model", "model error", "structural similarity")
	for _, name := range []string{resultFile, summaryFile, "model.png", "gathers.png", "convergence.png"} {
		if info, err := os.Stat(filepath.Join(in("result"), name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	with(short, "model", file, in("problem.h5"))
	expect(mustExecute(t, "info", in("problem.h5")), "y 0.2375 to 0.7125 km", "36 receivers each")
	expect(mustExecute(t, "check", in("problem.h5")), "dot product", "Taylor", "cycle skipping")
	mustExecute(t, "gradient", in("problem.h5"), in("gradient.h5"), "--stage", "1")
	for _, args := range [][]string{{file}, {in("problem.h5")}, {in("problem.h5"), "--gather", "2"}, {in("gradient.h5")}, {filepath.Join(in("result"), resultFile)}} {
		expectPicture(t, args...)
	}
	if p, err := fwi.OpenProblem(filepath.Join(in("result"), resultFile)); err != nil || len(p.Grid.Shape) != 3 {
		t.Errorf("the result cannot be opened: %v", err)
	}
}

func TestDemoMakesAVolumeWithASurveyOverItsArea(t *testing.T) {
	file := filepath.Join(t.TempDir(), "demo.h5")
	mustExecute(t, "demo", file, "--3d")
	p, err := fwi.OpenProblem(file)
	if err != nil {
		t.Fatal(err)
	}
	if p.Grid.Axes() != 3 || p.Truth == nil || p.Start == nil || p.Survey == nil || len(p.Survey.Shots[0].Sources[0]) != 3 {
		t.Errorf("the demo is %s", describe(p))
	}
	if _, err := execute(context.Background(), "demo", file+"2", "--3d", "--size", "small"); err == nil {
		t.Error("--size is taken for a volume")
	}
}

func TestCutsOfAVolumeRunThroughItsMiddle(t *testing.T) {
	g := wave.NewGrid3D(4, 6, 8, 10, 20, 30)
	values := make([]float32, g.Cells())
	for i := range values {
		at := g.Index(i)
		values[i] = float32(100*at[0] + 10*at[1] + at[2])
	}
	s := sections("m", g, values)
	if len(s) != 3 {
		t.Fatalf("%d cuts", len(s))
	}
	for i, want := range []struct {
		nz, nx int
		at     float32 // value in row 1, column 2
		title  string
	}{{4, 8, 132, "m, y = 0.06 km"}, {4, 6, 124, "m, x = 0.12 km"}, {6, 8, 212, "m, z = 0.02 km"}} {
		if s[i].NZ != want.nz || s[i].NX != want.nx || s[i].Values[s[i].NX+2] != want.at || s[i].Title != want.title {
			t.Errorf("cut %d: %q, %d × %d, %g; want %+v", i, s[i].Title, s[i].NZ, s[i].NX, s[i].Values[s[i].NX+2], want)
		}
	}
}
