package segy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Write writes the file at path as SEG-Y revision 1, big-endian, in metres, with samples in f.Format: IEEE, or IBM,
// which rounds to 21 bits or more. It replaces an earlier file only when all has been written.
func Write(path string, f *File) (err error) {
	part := path + ".part"
	out, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("%s: the file cannot be created: %w", path, err)
	}
	err = errors.Join(Encode(out, f), out.Sync(), out.Close())
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		os.Remove(part)
		return fmt.Errorf("%s: the file cannot be saved: %w", path, err)
	}
	return nil
}

// Encode writes a file as Write does.
func Encode(w io.Writer, f *File) error {
	e, err := newEncoder(f)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<20)
	text, err := encodeText(f.Text)
	if err != nil {
		return err
	}
	out.Write(text) // a failed write shows at Flush
	out.Write(e.binaryHeader())
	for i := range f.Traces {
		stored, err := e.trace(&f.Traces[i])
		if err != nil {
			return fmt.Errorf("trace %d: %w", i+1, err)
		}
		out.Write(stored)
	}
	return out.Flush()
}

// encoder holds what all traces share.
type encoder struct {
	file                                *File
	samples                             int
	elevationDivisor, coordinateDivisor int
	buffer                              []byte
}

func newEncoder(f *File) (*encoder, error) {
	if f.Format != IEEE && f.Format != IBM {
		return nil, fmt.Errorf("samples can be written as %s or %s, not as %s", IEEE, IBM, f.Format)
	}
	samples, err := f.Samples()
	if err != nil {
		return nil, err
	}
	if samples < 1 || samples > math.MaxUint16 {
		return nil, fmt.Errorf("traces of %d samples do not fit into SEG-Y, which holds 1 to %d", samples, math.MaxUint16)
	}
	if f.Interval < 0 || f.Interval > math.MaxUint16 {
		return nil, fmt.Errorf("a sample interval of %d µs does not fit into SEG-Y, which holds 0 to %d", f.Interval,
			math.MaxUint16)
	}
	e := &encoder{file: f, samples: samples}
	if e.elevationDivisor, err = divisor(f.Traces, (*Header).elevations); err != nil {
		return nil, fmt.Errorf("elevations and depths: %w", err)
	}
	if e.coordinateDivisor, err = divisor(f.Traces, (*Header).coordinates); err != nil {
		return nil, fmt.Errorf("coordinates: %w", err)
	}
	return e, nil
}

// divisor returns the smallest power of ten that turns all lengths into whole numbers, or else the largest one with
// which they fit into four bytes.
func divisor(traces []Trace, lengths func(*Header) []float64) (int, error) {
	const most = 10000 // the standard's largest
	largest, best := 0.0, 1
	for i := range traces {
		for _, v := range lengths(&traces[i].Header) {
			if math.IsNaN(v) || math.Abs(v) > math.MaxInt32-1 {
				return 0, fmt.Errorf("%g m in trace %d does not fit into SEG-Y", v, i+1)
			}
			largest = max(largest, math.Abs(v))
			for best < most && math.Abs(v*float64(best)-math.Round(v*float64(best))) > 1e-6*float64(best) {
				best *= 10
			}
		}
	}
	for best > 1 && largest*float64(best) > math.MaxInt32-1 {
		best /= 10
	}
	return best, nil
}

func (e *encoder) binaryHeader() []byte {
	head := make([]byte, binaryBytes)
	f := fields{head, binary.BigEndian}
	f.setUint16(binInterval, uint16(e.file.Interval))
	f.setUint16(binSamples, uint16(e.samples))
	f.setUint16(binFormat, uint16(e.file.Format))
	f.setInt16(binUnits, 1)
	f.setUint16(binRevision, 0x0100)
	f.setInt16(binFixed, 1)
	return head
}

// trace returns the bytes of a trace, valid until the next call.
func (e *encoder) trace(t *Trace) ([]byte, error) {
	h := &t.Header
	if math.IsNaN(h.Offset) || math.Abs(h.Offset) > math.MaxInt32-1 {
		return nil, fmt.Errorf("the offset of %g m does not fit into SEG-Y", h.Offset)
	}
	if math.IsNaN(h.Delay) || math.Abs(h.Delay*1e3) > math.MaxInt16 {
		return nil, fmt.Errorf("the delay of %g s does not fit into SEG-Y", h.Delay)
	}
	if h.Interval < 0 || h.Interval > math.MaxUint16 {
		return nil, fmt.Errorf("the sample interval of %d µs does not fit into SEG-Y", h.Interval)
	}
	interval := h.Interval
	if interval == 0 {
		interval = e.file.Interval
	}
	if e.buffer == nil {
		e.buffer = make([]byte, traceBytes, traceBytes+4*e.samples)
	}
	h.put(fields{e.buffer[:traceBytes], binary.BigEndian}, e.samples, interval, e.elevationDivisor, e.coordinateDivisor)
	stored, bad := e.file.Format.encode(e.buffer[:traceBytes], t.Samples)
	if bad >= 0 {
		return nil, fmt.Errorf("sample %d is %g, which %s does not have", bad+1, t.Samples[bad], e.file.Format)
	}
	e.buffer = stored
	return stored, nil
}
