package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gofwi/internal/h5"
	"gofwi/internal/npy"
	"gofwi/internal/segy"
)

// twoGathers writes a SEG-Y file of two shots with three receivers each.
func twoGathers(t *testing.T) string {
	t.Helper()
	f := &segy.File{Text: "C 1 A LINE OF TWO SHOTS", Format: segy.IEEE, Interval: 4000}
	for shot := range 2 {
		for r := range 3 {
			samples := make([]float32, 50)
			samples[10+5*r] = float32(shot + 1)
			x, from := float64(100+50*r), float64(200*shot)
			f.Traces = append(f.Traces, segy.Trace{Samples: samples, Header: segy.Header{FieldRecord: int32(11 + shot), TraceNumber: int32(r + 1),
				TraceID: 1, SourceX: from, ReceiverX: x, Offset: x - from}})
		}
	}
	file := filepath.Join(t.TempDir(), "line.sgy")
	if err := segy.Write(file, f); err != nil {
		t.Fatal(err)
	}
	return file
}

func expectInfo(t *testing.T, file string, words ...string) {
	t.Helper()
	text, err := execute(context.Background(), "info", file)
	if err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("info does not speak of %q:\n%s", word, text)
		}
	}
}

func TestInfoDescribesEachKindOfFile(t *testing.T) {
	folder := t.TempDir()
	demo := filepath.Join(folder, "demo.h5")
	if _, err := execute(context.Background(), "demo", demo, "--size", "small"); err != nil {
		t.Fatal(err)
	}
	expectInfo(t, demo, "/vp  float32 [61 151]", "dx = 20", "1.2 × 3 km", "m/s", "water: over 100 %", "8 shots", "76 receivers", "601 samples every 4 ms", "Hz at -20 dB")

	line := twoGathers(t)
	for _, file := range []string{line, strings.TrimSuffix(line, ".sgy")} { // known by its name, and without one by its content
		if err := os.Rename(line, file); err != nil {
			t.Fatal(err)
		}
		line = file
		expectInfo(t, file, "SEG-Y revision 1", "big-endian", "6 traces of 50 samples", "interval 4000", "2 gathers of 3 to 3 traces", "source x: 0 to 200", "receiver x: 100 to 200", "offset: -100 to 200", "TWO SHOTS")
	}

	array := filepath.Join(folder, "model.npy")
	if err := npy.Write(array, []float32{3, 4, 0, 0}, []int{1, 4}); err != nil {
		t.Fatal(err)
	}
	// sqrt((9 + 16) / 4)
	expectInfo(t, array, "[1 4]", "from 0 to 4", "RMS 2.5")
}

func TestInfoSaysWhyAFileIsNoProblem(t *testing.T) {
	file, _ := bareModel(t)
	expectInfo(t, file, "no survey")
	other := filepath.Join(t.TempDir(), "gradient.h5")
	writeH5(t, other, "/slowness", []float32{1, 2, 3, 4}, []int{2, 2})
	expectInfo(t, other, "/slowness  float32 [2 2]", "not a problem that can be inverted", "no velocity model")
}

func TestInfoRefusesWhatItDoesNotKnow(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ path, word string }{
		{filepath.Join(folder, "none.h5"), "none.h5"},
		{folder, "not a regular file"},
		{file("letter.txt", "Dear all, "+strings.Repeat("word ", 1000)), "neither HDF5"},
		{file("empty.h5", ""), "empty.h5"},
		{file("empty", ""), "neither HDF5"},
		{file("short.sgy", "C 1 CLIENT"), "short.sgy"},
		{file("noise.npy", "noise"), "noise.npy"},
		{file("cut.h5", "\x89HDF\r\n\x1a\n and no more"), "cut.h5"},
	} {
		if text, err := execute(context.Background(), "info", c.path); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v\n%s", c.path, err, text)
		}
	}
}

// writeH5 writes a file with one data set.
func writeH5(t *testing.T, path, object string, values []float32, shape []int) {
	t.Helper()
	f, err := h5.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(f.WriteFloat32(object, values, shape, h5.NoCompression), f.Commit()); err != nil {
		t.Fatal(err)
	}
}
