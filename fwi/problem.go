package fwi

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gofwi/internal/h5"
	"gofwi/wave"
)

// Problem is what an inversion starts from. Models are [nz, nx] or [nz, ny, nx] in m/s on Grid.
type Problem struct {
	Title, Source, Licence string
	// Configuration, in YAML, is what the file says about how it is to be inverted; "": nothing.
	Configuration string

	Grid     wave.Grid
	Truth    []float32    // nil: unknown
	Density  []float32    // kg/m³, held fixed; nil: constant
	Start    []float32    // nil until Prepare has made one
	Mask     []float32    // 0 keeps a cell fixed, 1 lets it change
	Water    []bool       // cells of the water layer: not counted in model errors
	Survey   *wave.Survey // nil until Prepare has made one
	Observed [][]float32  // gathers [receiver, time] per shot; nil until Prepare has modelled them
	Weights  [][]float32  // of traces, [receiver] per shot: 0 leaves one out; nil: ones

	result bool // of a run: Truth is what it ended with
}

// OpenProblem reads a problem file (HDF5; see the package documentation for its layout). A file with nothing but a velocity model is
// a problem too: Prepare completes it.
func OpenProblem(path string) (*Problem, error) {
	f, err := h5.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := readProblem(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return p, nil
}

// OpenStart reads the model that a file offers to start from: of a run's result.h5 the one that it ended with, of a problem /start/vp, of a bare model that.
func OpenStart(path string) ([]float32, wave.Grid, error) {
	p, err := OpenProblem(path)
	switch {
	case err != nil:
		return nil, wave.Grid{}, err
	case p.Start != nil && !p.result:
		return p.Start, p.Grid, nil
	}
	return p.Truth, p.Grid, nil
}

func readProblem(f *h5.File) (*Problem, error) {
	p := &Problem{result: f.Exists("/history")}
	for name, to := range map[string]*string{"title": &p.Title, "source": &p.Source, "licence": &p.Licence, "configuration": &p.Configuration} {
		s, _, err := f.AttrString("/", name)
		if err != nil {
			return nil, err
		}
		*to = s
	}
	if p.Title == "" {
		p.Title, _, _ = f.AttrString("/", "name")
	}
	object := ""
	for _, o := range []string{"/vp", "/model/vp", "/start/vp"} {
		if f.Exists(o) {
			object = o
			break
		}
	}
	if object == "" {
		return nil, fmt.Errorf("it holds no velocity model: neither /vp nor /model/vp nor /start/vp exists (%s)", contents(f))
	}
	first, shape, err := readModel(f, object)
	if err != nil {
		return nil, err
	}
	if p.Grid, err = readGrid(f, object, shape); err != nil {
		return nil, err
	}
	if object == "/start/vp" {
		p.Start = first
	} else {
		p.Truth = first
		if f.Exists("/start/vp") {
			if p.Start, err = readLike(f, "/start/vp", p.Grid); err != nil {
				return nil, err
			}
			if err := checkModel("/start/vp", p.Grid, p.Start); err != nil {
				return nil, err
			}
		}
	}
	if err := checkModel(object, p.Grid, first); err != nil {
		return nil, err
	}
	if f.Exists("/update_mask") {
		if p.Mask, err = readLike(f, "/update_mask", p.Grid); err != nil {
			return nil, err
		}
		for i, v := range p.Mask {
			if !(v >= 0 && v <= 1) {
				return nil, fmt.Errorf("/update_mask is %g in cell %s: it must lie between 0 (fixed) and 1", v, p.Grid.CellName(i))
			}
		}
	}
	for _, object := range []string{"/rho", "/model/rho"} {
		if p.Density != nil || !f.Exists(object) {
			continue
		}
		if p.Density, err = readLike(f, object, p.Grid); err != nil {
			return nil, err
		}
		if _, _, err := wave.CheckDensity(p.Grid, p.Density); err != nil {
			return nil, fmt.Errorf("%s: %w", object, err)
		}
	}
	if f.Exists("/survey") {
		if p.Survey, err = readSurvey(f, p.Grid); err != nil {
			return nil, err
		}
	}
	if f.Exists("/data/observed") {
		if p.Survey == nil {
			return nil, errors.New("it holds /data/observed but no /survey: positions of sources and receivers and the wavelet are needed")
		}
		if p.Observed, err = readObserved(f, p.Survey); err != nil {
			return nil, err
		}
		if f.Exists("/data/weights") {
			if p.Weights, err = readWeights(f, p.Survey); err != nil {
				return nil, err
			}
		}
	}
	if p.Truth == nil && p.Observed == nil {
		return nil, errors.New("it holds a starting model only: neither data (/data/observed) nor a model to make them from (/vp)")
	}
	p.Water = WaterLayer(p.Grid, first)
	return p, nil
}

func contents(f *h5.File) string {
	objects, err := f.List()
	if err != nil || len(objects) == 0 {
		return "it is empty"
	}
	text := "it holds"
	for i, o := range objects {
		if i == 8 {
			text += ", …"
			break
		}
		if i > 0 {
			text += ","
		}
		text += " " + o.Path
	}
	return text
}

func readModel(f *h5.File, object string) ([]float32, []int, error) {
	shape, err := f.Shape(object)
	if err != nil {
		return nil, nil, err
	}
	if len(shape) != 2 && len(shape) != 3 {
		return nil, nil, fmt.Errorf("%s has shape %v: a model is [nz, nx] or [nz, ny, nx]", object, shape)
	}
	return f.ReadFloat32(object)
}

// readLike reads an array that must have the grid's shape.
func readLike(f *h5.File, object string, g wave.Grid) ([]float32, error) {
	v, shape, err := readModel(f, object)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(shape, g.Shape) {
		return nil, fmt.Errorf("%s is %s, the model %s cells: they must be alike", object, wave.Times("%d", shape), wave.Times("%d", g.Shape))
	}
	return v, nil
}

// readGrid takes spacings and origin from the attributes of the set or of the root.
func readGrid(f *h5.File, object string, shape []int) (wave.Grid, error) {
	g := wave.Grid{Shape: shape, Spacing: make([]float64, len(shape))}
	axes := wave.AxisNames(len(shape))
	attribute := func(name string) ([]float64, bool, error) {
		for _, o := range []string{object, "/"} {
			if v, ok, err := f.AttrFloat64s(o, name); ok || err != nil {
				return v, ok, err
			}
		}
		return nil, false, nil
	}
	for d, axis := range axes {
		name := "d" + axis
		v, ok, err := attribute(name)
		if err != nil {
			return g, err
		}
		if !ok {
			return g, fmt.Errorf("%s has no attribute %q, nor has the file: the spacing in metres is needed", object, name)
		}
		if len(v) != 1 || !(v[0] > 0) || math.IsInf(v[0], 0) {
			return g, fmt.Errorf("the attribute %q of %s is %v: a spacing in metres is needed", name, object, v)
		}
		g.Spacing[d] = v[0]
	}
	v, ok, err := attribute("origin")
	if err != nil {
		return g, err
	}
	if ok {
		if len(v) != len(axes) || slices.ContainsFunc(v, func(x float64) bool { return !isFinite(x) }) {
			return g, fmt.Errorf("the attribute \"origin\" of %s is %v: the position (%s) of the first cell in metres is needed", object, v, strings.Join(axes, ", "))
		}
		g.Origin = v
	}
	if err := g.Validate(); err != nil {
		return g, err
	}
	return g, nil
}

// checkModel refuses models that cannot be velocities in m/s.
func checkModel(object string, g wave.Grid, vp []float32) error {
	vmin, vmax, err := wave.CheckVelocity(g, vp)
	if err != nil {
		return fmt.Errorf("%s: %w", object, err)
	}
	if vmax < 20 {
		return fmt.Errorf("%s runs from %g to %g: these look like km/s, velocities must be in m/s", object, vmin, vmax)
	}
	if vmin < 100 || vmax > 15000 {
		return fmt.Errorf("%s runs from %g to %g m/s: outside anything that rock or water does (100 to 15000 m/s)", object, vmin, vmax)
	}
	return nil
}

func readSurvey(f *h5.File, g wave.Grid) (*wave.Survey, error) {
	const sourceSet, receiverSet, waveletSet = "/survey/source_position", "/survey/receiver_position", "/survey/wavelet"
	for _, o := range []string{sourceSet, receiverSet, waveletSet} {
		if !f.Exists(o) {
			return nil, fmt.Errorf("/survey lacks %s", o)
		}
	}
	sources, shape, err := f.ReadFloat64(sourceSet)
	if err != nil {
		return nil, err
	}
	axes := g.Axes()
	if len(shape) != 2 || shape[1] != axes || shape[0] == 0 {
		return nil, fmt.Errorf("%s has shape %v: [shots, %d] is needed, positions (%s) in metres", sourceSet, shape, axes, strings.Join(wave.AxisNames(axes), ", "))
	}
	shots := shape[0]
	receivers, rshape, err := f.ReadFloat64(receiverSet)
	if err != nil {
		return nil, err
	}
	perShot := len(rshape) == 3
	if len(rshape) < 2 || len(rshape) > 3 || rshape[len(rshape)-1] != axes || perShot && rshape[0] != shots {
		return nil, fmt.Errorf("%s has shape %v: [receivers, %d] or [%d, receivers, %d] is needed", receiverSet, rshape, axes, shots, axes)
	}
	wavelets, wshape, err := f.ReadFloat32(waveletSet)
	if err != nil {
		return nil, err
	}
	if len(wshape) != 1 && (len(wshape) != 2 || wshape[0] != shots) {
		return nil, fmt.Errorf("%s has shape %v: [nt] or [%d, nt] is needed", waveletSet, wshape, shots)
	}
	dt, ok, err := f.AttrFloat64s(waveletSet, "dt")
	if err != nil {
		return nil, err
	}
	if !ok || len(dt) != 1 || !(dt[0] > 0) {
		return nil, fmt.Errorf("%s needs an attribute \"dt\", the sampling interval in seconds (found %v)", waveletSet, dt)
	}
	if dt[0] > 0.1 {
		return nil, fmt.Errorf("%s: dt is %g s: this looks like milliseconds, seconds are needed", waveletSet, dt[0])
	}
	nt := wshape[len(wshape)-1]
	positions := func(v []float64) []wave.Position {
		out := make([]wave.Position, len(v)/axes)
		for i := range out {
			out[i] = wave.Position(v[axes*i : axes*(i+1)])
		}
		return out
	}
	s := &wave.Survey{DT: dt[0], NT: nt}
	all := positions(receivers)
	count := rshape[len(rshape)-2]
	for i := range shots {
		shot := wave.Shot{Sources: positions(sources[axes*i : axes*(i+1)]), Receivers: all, Wavelets: [][]float32{wavelets[:nt]}}
		if perShot {
			shot.Receivers = all[i*count : (i+1)*count]
		}
		if len(wshape) == 2 {
			shot.Wavelets = [][]float32{wavelets[i*nt : (i+1)*nt]}
		}
		s.Shots = append(s.Shots, shot)
	}
	if err := s.Validate(g); err != nil {
		return nil, fmt.Errorf("/survey: %w", err)
	}
	return s, nil
}

func readObserved(f *h5.File, s *wave.Survey) ([][]float32, error) {
	const object = "/data/observed"
	v, shape, err := f.ReadFloat32(object)
	if err != nil {
		return nil, err
	}
	shots, receivers := len(s.Shots), len(s.Shots[0].Receivers)
	if len(shape) != 3 || shape[0] != shots || shape[1] != receivers || shape[2] != s.NT {
		return nil, fmt.Errorf("%s has shape %v, the survey [%d, %d, %d] shots, receivers and samples", object, shape, shots, receivers, s.NT)
	}
	var energy float64
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("%s is %g at shot %d, receiver %d, sample %d", object, x, i/(receivers*s.NT), i/s.NT%receivers, i%s.NT)
		}
		energy += float64(x) * float64(x)
	}
	if energy == 0 {
		return nil, fmt.Errorf("%s is zero throughout: there is nothing to fit", object)
	}
	out := make([][]float32, shots)
	for i := range out {
		out[i] = v[i*receivers*s.NT : (i+1)*receivers*s.NT]
	}
	return out, nil
}

func readWeights(f *h5.File, s *wave.Survey) ([][]float32, error) {
	const object = "/data/weights"
	v, shape, err := f.ReadFloat32(object)
	if err != nil {
		return nil, err
	}
	shots, receivers := len(s.Shots), len(s.Shots[0].Receivers)
	if len(shape) != 2 || shape[0] != shots || shape[1] != receivers {
		return nil, fmt.Errorf("%s has shape %v, the survey [%d, %d] shots and receivers", object, shape, shots, receivers)
	}
	if allZero(v) {
		return nil, fmt.Errorf("%s is zero throughout: no trace is left", object)
	}
	out := make([][]float32, shots)
	for i, x := range v {
		if !(x >= 0) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("%s is %g at shot %d, receiver %d: weights are finite and not negative", object, x, i/receivers, i%receivers)
		}
	}
	for i := range out {
		out[i] = v[i*receivers : (i+1)*receivers]
	}
	return out, nil
}

// WaterLayer returns the cells that hang together from the top with the velocity of water: what lies above the sea floor.
func WaterLayer(g wave.Grid, vp []float32) []bool {
	water := make([]bool, len(vp))
	columns := g.Columns()
	for x := range columns {
		if vp[x] < 1400 || vp[x] > 1560 {
			continue
		}
		for i := x; i < len(vp) && math.Abs(float64(vp[i]-vp[x])) <= 5; i += columns {
			water[i] = true
		}
	}
	return water
}

// Scored returns 1 in the cells that count in model errors, those below the water, and 0 elsewhere.
func (p *Problem) Scored() []bool {
	out := make([]bool, len(p.Water))
	for i, w := range p.Water {
		out[i] = !w
	}
	return out
}

// Save writes the problem as a file that OpenProblem reads.
func (p *Problem) Save(path string) error {
	f, err := h5.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := p.write(f); err != nil {
		return err
	}
	return f.Commit()
}

func (p *Problem) write(f *h5.File) error {
	var err error
	note := func(e error) {
		if err == nil {
			err = e
		}
	}
	for name, v := range map[string]string{"title": p.Title, "source": p.Source, "licence": p.Licence, "configuration": p.Configuration} {
		if v != "" {
			note(f.SetAttr("/", name, v))
		}
	}
	model := func(object string, v []float32) {
		if v != nil {
			note(writeModel(f, object, p.Grid, v))
		}
	}
	model("/vp", p.Truth)
	model("/rho", p.Density)
	model("/start/vp", p.Start)
	model("/update_mask", p.Mask)
	if p.Survey != nil {
		note(writeSurvey(f, p.Survey))
	}
	if p.Observed != nil {
		var all []float32
		for _, g := range p.Observed {
			all = append(all, g...)
		}
		if p.Weights != nil {
			note(f.WriteFloat32("/data/weights", slices.Concat(p.Weights...), []int{len(p.Weights), len(p.Weights[0])}, h5.DefaultCompression))
		}
		note(f.WriteFloat32("/data/observed", all, []int{len(p.Observed), len(p.Survey.Shots[0].Receivers), p.Survey.NT}, h5.DefaultCompression))
	}
	return err
}

func writeModel(f *h5.File, object string, g wave.Grid, v []float32) error {
	if err := f.WriteFloat32(object, v, g.Shape, h5.DefaultCompression); err != nil {
		return err
	}
	var err error
	for d, axis := range wave.AxisNames(g.Axes()) {
		err = errors.Join(err, f.SetAttr(object, "d"+axis, g.Spacing[d]))
	}
	if g.Origin != nil {
		err = errors.Join(err, f.SetAttr(object, "origin", g.Origin))
	}
	return err
}

func writeSurvey(f *h5.File, s *wave.Survey) error {
	shots, receivers := len(s.Shots), len(s.Shots[0].Receivers)
	var sources, all []float64
	var wavelets []float32
	perShot, perWavelet := false, false
	for i := range s.Shots {
		shot := &s.Shots[i]
		if len(shot.Sources) != 1 || len(shot.Receivers) != receivers {
			return fmt.Errorf("shot %d has %d sources and %d receivers: the file format takes one source and the same number of receivers for all shots", i, len(shot.Sources), len(shot.Receivers))
		}
		sources = append(sources, shot.Sources[0]...)
		for _, r := range shot.Receivers {
			all = append(all, r...)
		}
		wavelets = append(wavelets, shot.Wavelets[0]...)
		perShot = perShot || &shot.Receivers[0] != &s.Shots[0].Receivers[0]
		perWavelet = perWavelet || &shot.Wavelets[0][0] != &s.Shots[0].Wavelets[0][0]
	}
	axes := len(s.Shots[0].Sources[0])
	rshape, wshape := []int{shots, receivers, axes}, []int{shots, s.NT}
	if !perShot {
		all, rshape = all[:axes*receivers], rshape[1:]
	}
	if !perWavelet {
		wavelets, wshape = wavelets[:s.NT], wshape[1:]
	}
	return errors.Join(f.WriteFloat64("/survey/source_position", sources, []int{shots, axes}, h5.DefaultCompression),
		f.WriteFloat64("/survey/receiver_position", all, rshape, h5.DefaultCompression),
		f.WriteFloat32("/survey/wavelet", wavelets, wshape, h5.DefaultCompression),
		f.SetAttr("/survey/wavelet", "dt", s.DT))
}
