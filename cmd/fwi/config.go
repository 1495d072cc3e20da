package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gofwi/fwi"
	"gofwi/internal/h5"
	"gofwi/wave"
)

// configFlags are the flags that set a Config: over a YAML file, over the problem file's attribute "configuration".
type configFlags struct {
	file, memory string
	from         fwi.Config
	set          []func(*fwi.Config) // one per flag that may be given
	names        []string
}

func addConfigFlags(cmd *cobra.Command) *configFlags {
	f := &configFlags{}
	flags := cmd.Flags()
	flags.StringVar(&f.file, "config", "", "configuration in YAML, or a result.h5 to take it from")
	flags.StringVar(&f.memory, "memory", "", "memory limit, such as 4GiB")
	add := func(name string, set func(*fwi.Config)) {
		f.names = append(f.names, name)
		f.set = append(f.set, set)
	}
	str := func(name, usage string, field func(*fwi.Config) *string) {
		flags.StringVar(field(&f.from), name, "", usage)
		add(name, func(c *fwi.Config) { *field(c) = *field(&f.from) })
	}
	integer := func(name, usage string, field func(*fwi.Config) *int) {
		flags.IntVar(field(&f.from), name, 0, usage)
		add(name, func(c *fwi.Config) { *field(c) = *field(&f.from) })
	}
	number := func(name, usage string, field func(*fwi.Config) *float64) {
		flags.Float64Var(field(&f.from), name, 0, usage)
		add(name, func(c *fwi.Config) { *field(c) = *field(&f.from) })
	}
	boolean := func(name, usage string, field func(*fwi.Config) *bool) {
		flags.BoolVar(field(&f.from), name, false, usage)
		add(name, func(c *fwi.Config) { *field(c) = *field(&f.from) })
	}
	str("start", "start model: smooth:500m, gradient, or a file (default smooth:500m)", func(c *fwi.Config) *string { return &c.Start })
	str("misfit", "misfit: "+strings.Join(fwi.MisfitNames(), ", ")+" (default least-squares)", func(c *fwi.Config) *string { return &c.Misfit })
	str("method", "optimiser: "+strings.Join(fwi.MethodNames(), ", ")+" (default lbfgs)", func(c *fwi.Config) *string { return &c.Method })
	str("backend", "auto, cpu or cuda (default auto: GPUs where there are any)", func(c *fwi.Config) *string { return &c.Backend })
	str("scratch-dir", "folder for the files of storage disk (default the system's for temporary files)", func(c *fwi.Config) *string { return &c.ScratchDir })
	str("storage", "of the forward field: auto, "+strings.Join(wave.StorageNames(), ", ")+" (default auto: the fastest that fits into the memory)", func(c *fwi.Config) *string { return &c.Storage })
	str("dispersion", "grid too coarse for the band: warn or refuse (default warn)", func(c *fwi.Config) *string { return &c.Dispersion })
	integer("iterations", "at most so many iterations a stage", func(c *fwi.Config) *int { return &c.Iterations })
	integer("order", "order in space: 2, 4, 6, 8 (default 8)", func(c *fwi.Config) *int { return &c.Order })
	integer("layer", "width of the absorbing layers in cells", func(c *fwi.Config) *int { return &c.Layer })
	integer("threads", "shots worked on at a time (default one per CPU)", func(c *fwi.Config) *int { return &c.Threads })
	integer("shots", "bare model: number of shots", func(c *fwi.Config) *int { return &c.Acquisition.Shots })
	integer("receivers", "bare model: number of receivers", func(c *fwi.Config) *int { return &c.Acquisition.Receivers })
	number("duration", "bare model: length of the record in s", func(c *fwi.Config) *float64 { return &c.Acquisition.Duration })
	number("min-frequency", "bare model: lowest frequency of the source in Hz (default 3)", func(c *fwi.Config) *float64 { return &c.Acquisition.MinFrequency })
	number("max-frequency", "bare model: highest frequency of the source in Hz", func(c *fwi.Config) *float64 { return &c.Acquisition.MaxFrequency })
	number("noise", "noise to add to modelled data, as a fraction of their RMS", func(c *fwi.Config) *float64 { return &c.Acquisition.Noise })
	number("min-velocity", "lower bound of the model in m/s", func(c *fwi.Config) *float64 { return &c.MinVelocity })
	number("max-velocity", "upper bound of the model in m/s", func(c *fwi.Config) *float64 { return &c.MaxVelocity })
	boolean("free-surface", "the top of the grid is a free surface", func(c *fwi.Config) *bool { return &c.FreeSurface })
	boolean("estimate-wavelet", "fit the source wavelet to the data at each stage", func(c *fwi.Config) *bool { return &c.EstimateWavelet })
	return f
}

// resolve merges the problem file's attribute, the YAML file and the flags that were given.
func (f *configFlags) resolve(cmd *cobra.Command, problemFile string) (fwi.Config, error) {
	var c fwi.Config
	text, err := fileConfiguration(problemFile)
	if err != nil {
		return c, err
	}
	if err := c.Merge(text); err != nil {
		return c, fmt.Errorf("%s: %w", problemFile, err)
	}
	if f.file != "" {
		if text, err = readConfiguration(f.file); err != nil {
			return c, err
		}
		if err := c.Merge(text); err != nil {
			return c, fmt.Errorf("%s: %w", f.file, err)
		}
	}
	for i, name := range f.names {
		if cmd.Flags().Changed(name) {
			f.set[i](&c)
		}
	}
	if f.memory != "" {
		if c.MemoryLimit, err = parseBytes(f.memory); err != nil {
			return c, err
		}
	}
	return c, nil
}

// fileConfiguration returns the YAML in the attribute "configuration" of a problem file, if there is one.
func fileConfiguration(path string) ([]byte, error) {
	f, err := h5.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, _, err := f.AttrString("/", "configuration")
	return []byte(text), err
}

func readConfiguration(path string) ([]byte, error) {
	if !strings.HasSuffix(path, ".h5") {
		return os.ReadFile(path)
	}
	f, err := h5.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := f.ReadString("/configuration")
	return []byte(text), err
}

func parseBytes(text string) (int, error) {
	units := []struct {
		suffix string
		factor float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(v > 0) || v*u.factor > math.MaxInt64/2 {
			break
		}
		return int(v * u.factor), nil
	}
	return 0, fmt.Errorf("memory %q: write a size such as 800MiB or 4GiB", text)
}
