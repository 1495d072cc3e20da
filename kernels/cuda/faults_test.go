//go:build cuda

package cuda

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gofwi/internal/cudashim"
)

// Faults of the driver last as long as a process: each has a process of its own, in which this variable names what to do.
const childVariable = "GOFWI_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "":
		os.Exit(m.Run())
	case "devices":
		_, err := Devices()
		os.Stdout.WriteString(err.Error())
	case "launch":
		devices, err := Devices()
		if err != nil {
			os.Stdout.WriteString(err.Error())
			return
		}
		p := newProblem[float32](testCases()[0], 1)
		b, err := NewBatch[float32](devices[0], p.domain, 1)
		for _, f := range []func() error{func() error { return err }, func() error { return b.SetModel(p.m) }, func() error { return b.Load(p.shots) },
			func() error { return b.Forward(0, testSteps, nil) }, b.Wait} {
			if err := f(); err != nil {
				os.Stdout.WriteString(err.Error())
				break
			}
		}
		b.Close() // of a device that does nothing more: must not hang
	}
}

// needFake skips tests of what only the fake driver can be told to do.
func needFake(t *testing.T) {
	t.Helper()
	if !strings.Contains(os.Getenv(cudashim.LibraryVariable), "fake") {
		t.Skip("skipped: needs the fake driver")
	}
}

func TestFaultsOfTheDriverAreSentences(t *testing.T) {
	needFake(t)
	for _, c := range []struct{ name, child, setting, words string }{
		{"no driver", "devices", cudashim.LibraryVariable + "=/nowhere/libcuda.so.1", "no NVIDIA driver: /nowhere/libcuda.so.1"},
		{"no device", "devices", "FAKECUDA_DEVICES=0", "no CUDA device is there"},
		{"old driver", "devices", "FAKECUDA_VERSION=11080", "the driver is too old for the kernels' PTX: it needs driver 550"},
		{"failing kernel", "launch", "FAKECUDA_FAIL=20", "GPU 0 (fake device 0 (CPU)): a kernel failed (CUDA error 719)"},
	} {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childVariable+"="+c.child, c.setting)
		out, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.words) {
			t.Errorf("%s: %q, %v", c.name, out, err)
		}
	}
}

func TestTooLittleDeviceMemoryIsRefusedWithNumbers(t *testing.T) {
	needFake(t)
	d := device(t)
	before, _, err := d.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FAKECUDA_MEMORY", "100000")
	p := newProblem[float32](testCases()[0], 3)
	_, err = NewBatch[float32](d, p.domain, 64)
	if !errors.Is(err, ErrOutOfMemory) || !strings.Contains(err.Error(), "MiB were asked for") {
		t.Errorf("got %v", err)
	}
	t.Setenv("FAKECUDA_MEMORY", "")
	if after, _, _ := d.Memory(); after != before {
		t.Errorf("%d bytes are free after the refusal, %d before", after, before)
	}
}
