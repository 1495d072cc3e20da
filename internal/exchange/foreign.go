package exchange

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gofwi/internal/h5"
	"gofwi/wave"
)

// Quantities are what gathers in a foreign HDF5 file consist of, in the order in which they are documented.
var Quantities = []string{"data", "dt", "t0", "source_x", "receiver_x", "offset", "source_depth", "receiver_depth"}

// aliases are the names under which a quantity is looked for, as a data set anywhere in the file (by its last name) or as an attribute of the data or of the
// file.
var aliases = map[string][]string{
	"data":           {"data", "observed", "traces", "gathers", "shots", "seismograms", "pressure"},
	"dt":             {"dt", "sample_interval", "sampling_interval", "delta_t"},
	"t0":             {"t0", "delay", "start_time", "time_of_first_sample"},
	"source_x":       {"source_x", "src_x", "shot_x", "sx", "x_source"},
	"receiver_x":     {"receiver_x", "rec_x", "group_x", "rx", "gx", "x_receiver"},
	"offset":         {"offset", "offsets"},
	"source_depth":   {"source_depth", "source_z", "src_z", "shot_z", "sz"},
	"receiver_depth": {"receiver_depth", "receiver_z", "rec_z", "group_z", "rz", "gz"},
}

// foreign looks quantities up in a file.
type foreign struct {
	file    *h5.File
	objects []h5.Object
	names   map[string]string // quantity to a data set, an attribute or a number
	data    string            // path of the data
}

// ReadForeign reads gathers from an HDF5 file of another layout. Its data are [shot, receiver, time]; positions and depths are one number, or a data set [shot],
// [receiver] or [shot, receiver], in metres; times are in seconds. names says, for any of Quantities, which data set, attribute or number it is; others are looked
// for under customary names. Where source or receiver positions are missing, they follow from the offset, which is the receiver's x minus the source's.
func ReadForeign(file *h5.File, names map[string]string, o GatherOptions) (*Gathers, error) {
	objects, err := file.List()
	if err != nil {
		return nil, err
	}
	f := &foreign{file: file, objects: objects, names: names}
	for name := range names {
		if !slices.Contains(Quantities, name) {
			return nil, fmt.Errorf("there is no quantity %q to name: choose among %s", name, strings.Join(Quantities, ", "))
		}
	}
	if f.data = f.findData(); f.data == "" {
		return nil, fmt.Errorf("no data set [shot, receiver, time] is named %s: name it with data=/ITS/PATH", strings.Join(aliases["data"], ", "))
	}
	values, shape, err := file.ReadFloat32(f.data)
	if err != nil {
		return nil, err
	}
	if len(shape) != 3 {
		return nil, fmt.Errorf("%s has shape %v: gathers are [shot, receiver, time]", f.data, shape)
	}
	shots, receivers, nt := shape[0], shape[1], shape[2]
	g := &Gathers{NT: nt}
	dt, err := f.number("dt", math.NaN())
	if err != nil {
		return nil, err
	}
	if !(dt > 0) || dt > 0.1 {
		return nil, fmt.Errorf("the sampling interval is %g: seconds are needed, as in dt=0.004", dt)
	}
	g.DT = dt
	t0, err := f.number("t0", 0)
	if err != nil {
		return nil, err
	}
	shift := int(math.Round(t0 / dt))
	if math.Abs(t0/dt-float64(shift)) > 1e-3 || shift <= -nt+1 || shift > 100*nt {
		return nil, fmt.Errorf("traces of %d samples every %g s that begin %g s after the shot hold nothing usable", nt, dt, t0)
	}
	g.NT += shift
	if shift != 0 {
		g.note("traces begin %g s after the shot: %d samples each after zeros were put in front or samples were cut", t0, g.NT)
	}

	table := map[string][]float64{}
	for _, q := range []string{"source_x", "receiver_x", "offset", "source_depth", "receiver_depth"} {
		if table[q], err = f.perTrace(q, shots, receivers); err != nil {
			return nil, err
		}
	}
	sx, rx, offset := table["source_x"], table["receiver_x"], table["offset"]
	switch {
	case sx == nil && rx == nil && offset == nil, sx == nil && offset == nil, rx == nil && offset == nil:
		return nil, fmt.Errorf("two of source_x, receiver_x and offset are needed: name them, as in source_x=/path")
	case sx == nil && rx == nil:
		return nil, fmt.Errorf("the offsets alone do not say where the shots are: name source_x or receiver_x")
	case sx == nil:
		sx = sum(rx, offset, -1)
		g.note("source positions: receiver x minus offset")
	case rx == nil:
		rx = sum(sx, offset, 1)
		g.note("receiver positions: source x plus offset")
	case offset != nil:
		worst := 0.0
		for i := range offset {
			worst = max(worst, math.Abs(math.Abs(rx[i]-sx[i])-math.Abs(offset[i])))
		}
		if worst > 0.5 {
			g.note("warning: offsets differ by up to %.1f m from the distances of the positions, which are used", worst)
		}
	}
	depth := func(q string, given float64) (func(i int) float64, error) {
		v := table[q]
		if !math.IsNaN(given) {
			return func(int) float64 { return given }, nil
		}
		if v == nil {
			return nil, fmt.Errorf("the file does not say the %s: give it", strings.ReplaceAll(q, "_", "'s "))
		}
		return func(i int) float64 { return v[i] }, nil
	}
	sz, err := depth("source_depth", o.SourceDepth)
	if err != nil {
		return nil, err
	}
	rz, err := depth("receiver_depth", o.ReceiverDepth)
	if err != nil {
		return nil, err
	}
	for s := range shots {
		at := s * receivers
		spread := make([]wave.Position, receivers)
		data := make([]float32, receivers*g.NT)
		for r := range receivers {
			if math.Abs(sx[at+r]-sx[at]) > 0.5 {
				return nil, fmt.Errorf("shot %d has sources at %g and %g m: a shot has one", s+1, sx[at], sx[at+r])
			}
			spread[r] = wave.Position{rz(at + r), rx[at+r] - o.OriginX}
			copy(data[r*g.NT+max(0, shift):(r+1)*g.NT], values[(at+r)*nt+max(0, -shift):(at+r+1)*nt])
		}
		g.Sources = append(g.Sources, wave.Position{sz(at), sx[at] - o.OriginX})
		g.Receivers = append(g.Receivers, spread)
		g.Data = append(g.Data, data)
	}
	g.shareFixedSpread()
	return g, nil
}

func sum(a, b []float64, sign float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] + sign*b[i]
	}
	return out
}

// HoldsGathers returns whether a foreign file holds gathers: data with three axes and positions beside them.
func HoldsGathers(file *h5.File, names map[string]string) (bool, error) {
	objects, err := file.List()
	if err != nil {
		return false, err
	}
	f := &foreign{file: file, objects: objects, names: names}
	if f.data = f.findData(); f.data == "" {
		return false, nil
	}
	for _, q := range []string{"source_x", "receiver_x"} {
		if f.findSet(q) != "" || names[q] != "" {
			return true, nil
		}
	}
	return false, nil
}

// findData returns the path of the gathers: the set named, or one with three axes of a customary name.
func (f *foreign) findData() string {
	if name := f.names["data"]; name != "" {
		return name
	}
	for _, alias := range aliases["data"] {
		for _, o := range f.objects {
			if len(o.Shape) == 3 && strings.EqualFold(lastName(o.Path), alias) {
				return o.Path
			}
		}
	}
	return ""
}

func lastName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func (f *foreign) findSet(quantity string) string {
	for _, alias := range aliases[quantity] {
		for _, o := range f.objects {
			if o.Kind == h5.Dataset && o.Path != f.data && strings.EqualFold(lastName(o.Path), alias) {
				return o.Path
			}
		}
	}
	return ""
}

// number returns a quantity that is one number: given, in a set, or as an attribute of the data or of the file.
func (f *foreign) number(quantity string, otherwise float64) (float64, error) {
	v, err := f.values(quantity)
	if err != nil {
		return 0, err
	}
	if v == nil {
		if math.IsNaN(otherwise) {
			return 0, fmt.Errorf("the file does not say %s: name it or give it, as in %s=0.004", quantity, quantity)
		}
		return otherwise, nil
	}
	if len(v) != 1 {
		return 0, fmt.Errorf("%s has %d values, one is needed", quantity, len(v))
	}
	return v[0], nil
}

// values returns a quantity's values, nil if the file has none.
func (f *foreign) values(quantity string) ([]float64, error) {
	names := aliases[quantity]
	if name := f.names[quantity]; name != "" {
		if v, err := strconv.ParseFloat(name, 64); err == nil {
			return []float64{v}, nil
		}
		if f.file.Exists(name) {
			v, _, err := f.file.ReadFloat64(name)
			return v, err
		}
		names = []string{name}
	} else if set := f.findSet(quantity); set != "" {
		v, _, err := f.file.ReadFloat64(set)
		return v, err
	}
	for _, object := range []string{f.data, "/"} {
		for _, name := range names {
			if v, there, err := f.file.AttrFloat64s(object, name); there || err != nil {
				return v, err
			}
		}
	}
	if name := f.names[quantity]; name != "" {
		return nil, fmt.Errorf("%s is said to be %q, which is neither a number nor a data set nor an attribute of the data or the file", quantity, name)
	}
	return nil, nil
}

// perTrace returns a quantity for every trace, [shot, receiver], nil if the file has none.
func (f *foreign) perTrace(quantity string, shots, receivers int) ([]float64, error) {
	v, err := f.values(quantity)
	if err != nil || v == nil {
		return nil, err
	}
	of := func(s, r int) int { return s*receivers + r }
	switch len(v) {
	case shots * receivers:
	case 1:
		of = func(int, int) int { return 0 }
	case shots:
		if shots == receivers {
			return nil, fmt.Errorf("%s has %d values for as many shots as receivers: it must be [shot, receiver]", quantity, len(v))
		}
		of = func(s, _ int) int { return s }
	case receivers:
		of = func(_, r int) int { return r }
	default:
		return nil, fmt.Errorf("%s has %d values for %d shots and %d receivers: one, one a shot, one a receiver or one a trace is needed", quantity, len(v), shots, receivers)
	}
	out := make([]float64, 0, shots*receivers)
	for s := range shots {
		for r := range receivers {
			x := v[of(s, r)]
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("%s is %g at shot %d, receiver %d", quantity, x, s+1, r+1)
			}
			out = append(out, x)
		}
	}
	return out, nil
}
