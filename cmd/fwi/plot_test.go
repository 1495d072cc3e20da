package main

import (
	"context"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gofwi/internal/npy"
	"gofwi/internal/segy"
)

// expectPicture runs plot and decodes what it wrote. A picture with nothing in it has few colours.
func expectPicture(t *testing.T, args ...string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "picture.png")
	if text, err := execute(context.Background(), append([]string{"plot", "-o", out}, args...)...); err != nil {
		t.Errorf("%v: %v\n%s", args, err, text)
		return
	}
	f, err := os.Open(out)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Error(err)
		return
	}
	colours := map[[3]uint32]bool{}
	b := picture.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, b, _ := picture.At(x, y).RGBA()
			colours[[3]uint32{r, g, b}] = true
		}
	}
	if len(colours) < 20 {
		t.Errorf("%v: a picture of %d colours", args, len(colours))
	}
}

func TestPlotDrawsWhatTheOtherVerbsWrite(t *testing.T) {
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	bare, short := bareModel(t)
	flags := short[:len(short)-1] // -q is run's
	for _, args := range [][]string{
		{"demo", in("demo.h5"), "--size", "small"},
		append([]string{"model", bare, in("modelled.h5")}, flags...),
		{"gradient", in("modelled.h5"), in("gradient.h5"), "--stage", "1"},
		append([]string{"run", bare, "--out", in("result")}, short...),
	} {
		if text, err := execute(context.Background(), args...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, text)
		}
	}
	expectPicture(t, bare)
	expectPicture(t, in("demo.h5"))
	expectPicture(t, in("modelled.h5"), "--gather", "4")
	expectPicture(t, in("gradient.h5"))
	expectPicture(t, filepath.Join(in("result"), resultFile))
	expectPicture(t, filepath.Join(in("result"), resultFile), "--convergence")

	for word, args := range map[string][]string{
		"4 shots":            {in("modelled.h5"), "--gather", "5"},
		"counted from 1":     {in("modelled.h5"), "--gather", "-1"},
		"no /data/observed":  {in("demo.h5"), "--gather", "1"},
		"no /history":        {in("demo.h5"), "--convergence"},
		".png":               {in("demo.h5"), "-o", in("demo.jpg")},
		"one at a time":      {in("demo.h5"), "--convergence", "--gather", "1"},
		"--overwrite":        {in("gradient.h5")}, // drawn by gradient
		"no such file":       {in("none.h5")},
		"fwi import":         {array(t)},
		"only a result.h5":   {twoGathers(t), "--convergence"},
		"holds 2 gathers":    {twoGathers(t), "--gather", "3"},
		"not a regular file": {folder},
	} {
		if _, err := execute(context.Background(), append([]string{"plot"}, args...)...); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func array(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "model.npy")
	if err := npy.Write(file, []float32{1500, 2000}, []int{2, 1}); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPlotTellsVelocitySectionsFromGathersInSEGY(t *testing.T) {
	expectPicture(t, twoGathers(t))
	expectPicture(t, twoGathers(t), "--gather", "2")

	const nz, nx = 30, 50
	vp := make([]float32, nz*nx)
	for i := range vp {
		vp[i] = 1500 + 40*float32(i/nx)
	}
	file := filepath.Join(t.TempDir(), "model.sgy")
	write := func(dx float64) {
		t.Helper()
		traces, err := segy.SectionTraces(vp, nz, nx, dx, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := segy.Write(file, &segy.File{Format: segy.IEEE, Interval: 12500, Traces: traces}); err != nil {
			t.Fatal(err)
		}
	}
	write(12.5)
	f, err := segy.Read(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	if !looksLikeVelocity(f) {
		t.Error("a velocity section is taken for a recording")
	}
	expectPicture(t, file)
	for i := range f.Traces {
		f.Traces[i].Header.CDPX = 0
	}
	if err := segy.Write(file, f); err != nil {
		t.Fatal(err)
	}
	if _, err := execute(context.Background(), "plot", file); err == nil || !strings.Contains(err.Error(), "12.5 × 0 m") {
		t.Errorf("a section without positions: %v", err)
	}
}
