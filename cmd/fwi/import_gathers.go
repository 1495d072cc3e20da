package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/dsp/fourier"

	"gofwi/fwi"
	"gofwi/internal/exchange"
	"gofwi/internal/h5"
	"gofwi/internal/npy"
	"gofwi/wave"
)

// waveletOfData is the --wavelet that stands for a first guess with the band of the data.
const waveletOfData = "data"

// gatherOptions is what the flags say of positions.
func (o importOptions) gatherOptions(areal bool) exchange.GatherOptions {
	return exchange.GatherOptions{SourceDepth: o.sourceDepth, ReceiverDepth: o.receiverDepth, OriginX: o.originX, OriginY: o.originY, Areal: areal}
}

// importGathers completes gathers, which read takes from a file for a section or a volume, to a problem.
func importGathers(read func(exchange.GatherOptions) (*exchange.Gathers, error), o importOptions, say fwi.Notice) (*fwi.Problem, error) {
	var missing []string
	if o.start == "" {
		missing = append(missing, "a start model, which also sets the grid (--start FILE.h5, or first-arrivals or gradient:V,K on a grid of --dx)")
	}
	if o.wavelet == "" && o.ricker == 0 {
		missing = append(missing, "the source wavelet (--wavelet FILE, --wavelet data or --ricker HZ)")
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("gathers need %s; if the file is a velocity model, say --kind model", strings.Join(missing, " and "))
	}
	var err error
	p := &fwi.Problem{}
	made := o.start == startFirstArrivals || strings.HasPrefix(o.start, startGradient)
	if !made {
		if p.Start, p.Grid, err = fwi.OpenStart(o.start); err != nil {
			return nil, err
		}
	}
	g, err := read(o.gatherOptions(!made && p.Grid.Axes() == 3))
	if err != nil {
		return nil, err
	}
	for _, note := range g.Notes {
		say("%s", note)
	}
	if err := keepShots(g, o.shots); err != nil {
		return nil, err
	}
	if err := checkData(g); err != nil {
		return nil, err
	}
	p.Observed = g.Data
	wavelets, err := o.wavelets(g, say)
	if err != nil {
		return nil, err
	}
	if p.Survey, err = g.Survey(wavelets); err != nil {
		return nil, err
	}
	if made {
		if err := makeImportStart(p, o, say); err != nil {
			return nil, err
		}
	}
	if err := p.Survey.Validate(p.Grid); err != nil {
		return nil, fmt.Errorf("the positions do not fit the model %s (--origin-x and --origin-y shift them, --source-depth and --receiver-depth replace depths): %w", o.start, err)
	}
	if o.from3D {
		if p.Grid.Axes() == 3 {
			return nil, errors.New("--from-3d is for sections: a volume is modelled with point sources")
		}
		for _, gather := range p.Observed {
			if err := fwi.LineSource(gather, p.Survey.NT, p.Survey.DT); err != nil {
				return nil, err
			}
		}
		say("data: point sources turned into line sources, by a gain of √t and half an integration")
	}
	if o.normalise {
		var energy, count float64
		for _, gather := range p.Observed {
			for _, v := range gather {
				energy += float64(v) * float64(v)
			}
			count += float64(len(gather))
		}
		rms := math.Sqrt(energy / count)
		for _, gather := range p.Observed {
			for i, v := range gather {
				gather[i] = float32(float64(v) / rms)
			}
		}
		say("data: divided by their RMS, %.4g", rms)
	}
	return p, nil
}

// Start models that are made from the data or the flags.
const (
	startFirstArrivals = "first-arrivals"
	startGradient      = "gradient:"
)

// makeImportStart lays a grid around the survey and makes a start model that depends on depth alone.
func makeImportStart(p *fwi.Problem, o importOptions, say fwi.Notice) error {
	dx, dz := o.dx, o.dz
	if dz == 0 {
		dz = dx
	}
	if !(dx > 0 && dz > 0 && o.depth > 0 && o.margin >= 0) {
		return fmt.Errorf("--start %s makes a grid: it needs --dx, --depth and perhaps --dz and --margin in metres", o.start)
	}
	var layered fwi.Layered
	if o.start == startFirstArrivals {
		var err error
		if layered, err = fwi.FitFirstArrivals(p.Survey, p.Observed, o.waterDepth, o.waterVelocity); err != nil {
			return err
		}
		say("start model from first arrivals: %v", layered)
	} else {
		part := strings.Split(strings.TrimPrefix(o.start, startGradient), ",")
		number := func(i int) float64 {
			v, err := strconv.ParseFloat(strings.TrimSpace(part[min(i, len(part)-1)]), 64)
			if err != nil {
				return math.NaN()
			}
			return v
		}
		layered = fwi.Layered{Top: number(0), Gradient: number(1), WaterVelocity: o.waterVelocity, WaterDepth: o.waterDepth}
		if math.IsNaN(o.waterDepth) {
			layered.WaterDepth = 0
		}
		if math.IsNaN(o.waterVelocity) {
			layered.WaterVelocity = 1490
		}
		if len(part) != 2 || !(layered.Top > 0) || !(layered.Gradient >= 0) {
			return fmt.Errorf("--start %s: write gradient:V,K with the velocity V in m/s at the top, or below the water of --water-depth, and its gradient K in 1/s", o.start)
		}
		say("start model: %.0f m/s + %g /s × depth below water of %.0f m/s to %.0f m", layered.Top, layered.Gradient, layered.WaterVelocity, layered.WaterDepth)
	}
	low, high := math.Inf(1), math.Inf(-1)
	for i := range p.Survey.Shots {
		shot := &p.Survey.Shots[i]
		for _, at := range slices.Concat(shot.Sources, shot.Receivers) {
			low, high = min(low, at[1]), max(high, at[1])
		}
	}
	low = math.Floor((low-o.margin)/dx) * dx
	nx, nz := int(math.Ceil((high+o.margin-low)/dx))+1, int(math.Ceil(o.depth/dz))+1
	p.Grid = wave.NewGrid2D(nz, nx, dz, dx)
	p.Grid.Origin = []float64{0, low}
	if err := p.Grid.Validate(); err != nil {
		return err
	}
	p.Start = layered.Model(p.Grid, o.fastest)
	if o.start == startFirstArrivals && layered.WaterDepth > 0 {
		// The sea floor is known to within half a period only: held fixed where it is wrong, it would spoil all that is below.
		p.Mask = make([]float32, len(p.Start))
		for i := range p.Mask {
			if float64(i/nx)*dz >= layered.WaterDepth-o.floorError {
				p.Mask[i] = 1
			}
		}
		say("update mask: the water is held down to %.0f m, %.0f m above the sea floor that was found", layered.WaterDepth-o.floorError, o.floorError)
	}
	return nil
}

// keepShots drops all shots but those listed, which are counted from 1; none listed keeps all.
func keepShots(g *exchange.Gathers, shots []int) error {
	if len(shots) == 0 {
		return nil
	}
	all := *g
	g.Sources, g.Receivers, g.Data = nil, nil, nil
	for _, s := range shots {
		if s < 1 || s > len(all.Sources) {
			return fmt.Errorf("--shots: %d is not among the %d shots of the file", s, len(all.Sources))
		}
		g.Sources, g.Receivers, g.Data = append(g.Sources, all.Sources[s-1]), append(g.Receivers, all.Receivers[s-1]), append(g.Data, all.Data[s-1])
	}
	return nil
}

// checkData refuses gathers that nothing can be fitted to.
func checkData(g *exchange.Gathers) error {
	silent := true
	for i, gather := range g.Data {
		for k, v := range gather {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("shot %d is %g at receiver %d, sample %d", i+1, v, k/g.NT+1, k%g.NT+1)
			}
			silent = silent && v == 0
		}
	}
	if silent {
		return errors.New("all traces are zero: there is nothing to fit")
	}
	return nil
}

// bandOfData returns the lowest and highest frequency in Hz between which the mean amplitude spectrum of the traces is above a tenth of its largest.
func bandOfData(g *exchange.Gathers) (low, high float64) {
	fft := fourier.NewFFT(g.NT)
	mean := make([]float64, g.NT/2+1)
	trace := make([]float64, g.NT)
	var c []complex128
	for _, gather := range g.Data {
		for at := 0; at < len(gather); at += g.NT {
			for i, v := range gather[at : at+g.NT] {
				trace[i] = float64(v)
			}
			c = fft.Coefficients(c, trace)
			for k := range mean {
				mean[k] += math.Hypot(real(c[k]), imag(c[k]))
			}
		}
	}
	peak := slices.Max(mean)
	first := slices.IndexFunc(mean, func(v float64) bool { return v >= 0.1*peak })
	last := len(mean) - 1
	for mean[last] < 0.1*peak {
		last--
	}
	df := 1 / (float64(g.NT) * g.DT)
	return max(float64(first), 1) * df, float64(last) * df
}

func (o importOptions) wavelets(g *exchange.Gathers, say fwi.Notice) ([][]float32, error) {
	if o.wavelet == waveletOfData {
		low, high := bandOfData(g)
		high = min(high, 0.4/g.DT)
		say("wavelet: a first guess with the band of the data, %.1f to %.1f Hz (20 dB below the peak); let the run estimate it", low, high)
		w, err := wave.Ormsby(0.8*low, 1.2*low, 0.8*high, high, g.DT, g.NT, 1/low)
		return [][]float32{w}, err
	}
	if o.wavelet == "" {
		nyquist := 0.5 / g.DT
		if !(o.ricker > 0) || o.ricker >= nyquist {
			return nil, fmt.Errorf("--ricker %g: a frequency between 0 and %g Hz is needed at samples every %g s", o.ricker, nyquist, g.DT)
		}
		delay := o.delay
		if math.IsNaN(delay) {
			delay = 1.2 / o.ricker
		}
		if !(delay >= 0) || delay > float64(g.NT-1)*g.DT {
			return nil, fmt.Errorf("--ricker-delay %g: the traces last from 0 to %g s", delay, float64(g.NT-1)*g.DT)
		}
		return [][]float32{wave.Ricker(o.ricker, g.DT, g.NT, delay)}, nil
	}
	values, shape, err := readWavelet(o.wavelet, g.DT)
	if err != nil {
		return nil, err
	}
	if len(shape) > 2 || len(shape) == 0 {
		return nil, fmt.Errorf("%s: the shape is [%s]: a wavelet is [nt] or [shots, nt]", o.wavelet, times(shape))
	}
	n := shape[len(shape)-1]
	var out [][]float32
	for ; len(values) > 0; values = values[n:] {
		out = append(out, values[:n])
	}
	return out, nil
}

func readWavelet(path string, dt float64) (values []float32, shape []int, err error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npy":
		return npy.Read[float32](path)
	case ".h5", ".hdf5":
		f, err := h5.Open(path)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		const object = "/survey/wavelet"
		own, ok, err := f.AttrFloat64(object, "dt")
		if err != nil {
			return nil, nil, err
		}
		if ok && math.Abs(own-dt) > 1e-6*dt {
			return nil, nil, fmt.Errorf("%s, %s: samples every %g s, the data every %g s: they must be alike", path, object, own, dt)
		}
		return f.ReadFloat32(object)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	for i, word := range strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(", ;\t\r\n", r) }) {
		v, err := strconv.ParseFloat(word, 32)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: value %d, %.40q, is no number", path, i+1, word)
		}
		values = append(values, float32(v))
	}
	if len(values) == 0 {
		return nil, nil, fmt.Errorf("%s holds no numbers", path)
	}
	return values, []int{len(values)}, nil
}
