// Package exchange turns the models and gathers of other formats into those of a problem file, and back.
package exchange

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gofwi/internal/segy"
	"gofwi/wave"
)

// deadTrace is the trace identification code of a dead trace.
const deadTrace = 2

// Gathers is the content of a SEG-Y file of shots. All shots have the same number of receivers.
type Gathers struct {
	DT        float64 // s
	NT        int
	Sources   []wave.Position
	Receivers [][]wave.Position // per shot; one and the same slice where all shots have the same
	Data      [][]float32       // per shot, [receiver, time]
	Notes     []string          // what was made of the headers, for people
}

// GatherOptions is what headers often lack.
type GatherOptions struct {
	SourceDepth, ReceiverDepth float64 // m below the datum z = 0; NaN: as the headers say
	OriginX                    float64 // m, subtracted from the position along the line, or from x
	// Areal keeps x and y of the headers: positions are (z, y, x).
	Areal   bool
	OriginY float64 // m, subtracted from y
}

// ReadGathers takes shots from the traces of a SEG-Y file. z is measured down from elevation 0, x along the line unless the survey
// is areal: the header's x where all y are alike, otherwise the distance along the straight line that fits the sources and receivers best. Traces that
// begin before or after the shot are cut or filled with zeros so that they begin with it.
func ReadGathers(f *segy.File, o GatherOptions) (*Gathers, error) {
	samples, err := f.Samples()
	if err != nil {
		return nil, err
	}
	first := &f.Traces[0].Header
	interval := first.Interval
	if interval == 0 {
		interval = f.Interval
	}
	if interval == 0 {
		return nil, errors.New("neither the binary header nor the first trace names a sample interval")
	}
	g := &Gathers{DT: float64(interval) * 1e-6}
	lead := first.Delay / g.DT
	if math.Abs(lead-math.Round(lead)) > 1e-3 {
		return nil, fmt.Errorf("the traces begin %g s after the shot, which is no multiple of the sample interval of %g s", first.Delay, g.DT)
	}
	shift := int(math.Round(lead))
	g.NT = samples + shift
	if g.NT < 2 || shift > 100*samples {
		return nil, fmt.Errorf("traces of %d samples that begin %g s after the shot hold nothing usable", samples, first.Delay)
	}
	if shift != 0 {
		g.note("traces begin %g s after the shot: %d samples each after zeros were put in front or samples were cut", first.Delay, g.NT)
	}
	for i := range f.Traces {
		h := &f.Traces[i].Header
		if h.Interval != 0 && h.Interval != interval || h.Delay != first.Delay {
			return nil, fmt.Errorf("trace %d has samples every %d µs from %g s on, the first one every %d µs from %g s on: they must be alike", i+1, h.Interval, h.Delay, interval, first.Delay)
		}
		if h.CoordinateUnits >= 2 {
			return nil, fmt.Errorf("trace %d has geographic coordinates (units code %d): coordinates in metres or feet are needed", i+1, h.CoordinateUnits)
		}
	}
	place := func(z, x, y float64) wave.Position { return wave.Position{z, y - o.OriginY, x - o.OriginX} }
	if !o.Areal {
		along := g.line(f.Traces)
		place = func(z, x, y float64) wave.Position { return wave.Position{z, along(x, y) - o.OriginX} }
	}
	depth := func(given, header float64) float64 {
		if math.IsNaN(given) {
			return header + 0 // no negative zero
		}
		return given
	}
	var here bool
	dead := 0
	for _, shot := range f.Gathers() {
		h := &f.Traces[shot.Traces[0]].Header
		source := place(depth(o.SourceDepth, h.SourceDepth-h.SourceElevation), h.SourceX, h.SourceY)
		receivers := make([]wave.Position, len(shot.Traces))
		data := make([]float32, len(shot.Traces)*g.NT)
		for r, i := range shot.Traces {
			t := &f.Traces[i]
			if t.Header.SourceX != h.SourceX || t.Header.SourceY != h.SourceY {
				return nil, fmt.Errorf("traces %d and %d belong to shot %d but have sources at (%g, %g) and (%g, %g) m", shot.Traces[0]+1, i+1, shot.Number, h.SourceX, h.SourceY, t.Header.SourceX, t.Header.SourceY)
			}
			receivers[r] = place(depth(o.ReceiverDepth, -t.Header.ReceiverElevation), t.Header.ReceiverX, t.Header.ReceiverY)
			here = here || !slices.Equal(receivers[r][1:], source[1:])
			if t.Header.TraceID == deadTrace {
				dead++
				continue
			}
			copy(data[r*g.NT+max(0, shift):(r+1)*g.NT], t.Samples[max(0, -shift):])
		}
		g.Sources = append(g.Sources, source)
		g.Receivers = append(g.Receivers, receivers)
		g.Data = append(g.Data, data)
	}
	if !here {
		return nil, fmt.Errorf("all %d traces have their receiver where their source is: the headers lack the geometry, or the file is a section", len(f.Traces))
	}
	if dead > 0 {
		g.note("%d traces are marked as dead and set to zero", dead)
	}
	g.fill()
	g.shareFixedSpread()
	return g, nil
}

// fill gives all shots as many traces as the longest has: dead ones, of zeros, where its last receiver is. Misfits leave them out.
func (g *Gathers) fill() {
	most, filled := 0, 0
	for _, r := range g.Receivers {
		most = max(most, len(r))
	}
	for i, r := range g.Receivers {
		if len(r) == most {
			continue
		}
		filled++
		for range most - len(r) {
			g.Receivers[i] = append(g.Receivers[i], r[len(r)-1])
		}
		g.Data[i] = append(g.Data[i], make([]float32, (most-len(r))*g.NT)...)
	}
	if filled > 0 {
		g.note("%d of %d shots have fewer than %d traces: dead ones are added, which no misfit counts", filled, len(g.Receivers), most)
	}
}

// shareFixedSpread lets all shots have one and the same slice of receivers if those are alike.
func (g *Gathers) shareFixedSpread() {
	same := func(a, b wave.Position) bool { return slices.Equal(a, b) }
	if !slices.ContainsFunc(g.Receivers, func(r []wave.Position) bool { return !slices.EqualFunc(r, g.Receivers[0], same) }) {
		for i := range g.Receivers {
			g.Receivers[i] = g.Receivers[0]
		}
	}
}

func (g *Gathers) note(format string, args ...any) {
	g.Notes = append(g.Notes, fmt.Sprintf(format, args...))
}

// line returns the function that gives a point's place along the line.
func (g *Gathers) line(traces []segy.Trace) func(x, y float64) float64 {
	first := &traces[0].Header
	var points [][2]float64
	flat := true
	for i := range traces {
		h := &traces[i].Header
		points = append(points, [2]float64{h.SourceX, h.SourceY}, [2]float64{h.ReceiverX, h.ReceiverY})
		flat = flat && h.SourceY == first.SourceY && h.ReceiverY == first.SourceY
	}
	if flat {
		return func(x, _ float64) float64 { return x }
	}
	var mx, my, xx, xy, yy float64
	n := float64(len(points))
	for _, p := range points {
		mx += p[0] / n
		my += p[1] / n
	}
	for _, p := range points {
		dx, dy := p[0]-mx, p[1]-my
		xx, xy, yy = xx+dx*dx, xy+dx*dy, yy+dy*dy
	}
	// the principal axis of the points, eastwards
	angle := 0.5 * math.Atan2(2*xy, xx-yy)
	c, s := math.Cos(angle), math.Sin(angle)
	begin, aside := math.Inf(1), 0.0
	for _, p := range points {
		begin = min(begin, c*(p[0]-mx)+s*(p[1]-my))
		aside = max(aside, math.Abs(c*(p[1]-my)-s*(p[0]-mx)))
	}
	g.note("positions are projected on a straight line that runs at %.1f° to the x axis; they lie up to %.1f m off it; x is 0 at its first point", angle*180/math.Pi, aside)
	return func(x, y float64) float64 { return c*(x-mx) + s*(y-my) - begin }
}

// Survey returns the survey of the gathers. wavelets holds one wavelet for all shots or one each; shorter ones than the traces are
// followed by zeros.
func (g *Gathers) Survey(wavelets [][]float32) (*wave.Survey, error) {
	if n := len(wavelets); n != 1 && n != len(g.Sources) {
		return nil, fmt.Errorf("there are %d wavelets for %d shots", n, len(g.Sources))
	}
	full := make([][]float32, len(wavelets))
	for i, w := range wavelets {
		if len(w) > g.NT && slices.ContainsFunc(w[g.NT:], func(v float32) bool { return v != 0 }) {
			return nil, fmt.Errorf("wavelet %d has %d samples, the traces %d: it must not be longer", i+1, len(w), g.NT)
		}
		full[i] = make([]float32, g.NT)
		copy(full[i], w)
	}
	s := &wave.Survey{DT: g.DT, NT: g.NT}
	for i := range g.Sources {
		s.Shots = append(s.Shots, wave.Shot{Sources: g.Sources[i : i+1], Receivers: g.Receivers[i], Wavelets: full[min(i, len(full)-1):][:1]})
	}
	return s, nil
}

// GatherTraces returns a SEG-Y file with the data [receiver, time] of each shot and the geometry in the headers: depths as source
// depth and as negative receiver elevation, positions to a tenth of a millimetre.
func GatherTraces(s *wave.Survey, data [][]float32) (*segy.File, error) {
	micros := s.DT * 1e6
	if math.Abs(micros-math.Round(micros)) > 1e-3 || micros < 0.5 || micros > math.MaxUint16 {
		return nil, fmt.Errorf("a sample interval of %g µs does not fit into SEG-Y, which holds whole numbers from 1 to %d", micros, math.MaxUint16)
	}
	if len(data) != len(s.Shots) {
		return nil, fmt.Errorf("there are %d gathers of %d shots", len(data), len(s.Shots))
	}
	f := &segy.File{Format: segy.IEEE, Interval: int(math.Round(micros)), Revision: 1}
	for i := range s.Shots {
		shot := &s.Shots[i]
		if len(data[i]) != len(shot.Receivers)*s.NT {
			return nil, fmt.Errorf("gather %d has %d values for %d receivers and %d samples", i+1, len(data[i]), len(shot.Receivers), s.NT)
		}
		source := shot.Sources[0]
		for r, receiver := range shot.Receivers {
			x := len(source) - 1
			offset, sourceY, receiverY := receiver[x]-source[x], 0.0, 0.0
			if x == 2 {
				sourceY, receiverY = source[1], receiver[1]
				offset = math.Hypot(offset, receiverY-sourceY)
			}
			f.Traces = append(f.Traces, segy.Trace{
				Header: segy.Header{
					TraceInLine: int32(len(f.Traces) + 1), TraceInFile: int32(len(f.Traces) + 1), FieldRecord: int32(i + 1), ShotPoint: int32(i + 1), TraceNumber: int32(r + 1), TraceID: 1,
					Offset: offset, ReceiverElevation: -receiver[0], SourceDepth: source[0],
					SourceX: source[x], ReceiverX: receiver[x], SourceY: sourceY, ReceiverY: receiverY,
				},
				Samples: data[i][r*s.NT : (r+1)*s.NT],
			})
		}
	}
	return f, nil
}
