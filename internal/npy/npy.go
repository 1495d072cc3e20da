// Package npy reads and writes arrays of numbers as numpy's .npy files, versions 1 to 3, and as raw binary files. Numbers
// of any size and byte order come out as float32 or float64 with the last index fastest.
//
// The format: NEP 1, "A Simple File Format for NumPy Arrays".
package npy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Float is what arrays are read into.
type Float interface{ float32 | float64 }

var (
	// ErrNotNPY means that the file is of another kind, or no file at all.
	ErrNotNPY = errors.New("not a .npy file")
	// ErrDamaged means that what the file says of itself does not fit its size or makes no sense.
	ErrDamaged = errors.New("damaged .npy file")
)

const magic = "\x93NUMPY"

// Read returns the values of a .npy file of one to three dimensions and its shape. Arrays in Fortran order are turned
// to C order. Values wider than T are rounded.
func Read[T Float](path string) ([]T, []int, error) {
	file, size, err := open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	values, shape, err := Decode[T](file, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return values, shape, nil
}

// Decode reads a .npy file of size bytes.
func Decode[T Float](r io.Reader, size int64) ([]T, []int, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	h, length, err := readHeader(in, size)
	if err != nil {
		return nil, nil, err
	}
	values, err := readValues[T](in, size-length, h)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return values, h.shape, nil
}

// Raw describes a binary file that holds nothing but numbers.
type Raw struct {
	Shape   []int  // of the result, slowest dimension first
	Type    string // as numpy writes it, such as "<f4", ">f4" or "<i2"; empty: "<f4", little-endian float32
	Fortran bool   // the first index is the fastest in the file, as in models stored trace by trace
}

// ReadRaw returns the values of a raw file in the order of raw.Shape, last index fastest. The file must have exactly the
// size that follows from shape and type.
func ReadRaw[T Float](path string, raw Raw) ([]T, error) {
	file, size, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	h := header{shape: raw.Shape, fortran: raw.Fortran}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if h.element, err = parseElement(or(raw.Type, "<f4")); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	values, err := readValues[T](bufio.NewReaderSize(file, 1<<16), size, h)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return values, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// open opens a file and returns its size.
func open(path string) (*os.File, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, 0, fmt.Errorf("%s: there is no such file: %w", path, fs.ErrNotExist)
		}
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: this is no file (%s): %w", path, info.Mode(), ErrNotNPY)
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// readValues reads exactly size bytes of numbers.
func readValues[T Float](in io.Reader, size int64, h header) ([]T, error) {
	n := h.count()
	if want := int64(n) * int64(h.element.size); want != size {
		return nil, fmt.Errorf("shape %v of %s takes %d bytes, but there are %d", h.shape, h.element, want, size)
	}
	values := make([]T, n)
	buffer := make([]byte, 8192*h.element.size)
	for done := 0; done < n; {
		part := values[done:min(n, done+8192)]
		bytes := buffer[:len(part)*h.element.size]
		if _, err := io.ReadFull(in, bytes); err != nil {
			return nil, fmt.Errorf("it ended while it was read: %w", err)
		}
		convert(part, bytes, h.element)
		done += len(part)
	}
	if h.fortran && len(h.shape) > 1 {
		values = transpose(values, h.shape)
	}
	return values, nil
}

// transpose returns the values of an array in Fortran order, whose first index is fastest, in C order.
func transpose[T Float](values []T, shape []int) []T {
	n := [3]int{1, 1, 1}
	copy(n[3-len(shape):], shape)
	out := make([]T, len(values))
	for i := range n[0] {
		for j := range n[1] {
			for k := range n[2] {
				out[(i*n[1]+j)*n[2]+k] = values[(k*n[1]+j)*n[0]+i]
			}
		}
	}
	return out
}

// Write writes an array as a .npy file of version 1, little-endian, in C order. An earlier file is replaced only when all
// has been written.
func Write[T Float](path string, values []T, shape []int) error {
	return save(path, func(w *bufio.Writer) error { return encode(w, values, shape) })
}

// WriteRaw writes the bytes of values as little-endian numbers and nothing else.
func WriteRaw[T Float](path string, values []T) error {
	return save(path, func(w *bufio.Writer) error { return binary.Write(w, binary.LittleEndian, values) })
}

func encode[T Float](w *bufio.Writer, values []T, shape []int) error {
	h := header{shape: shape}
	if err := h.check(); err != nil {
		return err
	}
	if h.count() != len(values) {
		return fmt.Errorf("%d values do not fill the shape %v", len(values), shape)
	}
	var zero T
	dict := fmt.Sprintf("{'descr': '<f%d', 'fortran_order': False, 'shape': %s, }", binary.Size(zero), tuple(shape))
	// The whole header ends in a newline at a multiple of 64 bytes.
	const before = len(magic) + 4
	padding := 63 - (before+len(dict))%64
	text := dict + strings.Repeat(" ", padding) + "\n"
	w.WriteString(magic + "\x01\x00") // a failed write shows at Flush
	w.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(text))))
	w.WriteString(text)
	return binary.Write(w, binary.LittleEndian, values)
}

func tuple(shape []int) string {
	text := "("
	for i, n := range shape {
		if i > 0 {
			text += " "
		}
		text += fmt.Sprintf("%d,", n)
	}
	return text + ")"
}

// save lets fill write a file beside path and renames it when all went well.
func save(path string, fill func(*bufio.Writer) error) error {
	part := path + ".part"
	file, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("%s: the file cannot be created: %w", path, err)
	}
	w := bufio.NewWriterSize(file, 1<<20)
	err = errors.Join(fill(w), w.Flush(), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		os.Remove(part)
		return fmt.Errorf("%s: the file cannot be saved: %w", path, err)
	}
	return nil
}
