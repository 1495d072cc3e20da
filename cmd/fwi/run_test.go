package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"gofwi/fwi"
	"gofwi/internal/geology"
	"gofwi/wave"
)

// execute runs the command in this process and returns what it printed.
func execute(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

// bareModel writes a file with nothing but a small velocity model, and returns flags that make its run short.
func bareModel(t *testing.T) (file string, short []string) {
	t.Helper()
	m, err := geology.Section(geology.Options{NZ: 51, NX: 101, DZ: 25, DX: 25, Seed: 5, Kind: geology.Folded, WaterDepth: 100})
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "model.h5")
	p := &fwi.Problem{Title: "bare", Grid: wave.NewGrid2D(m.NZ, m.NX, m.DZ, m.DX), Truth: m.VP}
	if err := p.Save(file); err != nil {
		t.Fatal(err)
	}
	return file, []string{"--iterations", "2", "--shots", "4", "--receivers", "40", "--duration", "1.8", "--max-frequency", "8", "--start", "smooth:200m", "-q"}
}

func TestRunOfABareModelWritesAResultFolder(t *testing.T) {
	file, short := bareModel(t)
	out := filepath.Join(t.TempDir(), "result")
	text, err := execute(context.Background(), append([]string{"run", file, "--out", out}, short...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, word := range []string{"survey: none in the file", "start model: none", "data: none", "schedule", "plan:", "dt (ms)", "pts/λ", "memory", "model error"} {
		if !strings.Contains(text, word) {
			t.Errorf("the log does not speak of %q:\n%s", word, text)
		}
	}
	var s map[string]any
	content, err := os.ReadFile(filepath.Join(out, summaryFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &s); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"model_rms_start", "model_rms_final", "ssim_start", "ssim_final", "misfit_start", "misfit_final", "wave_solves", "wall_seconds",
		"backend", "iterations", "leaps_proposed", "leaps_accepted", "lowfreq"} {
		if _, ok := s[key]; !ok {
			t.Errorf("%s lacks %q", summaryFile, key)
		}
	}
	if !(s["misfit_final"].(float64) < s["misfit_start"].(float64)) {
		t.Errorf("the misfit goes from %v to %v", s["misfit_start"], s["misfit_final"])
	}
	for _, name := range []string{"model.png", "convergence.png", "gathers.png"} {
		f, err := os.Open(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
	// the result is itself a model file, and its configuration can be fed back
	if _, err := fwi.OpenProblem(filepath.Join(out, resultFile)); err != nil {
		t.Error(err)
	}
	var c fwi.Config
	yaml, err := readConfiguration(filepath.Join(out, resultFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Merge(yaml); err != nil || len(c.Stages) == 0 {
		t.Errorf("configuration of the result: %v, %d stages", err, len(c.Stages))
	}

	before, err := os.ReadFile(filepath.Join(out, resultFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := execute(context.Background(), append([]string{"run", file, "--out", out}, short...)...); err == nil || !strings.Contains(err.Error(), "--overwrite") {
		t.Errorf("an existing folder: %v", err)
	}
	if after, err := os.ReadFile(filepath.Join(out, resultFile)); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the refused run changed the result (%v)", err)
	}
}

// A salt body as fast as the bound: what a coarse grid makes of its edges must not exceed it, or the plan could not be timed.
func TestRunStartsFromSharpEdgesAtTheVelocityBound(t *testing.T) {
	file, short := bareModel(t)
	g := wave.NewGrid2D(51, 101, 25, 25)
	start := make([]float32, g.Cells())
	for i := range start {
		z, x := i/g.NX(), i%g.NX()
		start[i] = 1500 + 10*float32(z)
		if z > 25 && x > 30 && x < 70 {
			start[i] = 4500
		}
	}
	salt := filepath.Join(t.TempDir(), "salt.h5")
	p := &fwi.Problem{Title: "salt", Grid: g, Truth: start}
	if err := p.Save(salt); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"run", file, "--out", filepath.Join(t.TempDir(), "result")}, short...)
	if text, err := execute(context.Background(), append(args, "--start", salt, "--max-velocity", "4500", "--iterations", "1")...); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestInterruptedRunSaysHowToResumeAndDoes(t *testing.T) {
	file, short := bareModel(t)
	complete := filepath.Join(t.TempDir(), "complete")
	if _, err := execute(context.Background(), append([]string{"run", file, "--out", complete}, short...)...); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "result")
	ctx, cancel := context.WithCancel(context.Background())
	root := newRootCommand()
	root.SetArgs(append([]string{"run", file, "--out", out}, short...))
	root.SetOut(writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("stage 2/")) {
			cancel()
		}
		return len(b), nil
	}))
	err := root.ExecuteContext(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "--resume") {
		t.Fatalf("interrupted: %v", err)
	}
	if text, err := execute(context.Background(), "run", file, "--out", out, "--resume", "-q"); err != nil || !strings.Contains(text, "resumed in stage 2") {
		t.Fatalf("resumed: %v\n%s", err, text)
	}
	a, err := fwi.OpenProblem(filepath.Join(complete, resultFile))
	if err != nil {
		t.Fatal(err)
	}
	b, err := fwi.OpenProblem(filepath.Join(out, resultFile))
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Truth {
		if a.Truth[i] != b.Truth[i] {
			t.Fatalf("cell %d: %v after an interruption, %v without", i, b.Truth[i], a.Truth[i])
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestModelGradientAndCheckWorkOnWhatModelWrote(t *testing.T) {
	file, short := bareModel(t)
	problem := filepath.Join(t.TempDir(), "problem.h5")
	short = short[:len(short)-1] // -q is run's
	if text, err := execute(context.Background(), append([]string{"model", file, problem}, short...)...); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if _, err := execute(context.Background(), append([]string{"model", file, problem}, short...)...); err == nil {
		t.Error("model overwrites unasked")
	}
	gradient := filepath.Join(t.TempDir(), "gradient.h5")
	if text, err := execute(context.Background(), "gradient", problem, gradient, "--stage", "1"); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := execute(context.Background(), "gradient", problem, gradient+"2", "--stage", "99"); err == nil {
		t.Error("stage 99 exists")
	}
	text, err := execute(context.Background(), "check", problem)
	if err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	for _, word := range []string{"dispersion", "memory", "cycle skipping", "dot product", "Taylor"} {
		if !strings.Contains(text, word) {
			t.Errorf("check does not speak of %q:\n%s", word, text)
		}
	}
}

func TestFlagsGoOverYAMLOverTheFilesAttribute(t *testing.T) {
	file, _ := bareModel(t)
	yaml := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(yaml, []byte("misfit: envelope\nmemory: 5\norder: 4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := &cobra.Command{Use: "test"}
	flags := addConfigFlags(cmd)
	if err := cmd.ParseFlags([]string{"--config", yaml, "--order", "6", "--memory", "1.5GiB"}); err != nil {
		t.Fatal(err)
	}
	got, err := flags.resolve(cmd, file)
	if err != nil {
		t.Fatal(err)
	}
	if got.Misfit != "envelope" || got.Memory != 5 || got.Order != 6 || got.MemoryLimit != 3<<29 {
		t.Errorf("resolved to %+v", got)
	}
}
