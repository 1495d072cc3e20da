package main

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gofwi/fwi"
	"gofwi/internal/h5"
	"gofwi/internal/npy"
	"gofwi/internal/segy"
)

func TestRawModelsInAnyOrderUnitAndDensityOfCells(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "model.dat"), filepath.Join(dir, "model.h5")
	// [nx, nz] = [4, 6] big-endian doubles in km/s
	var b []byte
	for x := range 4 {
		for z := range 6 {
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(2+float64(z)/4+float64(x)/16))
		}
	}
	if err := os.WriteFile(in, b, 0o644); err != nil {
		t.Fatal(err)
	}
	mustExecute(t, "import", in, out, "--shape", "4,6", "--type", "float64", "--big-endian", "--transpose", "--unit", "km/s", "--dz", "5", "--dx", "10", "--every", "2", "--title", "raw")
	p, err := fwi.OpenProblem(out)
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{2000, 2125, 2500, 2625, 3000, 3125}
	if !slices.Equal(p.Truth, want) || p.Grid.DZ() != 10 || p.Grid.DX() != 20 || p.Title != "raw" {
		t.Errorf("%q: %v, spacing %v; want %v, [10 20]", p.Title, p.Truth, p.Grid.Spacing, want)
	}
}

func TestHDF5OfAnotherLayout(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "other.h5"), filepath.Join(dir, "model.h5")
	f, err := h5.Create(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.WriteFloat64("/earth/speed", []float64{1500, 1600, 1700, 1800, 1900, 2000}, []int{2, 3}, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.SetAttr("/", "dz", 4.0); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, err := execute(context.Background(), "import", in, out); err == nil || !strings.Contains(err.Error(), "/earth/speed [2 × 3]") {
		t.Errorf("without --dataset: %v", err)
	}
	mustExecute(t, "import", in, out, "--dataset", "earth/speed", "--dx", "8")
	p, err := fwi.OpenProblem(out)
	if err != nil {
		t.Fatal(err)
	}
	if p.Grid.NX() != 3 || p.Grid.DZ() != 4 || p.Grid.DX() != 8 || p.Truth[5] != 2000 {
		t.Errorf("grid %+v, values %v", p.Grid, p.Truth)
	}
}

func TestObliqueLinesBeginAtZeroAndLateTracesAtTheShot(t *testing.T) {
	file, p := recordedProblem(t)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "oblique.sgy"), filepath.Join(dir, "oblique.h5")
	f := &segy.File{Format: segy.IEEE, Interval: 4000}
	for s := range 2 {
		for r := range 5 {
			// a line that runs 3 m east for every 4 m north
			source, receiver := 50*float64(s), 50*float64(s)+100*float64(r)
			f.Traces = append(f.Traces, segy.Trace{
				Header:  segy.Header{FieldRecord: int32(10 + s), SourceX: 4000 + 0.6*source, SourceY: 7000 + 0.8*source, ReceiverX: 4000 + 0.6*receiver, ReceiverY: 7000 + 0.8*receiver, Delay: 0.008},
				Samples: []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, float32(10 + r)},
			})
		}
	}
	if err := segy.Write(in, f); err != nil {
		t.Fatal(err)
	}
	text := mustExecute(t, "import", in, out, "--start", file, "--ricker", "30", "--ricker-delay", "0.02", "--source-depth", "6", "--receiver-depth", "8", "--origin-x", "-300")
	if !strings.Contains(text, "53.1°") {
		t.Errorf("the direction of the line is not told:\n%s", text)
	}
	q, err := fwi.OpenProblem(out)
	if err != nil {
		t.Fatal(err)
	}
	for s := range q.Survey.Shots {
		for r, at := range q.Survey.Shots[s].Receivers {
			// the axis comes from a fit in double precision to coordinates of thousands of metres
			if want := 300 + 50*float64(s) + 100*float64(r); math.Abs(at[1]-want) > 1e-6 || at[0] != 8 {
				t.Errorf("shot %d, receiver %d at %v, not at (8, %g)", s, r, at, want)
			}
		}
		if at := q.Survey.Shots[s].Sources[0]; math.Abs(at[1]-300-50*float64(s)) > 1e-6 || at[0] != 6 {
			t.Errorf("source %d at %v", s, at)
		}
	}
	if want := []float32{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}; q.Survey.NT != 12 || !slices.Equal(q.Observed[0][:12], want) {
		t.Errorf("the first trace begins %v", q.Observed[0][:12])
	}
	if q.Grid.NX() != p.Grid.NX() {
		t.Errorf("the grid has %d columns, the start model %d", q.Grid.NX(), p.Grid.NX())
	}
}

func TestImportSaysWhatIsWrongOrMissing(t *testing.T) {
	file, p := recordedProblem(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	shots := in("shots.sgy")
	mustExecute(t, "export", file, shots, "--dataset", "/data/observed")
	kmps := make([]float32, len(p.Truth))
	for i, v := range p.Truth {
		kmps[i] = v / 1000
	}
	for name, v := range map[string][]float32{"kmps.npy": kmps, "line.npy": p.Truth[:60]} {
		shape := []int{21, 60}
		if name == "line.npy" {
			shape = []int{60}
		}
		if err := npy.Write(in(name), v, shape); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"noise.sgy": "C 1 CLIENT", "empty.segy": "", "raw.bin": "12345678", "there.h5": "mine", "word.csv": "1, 2, three"} {
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{in("none.sgy"), in("o.h5")}, []string{"none.sgy"}},
		{[]string{in("noise.sgy"), in("o.h5")}, []string{"noise.sgy", "10"}},
		{[]string{in("empty.segy"), in("o.h5")}, []string{"empty.segy"}},
		{[]string{in("raw.bin"), in("o.h5")}, []string{"--shape"}},
		{[]string{in("raw.bin"), in("o.h5"), "--shape", "3,4", "--dz", "1", "--dx", "1"}, []string{"48", "8"}},
		{[]string{in("raw.bin"), in("o.h5"), "--shape", "3,x"}, []string{"3,x"}},
		{[]string{in("raw.bin"), in("o.h5"), "--shape", "2", "--type", "quaternion"}, []string{"quaternion"}},
		{[]string{in("kmps.npy"), in("o.h5")}, []string{"--dz"}},
		{[]string{in("kmps.npy"), in("o.h5"), "--dz", "10", "--dx", "10"}, []string{"km/s"}},
		{[]string{in("kmps.npy"), in("o.h5"), "--dz", "10", "--dx", "10", "--unit", "mph"}, []string{"mph"}},
		{[]string{in("kmps.npy"), in("o.h5"), "--dz", "-10", "--dx", "10"}, []string{"-10"}},
		{[]string{in("kmps.npy"), in("o.h5"), "--every", "0"}, []string{"--every 0"}},
		{[]string{in("line.npy"), in("o.h5"), "--dz", "10", "--dx", "10"}, []string{"[60]"}},
		{[]string{in("kmps.npy"), in("there.h5"), "--dz", "10", "--dx", "10", "--unit", "km/s"}, []string{"--overwrite"}},
		{[]string{shots, in("o.h5")}, []string{"--start", "--wavelet", "--ricker"}},
		{[]string{shots, in("o.h5"), "--start", file}, []string{"--ricker"}},
		{[]string{shots, in("o.h5"), "--start", file, "--ricker", "200"}, []string{"200", "125"}},
		{[]string{shots, in("o.h5"), "--start", file, "--ricker", "10", "--wavelet", file}, []string{"ricker", "wavelet"}},
		{[]string{shots, in("o.h5"), "--start", file, "--wavelet", in("word.csv")}, []string{"three"}},
		{[]string{shots, in("o.h5"), "--start", file, "--ricker", "20", "--origin-x", "9000"}, []string{"--origin-x"}},
		{[]string{shots, in("o.h5"), "--kind", "movie"}, []string{"movie"}},
	} {
		_, err := execute(context.Background(), append([]string{"import"}, c.args...)...)
		if err == nil {
			t.Errorf("import %v works", c.args)
			continue
		}
		for _, word := range c.words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("import %v does not speak of %q: %v", c.args, word, err)
			}
		}
	}
	if _, err := os.Stat(in("o.h5")); err == nil {
		t.Error("a refused import left a file")
	}
	if content, err := os.ReadFile(in("there.h5")); err != nil || string(content) != "mine" {
		t.Errorf("a refused import changed the file to %q (%v)", content, err)
	}
}
