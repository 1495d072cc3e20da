package main

import (
	"path/filepath"
	"strings"
	"testing"

	"gofwi/fwi"
	"gofwi/internal/h5"
)

func TestFiguresAndVerdictsAreReadFromTheTestsOfAClaim(t *testing.T) {
	const output = `{"Action":"run","Test":"TestA"}
{"Action":"output","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Test":"TestA","Output":"verification: half a "}
{"Action":"output","Test":"TestA","Output":"line 1.5e-03\n"}
{"Action":"output","Test":"TestA","Output":"no figure\n"}
# a line of the compiler
{"Action":"pass","Test":"TestA/part"}
{"Action":"pass","Test":"TestA"}
{"Action":"%s","Test":"TestB"}
{"Action":"pass"}
`
	for action, want := range map[string]string{"pass": "holds", "fail": "FAILED", "skip": "NOT RUN"} {
		r := result{claim: claim{title: "A", tests: []string{"TestA", "TestB"}}}
		if err := r.read(strings.NewReader(strings.Replace(output, "%s", action, 1))); err != nil {
			t.Fatal(err)
		}
		if len(r.figures) != 1 || r.figures[0] != "half a line 1.5e-03" {
			t.Errorf("figures %q", r.figures)
		}
		if r.verdict() != want {
			t.Errorf("TestB: %s gives %q instead of %q", action, r.verdict(), want)
		}
		if err := unmet([]result{r}, nil); (err == nil) != (want == "holds") {
			t.Errorf("TestB: %s gives the error %v", action, err)
		}
	}
}

func TestPageShowsWhatWasRecordedAndWhatWasNot(t *testing.T) {
	start, final := 400.0, 250.0
	r := &record{Command: "bin/fwi run m.h5", Summary: fwi.Summary{ModelRMSStart: &start, ModelRMSFinal: &final, WallSeconds: 500}, Where: []region{{"between them", 300, 100}}}
	text := page([]result{{claim: claims[0], figures: []string{"error 1e-3"}, passed: len(claims[0].tests)}}, []*record{r, nil}, machine{CPU: "some", Cores: 2}, "abc", "2001-02-03")
	for _, want := range []string{"[Green's function](#greens-function) | holds |", "- error 1e-3", "MISSED: ratio 0.625 in 500 s", "| model error, between them (m/s) | 300.0 | 100.0 |", "not measured", "some, 2 cores"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if err := unmet(nil, []*record{r, nil}); err == nil || !strings.Contains(err.Error(), "marmousi-smooth") {
		t.Errorf("a missed inversion gives %v", err)
	}
}

func TestErrorsAreLocatedBelowTheWater(t *testing.T) {
	const nz, nx = 8, 20
	truth, start, final := make([]float32, nz*nx), make([]float32, nz*nx), make([]float32, nz*nx)
	for i := range truth {
		truth[i], start[i], final[i] = 2000, 2100, 2000
		if i < nx { // water
			truth[i], start[i], final[i] = 1500, 3000, 3000
		}
		if i >= (nz-2)*nx {
			final[i] = 2050
		}
	}
	path := filepath.Join(t.TempDir(), "result.h5")
	f, err := h5.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for object, v := range map[string][]float32{"/vp": final, "/start/vp": start, "/true/vp": truth} {
		if err := f.WriteFloat32(object, v, []int{nz, nx}, h5.NoCompression); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	regions, err := locate(path)
	if err != nil {
		t.Fatal(err)
	}
	if first, lowest := regions[0], regions[3]; first.Start != 100 || first.Final != 0 || lowest.Final != 50 {
		t.Errorf("regions %+v", regions)
	}
}
