package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"

	"gofwi/kernels"
)

// machine is where figures come from.
type machine struct {
	CPU          string
	Cores        int
	Instructions string // of the kernels
	Go, GCC      string
	HDF5         string
}

func thisMachine() machine {
	m := machine{CPU: "unknown", Cores: runtime.NumCPU(), Go: runtime.Version(), GCC: output("gcc", "-dumpfullversion"), HDF5: output("pkg-config", "--modversion", "hdf5")}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if isa, err := kernels.InstructionSet(""); err == nil {
		m.Instructions = isa
	}
	return m
}

func revision() string { return output("git", "describe", "--tags", "--always", "--dirty") }

// output returns what a program prints, or "unknown".
func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
