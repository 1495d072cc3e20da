package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gofwi/fwi"
	"gofwi/internal/exchange"
	"gofwi/internal/h5"
	"gofwi/internal/npy"
	"gofwi/internal/segy"
	"gofwi/wave"
)

type exportOptions struct {
	dataset        string
	ibm, overwrite bool
}

func newExportCommand() *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export IN.h5 OUT.(sgy|npy|bin|csv)",
		Short: "Write a model or gathers as SEG-Y, NumPy, raw binary or CSV",
		Long: "export writes one data set of an HDF5 file; the ending of OUT chooses the format. Models become SEG-Y sections with a column in each\n" +
			"trace, gathers (--dataset /data/observed) SEG-Y with the geometry in the headers. Raw binary is little-endian float32, last index fastest.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return export(cmd, args[0], args[1], o) },
	}
	cmd.Flags().StringVar(&o.dataset, "dataset", "", "data set to write, such as /start/vp or /data/observed (default the model: /vp, /model/vp or /start/vp)")
	cmd.Flags().BoolVar(&o.ibm, "ibm", false, "SEG-Y with IBM instead of IEEE floats, rounded to 21 bits or more")
	cmd.Flags().BoolVar(&o.overwrite, "overwrite", false, "replace OUT if it exists")
	return cmd
}

func export(cmd *cobra.Command, in, out string, o exportOptions) error {
	format := strings.ToLower(filepath.Ext(out))
	switch format {
	case ".sgy", ".segy", ".npy", ".bin", ".csv":
	default:
		return fmt.Errorf("%s: the ending says no format: .sgy, .segy, .npy, .bin or .csv is needed", out)
	}
	segyOut := format == ".sgy" || format == ".segy"
	if o.ibm && !segyOut {
		return fmt.Errorf("--ibm is for SEG-Y, %s is none", out)
	}
	if err := refuseExisting(out, o.overwrite); err != nil {
		return err
	}
	f, err := h5.OpenContext(cmd.Context(), in)
	if err != nil {
		return err
	}
	defer f.Close()
	object, err := chooseDataset(f, o.dataset)
	if err != nil {
		return err
	}
	values, shape, err := f.ReadFloat32(object)
	if err != nil {
		return err
	}
	switch format {
	case ".npy":
		err = npy.Write(out, values, shape)
	case ".bin":
		err = npy.WriteRaw(out, values)
	case ".csv":
		err = writeCSV(out, values, shape)
	default:
		var file *segy.File
		if file, err = asSEGY(f, object, values, shape); err == nil {
			file.Text = fmt.Sprintf("C 1 %s OF %s\nC 2 WRITTEN BY FWI %s", object, filepath.Base(in), version)
			if o.ibm {
				file.Format = segy.IBM
			}
			err = segy.Write(out, file)
		}
	}
	if err != nil {
		return fmt.Errorf("%s, %s: %w", in, object, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s of %s, %s values of type float32\n", out, object, in, times(shape))
	return nil
}

func times(shape []int) string { return wave.Times("%d", shape) }

func chooseDataset(f *h5.File, name string) (string, error) {
	if name != "" {
		name = "/" + strings.TrimLeft(name, "/")
		if !f.Exists(name) {
			return "", fmt.Errorf("%s holds no %s; it holds %s", f.Path(), name, datasets(f))
		}
		return name, nil
	}
	for _, name := range []string{"/vp", "/model/vp", "/start/vp"} {
		if f.Exists(name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s holds no model (/vp, /model/vp or /start/vp): name another data set with --dataset; it holds %s", f.Path(), datasets(f))
}

// datasets lists the data sets of a file.
func datasets(f *h5.File) string {
	objects, err := f.List()
	if err != nil {
		return "nothing that can be listed"
	}
	var names []string
	for _, o := range objects {
		if o.Kind == h5.Dataset {
			names = append(names, fmt.Sprintf("%s [%s]", o.Path, times(o.Shape)))
		}
	}
	if len(names) == 0 {
		return "no data sets"
	}
	if len(names) > 12 {
		names = append(names[:12], "…")
	}
	return strings.Join(names, ", ")
}

func asSEGY(f *h5.File, object string, values []float32, shape []int) (*segy.File, error) {
	if len(shape) == 2 || len(shape) == 3 {
		g := wave.Grid{Shape: shape}
		var err error
		if g.Spacing, g.Origin, err = spacings(f, object, len(shape)); err != nil {
			return nil, err
		}
		missing := slices.Index(g.Spacing, 0)
		switch {
		case len(shape) == 3 && (object == observedSet || missing >= 0): // gathers have no spacing
		case missing >= 0:
			return nil, fmt.Errorf("neither the data set nor the file has the attribute \"d%s\", which SEG-Y needs", wave.AxisNames(len(shape))[missing])
		default:
			if err := g.Validate(); err != nil {
				return nil, err
			}
			return exchange.ModelTraces(values, g)
		}
	}
	if len(shape) == 3 {
		p, err := fwi.OpenProblem(f.Path())
		if err != nil {
			return nil, err
		}
		if p.Survey == nil {
			return nil, fmt.Errorf("gathers need a survey, and the file has none")
		}
		s := p.Survey
		if shape[0] != len(s.Shots) || shape[1] != len(s.Shots[0].Receivers) || shape[2] != s.NT {
			return nil, fmt.Errorf("the shape is %s, the survey has %d shots, %d receivers and %d samples", times(shape), len(s.Shots), len(s.Shots[0].Receivers), s.NT)
		}
		data := make([][]float32, shape[0])
		for i := range data {
			data[i] = values[i*shape[1]*shape[2] : (i+1)*shape[1]*shape[2]]
		}
		return exchange.GatherTraces(s, data)
	}
	return nil, fmt.Errorf("the shape is [%s]: SEG-Y takes models [nz, nx] or [nz, ny, nx] and gathers [shots, receivers, nt]; use .npy, .bin or .csv", times(shape))
}

// observedSet is where gathers stand, even in files whose attributes would make a volume of any array.
const observedSet = "/data/observed"

// spacings returns the attributes dz, dy, dx and origin of a data set with so many axes or of its file; 0 and nil where there are none.
func spacings(f *h5.File, object string, axes int) (spacing, origin []float64, err error) {
	read := func(name string, n int) []float64 {
		for _, o := range []string{object, "/"} {
			v, ok, e := f.AttrFloat64s(o, name)
			if e != nil && err == nil {
				err = e
			}
			if !ok {
				continue
			}
			if len(v) != n && err == nil {
				err = fmt.Errorf("%s: the attribute %q is %v, where %d numbers are needed", f.Path(), name, v, n)
			}
			return v
		}
		return nil
	}
	one := func(name string) float64 {
		if v := read(name, 1); len(v) == 1 {
			if !(v[0] > 0) || math.IsInf(v[0], 0) {
				err = fmt.Errorf("%s: the attribute %q is %g: a spacing in metres is needed", f.Path(), name, v[0])
			}
			return v[0]
		}
		return 0
	}
	for _, axis := range wave.AxisNames(axes) {
		spacing = append(spacing, one("d"+axis))
	}
	origin = read("origin", axes)
	return spacing, origin, err
}

// writeCSV writes a line for each row of an array of one or two dimensions.
func writeCSV(path string, values []float32, shape []int) error {
	if len(shape) < 1 || len(shape) > 2 {
		return fmt.Errorf("the shape is [%s]: CSV takes arrays of one or two dimensions; use .npy or .bin", times(shape))
	}
	columns := 1
	if len(shape) == 2 {
		columns = shape[1]
	}
	var text []byte
	for i, v := range values {
		text = strconv.AppendFloat(text, float64(v), 'g', -1, 32)
		if (i+1)%columns == 0 {
			text = append(text, '\n')
		} else {
			text = append(text, ',')
		}
	}
	return fwi.WriteFile(path, text)
}
