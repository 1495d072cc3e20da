package h5

import (
	"fmt"
	"unsafe"
)

type number interface{ float32 | float64 | int64 }

// Shape returns the dimensions of a data set, slowest first; a scalar has none.
func (f *File) Shape(object string) ([]int, error) {
	r, err := f.ask(request{Op: opShape, Object: clean(object)})
	return r.Shape, err
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
	r, err := f.ask(request{Op: opTexts, Object: clean(object)})
	return r.Texts, err
}

func readAll[T number](f *File, object string) (values []T, shape []int, err error) {
	r, err := readNumbers(f, request{Op: opNumbers, Object: clean(object)}, &values)
	return values, r.Shape, err
}

func readSlab[T number](f *File, object string, start, count, stride []int) (values []T, err error) {
	_, err = readNumbers(f, request{
		Op: opNumbers, Object: clean(object), Slab: true, Start: start, Count: count, Stride: stride,
	}, &values)
	return values, err
}

// readNumbers lets the child send numbers and collects them in values.
func readNumbers[T number](f *File, q request, values *[]T) (reply, error) {
	var zero T
	q.As = numberKind(zero)
	filled := 0
	var room []byte
	q.begin = func(n int) error {
		if err := checkMemory(n, int(unsafe.Sizeof(zero))); err != nil {
			return fmt.Errorf("%s: %w", q.Object, err)
		}
		*values = make([]T, n)
		if n > 0 {
			room = unsafe.Slice((*byte)(unsafe.Pointer(&(*values)[0])), n*int(unsafe.Sizeof(zero)))
		}
		return nil
	}
	q.more = func(data []byte) error {
		if len(data) > len(room)-filled {
			return errGarbled
		}
		filled += copy(room[filled:], data)
		return nil
	}
	r, err := f.ask(q)
	if err == nil && filled != len(room) {
		err = f.wrap(errGarbled)
	}
	if err != nil {
		*values = nil
		return reply{}, err
	}
	return r, nil
}

func numberKind(v any) int {
	switch v.(type) {
	case float32:
		return asFloat32
	case float64:
		return asFloat64
	}
	return asInt64
}
