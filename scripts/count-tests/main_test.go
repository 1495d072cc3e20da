package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const stream = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"run","Package":"p","Test":"TestA/two"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA/two"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: there is no data\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Elapsed":1}
`

// count returns what the command prints for a stream and a floor, and whether it succeeds.
func count(t *testing.T, stream, floor string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "floor")
	if err := os.WriteFile(path, []byte("# a comment\n"+floor+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := run(strings.NewReader(stream), &out, []string{path})
	return out.String(), err
}

func TestCountsLeavesAndTellsWhySkipped(t *testing.T) {
	out, err := count(t, stream, "2")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"skipped p TestB: there is no data\n", "2 passed, 0 failed, 1 skipped\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestFailsBelowFloor(t *testing.T) {
	if _, err := count(t, stream, "3"); err == nil || !strings.Contains(err.Error(), "fewer than the 3") {
		t.Errorf("two tests passed the floor of three: %v", err)
	}
	if _, err := count(t, "", "1"); err == nil {
		t.Error("no test at all is a success")
	}
}

func TestFailuresAreShownAndCountedOnce(t *testing.T) {
	failure := `{"Action":"run","Package":"q","Test":"TestC"}
{"Action":"run","Package":"q","Test":"TestC/x"}
{"Action":"output","Package":"q","Test":"TestC/x","Output":"    c_test.go:9: wrong\n"}
{"Action":"fail","Package":"q","Test":"TestC/x"}
{"Action":"fail","Package":"q","Test":"TestC"}
{"Action":"fail","Package":"q"}
{"ImportPath":"r","Action":"build-output","Output":"r.go:1: syntax error\n"}
{"Action":"fail","Package":"r"}
`
	out, err := count(t, stream+failure, "2")
	if err == nil {
		t.Error("failures are a success")
	}
	for _, want := range []string{"c_test.go:9: wrong", "r.go:1: syntax error", "2 passed, 2 failed, 1 skipped\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
