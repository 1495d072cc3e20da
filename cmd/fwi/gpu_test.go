//go:build cuda

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gofwi/fwi"
)

func readSummary(t *testing.T, out string) (s fwi.Summary) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(out, summaryFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// tinyRun is a run of a stage so small that the fake driver steps it in seconds.
func tinyRun(t *testing.T) (file string, flags []string) {
	file, _ = bareModel(t)
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("stages:\n  - {max_frequency: 4, iterations: 2}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return file, []string{"--config", config, "--shots", "3", "--receivers", "20", "--duration", "1", "--max-frequency", "5", "--layer", "6", "--start", "smooth:200m", "-q"}
}

func TestCUDARunTakesTheGPUAndArrivesWhereTheCPUDoes(t *testing.T) {
	file, flags := tinyRun(t)
	var summaries []fwi.Summary
	for _, backend := range []string{"cpu", "auto"} {
		out := filepath.Join(t.TempDir(), backend)
		text, err := execute(context.Background(), append([]string{"run", file, "--out", out, "--backend", backend}, flags...)...)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if backend == "auto" && !strings.Contains(text, "shots at a time on GPU 0") {
			t.Errorf("the plan does not name the GPU:\n%s", text)
		}
		summaries = append(summaries, readSummary(t, out))
	}
	cpu, gpu := summaries[0], summaries[1]
	if cpu.Backend != "cpu" || gpu.Backend != "cuda" {
		t.Errorf("backends %q and %q", cpu.Backend, gpu.Backend)
	}
	// float32 on both, and line searches that decide the same
	if e := math.Abs(*gpu.ModelRMSFinal/(*cpu.ModelRMSFinal) - 1); !(e < 1e-4) {
		t.Errorf("model errors %g and %g m/s", *cpu.ModelRMSFinal, *gpu.ModelRMSFinal)
	}
}

// A kernel that fails in the middle leaves a run that another backend can resume.
func TestCUDARunThatFailsIsResumedOnTheCPU(t *testing.T) {
	if !strings.Contains(os.Getenv("FWI_CUDA_DRIVER"), "fake") {
		t.Skip("skipped: needs the fake driver")
	}
	file, flags := tinyRun(t)
	out := filepath.Join(t.TempDir(), "result")
	// later and later, until something has been saved before
	for launches := 1000; launches < 10000; launches += 400 {
		t.Setenv("FAKECUDA_FAIL", fmt.Sprint(launches))
		text, err := execute(context.Background(), append([]string{"run", file, "--out", out, "--overwrite", "--backend", "cuda"}, flags...)...)
		if err == nil || !strings.Contains(err.Error(), "a kernel failed (CUDA error 719)") {
			t.Fatalf("got %v\n%s", err, text)
		}
		os.Unsetenv("FAKECUDA_FAIL")
		if strings.Contains(err.Error(), "the run is saved") {
			break
		}
	}
	text, err := execute(context.Background(), "run", file, "--out", out, "--resume", "--backend", "cpu", "-q")
	if err != nil || !strings.Contains(text, "resumed") {
		t.Fatalf("%v\n%s", err, text)
	}
	if s := readSummary(t, out); s.Backend != "cpu" {
		t.Errorf("backend %q", s.Backend)
	}
}

func TestCUDADoctorNamesTheDevices(t *testing.T) {
	text, err := execute(context.Background(), "doctor")
	if err != nil || !strings.Contains(text, "GPU 0") || !strings.Contains(text, "of them free") {
		t.Errorf("%v\n%s", err, text)
	}
}
