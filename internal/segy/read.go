package segy

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// File is a SEG-Y file in memory.
type File struct {
	Text         string // lines of the textual headers
	Format       Format // how the samples were stored, or shall be
	Interval     int    // between samples, microseconds; for depth sections by custom millimetres
	Feet         bool   // the lengths in the file are in feet (here they are in metres)
	LittleEndian bool
	Revision     int // 0 or 1
	Traces       []Trace
}

// Trace is one recording, or one column of a section.
type Trace struct {
	Header  Header
	Samples []float32
}

// ErrNotSEGY means that the file is of another kind, or no file at all.
var ErrNotSEGY = errors.New("not a SEG-Y file")

// ErrDamaged means that the counts in the file do not fit its size.
var ErrDamaged = errors.New("damaged SEG-Y file")

// Read reads the file at path. Its errors name the file and match ErrNotSEGY, ErrDamaged or fs.ErrNotExist where one of
// them applies.
func Read(ctx context.Context, path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: there is no such file: %w", path, fs.ErrNotExist)
		}
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: this is no file (%s): %w", path, info.Mode(), ErrNotSEGY)
	}
	f, err := Decode(ctx, file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Decode reads a file of size bytes.
func Decode(ctx context.Context, in io.Reader, size int64) (*File, error) {
	if size == 0 {
		return nil, fmt.Errorf("%w: it is empty (0 bytes)", ErrNotSEGY)
	}
	if size < headBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, less than the headers of %d", ErrNotSEGY, size, headBytes)
	}
	d := &decoder{in: bufio.NewReaderSize(in, 1<<20), left: size}
	if err := d.heads(); err != nil {
		return nil, err
	}
	if err := d.layout(); err != nil {
		return nil, err
	}
	for d.left > 0 {
		if len(d.file.Traces)%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := d.trace(); err != nil {
			return nil, fmt.Errorf("trace %d: %w", len(d.file.Traces)+1, err)
		}
	}
	return &d.file, nil
}

// decoder reads a file from front to back.
type decoder struct {
	in      *bufio.Reader
	left    int64 // bytes of the file not yet read
	file    File
	order   binary.ByteOrder
	samples int     // of a trace, by the binary header
	fixed   bool    // all traces have that many
	unit    float64 // metres
	buffer  []byte
}

// take reads the next n bytes, which are valid until the next call.
func (d *decoder) take(n int) ([]byte, error) {
	if int64(n) > d.left {
		return nil, fmt.Errorf("%w: %d bytes are needed, but only %d are left", ErrDamaged, n, d.left)
	}
	if n > cap(d.buffer) {
		d.buffer = make([]byte, n)
	}
	part := d.buffer[:n]
	if _, err := io.ReadFull(d.in, part); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: it ended while it was read", ErrDamaged)
		}
		return nil, err
	}
	d.left -= int64(n)
	return part, nil
}

// heads reads the textual and binary headers.
func (d *decoder) heads() error {
	text, err := d.take(textBytes)
	if err != nil {
		return err
	}
	d.file.Text = decodeText(text)
	head, err := d.take(binaryBytes)
	if err != nil {
		return err
	}
	if d.order, err = byteOrder(head); err != nil {
		return err
	}
	f := fields{head, d.order}
	d.file.LittleEndian = d.order == binary.ByteOrder(binary.LittleEndian)
	d.file.Format = Format(f.uint16(binFormat))
	d.file.Interval = int(f.uint16(binInterval))
	d.file.Feet = f.int16(binUnits) == 2
	d.unit = 1
	if d.file.Feet {
		d.unit = metresPerFoot
	}
	d.samples = int(f.uint16(binSamples))
	// The revision is a number of 8.8 bits. Before revision 1 the rest of the header could hold anything.
	if f.uint16(binRevision)>>8 != 1 {
		return nil
	}
	d.file.Revision = 1
	return d.extendedTexts(int(f.int16(binExtended)))
}

// byteOrder tells the byte order by the constant of revision 2 or by which reading of the format code makes sense.
func byteOrder(head []byte) (binary.ByteOrder, error) {
	orders := []binary.ByteOrder{binary.BigEndian, binary.LittleEndian}
	for _, order := range orders {
		if order.Uint32(head[binEndian:]) == 0x01020304 && Format(order.Uint16(head[binFormat:])).bytes() > 0 {
			return order, nil
		}
	}
	for _, order := range orders {
		if Format(order.Uint16(head[binFormat:])).bytes() > 0 {
			return order, nil
		}
	}
	for _, order := range orders {
		if code := Format(order.Uint16(head[binFormat:])); code.defined() {
			return nil, fmt.Errorf("its samples are of format %d (%s), but only 1 (%s), 2 (%s), 3 (%s), 5 (%s) and 8 (%s) "+
				"can be read", int(code), code, IBM, Int32, Int16, IEEE, Int8)
		}
	}
	return nil, fmt.Errorf("%w: the format code %d at byte 3225 has no meaning in either byte order", ErrNotSEGY,
		binary.BigEndian.Uint16(head[binFormat:]))
}

// extendedTexts reads n further textual headers; -1 stands for as many as there are up to one that says so.
func (d *decoder) extendedTexts(n int) error {
	if n < -1 || int64(n)*textBytes > d.left {
		return fmt.Errorf("%w: %d further textual headers of %d bytes do not fit into the %d bytes left",
			ErrDamaged, n, textBytes, d.left)
	}
	const end = "((SEG: EndText))"
	for i := 0; i < n || n == -1; i++ {
		stored, err := d.take(textBytes)
		if err != nil {
			return fmt.Errorf("the textual header that says %s is missing: %w", end, err)
		}
		text := decodeText(stored)
		d.file.Text += "\n" + text
		if n == -1 && strings.Contains(text, end) {
			break
		}
	}
	return nil
}

// layout finds out whether all traces have the number of samples of the binary header. Where the size of the file
// says so it is believed before the trace headers, which often hold nothing of use.
func (d *decoder) layout() error {
	if d.left == 0 {
		return fmt.Errorf("%w: it ends after its headers and holds no trace", ErrDamaged)
	}
	d.fixed = d.samples > 0 && d.left%int64(traceBytes+d.samples*d.file.Format.bytes()) == 0
	return nil
}

func (d *decoder) trace() error {
	head, err := d.take(traceBytes)
	if err != nil {
		return fmt.Errorf("its header is cut short: %w", err)
	}
	f := fields{head, d.order}
	var t Trace
	t.Header.parse(f, d.unit)
	samples := d.samples
	if own := int(f.uint16(trSamples)); !d.fixed && own > 0 {
		samples = own
	}
	if samples == 0 {
		return fmt.Errorf("%w: neither its header nor the file's says how many samples it has", ErrDamaged)
	}
	stored, err := d.take(samples * d.file.Format.bytes())
	if err != nil {
		return fmt.Errorf("%d samples (%s): %w", samples, d.file.Format, err)
	}
	t.Samples = make([]float32, samples)
	d.file.Format.decode(t.Samples, stored, d.order)
	d.file.Traces = append(d.file.Traces, t)
	return nil
}
