package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gofwi/fwi"
	"gofwi/wave"
)

// recordedProblem writes a problem with an origin, a streamer survey at fractions of a metre and data with a name in every sample.
func recordedProblem(t *testing.T) (string, *fwi.Problem) {
	t.Helper()
	const nz, nx, shots, receivers, nt, dt = 21, 60, 3, 7, 40, 0.004
	g := wave.NewGrid2D(nz, nx, 12.5, 20)
	g.Origin = []float64{-25, 300}
	p := &fwi.Problem{Title: "recorded", Grid: g, Survey: &wave.Survey{DT: dt, NT: nt}}
	for i := range nz * nx {
		v := float32(1500 + 37.3*float64(i/nx) + float64(i%nx)/3)
		p.Truth = append(p.Truth, v)
		p.Start = append(p.Start, v+50)
	}
	wavelet := wave.Ricker(20, dt, nt, 0.06)
	for s := range shots {
		shot := wave.Shot{Sources: []wave.Position{{6.5, 500.25 + 50*float64(s)}}, Wavelets: [][]float32{wavelet}}
		gather := make([]float32, receivers*nt)
		for r := range receivers {
			shot.Receivers = append(shot.Receivers, wave.Position{10, shot.Sources[0][1] + 37.5*float64(r) + 12.3})
			for k := range nt {
				gather[r*nt+k] = float32(s*1000000+r*1000+k) / 7
			}
		}
		p.Survey.Shots = append(p.Survey.Shots, shot)
		p.Observed = append(p.Observed, gather)
	}
	path := filepath.Join(t.TempDir(), "recorded.h5")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	return path, p
}

// recordedVolume is the like in three dimensions, with receivers that cover an area.
func recordedVolume(t *testing.T) (string, *fwi.Problem) {
	t.Helper()
	const nt, dt = 30, 0.004
	g := wave.NewGrid3D(9, 8, 11, 12.5, 25, 20)
	g.Origin = []float64{-25, 1000, 300}
	p := &fwi.Problem{Title: "recorded volume", Grid: g, Survey: &wave.Survey{DT: dt, NT: nt}}
	for i := range g.Cells() {
		at := g.Index(i)
		v := float32(1500 + 37.3*float64(at[0]) + float64(at[2])/3 + 7*float64(at[1]))
		p.Truth = append(p.Truth, v)
		p.Start = append(p.Start, v+50)
	}
	receivers := wave.Patch(3, 4, 10, 1010.5, 1150.5, 310.25, 490.25)
	p.Survey = wave.FixedSpread(wave.Patch(2, 2, 6.5, 1050, 1120, 350, 470), receivers, wave.Ricker(20, dt, nt, 0.06), dt)
	for s := range p.Survey.Shots {
		gather := make([]float32, len(receivers)*nt)
		for i := range gather {
			gather[i] = float32(s*1000000+i) / 7
		}
		p.Observed = append(p.Observed, gather)
	}
	path := filepath.Join(t.TempDir(), "volume.h5")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	return path, p
}

func mustExecute(t *testing.T, args ...string) string {
	t.Helper()
	text, err := execute(context.Background(), args...)
	if err != nil {
		t.Fatalf("fwi %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	return text
}

func TestModelsComeBackFromEveryFormatTheyAreExportedTo(t *testing.T) {
	section, p := recordedProblem(t)
	volume, q := recordedVolume(t)
	for _, c := range []struct {
		file           string
		p              *fwi.Problem
		spacing, shape []string
	}{{section, p, []string{"--dz", "12.5", "--dx", "20"}, []string{"--shape", "21,60"}},
		{volume, q, []string{"--dz", "12.5", "--dy", "25", "--dx", "20"}, []string{"--shape", "9,8,11"}}} {
		expectModelBack(t, c.file, c.p, c.spacing, c.shape)
	}
}

func expectModelBack(t *testing.T, file string, p *fwi.Problem, spacing, shape []string) {
	t.Helper()
	dir := t.TempDir()
	for _, c := range []struct {
		name             string
		export, reimport []string
		tolerance        float64 // relative
		origin           bool
	}{
		{name: "m.sgy", origin: true},
		// IBM floats keep 21 to 24 bits
		{name: "ibm.segy", export: []string{"--ibm"}, tolerance: 1.0 / (1 << 20), origin: true},
		{name: "m.npy", reimport: spacing},
		{name: "m.bin", reimport: slices.Concat(spacing, shape, []string{"--little-endian"})},
	} {
		out, back := filepath.Join(dir, c.name), filepath.Join(dir, c.name+".h5")
		mustExecute(t, append([]string{"export", file, out}, c.export...)...)
		mustExecute(t, append([]string{"import", out, back}, c.reimport...)...)
		q, err := fwi.OpenProblem(back)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !q.Grid.SameShape(p.Grid) || !slices.Equal(q.Grid.Spacing, p.Grid.Spacing) {
			t.Errorf("%s: the grid comes back as %+v", c.name, q.Grid)
		}
		if c.origin && !slices.Equal(q.Grid.Origin, p.Grid.Origin) {
			t.Errorf("%s: the origin comes back as %v", c.name, q.Grid.Origin)
		}
		for i, v := range p.Truth {
			if math.Abs(float64(q.Truth[i]-v)) > c.tolerance*float64(v) {
				t.Fatalf("%s: cell %d is %v, was %v", c.name, i, q.Truth[i], v)
			}
		}
	}
}

func TestGathersComeBackFromSEGYWithTheirGeometry(t *testing.T) {
	for _, make := range []func(*testing.T) (string, *fwi.Problem){recordedProblem, recordedVolume} {
		file, p := make(t)
		expectGathersBack(t, file, p)
	}
}

func expectGathersBack(t *testing.T, file string, p *fwi.Problem) {
	t.Helper()
	dir := t.TempDir()
	out, wavelet, back := filepath.Join(dir, "shots.sgy"), filepath.Join(dir, "w.csv"), filepath.Join(dir, "back.h5")
	mustExecute(t, "export", file, out, "--dataset", "data/observed")
	mustExecute(t, "export", file, wavelet, "--dataset", "/survey/wavelet")
	for _, w := range []string{wavelet, file} {
		mustExecute(t, "import", out, back, "--start", file, "--wavelet", w, "--overwrite")
		q, err := fwi.OpenProblem(back)
		if err != nil {
			t.Fatal(err)
		}
		if q.Survey.DT != p.Survey.DT || q.Survey.NT != p.Survey.NT || len(q.Survey.Shots) != len(p.Survey.Shots) {
			t.Fatalf("the survey comes back with dt %g, nt %d, %d shots", q.Survey.DT, q.Survey.NT, len(q.Survey.Shots))
		}
		if !slices.Equal(q.Start, p.Start) {
			t.Error("the start model is another one")
		}
		for i := range p.Survey.Shots {
			a, b := &p.Survey.Shots[i], &q.Survey.Shots[i]
			if !slices.Equal(p.Observed[i], q.Observed[i]) || !slices.Equal(a.Wavelets[0], b.Wavelets[0]) {
				t.Errorf("shot %d: data or wavelet are changed", i)
			}
			was, is := append(a.Sources, a.Receivers...), append(b.Sources, b.Receivers...)
			for k := range was {
				// decimal fractions of a metre are whole numbers in the file
				if len(is[k]) != len(was[k]) || wave.Distance(was[k], is[k]) > 1e-9 {
					t.Errorf("shot %d: position %v comes back as %v", i, was[k], is[k])
				}
			}
		}
	}
}

func TestExportRefusesWhatItCannotWrite(t *testing.T) {
	file, _ := recordedProblem(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("there.npy"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		word string
	}{
		{[]string{in("none.h5"), in("a.npy")}, "none.h5"},
		{[]string{file, in("a.xyz")}, "a.xyz"},
		{[]string{file, in("there.npy")}, "--overwrite"},
		{[]string{file, in("a.npy"), "--dataset", "nothing"}, "/survey/wavelet"},
		{[]string{file, in("a.csv"), "--dataset", "/data/observed"}, "3 × 7 × 40"},
		{[]string{file, in("a.sgy"), "--dataset", "/survey/wavelet"}, "40"},
		{[]string{file, in("a.npy"), "--ibm"}, "--ibm"},
	} {
		if _, err := execute(context.Background(), append([]string{"export"}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("export %v: %v", c.args, err)
		}
	}
	if content, err := os.ReadFile(in("there.npy")); err != nil || string(content) != "mine" {
		t.Errorf("a refused export changed the file to %q (%v)", content, err)
	}
}
