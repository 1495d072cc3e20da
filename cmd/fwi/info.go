package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gofwi/fwi"
	"gofwi/internal/h5"
	"gofwi/internal/npy"
	"gofwi/internal/segy"
	"gofwi/wave"
)

// bandLevel is where the band of a wavelet ends, in dB below its peak.
const bandLevel = -20

func newInfoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "info FILE",
		Short: "Say what is in an HDF5, SEG-Y or .npy file",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, out := args[0], cmd.OutOrStdout()
			kind, err := kindOf(cmd.Context(), path)
			if err != nil {
				return err
			}
			switch kind {
			case hdf5File:
				return infoHDF5(cmd, path)
			case segyFile:
				f, err := segy.Read(cmd.Context(), path)
				if err != nil {
					return err
				}
				infoSEGY(out, path, f)
				return nil
			}
			values, shape, err := npy.Read[float64](path)
			if err != nil {
				return err
			}
			low, high, rms := statistics(values)
			fmt.Fprintf(out, "%s: numpy array of shape %v, %d values from %g to %g, RMS %g\n", path, shape, len(values), low, high, rms)
			return nil
		},
	}
}

type fileKind int

const (
	hdf5File fileKind = iota
	segyFile
	npyFile
)

// kindOf tells the kind of a file by its first bytes, or where those tell nothing by its name. SEG-Y has no signature: its readers
// look for themselves.
func kindOf(ctx context.Context, path string) (fileKind, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a regular file", path)
	}
	var head [8]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	extension := strings.ToLower(filepath.Ext(path))
	switch start := string(head[:n]); {
	case start == "\x89HDF\r\n\x1a\n":
		return hdf5File, nil
	case strings.HasPrefix(start, "\x93NUMPY"):
		return npyFile, nil
	case extension == ".h5" || extension == ".hdf5":
		return hdf5File, nil
	case extension == ".npy":
		return npyFile, nil
	case extension == ".sgy" || extension == ".segy":
		return segyFile, nil
	}
	s, err := segy.Read(ctx, path)
	if err != nil || len(s.Traces) == 0 {
		return 0, fmt.Errorf("%s (%d bytes) is neither HDF5, nor SEG-Y, nor a .npy file", path, info.Size())
	}
	return segyFile, nil
}

func infoHDF5(cmd *cobra.Command, path string) error {
	out := cmd.OutOrStdout()
	f, err := h5.OpenContext(cmd.Context(), path)
	if err != nil {
		return err
	}
	defer f.Close()
	objects, err := f.List()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: HDF5\n", path)
	for _, o := range objects {
		depth := strings.Count(strings.TrimSuffix(o.Path, "/"), "/")
		indent := strings.Repeat("  ", depth)
		line := indent + o.Path
		switch o.Kind {
		case h5.Group:
		case h5.Dataset:
			line += fmt.Sprintf("  %s %v", o.Type, o.Shape)
			if o.Compression != "" {
				line += fmt.Sprintf("  %s, %.3g of %.3g MB", o.Compression, float64(o.Stored)/1e6, float64(o.Bytes)/1e6)
			}
			if o.Unreadable != "" {
				line += "  not readable: " + o.Unreadable
			}
		default:
			line += "  " + o.Kind.String()
			if o.Target != "" {
				line += " to " + o.Target
			}
		}
		fmt.Fprintln(out, line)
		for _, a := range o.Attributes {
			fmt.Fprintf(out, "%s    %s = %s\n", indent, a.Name, attributeText(a))
		}
	}
	if f.Exists("/history/misfit") {
		if misfit, _, err := f.ReadFloat64("/history/misfit"); err == nil && len(misfit) > 0 {
			fmt.Fprintf(out, "result of an inversion: %d records, the last misfit %.4g; /vp is its model\n", len(misfit), misfit[len(misfit)-1])
		}
	}
	p, err := fwi.OpenProblem(path)
	if err != nil {
		fmt.Fprintf(out, "not a problem that can be inverted: %v\n", err)
		return nil
	}
	infoProblem(out, p)
	return nil
}

func attributeText(a h5.Attribute) string {
	const most = 100 // characters
	text := fmt.Sprint(a.Value)
	if a.Value == nil {
		text = fmt.Sprintf("(%s %v)", a.Type, a.Shape)
	}
	if s, ok := a.Value.(string); ok {
		text = fmt.Sprintf("%q", s)
	}
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return text
}

func infoProblem(out io.Writer, p *fwi.Problem) {
	fmt.Fprintf(out, "problem: %s\n", describe(p))
	for _, m := range []struct {
		name   string
		values []float32
	}{{"model", p.Truth}, {"start", p.Start}} {
		if m.values != nil {
			low, high, _ := statistics(m.values)
			fmt.Fprintf(out, "  %s: %.0f to %.0f m/s\n", m.name, low, high)
		}
	}
	if deepest, share := waterDepth(p); share > 0 {
		fmt.Fprintf(out, "  water: over %.0f %% of the surface, to %.0f m\n", 100*share, deepest)
	} else {
		fmt.Fprintln(out, "  water: none")
	}
	if p.Survey == nil {
		return
	}
	s := p.Survey
	receivers := make([]wave.Position, 0)
	sources := make([]wave.Position, 0)
	for _, shot := range s.Shots {
		sources = append(sources, shot.Sources...)
		receivers = append(receivers, shot.Receivers...)
	}
	fmt.Fprintf(out, "  survey: %d shots %s, %d receivers each %s\n", len(s.Shots), span(sources), len(s.Shots[0].Receivers), span(receivers))
	low, high := wave.Band(s.Shots[0].Wavelets[0], s.DT, bandLevel)
	fmt.Fprintf(out, "  records: %d samples every %g ms, %.3g s; wavelet %.1f to %.1f Hz at %d dB\n", s.NT, 1e3*s.DT, s.Duration(), low, high, bandLevel)
	if p.Observed != nil {
		var energy float64
		count := 0
		for _, gather := range p.Observed {
			_, _, rms := statistics(gather)
			energy += rms * rms * float64(len(gather))
			count += len(gather)
		}
		fmt.Fprintf(out, "  data: RMS %.4g\n", math.Sqrt(energy/float64(count)))
	}
}

// waterDepth returns the depth in m to which the water layer reaches and the part of the surface that it covers.
func waterDepth(p *fwi.Problem) (deepest, share float64) {
	columns := p.Grid.Columns()
	for i, wet := range p.Water {
		if wet {
			deepest = max(deepest, p.Grid.Start(0)+float64(i/columns+1)*p.Grid.DZ())
			if i < columns {
				share += 1 / float64(columns)
			}
		}
	}
	return deepest, share
}

// span says where positions lie, the horizontal axes in km.
func span(positions []wave.Position) string {
	axes := len(positions[0])
	names := wave.AxisNames(axes)
	parts := make([]string, 0, axes)
	for k := range axes {
		d := axes - 1 - k // x first, z last
		low, high := math.Inf(1), math.Inf(-1)
		for _, p := range positions {
			low, high = min(low, p[d]), max(high, p[d])
		}
		if d == 0 {
			parts = append(parts, fmt.Sprintf("z %.4g to %.4g m", low, high))
		} else {
			parts = append(parts, fmt.Sprintf("%s %.4g to %.4g km", names[d], low/1e3, high/1e3))
		}
	}
	return "at " + strings.Join(parts, ", ")
}

// statistics returns the range and the root mean square of values.
func statistics[T float32 | float64](values []T) (low, high, rms float64) {
	if len(values) == 0 {
		return 0, 0, 0
	}
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		x := float64(v)
		low, high, rms = min(low, x), max(high, x), rms+x*x
	}
	return low, high, math.Sqrt(rms / float64(len(values)))
}

func infoSEGY(out io.Writer, path string, f *segy.File) {
	order := "big-endian"
	if f.LittleEndian {
		order = "little-endian"
	}
	unit := "m"
	if f.Feet {
		unit = "feet, here in m"
	}
	fmt.Fprintf(out, "%s: SEG-Y revision %d, %v, %s, lengths in %s\n", path, f.Revision, f.Format, order, unit)
	samples := "of differing lengths"
	if n, err := f.Samples(); err == nil {
		samples = fmt.Sprintf("of %d samples", n)
	}
	fmt.Fprintf(out, "  %d traces %s, interval %d (µs; mm in a depth section)\n", len(f.Traces), samples, f.Interval)
	gathers := f.Gathers()
	fewest, most := math.MaxInt, 0
	for _, g := range gathers {
		fewest, most = min(fewest, len(g.Traces)), max(most, len(g.Traces))
	}
	if len(gathers) > 0 {
		fmt.Fprintf(out, "  %d gathers of %d to %d traces\n", len(gathers), fewest, most)
	}
	low, high, energy, count := math.Inf(1), math.Inf(-1), 0.0, 0
	for _, t := range f.Traces {
		if len(t.Samples) == 0 {
			continue
		}
		l, h, rms := statistics(t.Samples)
		low, high = min(low, l), max(high, h)
		energy += rms * rms * float64(len(t.Samples))
		count += len(t.Samples)
	}
	if count > 0 {
		fmt.Fprintf(out, "  values from %g to %g, RMS %.4g\n", low, high, math.Sqrt(energy/float64(count)))
	}
	for _, c := range []struct {
		name string
		of   func(segy.Header) float64
	}{
		{"source x", func(h segy.Header) float64 { return h.SourceX }},
		{"source y", func(h segy.Header) float64 { return h.SourceY }},
		{"source depth", func(h segy.Header) float64 { return h.SourceDepth }},
		{"receiver x", func(h segy.Header) float64 { return h.ReceiverX }},
		{"receiver y", func(h segy.Header) float64 { return h.ReceiverY }},
		{"receiver elevation", func(h segy.Header) float64 { return h.ReceiverElevation }},
		{"CDP x", func(h segy.Header) float64 { return h.CDPX }},
		{"offset", func(h segy.Header) float64 { return h.Offset }},
	} {
		values := make([]float64, len(f.Traces))
		for i, t := range f.Traces {
			values[i] = c.of(t.Header)
		}
		if l, h, _ := statistics(values); l != 0 || h != 0 {
			fmt.Fprintf(out, "  %s: %.10g to %.10g\n", c.name, l, h)
		}
	}
	if text := strings.TrimSpace(f.Text); text != "" {
		for line := range strings.Lines(text) {
			if line = strings.TrimRight(line, " \n"); len(line) > 3 {
				fmt.Fprintf(out, "  | %s\n", line)
			}
		}
	}
}
