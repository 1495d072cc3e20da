package h5

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"gonum.org/v1/hdf5"
)

type number interface{ float32 | float64 | int64 }

// Shape returns the dimensions of a data set, slowest first; a scalar has none.
func (f *File) Shape(object string) ([]int, error) {
	var shape []int
	err := f.read(func() error {
		set, err := f.openSet(clean(object))
		if err != nil {
			return err
		}
		defer set.Close()
		shape = set.extent.shape
		return nil
	})
	return shape, err
}

// ReadFloat32 returns all values of a numeric data set, last index fastest, and its shape. Wider types are rounded;
// what exceeds the range of float32 becomes an infinity.
func (f *File) ReadFloat32(object string) ([]float32, []int, error) {
	return readAll[float32](f, object)
}

// ReadFloat64 is ReadFloat32 in double precision.
func (f *File) ReadFloat64(object string) ([]float64, []int, error) {
	return readAll[float64](f, object)
}

// ReadInt64 returns all values of a numeric data set that holds whole numbers, of whatever type, and its shape.
func (f *File) ReadInt64(object string) ([]int64, []int, error) {
	return readAll[int64](f, object)
}

// ReadSlabFloat32 reads count[i] values along each dimension i, every stride[i]-th from start[i] on. A nil stride means
// every value. The result has the shape count.
func (f *File) ReadSlabFloat32(object string, start, count, stride []int) ([]float32, error) {
	return readSlab[float32](f, object, start, count, stride)
}

// ReadSlabFloat64 is ReadSlabFloat32 in double precision.
func (f *File) ReadSlabFloat64(object string, start, count, stride []int) ([]float64, error) {
	return readSlab[float64](f, object, start, count, stride)
}

// ReadString returns the text of a data set that holds one string.
func (f *File) ReadString(object string) (string, error) {
	texts, err := f.ReadStrings(object)
	if err != nil {
		return "", err
	}
	if len(texts) != 1 {
		return "", f.wrap(fmt.Errorf("%s holds %d strings, one is needed", clean(object), len(texts)))
	}
	return texts[0], nil
}

// ReadStrings returns the strings of a data set in the order in which they are stored.
func (f *File) ReadStrings(object string) ([]string, error) {
	var texts []string
	err := f.read(func() error {
		set, err := f.openSet(clean(object))
		if err != nil {
			return err
		}
		defer set.Close()
		texts, err = set.texts()
		return err
	})
	return texts, err
}

func readAll[T number](f *File, object string) (values []T, shape []int, err error) {
	err = f.read(func() error {
		set, err := f.openSet(clean(object))
		if err != nil {
			return err
		}
		defer set.Close()
		shape = set.extent.shape
		values, err = numbers[T](set, nil)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return values, shape, nil
}

func readSlab[T number](f *File, object string, start, count, stride []int) (values []T, err error) {
	err = f.read(func() error {
		set, err := f.openSet(clean(object))
		if err != nil {
			return err
		}
		defer set.Close()
		slab, err := makeSlab(start, count, stride, set.extent.shape)
		if err != nil {
			return fmt.Errorf("%s: %w", set.name, err)
		}
		values, err = numbers[T](set, slab)
		return err
	})
	return values, err
}

// set is an open data set with all that must be known before it is read.
type set struct {
	*hdf5.Dataset
	name    string
	extent  extent
	element elementType
	storage storage
}

func (s *set) id() C.hid_t { return C.hid_t(s.ID()) }

// openSet opens a data set and checks what it says of itself. On the worker; the caller closes it.
func (f *File) openSet(object string) (*set, error) {
	opened, err := f.openDataset(object)
	if err != nil {
		return nil, err
	}
	s := &set{Dataset: opened, name: object}
	if err := s.describe(); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", object, err)
	}
	return s, nil
}

func (s *set) describe() error {
	var e C.h5x_extent
	if C.h5x_dataset_extent(s.id(), &e) < 0 {
		return damaged("the shape cannot be read")
	}
	var err error
	if s.extent, err = makeExtent(&e); err != nil {
		return err
	}
	var t C.h5x_type
	if C.h5x_dataset_type(s.id(), &t) < 0 {
		return damaged("the type cannot be read")
	}
	if s.element, err = makeElementType(&t); err != nil {
		return err
	}
	var where C.h5x_storage
	if C.h5x_dataset_storage(s.id(), &where) < 0 {
		return damaged("the storage layout cannot be read")
	}
	s.storage = makeStorage(&where, len(s.extent.shape))
	return nil
}

// slab is a strided block of a data set.
type slab struct {
	start, stride, count []C.hsize_t
	n                    int
}

func makeSlab(start, count, stride, shape []int) (*slab, error) {
	if len(start) != len(shape) || len(count) != len(shape) || (stride != nil && len(stride) != len(shape)) {
		return nil, fmt.Errorf("a block from %v, count %v, stride %v does not fit the %d dimensions %v",
			start, count, stride, len(shape), shape)
	}
	s := &slab{n: 1}
	for i, size := range shape {
		step := 1
		if stride != nil {
			step = stride[i]
		}
		if start[i] < 0 || count[i] < 1 || step < 1 || start[i] >= size || count[i]-1 > (size-1-start[i])/step {
			return nil, fmt.Errorf("a block from %d, count %d, stride %d leaves dimension %d of size %d",
				start[i], count[i], step, i, size)
		}
		s.start = append(s.start, C.hsize_t(start[i]))
		s.stride = append(s.stride, C.hsize_t(step))
		s.count = append(s.count, C.hsize_t(count[i]))
		s.n *= count[i]
	}
	return s, nil
}

// numbers reads a block of a data set, or with a nil slab all of it.
func numbers[T number](s *set, block *slab) ([]T, error) {
	if !s.element.numeric() {
		return nil, fmt.Errorf("%s holds values of type %s, numbers are needed", s.name, s.element)
	}
	if s.storage.unreadable != "" {
		return nil, fmt.Errorf("%s cannot be read: %s", s.name, s.storage.unreadable)
	}
	n := s.extent.n
	if block != nil {
		n = block.n
	}
	var zero T
	if err := checkMemory(n, int(unsafe.Sizeof(zero))); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	values := make([]T, n)
	if n == 0 {
		return values, nil
	}
	if err := s.readBlock(numberKind(zero), block, unsafe.Pointer(&values[0])); err != nil {
		return nil, err
	}
	return values, nil
}

func numberKind(v any) C.int {
	switch v.(type) {
	case float32:
		return C.H5X_FLOAT32
	case float64:
		return C.H5X_FLOAT64
	}
	return C.H5X_INT64
}

// readBlock fills out, which must have room for the block, or with a nil block for the whole data set.
func (s *set) readBlock(as C.int, block *slab, out unsafe.Pointer) error {
	var start, stride, count *C.hsize_t
	if block != nil && len(block.start) > 0 {
		start, stride, count = &block.start[0], &block.stride[0], &block.count[0]
	}
	if C.h5x_read(s.id(), as, C.int(len(s.extent.shape)), start, stride, count, out) >= 0 {
		return nil
	}
	why := reason()
	if as == C.H5X_INT64 && s.sound(block) {
		return fmt.Errorf("%s (%s) holds values that are not whole numbers between -2^63 and 2^63", s.name, s.element)
	}
	return damagedBecause(why, "the values of %s cannot be read", s.name)
}

// sound tells whether a block can be read as it is stored, so that a failed read is the conversion's fault.
func (s *set) sound(block *slab) bool {
	n := s.extent.n
	if block != nil {
		n = block.n
	}
	values := make([]byte, n*s.element.size)
	return s.readBlock(C.H5X_STORED, block, unsafe.Pointer(&values[0])) == nil
}

func (s *set) texts() ([]string, error) {
	if !s.element.text() {
		return nil, fmt.Errorf("%s holds values of type %s, text is needed", s.name, s.element)
	}
	if s.storage.unreadable != "" {
		return nil, fmt.Errorf("%s cannot be read: %s", s.name, s.storage.unreadable)
	}
	texts, err := readTexts(s.extent, s.element, func(out unsafe.Pointer) bool {
		return C.h5x_read_text(s.id(), out) >= 0
	}, func(out unsafe.Pointer) {
		C.h5x_free_text(s.id(), out)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return texts, nil
}

// readTexts reads the strings of a data set or attribute through read; free gives back what libhdf5 made.
func readTexts(x extent, t elementType, read func(unsafe.Pointer) bool, free func(unsafe.Pointer)) ([]string, error) {
	if x.n == 0 {
		return nil, nil
	}
	size := t.size
	if t.varlen {
		size = int(unsafe.Sizeof((*C.char)(nil)))
	}
	if x.n > (1<<31)/size {
		return nil, fmt.Errorf("%d strings of %d bytes are more than the 2 GB that can be read", x.n, size)
	}
	texts := make([]string, x.n)
	if t.varlen {
		// libhdf5 fills this array with pointers of its own, so it must not be Go memory.
		pointers := (**C.char)(C.calloc(C.size_t(x.n), C.size_t(size)))
		if pointers == nil {
			return nil, errors.New("no memory is left")
		}
		defer C.free(unsafe.Pointer(pointers))
		if !read(unsafe.Pointer(pointers)) {
			return nil, damaged("the text cannot be read")
		}
		for i, p := range unsafe.Slice(pointers, x.n) {
			if p != nil {
				texts[i] = C.GoString(p)
			}
		}
		free(unsafe.Pointer(pointers))
		return texts, nil
	}
	bytes := make([]byte, x.n*size)
	if !read(unsafe.Pointer(&bytes[0])) {
		return nil, damaged("the text cannot be read")
	}
	for i := range texts {
		texts[i] = t.trim(string(bytes[i*size : (i+1)*size]))
	}
	return texts, nil
}
