package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDoctorNamesEverythingItLooksAt(t *testing.T) {
	text, err := execute(context.Background(), "doctor")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, word := range []string{"fwi ", "Go ", "HDF5", "writes and reads", "CPU", "kernels use", "cores", "GiB", "disk", "CUDA", "ONNX Runtime"} {
		if !strings.Contains(text, word) {
			t.Errorf("doctor does not speak of %q:\n%s", word, text)
		}
	}
}

func TestDoctorFindsTheONNXRuntimeThatIsNamed(t *testing.T) {
	library := filepath.Join(t.TempDir(), "libonnxruntime.so.1.24.3")
	t.Setenv(onnxRuntimeVariable, library)
	if got := onnxRuntime(); !strings.Contains(got, "cannot be used") {
		t.Errorf("a missing library: %s", got)
	}
	if err := os.WriteFile(library, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := onnxRuntime(); !strings.HasPrefix(got, library) {
		t.Errorf("a library that is there: %s", got)
	}

	cache := t.TempDir()
	t.Setenv(onnxRuntimeVariable, "")
	t.Setenv("XDG_CACHE_HOME", cache)
	cached := filepath.Join(cache, "fwi", "onnxruntime-1.24.3", "libonnxruntime.so.1")
	if err := os.MkdirAll(filepath.Dir(cached), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cached, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := onnxRuntime(); got != cached {
		t.Errorf("in the cache: %s", got)
	}
}

func TestDoctorReadsSizesAndNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "info")
	if err := os.WriteFile(file, []byte("model name\t: Fast CPU: 3 GHz\nMemTotal:       2097152 kB\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"model name": "Fast CPU: 3 GHz", "MemTotal": "2.0 GiB", "absent": ""} {
		if got := procValue(file, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}
