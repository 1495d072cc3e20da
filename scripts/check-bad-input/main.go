// Command check-bad-input runs fwi on files and flags that cannot work, and checks that each ends in a sentence and an exit code, not in a
// crash or a hang, and that nothing was written or changed.
//
//	check-bad-input bin/fwi
//
// It prints a line per case and last 'N passed, N failed, N skipped'.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// fault is a case: a file, what fwi is asked to do with it, and what it must say.
type fault struct {
	name  string
	make  func(path string) error // nil: there is no file
	file  string                  // name of the file; "" is problem.h5
	args  []string                // IN and OUT stand for the file and the result, nil for run IN --out OUT --iterations 1
	words []string                // regular expressions that the output must match, case ignored
	ok    okay
}

// okay says whether fwi may succeed.
type okay int

const (
	mustFail    okay = iota // and write nothing
	mustSucceed             // a warning, or the control without a fault
	mayDoBoth               // damage that the file's user may never meet
)

const limit = 2 * time.Minute // of one case

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: check-bad-input bin/fwi")
		os.Exit(2)
	}
	fwi, err := filepath.Abs(os.Args[1])
	if err == nil {
		_, err = os.Stat(fwi)
	}
	scratch := ""
	if err == nil {
		scratch, err = os.MkdirTemp("", "bad-input-")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "check-bad-input:", err)
		os.Exit(2)
	}
	passed, failed, skipped := 0, 0, 0
	tell := func(name string, err error) {
		var reason skip
		switch {
		case err == nil:
			passed++
		case errors.As(err, &reason):
			skipped++
			fmt.Printf("skipped %s: %v\n", name, err)
		default:
			failed++
			fmt.Printf("FAIL    %s: %v\n", name, err)
		}
	}
	for i, f := range faults() {
		tell(f.name, f.check(fwi, filepath.Join(scratch, fmt.Sprint(i))))
	}
	tell("a full disk leaves the last checkpoint", checkFullDisk(fwi, filepath.Join(scratch, "disk")))
	os.RemoveAll(scratch)
	fmt.Printf("bad input: %d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 {
		os.Exit(1)
	}
}

// skip is the reason why a case cannot be tried here.
type skip string

func (s skip) Error() string { return string(s) }

// check tries the case in a folder of its own.
func (f *fault) check(fwi, folder string) error {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	name := f.file
	if name == "" {
		name = "problem.h5"
	}
	if f.make != nil {
		if err := f.make(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("making its file: %w", err)
		}
	}
	before, err := snapshot(folder)
	if err != nil {
		return err
	}
	args := f.args
	if args == nil {
		args = []string{"run", "IN", "--out", "OUT", "--iterations", "1"}
	}
	filled := make([]string, len(args))
	for i, a := range args {
		filled[i] = strings.NewReplacer("IN", name, "OUT", "out").Replace(a)
	}
	said, code, err := execute(folder, fwi, filled...)
	if err != nil {
		return err
	}
	switch {
	case code == 0 && f.ok == mustFail:
		return fmt.Errorf("fwi succeeded, saying\n%s", said)
	case code != 0 && f.ok == mustSucceed:
		return fmt.Errorf("exit code %d, saying\n%s", code, said)
	}
	for _, w := range f.words {
		if !regexp.MustCompile("(?i)" + w).MatchString(said) {
			return fmt.Errorf("nothing like %q in\n%s", w, said)
		}
	}
	if code == 0 {
		return nil
	}
	after, err := snapshot(folder)
	if err != nil {
		return err
	}
	for path, content := range before {
		if after[path] != content {
			return fmt.Errorf("fwi changed or removed %s", path)
		}
	}
	for path := range after {
		if _, known := before[path]; !known {
			return fmt.Errorf("fwi failed, but left %s", path)
		}
	}
	return nil
}

// crash matches what no user should see: traces of Go, libhdf5 or the system, and slips of formatting.
var crash = regexp.MustCompile(`panic:|goroutine \d|fatal error:|runtime error|SIGSEGV|SIGABRT|HDF5-DIAG|%!|<nil>`)

// execute runs a program and returns its output and exit code, or an error for a crash, a hang or an end without a word.
func execute(folder, program string, args ...string) (said string, code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = folder
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	said = output.String()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return said, 0, fmt.Errorf("no end after %v, saying\n%s", limit, said)
	case err != nil && !errors.As(err, &exit):
		return said, 0, err
	case exit != nil && !exit.Exited():
		return said, 0, fmt.Errorf("%v, saying\n%s", exit, said)
	case crash.MatchString(said):
		return said, 0, fmt.Errorf("it crashed, saying\n%s", said)
	case exit != nil && strings.TrimSpace(said) == "":
		return said, 0, fmt.Errorf("exit code %d without a word", exit.ExitCode())
	case exit != nil:
		return said, exit.ExitCode(), nil
	}
	return said, 0, nil
}

// snapshot returns the content of every file below a folder, and "/" for a folder.
func snapshot(folder string) (map[string]string, error) {
	content := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			content[path] = "/"
			return err
		}
		text, err := os.ReadFile(path)
		content[path] = string(text)
		return err
	})
	return content, err
}

// checkFullDisk fills the disk under a run that has saved, resumes it, and sees whether it goes on once there is space.
func checkFullDisk(fwi, folder string) error {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=32m"); err != nil {
		return skip(fmt.Sprintf("a small file system cannot be mounted here (%v)", err))
	}
	defer syscall.Unmount(folder, syscall.MNT_DETACH)
	if err := valid(nil)(filepath.Join(folder, "problem.h5")); err != nil {
		return err
	}
	run := func(flags ...string) (string, int, error) {
		return execute(folder, fwi, append([]string{"run", "problem.h5", "--out", "out"}, flags...)...)
	}
	succeeds := func(when string, flags ...string) error {
		said, code, err := run(flags...)
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d, saying\n%s", code, said)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", when, err)
		}
		return nil
	}
	if err := succeeds("with space", "--iterations", "1"); err != nil {
		return err
	}
	filler := filepath.Join(folder, "filler")
	if err := fill(filler); err != nil {
		return err
	}
	said, code, err := run("--resume")
	if err != nil {
		return fmt.Errorf("without space: %w", err)
	}
	if code == 0 || !strings.Contains(strings.ToLower(said), "space") {
		return fmt.Errorf("without space: exit code %d, saying\n%s", code, said)
	}
	if err := os.Remove(filler); err != nil {
		return err
	}
	return succeeds("with space again", "--resume")
}

// fill writes to a file until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 1<<16); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			return err
		}
	}
	return nil
}
