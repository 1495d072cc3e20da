// Command count-tests reads the output of 'go test -json', prints a line per package, everything that failed tests said, each skipped test with
// its reason, and last 'N passed, N failed, N skipped'. It fails when a test failed or fewer passed than the floor: a change
// that silently stops tests from running must not look like success.
//
//	go test -json ./... | count-tests FLOOR_FILE
//
// A test with subtests counts as its subtests.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// event is a line of 'go test -json' (see 'go doc test2json').
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

type key struct{ pkg, test string }

type tally struct {
	output  map[key][]string
	parents map[key]bool
	passed  []key
	failed  []key
	skipped []key
	broken  int // packages that failed otherwise: not built, crashed, timed out
}

func main() {
	if err := run(os.Stdin, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "count-tests:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: go test -json ./... | count-tests FLOOR_FILE")
	}
	floor, err := readFloor(args[0])
	if err != nil {
		return err
	}
	t := &tally{output: map[key][]string{}, parents: map[key]bool{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			t.line(out, line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	t.dropParents()
	for _, k := range t.skipped {
		fmt.Fprintf(out, "skipped %s %s: %s\n", k.pkg, k.test, t.reason(k))
	}
	failed := len(t.failed) + t.broken
	if failed == 0 && len(t.passed) < floor {
		err = fmt.Errorf("%d tests passed, fewer than the %d that %s demands: find out which no longer run", len(t.passed), floor, args[0])
	} else if failed > 0 {
		err = fmt.Errorf("%d tests or packages failed", failed)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", len(t.passed), failed, len(t.skipped))
	return err
}

// readFloor returns the number on the file's first line that is no comment.
func readFloor(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return strconv.Atoi(line)
		}
	}
	return 0, fmt.Errorf("%s holds no number", path)
}

func (t *tally) line(out io.Writer, line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(out, line) // go itself, about a package that it cannot load
		return
	}
	k := key{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(out, e.Output)
	case "output":
		t.output[k] = append(t.output[k], e.Output)
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
			t.parents[key{e.Package, e.Test[:i]}] = true
		}
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.packageDone(out, e)
			return
		}
		switch e.Action {
		case "pass":
			t.passed = append(t.passed, k)
			delete(t.output, k)
		case "skip":
			t.skipped = append(t.skipped, k)
		case "fail":
			t.failed = append(t.failed, k)
			fmt.Fprint(out, strings.Join(t.output[k], ""))
		}
	}
}

func (t *tally) packageDone(out io.Writer, e event) {
	k := key{e.Package, ""}
	switch e.Action {
	case "pass":
		fmt.Fprintf(out, "ok      %s %.1fs\n", e.Package, e.Elapsed)
	case "fail":
		inPackage := func(k key) bool { return k.pkg == e.Package }
		if !slices.ContainsFunc(t.failed, inPackage) {
			t.broken++
			for test, lines := range t.output { // of tests that never ended
				if test.pkg == e.Package && test.test != "" && !slices.Contains(t.skipped, test) {
					fmt.Fprint(out, strings.Join(lines, ""))
				}
			}
		}
		fmt.Fprint(out, strings.Join(t.output[k], ""))
		fmt.Fprintf(out, "FAIL    %s %.1fs\n", e.Package, e.Elapsed)
	}
}

// dropParents removes tests that only group others, as long as these tell the outcome.
func (t *tally) dropParents() {
	t.passed = slices.DeleteFunc(t.passed, func(k key) bool { return t.parents[k] })
	failed := slices.Clone(t.failed)
	t.failed = slices.DeleteFunc(t.failed, func(k key) bool {
		return t.parents[k] && slices.ContainsFunc(failed, func(f key) bool {
			return f.pkg == k.pkg && strings.HasPrefix(f.test, k.test+"/")
		})
	})
}

// reason returns what a skipped test said.
func (t *tally) reason(k key) string {
	var said []string
	for _, line := range t.output[k] {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		// file.go:12: reason
		if parts := strings.SplitN(line, ": ", 2); len(parts) == 2 && strings.Contains(parts[0], ".go:") {
			line = parts[1]
		}
		said = append(said, line)
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}
