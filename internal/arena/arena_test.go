package arena

import (
	"context"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gofwi/fwi"
	"gofwi/internal/h5"
)

var background = context.Background()

// descending is a result whose misfit falls by a factor of ten every ten solves.
func descending(perDecade float64) *Result {
	r := &Result{Shots: 4}
	for i := range 21 {
		solves := perDecade * float64(i) / 10
		r.Evaluations = append(r.Evaluations, Evaluation{Kind: iterate, Solves: Number(solves), Seconds: Number(solves / 2),
			Misfit: Number(math.Pow(10, -float64(i)/10)), ModelRMS: Number(100 - float64(i))})
	}
	r.finish()
	return r
}

func TestCostIsThatOfTheFirstCrossing(t *testing.T) {
	r := descending(10)
	// Solves grow with the logarithm of the misfit: interpolation on that scale is exact.
	for _, target := range targets {
		if got, want := r.costOf(misfit, solves, target), -10*math.Log10(target); math.Abs(got-want) > 1e-9 {
			t.Errorf("J/J0 %g costs %g solves instead of %g", target, got, want)
		}
	}
	if got := r.costOf(misfit, solves, 1e-3); !math.IsInf(got, 1) {
		t.Errorf("a misfit that is not reached costs %g", got)
	}
	r.Evaluations = append([]Evaluation{{Kind: trial, Misfit: 1e-6}}, r.Evaluations...)
	if got := r.costOf(misfit, solves, 1e-3); !math.IsInf(got, 1) {
		t.Errorf("a trial that was not accepted reached a goal for %g", got)
	}
	r.Failed = "it burnt"
	if got := r.costOf(misfit, solves, 0.3); !math.IsInf(got, 1) {
		t.Errorf("a failed case reached a goal for %g", got)
	}
}

func TestSpeedupsOfKnownResults(t *testing.T) {
	half := descending(5)
	short := descending(5)
	short.Evaluations = short.Evaluations[:8] // J/J0 0.2
	failed := &Result{Failed: "NaN"}
	for _, c := range []struct {
		name          string
		results       []*Result
		median, worst float64
		solved        int
	}{
		{"twice as fast", []*Result{descending(10), half}, 2, 2, 1},
		{"the same", []*Result{half, half}, 1, 1, 1},
		{"not as far", []*Result{descending(10), short}, 0, 0, 0},
		{"one of two failed", []*Result{descending(10), half, descending(10), failed}, 1, 0, 1},
		{"the first failed", []*Result{failed, half}, math.Inf(1), math.Inf(1), 1},
		{"both failed", []*Result{failed, failed}, math.NaN(), math.NaN(), 0},
	} {
		got := compare(len(c.results)/2, 2, c.results, 0, 1, solves)
		same := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 || a == b || math.IsNaN(a) && math.IsNaN(b) }
		if !same(got.median, c.median) || !same(got.worst, c.worst) || got.solved != c.solved {
			t.Errorf("%s: median %g, worst %g, solved %d instead of %g, %g, %d (%v)", c.name, got.median, got.worst, got.solved, c.median, c.worst, c.solved, got.speedups)
		}
	}
}

func TestProfilesRiseFromTheBestToWhatIsReached(t *testing.T) {
	results := []*Result{descending(10), descending(5), {Failed: "NaN"}}
	all := goals(1, 3, results)
	factors := []float64{1, 1.9, 2.1, 100}
	for m, want := range [][]float64{{0, 0, 1, 1}, {1, 1, 1, 1}, {0, 0, 0, 0}} {
		if got := profile(all, 3, results, m, solves, factors); !slices.Equal(got, want) {
			t.Errorf("method %d: %v instead of %v", m, got, want)
		}
	}
}

func TestInferenceCountsAsSolves(t *testing.T) {
	r := &Result{Shots: 3, Evaluations: []Evaluation{{}, {Solves: 10, Seconds: 6, Inference: 1}}}
	r.finish() // 10 solves in 5 seconds: 2 a second
	if got := r.Evaluations[1].SolvesInAll; got != 12 {
		t.Errorf("10 solves and a second of inference are %g solves instead of 12", float64(got))
	}
	if got := r.Evaluations[1].ShotSolves; got != 36 {
		t.Errorf("of 3 shots: %g instead of 36", float64(got))
	}
}

// smallest is a comparison of seconds.
func smallest(t *testing.T, methods ...string) Options {
	t.Helper()
	var args []string
	for _, m := range methods {
		base, proposer, _ := strings.Cut(m, "+")
		file := filepath.Join(t.TempDir(), base+".yaml")
		content := "stages: [{min_frequency: 0, max_frequency: 4.5, iterations: 4}, {min_frequency: 0, max_frequency: 6, iterations: 3}]"
		if base == "broken" {
			content = "stages: [{min_frequency: 30, max_frequency: 40, iterations: 1}]" // where the source emits nothing
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if proposer != "" {
			base += "+" + proposer
		}
		args = append(args, base+"="+file)
	}
	return Options{Models: []string{"generated:folded:7", "generated:salt:7"}, Methods: args, Noise: []float64{0, 0.1}, Out: t.TempDir(), Quick: true}
}

func TestArenaWritesEveryEvaluationOnce(t *testing.T) {
	o := smallest(t, "plain", "plain+oracle3", "broken")
	line, err := Run(background, o)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(line, "speedup_median=") || !strings.HasSuffix(line, "/4") {
		t.Errorf("the last line is %q", line)
	}
	text, err := os.ReadFile(filepath.Join(o.Out, csvFile))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, r := range rows[1:] {
		kind, _, _ := strings.Cut(r[2], ":")
		kinds[r[1]+" "+kind]++
	}
	// Two sections with two levels of noise; seven iterations at most and two beginnings of stages.
	if kinds["plain start"] != 4 || kinds["plain+oracle3 start"] != 4 || kinds["plain+oracle3 leap"] == 0 || kinds["plain leap"] != 0 || kinds["broken failed"] != 4 {
		t.Errorf("the table holds %v", kinds)
	}
	if n := kinds["plain iterate"]; n < 4*5 || n > 4*9 {
		t.Errorf("%d iterates of four runs", n)
	}
	f, err := h5.Open(filepath.Join(o.Out, h5File))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, _, err := f.ReadFloat64("/evaluations/misfit")
	if err != nil {
		t.Fatal(err)
	}
	if failed := kinds["broken failed"]; len(v) != len(rows)-1-failed {
		t.Errorf("the HDF5 file has %d lines, the CSV %d of which %d are failures", len(v), len(rows)-1, failed)
	}
	page, err := os.ReadFile(filepath.Join(o.Out, pageFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{line, "broken: ", "little to fit", "## Rules", "no training"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, name := range []string{curvesFile, profilesFile} {
		if s, err := os.Stat(filepath.Join(o.Out, name)); err != nil || s.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A comparison that is killed goes on, and one that is finished computes nothing.
func TestInterruptedArenaGoesOnToTheSameTables(t *testing.T) {
	o := smallest(t, "plain", "plain+oracle3")
	o.Models, o.Noise = o.Models[:1], []float64{0, 0.1}
	whole := o
	whole.Out = t.TempDir()
	want, err := Run(background, whole)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(background)
	computed := 0
	o.Say = func(string, ...any) {
		if computed++; computed == 2 {
			cancel()
		}
	}
	if _, err := Run(ctx, o); err == nil {
		t.Fatal("the interruption is not told")
	}
	o.Say = func(string, ...any) { computed++ }
	got, err := Run(background, o)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("in two sittings %q, in one %q", got, want)
	}
	if computed != 4 {
		t.Errorf("%d cases were computed instead of 4", computed)
	}
	before := computed
	if again, err := Run(background, o); err != nil || again != want || computed != before {
		t.Errorf("a finished comparison computes %d cases again: %q, %v", computed-before, again, err)
	}
	// misfits and models of both agree to the bit; times do not
	for _, name := range []string{"misfit", "model_rms", "solves"} {
		if a, b := column(t, o.Out, name), column(t, whole.Out, name); !slices.EqualFunc(a, b, func(x, y float64) bool { return x == y || math.IsNaN(x) && math.IsNaN(y) }) {
			t.Errorf("%s differs", name)
		}
	}
}

func column(t *testing.T, folder, name string) []float64 {
	t.Helper()
	f, err := h5.Open(filepath.Join(folder, h5File))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, _, err := f.ReadFloat64("/evaluations/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMethodsAreKnownByName(t *testing.T) {
	for _, name := range MethodNames() {
		m, err := FindMethod(name)
		if err != nil {
			t.Fatal(err)
		}
		var c fwi.Config
		if err := c.Merge([]byte(m.Configuration)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]string{"nonsense": "there is no method", "best+absent": "no proposer", "mine=absent.yaml": "absent.yaml", "=x.yaml": "no name"} {
		if _, err := FindMethod(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestImpossibleComparisonsAreRefusedBeforeTheFirstCase(t *testing.T) {
	good := Options{Models: []string{"generated:salt:1"}, Methods: []string{"best", "lbfgs"}, Out: "unused"}
	for want, change := range map[string]func(*Options){
		"name two":         func(o *Options) { o.Methods = o.Methods[:1] },
		"named twice":      func(o *Options) { o.Methods = []string{"best", "best"} },
		"kind of geology":  func(o *Options) { o.Models = []string{"generated:moon"} },
		"whole number":     func(o *Options) { o.Models = []string{"generated:salt:x"} },
		"no such file":     func(o *Options) { o.Models = []string{"absent.h5"} },
		"noise -1":         func(o *Options) { o.Noise = []float64{-1} },
		"seeds":            func(o *Options) { o.Seeds = -1 },
		"no folder":        func(o *Options) { o.Out = "" },
		"model generated:": func(o *Options) { o.Models = []string{"generated:salt:1", "generated:salt:1"} },
	} {
		o := good
		change(&o)
		if _, _, err := o.resolve(); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(want, "model ")) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if models, err := expandModels([]string{"generated"}, 1, false); err != nil || len(models) < 20 {
		t.Errorf("generated is %d sections: %v", len(models), err)
	}
}
