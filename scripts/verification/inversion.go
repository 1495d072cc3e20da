package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gofwi/fwi"
	"gofwi/internal/h5"
	"gofwi/wave"
)

// inversion is a run of 'fwi run' on Marmousi and what is asked of it.
type inversion struct {
	name, start string
	flags       []string
	ratio       float64 // of the model error to the start's, at most
}

const wantedSeconds = 600

var inversions = []inversion{
	{"marmousi-smooth", "the truth smoothed with σ = 500 m (the default)", nil, 0.5},
	{"marmousi-gradient", "velocity linear in depth (--start gradient)", []string{"--start", "gradient"}, 0.7},
}

// record is what is kept of a run.
type record struct {
	Command  string
	Date     string
	Revision string
	Machine  machine
	Summary  fwi.Summary
	Where    []region
}

// region is a part of the section below the water with its RMS model errors in m/s.
type region struct {
	Name         string
	Start, Final float64
}

// invert runs an inversion on a model file and records it in a folder.
func (v *inversion) invert(ctx context.Context, file, folder string, extra []string, m machine) error {
	args, command := v.command(file, extra)
	fmt.Fprintln(os.Stderr, command)
	cmd := exec.CommandContext(ctx, "bin/fwi", args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return v.keep(command, folder, m)
}

func (v *inversion) out() string { return filepath.Join("build", "verification", v.name) }

func (v *inversion) command(file string, extra []string) (args []string, text string) {
	args = append([]string{"run", file, "--out", v.out(), "--overwrite"}, append(v.flags, extra...)...)
	return args, "bin/fwi " + strings.Join(args, " ")
}

// keep records the result of a finished run in a folder.
func (v *inversion) keep(command, folder string, m machine) error {
	out := v.out()
	r := record{Command: command, Date: time.Now().UTC().Format(time.DateOnly), Machine: m}
	text, err := os.ReadFile(filepath.Join(out, "summary.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &r.Summary); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(out, "summary.json"), err)
	}
	if r.Summary.ModelRMSStart == nil || r.Summary.ModelRMSFinal == nil {
		return fmt.Errorf("%s: the model errors are missing", filepath.Join(out, "summary.json"))
	}
	r.Revision = r.Summary.Version // of the program that ran, whichever is checked out now
	if r.Where, err = locate(filepath.Join(out, "result.h5")); err != nil {
		return err
	}
	if text, err = json.MarshalIndent(r, "", "  "); err != nil {
		return err
	}
	if err := fwi.WriteFile(filepath.Join(folder, v.name+".json"), append(text, '\n')); err != nil {
		return err
	}
	picture, err := os.ReadFile(filepath.Join(out, "model.png"))
	if err != nil {
		return err
	}
	return fwi.WriteFile(filepath.Join(folder, v.name+".png"), picture)
}

// recall reads what was recorded of an inversion; nil: nothing.
func (v *inversion) recall(folder string) (*record, error) {
	path := filepath.Join(folder, v.name+".json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &record{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Summary.ModelRMSStart == nil || r.Summary.ModelRMSFinal == nil {
		return nil, fmt.Errorf("%s: the model errors are missing", path)
	}
	return r, nil
}

// locate tells in which parts of the section a result is good.
func locate(path string) ([]region, error) {
	f, err := h5.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	models := map[string][]float32{}
	var shape []int
	for _, object := range []string{"/vp", "/start/vp", "/true/vp"} {
		if models[object], shape, err = f.ReadFloat32(object); err != nil {
			return nil, err
		}
	}
	nz, nx := shape[0], shape[1]
	water := fwi.WaterLayer(wave.Grid{Shape: shape}, models["/true/vp"])
	var regions []region
	add := func(name string, in func(z, x int) bool) {
		var start, final float64
		count := 0
		for i, truth := range models["/true/vp"] {
			if !water[i] && in(i/nx, i%nx) {
				start += math.Pow(float64(models["/start/vp"][i]-truth), 2)
				final += math.Pow(float64(models["/vp"][i]-truth), 2)
				count++
			}
		}
		if count > 0 {
			regions = append(regions, region{name, math.Sqrt(start / float64(count)), math.Sqrt(final / float64(count))})
		}
	}
	for q, name := range []string{"uppermost", "second", "third", "lowest"} {
		add(name+" quarter of the depth", func(z, _ int) bool { return 4*z/nz == q })
	}
	add("leftmost tenth", func(_, x int) bool { return x < nx/10 })
	add("rightmost tenth", func(_, x int) bool { return x >= nx-nx/10 })
	add("between them", func(_, x int) bool { return x >= nx/10 && x < nx-nx/10 })
	return regions, nil
}
