package h5

// #include "shim.h"
import "C"

import (
	"fmt"
	"math"
	"math/bits"
	"os"
	"strconv"
	"strings"
)

// Kind is what an object is.
type Kind int

const (
	Missing  Kind = C.H5X_MISSING
	Group    Kind = C.H5X_GROUP
	Dataset  Kind = C.H5X_DATASET
	Datatype Kind = C.H5X_TYPE
	SoftLink Kind = C.H5X_SOFT    // an alias inside the file, not followed by List
	Outside  Kind = C.H5X_OUTSIDE // a link into another file, never followed
)

func (k Kind) String() string {
	switch k {
	case Missing:
		return "missing object"
	case Group:
		return "group"
	case Dataset:
		return "data set"
	case Datatype:
		return "data type"
	case SoftLink:
		return "soft link"
	case Outside:
		return "link to another file"
	}
	return fmt.Sprintf("object of unknown kind %d", int(k))
}

// How numbers are handed over.
const (
	asFloat32 = C.H5X_FLOAT32
	asFloat64 = C.H5X_FLOAT64
	asInt64   = C.H5X_INT64
)

// extent is the shape of a data set or attribute and its number of elements.
type extent struct {
	shape []int // empty for a scalar; one dimension of 0 where there are no elements at all
	n     int
}

// makeExtent checks that the number of elements can be counted.
func makeExtent(e *C.h5x_extent) (extent, error) {
	if e.null != 0 {
		return extent{shape: []int{0}}, nil
	}
	x := extent{shape: make([]int, int(e.rank)), n: 1}
	empty := false
	for i := range x.shape {
		if uint64(e.dims[i]) > math.MaxInt64 {
			return extent{}, absurd("dimension %d is absurd: %d", i, uint64(e.dims[i]))
		}
		x.shape[i] = int(e.dims[i])
		empty = empty || x.shape[i] == 0
	}
	if empty {
		x.n = 0
		return x, nil
	}
	for _, d := range x.shape {
		hi, lo := bits.Mul64(uint64(x.n), uint64(d))
		if hi != 0 || lo > math.MaxInt64/16 {
			return extent{}, absurd("the shape %v is absurd", x.shape)
		}
		x.n = int(lo)
	}
	return x, nil
}

// elementType is how an element is stored.
type elementType struct {
	class   int
	size    int // bytes
	big     bool
	signed  bool
	varlen  bool
	utf8    bool
	padding int
}

func makeElementType(t *C.h5x_type) (elementType, error) {
	if t.size > 1<<30 {
		return elementType{}, absurd("an element of %d bytes is absurd", uint64(t.size))
	}
	return elementType{
		class: int(t.class), size: int(t.size), big: t.big != 0, signed: t.is_signed != 0,
		varlen: t.varlen != 0, utf8: t.utf8 != 0, padding: int(t.padding),
	}, nil
}

func (t elementType) numeric() bool {
	return t.class == C.H5T_INTEGER || t.class == C.H5T_FLOAT || t.class == C.H5T_ENUM
}

func (t elementType) text() bool { return t.class == C.H5T_STRING }

// String names the type as a user of numpy would: "float32", "int16 big-endian", "string of 12 bytes".
func (t elementType) String() string {
	order := ""
	if t.big && t.size > 1 {
		order = " big-endian"
	}
	switch t.class {
	case C.H5T_INTEGER:
		sign := "u"
		if t.signed {
			sign = ""
		}
		return sign + "int" + strconv.Itoa(8*t.size) + order
	case C.H5T_FLOAT:
		return "float" + strconv.Itoa(8*t.size) + order
	case C.H5T_ENUM:
		return "enumeration" + order
	case C.H5T_STRING:
		if t.varlen {
			return "string"
		}
		return fmt.Sprintf("string of %d bytes", t.size)
	case C.H5T_BITFIELD:
		return "bit field"
	case C.H5T_OPAQUE:
		return "opaque bytes"
	case C.H5T_COMPOUND:
		return "compound"
	case C.H5T_REFERENCE:
		return "reference"
	case C.H5T_VLEN:
		return "lists of varying length"
	case C.H5T_ARRAY:
		return "array"
	}
	return "unknown type"
}

// trim cuts a fixed-length string where its padding begins.
func (t elementType) trim(s string) string {
	switch t.padding {
	case C.H5T_STR_NULLTERM:
		s, _, _ = strings.Cut(s, "\x00")
		return s
	case C.H5T_STR_SPACEPAD:
		return strings.TrimRight(s, " ")
	}
	return strings.TrimRight(s, "\x00")
}

// storage is how a data set lies in the file.
type storage struct {
	bytes       int64
	chunk       []int // nil: not chunked
	compression string
	unreadable  string // why this process will not read the values, or ""
}

func makeStorage(s *C.h5x_storage, rank int) storage {
	out := storage{bytes: int64(s.stored)}
	if s.layout == C.H5D_CHUNKED {
		for _, c := range s.chunk[:rank] {
			out.chunk = append(out.chunk, int(min(uint64(c), math.MaxInt32)))
		}
	}
	var names []string
	for _, id := range s.filter[:s.nfilters] {
		names = append(names, filterName(int(id), int(s.level)))
	}
	out.compression = strings.Join(names, ", ")
	switch {
	case s.layout == C.H5D_VIRTUAL:
		out.unreadable = "its values lie in other files (a virtual data set), which are not followed; " +
			"h5repack writes a file that holds them"
	case s.external != 0:
		out.unreadable = "its values lie in other files (external storage), which are not followed; " +
			"h5repack writes a file that holds them"
	case s.missing != 0:
		out.unreadable = fmt.Sprintf("it is compressed with filter %d (%s), which this libhdf5 has no plug-in for; "+
			"gzip and szip can be read", int(s.missing), C.GoString(&s.missing_name[0]))
	}
	return out
}

func filterName(id, level int) string {
	switch id {
	case C.H5Z_FILTER_DEFLATE:
		return "gzip " + strconv.Itoa(level)
	case C.H5Z_FILTER_SHUFFLE:
		return "shuffle"
	case C.H5Z_FILTER_FLETCHER32:
		return "fletcher32"
	case C.H5Z_FILTER_SZIP:
		return "szip"
	case C.H5Z_FILTER_NBIT:
		return "nbit"
	case C.H5Z_FILTER_SCALEOFFSET:
		return "scale-offset"
	}
	return "filter " + strconv.Itoa(id)
}

// checkMemory refuses to make a buffer that the machine cannot hold: the Go runtime would end the program.
func checkMemory(n, size int) error {
	available, ok := availableMemory()
	if need := float64(n) * float64(size); ok && need > float64(available) {
		return fmt.Errorf("reading %d values takes %.1f GB of memory, but only %.1f GB are free",
			n, need/1e9, float64(available)/1e9)
	}
	return nil
}

// availableMemory returns what the kernel can give without swapping, in bytes.
func availableMemory() (int64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	_, rest, found := strings.Cut(string(text), "MemAvailable:")
	if !found {
		return 0, false
	}
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0, false
	}
	return kib * 1024, true
}
