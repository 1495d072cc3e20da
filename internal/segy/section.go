package segy

import "fmt"

// Samples returns the number of samples of each trace, or an error where they differ.
func (f *File) Samples() (int, error) {
	if len(f.Traces) == 0 {
		return 0, fmt.Errorf("there is no trace")
	}
	n := len(f.Traces[0].Samples)
	for i, t := range f.Traces {
		if len(t.Samples) != n {
			return 0, fmt.Errorf("trace %d has %d samples, the first one %d", i+1, len(t.Samples), n)
		}
	}
	return n, nil
}

// Section returns a model whose columns are the traces: an array [nz, nx], x fastest.
func (f *File) Section() (values []float32, nz, nx int, err error) {
	nz, err = f.Samples()
	if err != nil {
		return nil, 0, 0, err
	}
	nx = len(f.Traces)
	values = make([]float32, nz*nx)
	for x, t := range f.Traces {
		for z, v := range t.Samples {
			values[z*nx+x] = v
		}
	}
	return values, nz, nx, nil
}

// SectionTraces makes the traces of a model [nz, nx] with dx metres between them. Each gets its number as CDP and its
// place as CDP position and as source and receiver position.
func SectionTraces(values []float32, nz, nx int, dx, originX float64) ([]Trace, error) {
	if nz < 1 || nx < 1 || nz > len(values) || nz*nx != len(values) {
		return nil, fmt.Errorf("%d values do not fill %d rows of %d", len(values), nz, nx)
	}
	traces := make([]Trace, nx)
	for x := range traces {
		place := originX + float64(x)*dx
		number := int32(x + 1)
		traces[x] = Trace{
			Header: Header{
				TraceInLine: number, TraceInFile: number, FieldRecord: 1, TraceNumber: number, CDP: number, TraceID: 1,
				SourceX: place, ReceiverX: place, CDPX: place,
			},
			Samples: make([]float32, nz),
		}
		for z := range nz {
			traces[x].Samples[z] = values[z*nx+x]
		}
	}
	return traces, nil
}

// Gather is the traces of one shot.
type Gather struct {
	Number int32 // the field record or shot point, 0 where positions tell the shots apart
	Traces []int // indices into File.Traces, in their order in the file
}

// Gathers groups the traces by shot, in the order in which the shots first appear. Shots are told apart by the field
// record, where that is the same everywhere by the shot point, and where that is the same too by the source position.
func (f *File) Gathers() []Gather {
	type place struct{ x, y, depth float64 }
	records, points, places := map[int32]bool{}, map[int32]bool{}, map[place]bool{}
	for _, t := range f.Traces {
		records[t.Header.FieldRecord] = true
		points[t.Header.ShotPoint] = true
		places[place{t.Header.SourceX, t.Header.SourceY, t.Header.SourceDepth}] = true
	}
	key := func(h *Header) any { return h.FieldRecord }
	switch {
	case len(records) > 1:
	case len(points) > 1:
		key = func(h *Header) any { return h.ShotPoint }
	case len(places) > 1:
		key = func(h *Header) any { return place{h.SourceX, h.SourceY, h.SourceDepth} }
	}
	var gathers []Gather
	position := map[any]int{}
	for i := range f.Traces {
		k := key(&f.Traces[i].Header)
		at, known := position[k]
		if !known {
			at = len(gathers)
			position[k] = at
			number, _ := k.(int32)
			gathers = append(gathers, Gather{Number: number})
		}
		gathers[at].Traces = append(gathers[at].Traces, i)
	}
	return gathers
}
