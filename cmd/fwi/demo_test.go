package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gofwi/fwi"
)

func TestDemoWritesAProblemThatRunCompletes(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "demo.h5")
	if text, err := execute(context.Background(), "demo", file, "--size", "small"); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	p, err := fwi.OpenProblem(file)
	if err != nil {
		t.Fatal(err)
	}
	if p.Truth == nil || p.Start == nil || p.Survey == nil {
		t.Errorf("the demo lacks a part: %s", describe(p))
	}
	text, err := execute(context.Background(), "model", file, filepath.Join(folder, "modelled.h5"))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

func TestDemoIsTheSameForTheSameSeedAndAnotherForAnother(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, args ...string) *fwi.Problem {
		t.Helper()
		file := filepath.Join(folder, name)
		if _, err := execute(context.Background(), append([]string{"demo", file, "--size", "small"}, args...)...); err != nil {
			t.Fatal(err)
		}
		p, err := fwi.OpenProblem(file)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first, again, other := write("a.h5", "--seed", "4"), write("b.h5", "--seed", "4"), write("c.h5", "--seed", "5")
	if !slices.Equal(first.Truth, again.Truth) || !slices.Equal(first.Start, again.Start) {
		t.Error("the same seed made two different problems")
	}
	if slices.Equal(first.Truth, other.Truth) {
		t.Error("two seeds made the same model")
	}
}

func TestDemoRefusesWhatItCannotDo(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "demo.h5")
	for word, args := range map[string][]string{
		"granite": {"demo", file, "--kind", "granite"},
		"huge":    {"demo", file, "--size", "huge"},
		"none":    {"demo", filepath.Join(folder, "none", "demo.h5"), "--size", "small"},
	} {
		if _, err := execute(context.Background(), args...); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := execute(context.Background(), "demo", file, "--size", "small"); err == nil || !strings.Contains(err.Error(), "--overwrite") {
		t.Errorf("an existing file: %v", err)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "mine" {
		t.Errorf("the refused demo left %q (%v)", content, err)
	}
	if _, err := execute(context.Background(), "demo", file, "--size", "small", "--overwrite"); err != nil {
		t.Error(err)
	}
}
