package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// header is what a file says of its array.
type header struct {
	element element
	fortran bool
	shape   []int
}

// element is how a number is stored.
type element struct {
	kind  byte // 'f', 'i' or 'u'
	size  int  // bytes
	order binary.ByteOrder
}

func (e element) String() string {
	mark := "<"
	if e.order == binary.ByteOrder(binary.BigEndian) {
		mark = ">"
	}
	return mark + string(e.kind) + strconv.Itoa(e.size)
}

// parseElement reads numpy's notation, such as "<f4".
func parseElement(text string) (element, error) {
	bad := fmt.Errorf("values of type %q cannot be read: floats f4 and f8 and integers i and u of 1, 2, 4 or 8 bytes can, "+
		"with < or > before them", text)
	if len(text) != 3 {
		return element{}, bad
	}
	e := element{kind: text[1], size: int(text[2] - '0')}
	switch text[0] {
	case '<':
		e.order = binary.LittleEndian
	case '>':
		e.order = binary.BigEndian
	case '|': // of one byte, without order
		e.order = binary.LittleEndian
		if e.size != 1 {
			return element{}, bad
		}
	default:
		return element{}, bad
	}
	switch e.size {
	case 4, 8:
		if e.kind != 'f' && e.kind != 'i' && e.kind != 'u' {
			return element{}, bad
		}
	case 1, 2:
		if e.kind != 'i' && e.kind != 'u' {
			return element{}, bad
		}
	default:
		return element{}, bad
	}
	return e, nil
}

// check refuses shapes that are not arrays of one to three dimensions or whose elements cannot be counted.
func (h header) check() error {
	if len(h.shape) < 1 || len(h.shape) > 3 {
		return fmt.Errorf("an array of %d dimensions %v cannot be handled, only of one to three", len(h.shape), h.shape)
	}
	n := 1
	for _, size := range h.shape {
		if size < 0 || size > 0 && n > math.MaxInt64/16/size {
			return fmt.Errorf("%w: the shape %v is not possible", ErrDamaged, h.shape)
		}
		n *= size
	}
	return nil
}

// count returns the number of elements of a checked header.
func (h header) count() int {
	n := 1
	for _, size := range h.shape {
		n *= size
	}
	return n
}

// readHeader reads up to the numbers and returns the number of bytes so far.
func readHeader(in io.Reader, size int64) (header, int64, error) {
	var start [12]byte
	if size == 0 {
		return header{}, 0, fmt.Errorf("%w: it is empty (0 bytes)", ErrNotNPY)
	}
	if size < 10 {
		return header{}, 0, fmt.Errorf("%w: it has only %d bytes", ErrNotNPY, size)
	}
	if _, err := io.ReadFull(in, start[:10]); err != nil {
		return header{}, 0, err
	}
	if string(start[:6]) != magic {
		return header{}, 0, fmt.Errorf("%w: it begins with %q", ErrNotNPY, start[:6])
	}
	length, before := int64(binary.LittleEndian.Uint16(start[8:])), int64(10)
	switch version := start[6]; version {
	case 1:
	case 2, 3:
		if _, err := io.ReadFull(in, start[10:]); err != nil {
			return header{}, 0, fmt.Errorf("%w: it ends within its header", ErrDamaged)
		}
		length, before = int64(binary.LittleEndian.Uint32(start[8:])), 12
	default:
		return header{}, 0, fmt.Errorf("%w: its version %d is none of 1, 2 and 3", ErrDamaged, version)
	}
	const longest = 1 << 16 // a plain array takes about a hundred
	if length > size-before || length > longest {
		return header{}, 0, fmt.Errorf("%w: a header of %d bytes in a file of %d", ErrDamaged, length, size)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(in, text); err != nil {
		return header{}, 0, fmt.Errorf("%w: it ends within its header", ErrDamaged)
	}
	h, err := parseHeader(string(text))
	return h, before + length, err
}

// The header is a Python dictionary of three keys in any order.
var (
	descrPattern   = regexp.MustCompile(`['"]descr['"]\s*:\s*['"]([^'"]*)['"]`)
	fortranPattern = regexp.MustCompile(`['"]fortran_order['"]\s*:\s*(True|False)`)
	shapePattern   = regexp.MustCompile(`['"]shape['"]\s*:\s*\(([0-9Ll,\s]*)\)`)
)

func parseHeader(text string) (header, error) {
	descr, fortran := descrPattern.FindStringSubmatch(text), fortranPattern.FindStringSubmatch(text)
	shape := shapePattern.FindStringSubmatch(text)
	if descr == nil || fortran == nil || shape == nil {
		return header{}, fmt.Errorf("%w: its header is not that of a plain array of numbers: %.200q", ErrDamaged,
			strings.TrimSpace(text))
	}
	h := header{fortran: fortran[1] == "True"}
	var err error
	if h.element, err = parseElement(descr[1]); err != nil {
		return header{}, err
	}
	for _, field := range strings.Split(shape[1], ",") {
		field = strings.TrimRight(strings.TrimSpace(field), "Ll") // Python 2 wrote 3L
		if field == "" {
			continue
		}
		n, err := strconv.Atoi(field)
		if err != nil {
			return header{}, fmt.Errorf("%w: the size %q is no number", ErrDamaged, field)
		}
		h.shape = append(h.shape, n)
	}
	return h, h.check()
}

// convert turns stored numbers into floats.
func convert[T Float](out []T, stored []byte, e element) {
	switch {
	case e.kind == 'f' && e.size == 4:
		for i := range out {
			out[i] = T(math.Float32frombits(e.order.Uint32(stored[4*i:])))
		}
	case e.kind == 'f':
		for i := range out {
			out[i] = T(math.Float64frombits(e.order.Uint64(stored[8*i:])))
		}
	default:
		for i := range out {
			out[i] = integer[T](stored[e.size*i:], e)
		}
	}
}

func integer[T Float](stored []byte, e element) T {
	var bits uint64
	switch e.size {
	case 1:
		bits = uint64(stored[0])
	case 2:
		bits = uint64(e.order.Uint16(stored))
	case 4:
		bits = uint64(e.order.Uint32(stored))
	default:
		bits = e.order.Uint64(stored)
	}
	if e.kind == 'u' {
		return T(bits)
	}
	unused := 64 - 8*e.size
	return T(int64(bits<<unused) >> unused)
}
