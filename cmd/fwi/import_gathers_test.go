package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gofwi/fwi"
	"gofwi/internal/h5"
	"gofwi/internal/segy"
)

// foreignGathers writes two shots of three receivers in a layout of somebody else's.
func foreignGathers(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign.h5")
	f, err := h5.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := make([]float32, 2*3*40)
	for i := range data {
		data[i] = float32(math.Sin(0.7 * float64(i)))
	}
	for _, err := range []error{
		f.WriteFloat32("/raw/pressure_field", data, []int{2, 3, 40}, 0),
		f.WriteFloat64("/sx", []float64{1000, 1025}, []int{2}, 0),
		f.WriteFloat64("/offsets", []float64{-300, -275, -250, -300, -275, -250}, []int{2, 3}, 0),
		f.SetAttr("/", "tick", 0.004), f.SetAttr("/", "src_z", 6.0), f.SetAttr("/", "rec_z", 10.0),
		f.SetAttr("/", "name", "somebody's line"), f.SetAttr("/", "license", "do as you like"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGathersOfAForeignHDF5File(t *testing.T) {
	in, out := foreignGathers(t), filepath.Join(t.TempDir(), "problem.h5")
	text, err := execute(t.Context(), "import", in, out, "--kind", "gathers", "--start", "gradient:1800,0.5", "--water-depth", "100", "--dx", "10", "--depth", "300", "--wavelet", "data")
	if err == nil || !strings.Contains(err.Error(), "data=/ITS/PATH") {
		t.Errorf("data of an unknown name: %v\n%s", err, text)
	}
	config := filepath.Join(t.TempDir(), "field.yaml")
	if err := os.WriteFile(config, []byte("free_surface: true\nestimate_wavelet: true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	text = mustExecute(t, "import", in, out, "--map", "data=/raw/pressure_field,dt=tick", "--start", "gradient:1800,0.5", "--water-depth", "100", "--dx", "10", "--depth", "300",
		"--wavelet", "data", "--normalise", "--config", config)
	p, err := fwi.OpenProblem(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s := p.Survey.Shots[1]
	if s.Sources[0][0] != 6 || s.Sources[0][1] != 1025 || s.Receivers[0][0] != 10 || s.Receivers[0][1] != 725 || s.Receivers[2][1] != 775 {
		t.Errorf("shot 2 has its source at %v and receivers at %v", s.Sources, s.Receivers)
	}
	if p.Survey.DT != 0.004 || p.Survey.NT != 40 || p.Title != "somebody's line" || p.Licence != "do as you like" || !strings.Contains(p.Configuration, "free_surface: true") {
		t.Errorf("%d samples of %g s; %q, %q, %q", p.Survey.NT, p.Survey.DT, p.Title, p.Licence, p.Configuration)
	}
	var energy float64
	for _, g := range p.Observed {
		for _, v := range g {
			energy += float64(v) * float64(v)
		}
	}
	if math.Abs(energy/240-1) > 1e-5 { // round-off of float32
		t.Errorf("normalised data have a mean square of %g", energy/240)
	}
	if v := p.Start[p.Grid.NX()*15]; v != 1825 { // 50 m below the sea floor
		t.Errorf("the start model is %g m/s at 150 m", v)
	}
	if _, err := execute(t.Context(), "import", in, out, "--overwrite", "--map", "data=/raw/pressure_field,dt=4", "--start", "gradient:1800,0.5", "--dx", "10", "--depth", "300", "--wavelet", "data"); err == nil || !strings.Contains(err.Error(), "seconds are needed") {
		t.Errorf("milliseconds pass for seconds: %v", err)
	}
}

func TestShotsWithMissingReceiversGetDeadTraces(t *testing.T) {
	f := &segy.File{Format: segy.IEEE, Interval: 4000}
	for shot := range 2 {
		for r := range 3 - shot {
			samples := make([]float32, 50)
			samples[20+r] = 1
			h := segy.Header{FieldRecord: int32(shot + 1), TraceID: 1, SourceX: 500, ReceiverX: float64(100 * (r + 1)), SourceDepth: 6, ReceiverElevation: -10}
			if shot == 0 && r == 1 {
				h.TraceID = 2 // dead
			}
			f.Traces = append(f.Traces, segy.Trace{Header: h, Samples: samples})
		}
	}
	in, out := filepath.Join(t.TempDir(), "shots.sgy"), filepath.Join(t.TempDir(), "problem.h5")
	if err := segy.Write(in, f); err != nil {
		t.Fatal(err)
	}
	text := mustExecute(t, "import", in, out, "--start", "gradient:1800,0.5", "--dx", "10", "--depth", "300", "--ricker", "20")
	p, err := fwi.OpenProblem(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(p.Survey.Shots[1].Receivers) != 3 || p.Observed[1][2*50+22] != 0 || p.Observed[1][50+21] != 1 || p.Observed[0][50+21] != 0 || p.Survey.Shots[1].Receivers[1][0] != 10 {
		t.Errorf("shot 2 has %v; dead trace of shot 1 %v", p.Survey.Shots[1].Receivers, p.Observed[0][50:100])
	}
	if !strings.Contains(text, "1 of 2 shots have fewer than 3 traces") || !strings.Contains(text, "1 traces are marked as dead") {
		t.Errorf("nothing is said of missing traces: %s", text)
	}
}

func TestFieldLineRunsFromItsOwnFormat(t *testing.T) {
	line := "../../../shared/data/viking_graben_line12_4shots.h5"
	if _, err := os.Stat(line); err != nil {
		t.Skip("the field line is not in ../shared/data beside the repository")
	}
	dir := t.TempDir()
	problem, result := filepath.Join(dir, "line.h5"), filepath.Join(dir, "result")
	text := mustExecute(t, "import", line, problem, "--start", "first-arrivals", "--dx", "12.5", "--depth", "1200", "--shots", "1,4", "--wavelet", "data", "--from-3d", "--normalise", "--config", "../../bench/field/viking.yaml")
	p, err := fwi.OpenProblem(problem)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !strings.Contains(p.Licence, "Mobil") || !strings.Contains(p.Title, "Viking Graben") {
		t.Errorf("title %q, licence %q", p.Title, p.Licence)
	}
	config := filepath.Join(dir, "short.yaml")
	if err := os.WriteFile(config, []byte("stages: [{min_frequency: 0, max_frequency: 10, iterations: 4}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	text = mustExecute(t, "run", problem, "--out", result, "--config", config, "-q")
	var s fwi.Summary
	written, err := os.ReadFile(filepath.Join(result, "summary.json"))
	if err == nil {
		err = json.Unmarshal(written, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !(s.ExplainedFinal > s.ExplainedStart && s.ExplainedStart > 0.1) || len(s.CorrelationFinal) != 2 || !strings.Contains(text, "correlation by shot") {
		t.Errorf("%s\n%s", written, text)
	}
}
