package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
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

type importOptions struct {
	kind, unit, dataset, shape, typ string
	dz, dy, dx, scale               float64
	originX, originY                float64
	sourceDepth, receiverDepth      float64
	ricker, delay                   float64
	every                           int
	transpose, bigEndian, little    bool
	wavelet, start                  string
	title, source, licence          string
	overwrite                       bool
	names                           map[string]string
	from3D, normalise               bool
	depth, margin, fastest          float64
	floorError                      float64
	shots                           []int
	waterDepth, waterVelocity       float64
	config                          string
}

func newImportCommand() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import IN OUT.h5",
		Short: "Make a problem file from SEG-Y, NumPy, raw binary or another HDF5 file",
		Long: "import reads a velocity model or, from SEG-Y and HDF5, gathers, and writes a problem file. The ending of IN says what it is: .sgy or .segy,\n" +
			".npy, .h5 or .hdf5; anything else is raw binary and needs --shape. Lengths are in metres.\n\n" +
			"Gathers also need a start model (--start) and a source wavelet (--wavelet or --ricker). Their positions come from the trace headers:\n" +
			"x along the line, z downwards from elevation 0. With a volume as start model they keep their x and y.\n\n" +
			"Gathers in HDF5 are an array [shot, receiver, time] with, as data sets or attributes, the sampling interval dt, two of source_x, receiver_x and\n" +
			"offset (one value a shot, a receiver or a trace), source_depth and receiver_depth. Customary names are known; --map says others,\n" +
			"as in --map data=/raw/p,dt=0.002,source_x=/geometry/shots. docs/field-line.md goes through a field line.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return importFile(cmd, args[0], args[1], o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.kind, "kind", "", "SEG-Y: model (traces are columns) or gathers (default: by whether sources and receivers are apart)")
	f.Float64Var(&o.dz, "dz", 0, "spacing down in m (default: as the file says)")
	f.Float64Var(&o.dy, "dy", 0, "volume: spacing along y in m (default: as the file says)")
	f.Float64Var(&o.dx, "dx", 0, "spacing along x in m (default: as the file says)")
	f.StringVar(&o.unit, "unit", "m/s", "unit of the velocities: m/s, km/s or ft/s")
	f.Float64Var(&o.scale, "scale", 1, "factor on the velocities, on top of --unit")
	f.IntVar(&o.every, "every", 1, "keep every n-th cell of the model in every direction")
	f.BoolVar(&o.transpose, "transpose", false, "the array is [nx, nz] or [nx, ny, nz]")
	f.StringVar(&o.dataset, "dataset", "", "HDF5: the data set that holds the model")
	f.StringVar(&o.shape, "shape", "", "raw binary: number of values in each direction, slowest first, such as 751,2301 or 101,201,201")
	f.StringVar(&o.typ, "type", "float32", "raw binary: float32, float64, int32 or int16")
	f.BoolVar(&o.little, "little-endian", false, "raw binary: byte order (the default)")
	f.BoolVar(&o.bigEndian, "big-endian", false, "raw binary: byte order")
	f.StringVar(&o.start, "start", "", "HDF5 file whose /start/vp, or else /vp, becomes the start model; gathers: or first-arrivals or gradient:V,K, in m/s and 1/s")
	f.StringVar(&o.wavelet, "wavelet", "", "gathers: source wavelet, sampled as the data, in .npy, .csv or the /survey/wavelet of .h5; or data: a first guess with the band of the data")
	f.StringToStringVar(&o.names, "map", nil, "HDF5 gathers: which data set, attribute or number a quantity is; quantities are "+strings.Join(exchange.Quantities, ", "))
	f.BoolVar(&o.from3D, "from-3d", false, "gathers: turn recordings of point sources into those of line sources, as sections are modelled")
	f.BoolVar(&o.normalise, "normalise", false, "gathers: divide all data by their RMS, where amplitudes are in arbitrary units")
	f.Float64Var(&o.depth, "depth", 0, "start model that is made: depth of the grid in m")
	f.Float64Var(&o.margin, "margin", 100, "start model that is made: from the outermost position to the grid's edge in m")
	f.Float64Var(&o.fastest, "fastest", 4500, "start model that is made: its gradient ends at this velocity in m/s")
	f.Float64Var(&o.waterDepth, "water-depth", math.NaN(), "start model that is made: depth of the sea floor in m, 0: none (default: from its reflection; gradient: none)")
	f.Float64Var(&o.waterVelocity, "water-velocity", math.NaN(), "start model that is made: velocity of the water in m/s (default: from the direct wave; gradient: 1490)")
	f.Float64Var(&o.floorError, "floor-error", 30, "start model from first arrivals: the inversion may change the water from so many m above the sea floor on")
	f.IntSliceVar(&o.shots, "shots", nil, "gathers: keep these shots, counted from 1 (default all), so that others can test the result")
	f.StringVar(&o.config, "config", "", "YAML file that becomes the problem's own configuration, which fwi run begins with")
	f.Float64Var(&o.ricker, "ricker", 0, "gathers: Ricker wavelet of this peak frequency in Hz")
	f.Float64Var(&o.delay, "ricker-delay", math.NaN(), "gathers: time of the Ricker wavelet's peak in s (default 1.2 periods)")
	f.Float64Var(&o.sourceDepth, "source-depth", math.NaN(), "gathers: depth of all sources in m (default: as the headers say)")
	f.Float64Var(&o.receiverDepth, "receiver-depth", math.NaN(), "gathers: depth of all receivers in m (default: as the headers say)")
	f.Float64Var(&o.originX, "origin-x", 0, "gathers: position along the line, or x, that becomes x = 0")
	f.Float64Var(&o.originY, "origin-y", 0, "gathers over a volume: y that becomes y = 0")
	f.StringVar(&o.title, "title", "", "title of the problem")
	f.StringVar(&o.source, "source", "", "where the data come from")
	f.StringVar(&o.licence, "licence", "", "terms of use of the data")
	f.BoolVar(&o.overwrite, "overwrite", false, "replace OUT.h5 if it exists")
	for _, name := range []string{"ricker-delay", "source-depth", "receiver-depth", "water-depth", "water-velocity"} {
		f.Lookup(name).DefValue = "0" // keeps NaN, which stands for what the usage says, out of the help
	}
	cmd.MarkFlagsMutuallyExclusive("wavelet", "ricker")
	cmd.MarkFlagsMutuallyExclusive("little-endian", "big-endian")
	return cmd
}

func importFile(cmd *cobra.Command, in, out string, o importOptions) error {
	if err := refuseExisting(out, o.overwrite); err != nil {
		return err
	}
	if _, err := os.Stat(in); err != nil {
		return err
	}
	say := func(format string, a ...any) { fmt.Fprintf(cmd.OutOrStdout(), format+"\n", a...) }
	p, err := readImport(cmd, in, o, say)
	if err != nil {
		return err
	}
	for _, text := range []struct {
		to    *string
		given string
	}{{&p.Title, o.title}, {&p.Source, o.source}, {&p.Licence, o.licence}} {
		if text.given != "" {
			*text.to = text.given
		}
	}
	if o.config != "" {
		text, err := readConfiguration(o.config)
		if err != nil {
			return err
		}
		if err := new(fwi.Config).Merge(text); err != nil {
			return fmt.Errorf("%s: %w", o.config, err)
		}
		p.Configuration = string(text)
	}
	if p.Title == "" {
		p.Title = strings.TrimSuffix(filepath.Base(in), filepath.Ext(in))
	}
	if err := p.Save(out); err != nil {
		return err
	}
	say("%s: %s", out, describe(p))
	return nil
}

func readImport(cmd *cobra.Command, in string, o importOptions, say fwi.Notice) (*fwi.Problem, error) {
	factor, err := o.factor()
	if err != nil {
		return nil, err
	}
	if o.every < 1 {
		return nil, fmt.Errorf("--every %d: a number from 1 on is needed", o.every)
	}
	if o.kind != "" && o.kind != "model" && o.kind != "gathers" {
		return nil, fmt.Errorf("--kind %q: model or gathers", o.kind)
	}
	var m *exchange.Model
	switch strings.ToLower(filepath.Ext(in)) {
	case ".sgy", ".segy":
		f, err := segy.Read(cmd.Context(), in)
		if err != nil {
			return nil, err
		}
		if o.kind == "gathers" || o.kind == "" && apart(f) {
			p, err := importGathers(func(g exchange.GatherOptions) (*exchange.Gathers, error) { return exchange.ReadGathers(f, g) }, o, say)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", in, err)
			}
			return p, nil
		}
		if m, err = exchange.ReadModel(f); err != nil {
			return nil, fmt.Errorf("%s: %w", in, err)
		}
		if len(m.Shape) == 3 {
			say("a volume of %s samples, traces and lines: CDP positions fill a rectangle", times(m.Shape))
		}
		for d, axis := range wave.AxisNames(len(m.Shape)) {
			switch {
			case o.spacing(axis) != 0 || m.Spacing[d] == 0:
			case d == 0:
				say("spacing down: %g m, the sample interval in the header (%d) taken for millimetres; --dz sets another one", m.Spacing[d], f.Interval)
			default:
				say("spacing along %s: %g m, from the positions in the trace headers; --d%s sets another one", axis, m.Spacing[d], axis)
			}
		}
		// a grid that the user names in part is not where the headers say
		if o.dx != 0 || o.dy != 0 || o.dz != 0 {
			m.Origin = nil
		}
	case ".npy":
		values, shape, err := npy.Read[float32](in)
		if err != nil {
			return nil, err
		}
		if m, err = newModel(values, shape); err != nil {
			return nil, fmt.Errorf("%s: %w", in, err)
		}
	case ".h5", ".hdf5", ".hdf", ".mat":
		f, err := h5.OpenContext(cmd.Context(), in)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		texts := &fwi.Problem{}
		if err := readTexts(f, texts); err != nil {
			return nil, err
		}
		gathers := o.kind == "gathers"
		if o.kind == "" && o.dataset == "" {
			if gathers, err = exchange.HoldsGathers(f, o.names); err != nil {
				return nil, err
			}
		}
		if gathers {
			p, err := importGathers(func(g exchange.GatherOptions) (*exchange.Gathers, error) { return exchange.ReadForeign(f, o.names, g) }, o, say)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", in, err)
			}
			p.Title, p.Source, p.Licence = texts.Title, texts.Source, texts.Licence
			return p, nil
		}
		if m, err = importHDF5(f, in, o.dataset); err != nil {
			return nil, err
		}
		p, err := finishModel(m, in, o, factor)
		if err == nil {
			p.Title, p.Source, p.Licence = texts.Title, texts.Source, texts.Licence
		}
		return p, err
	default:
		if m, err = importRaw(in, o); err != nil {
			return nil, err
		}
	}
	if o.kind == "gathers" {
		return nil, fmt.Errorf("%s: gathers are read from SEG-Y and HDF5 only", in)
	}
	return finishModel(m, in, o, factor)
}

// readTexts takes a foreign file's attributes for people: its title or name, its source or citation, its licence.
func readTexts(f *h5.File, p *fwi.Problem) error {
	for _, text := range []struct {
		to    *string
		names []string
	}{{&p.Title, []string{"title", "name"}}, {&p.Source, []string{"source", "citation", "source_repo", "reference"}}, {&p.Licence, []string{"licence", "license", "terms"}}} {
		for _, name := range text.names {
			a, there, err := f.Attr("/", name)
			if err != nil {
				return err
			}
			if v, is := a.Value.(string); there && is && *text.to == "" {
				*text.to = v
			}
		}
	}
	return nil
}

// finishModel makes a problem of a model, with the start model that the flags name.
func finishModel(m *exchange.Model, in string, o importOptions, factor float64) (*fwi.Problem, error) {
	p, err := modelProblem(m, o, factor)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in, err)
	}
	if o.start != "" {
		from, g, err := fwi.OpenStart(o.start)
		if err != nil {
			return nil, err
		}
		if !g.SameShape(p.Grid) {
			return nil, fmt.Errorf("the start model %s is %s, the model %s cells: they must be alike", o.start, times(g.Shape), times(p.Grid.Shape))
		}
		p.Start = from
	}
	return p, nil
}

// spacing is what the flags say of an axis; 0: nothing.
func (o importOptions) spacing(axis string) float64 {
	return map[string]float64{"z": o.dz, "y": o.dy, "x": o.dx}[axis]
}

// factor is what velocities are multiplied with.
func (o importOptions) factor() (float64, error) {
	unit, ok := map[string]float64{"m/s": 1, "km/s": 1000, "ft/s": 0.3048}[o.unit]
	if !ok {
		return 0, fmt.Errorf("--unit %q: m/s, km/s or ft/s", o.unit)
	}
	if !(o.scale > 0) || math.IsInf(o.scale, 0) {
		return 0, fmt.Errorf("--scale %g: a positive factor is needed", o.scale)
	}
	return unit * o.scale, nil
}

// apart reports whether any receiver is not where its source is.
func apart(f *segy.File) bool {
	for i := range f.Traces {
		if h := &f.Traces[i].Header; h.SourceX != h.ReceiverX || h.SourceY != h.ReceiverY {
			return true
		}
	}
	return false
}

func newModel(values []float32, shape []int) (*exchange.Model, error) {
	if len(shape) != 2 && len(shape) != 3 {
		return nil, fmt.Errorf("the shape is [%s]: a model is [nz, nx] or [nz, ny, nx]", times(shape))
	}
	return &exchange.Model{Values: values, Shape: shape, Spacing: make([]float64, len(shape))}, nil
}

// modelProblem puts a model on the grid that file and flags agree on.
func modelProblem(m *exchange.Model, o importOptions, factor float64) (*fwi.Problem, error) {
	if o.transpose {
		m.Transpose()
	}
	if len(m.Shape) == 2 && o.dy != 0 {
		return nil, fmt.Errorf("--dy %g: the model of %s cells is a section, without an axis y", o.dy, times(m.Shape))
	}
	axes := wave.AxisNames(len(m.Shape))
	for d, axis := range axes {
		h := o.spacing(axis)
		if h < 0 || math.IsNaN(h) || math.IsInf(h, 0) {
			return nil, fmt.Errorf("--d%s %g: a spacing in metres is needed", axis, h)
		}
		if h > 0 {
			m.Spacing[d] = h
		}
		if m.Spacing[d] == 0 {
			return nil, fmt.Errorf("the model of %s cells (n%s) comes without its spacing d%s: give --d%s in metres", times(m.Shape), strings.Join(axes, " × n"), axis, axis)
		}
	}
	if o.every > 1 {
		m.Thin(o.every)
	}
	if factor != 1 {
		for i, v := range m.Values {
			m.Values[i] = float32(float64(v) * factor)
		}
	}
	g, err := m.Grid()
	if err != nil {
		return nil, err
	}
	return &fwi.Problem{Grid: g, Truth: m.Values}, nil
}

func importHDF5(f *h5.File, in, dataset string) (*exchange.Model, error) {
	object, err := chooseDataset(f, dataset)
	if err != nil {
		return nil, err
	}
	values, shape, err := f.ReadFloat32(object)
	if err != nil {
		return nil, err
	}
	m, err := newModel(values, shape)
	if err != nil {
		return nil, fmt.Errorf("%s, %s: %w", in, object, err)
	}
	m.Spacing, m.Origin, err = spacings(f, object, len(shape))
	return m, err
}

func importRaw(in string, o importOptions) (*exchange.Model, error) {
	if o.shape == "" {
		return nil, fmt.Errorf("%s: the ending is none of .sgy, .segy, .npy, .h5 and .hdf5; raw binary needs --shape, such as --shape 751,2301", in)
	}
	code, ok := map[string]string{"float32": "f4", "float64": "f8", "int32": "i4", "int16": "i2"}[o.typ]
	if !ok {
		return nil, fmt.Errorf("--type %q: float32, float64, int32 or int16", o.typ)
	}
	order := "<"
	if o.bigEndian {
		order = ">"
	}
	var shape []int
	for _, part := range strings.Split(o.shape, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("--shape %q: numbers such as 751,2301 are needed", o.shape)
		}
		shape = append(shape, n)
	}
	values, err := npy.ReadRaw[float32](in, npy.Raw{Shape: shape, Type: order + code})
	if err != nil {
		return nil, err
	}
	m, err := newModel(values, shape)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in, err)
	}
	return m, nil
}
