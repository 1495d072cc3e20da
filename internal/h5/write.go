package h5

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"unsafe"
)

// Compression is the level of gzip, 1 (fast) to 9 (small), applied after shuffling the bytes of the values. The zero
// value compresses nothing.
type Compression int

const (
	NoCompression      Compression = 0
	DefaultCompression Compression = 4
)

// draft is a file being written. libhdf5 does not survive a disk that fills up under it, so it writes into memory,
// which is copied to the disk at the end.
type draft struct {
	id        C.hid_t // 0 when closed
	image     *C.h5x_image
	temporary *os.File
	target    string // where the file will be
	broken    error  // the first failed write
	closed    bool
}

// Create starts a file that replaces the one at path, if any, at Commit. It fails at once where the folder is missing
// or not writable. The content is held in memory, compressed, until Commit.
func Create(path string) (*File, error) {
	f := &File{path: path, out: new(draft)}
	if err := f.out.open(path); err != nil {
		return nil, f.wrap(fmt.Errorf("the file cannot be created: %w", err))
	}
	err := do(func() error {
		if startError != nil {
			return startError
		}
		f.out.image = (*C.h5x_image)(C.calloc(1, C.sizeof_h5x_image))
		if f.out.id = C.h5x_create_file(f.out.image); f.out.id < 0 {
			f.out.id = 0
			return errors.New("the file cannot be created: " + reason())
		}
		return nil
	})
	if err != nil {
		return nil, f.wrap(errors.Join(err, f.out.discard()))
	}
	return f, nil
}

// open makes the temporary file beside the target.
func (d *draft) open(path string) error {
	d.target = path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		d.target = real // replace what a link points to, not the link
	}
	earlier, err := os.Stat(d.target)
	if err == nil && !earlier.Mode().IsRegular() {
		return fmt.Errorf("there is something else of that name (%s)", earlier.Mode())
	}
	if d.temporary, err = createBeside(d.target); err != nil {
		return fmt.Errorf("folder %s: %w", filepath.Dir(d.target), pathless(err))
	}
	if earlier != nil {
		if err := d.temporary.Chmod(earlier.Mode().Perm()); err != nil {
			return errors.Join(err, d.discard())
		}
	}
	return nil
}

// createBeside makes a file of a new name in the folder of target, with the rights that the user's umask gives.
func createBeside(target string) (*os.File, error) {
	folder, name := filepath.Split(target)
	name = name[:min(len(name), 200)] // file names end at 255 bytes
	for {
		path := fmt.Sprintf("%s.%s.%016x.tmp", folder, name, rand.Uint64())
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return file, err
		}
	}
}

// Commit writes the file to the disk and makes it appear under its name, all or nothing, and closes it. After an error
// an earlier file of that name is as it was, and Close removes what is left.
func (f *File) Commit() error {
	return f.write(func(d *draft) error {
		if err := d.commit(); err != nil {
			d.broken = err
			return fmt.Errorf("the file cannot be saved: %w", err)
		}
		return d.close()
	})
}

func (d *draft) commit() error {
	id := d.id
	d.id = 0
	size := C.h5x_close_file(id, d.image)
	if size < 0 {
		return errors.New(reason())
	}
	if _, err := d.temporary.Write(unsafe.Slice((*byte)(d.image.bytes), int(size))); err != nil {
		return pathless(err)
	}
	if err := d.temporary.Sync(); err != nil {
		return pathless(err)
	}
	name := d.temporary.Name()
	if err := d.temporary.Close(); err != nil {
		return pathless(err)
	}
	if err := os.Rename(name, d.target); err != nil {
		return pathless(err)
	}
	d.temporary = nil
	syncFolder(filepath.Dir(d.target))
	return nil
}

// syncFolder makes a rename last. Some file systems cannot; the content is safe on them all the same.
func syncFolder(folder string) {
	if opened, err := os.Open(folder); err == nil {
		_ = opened.Sync()
		opened.Close()
	}
}

// pathless takes the name of a temporary file, which means nothing to the user, out of an error.
func pathless(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}

func (d *draft) close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	return d.discard()
}

// discard closes and removes everything that is not the target.
func (d *draft) discard() error {
	var errs []error
	if d.id != 0 {
		C.h5x_close_file(d.id, d.image) // into memory that is given up below
		d.id = 0
	}
	if d.image != nil {
		C.h5x_free_image(d.image)
		C.free(unsafe.Pointer(d.image))
		d.image = nil
	}
	if d.temporary != nil {
		d.temporary.Close() // closed already where the rename failed
		errs = append(errs, os.Remove(d.temporary.Name()))
		d.temporary = nil
	}
	return errors.Join(errs...)
}

// write runs job on the worker if the file is being written and no earlier write failed.
func (f *File) write(job func(*draft) error) error {
	return f.wrap(do(func() error {
		switch {
		case f.out == nil:
			return errors.New("the file is open for reading and cannot be changed")
		case f.out.closed:
			return errClosed
		case f.out.broken != nil:
			return fmt.Errorf("an earlier write failed: %w", f.out.broken)
		}
		return job(f.out)
	}))
}

// WriteFloat32 makes a data set of the given shape, slowest dimension first, and the groups on its path. An empty
// shape makes a scalar.
func (f *File) WriteFloat32(object string, data []float32, shape []int, gzip Compression) error {
	return writeNumbers(f, object, data, shape, gzip)
}

// WriteFloat64 is WriteFloat32 in double precision.
func (f *File) WriteFloat64(object string, data []float64, shape []int, gzip Compression) error {
	return writeNumbers(f, object, data, shape, gzip)
}

// WriteInt64 is WriteFloat32 for whole numbers.
func (f *File) WriteInt64(object string, data []int64, shape []int, gzip Compression) error {
	return writeNumbers(f, object, data, shape, gzip)
}

// WriteString makes a data set that holds one text in UTF-8.
func (f *File) WriteString(object, text string) error {
	object = clean(object)
	return f.write(func(d *draft) error {
		bytes, err := fixedText(text)
		if err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
		if len(bytes) <= maxCompact {
			return d.dataset(object, 0, len(bytes), nil, nil, NoCompression, unsafe.Pointer(&bytes[0]))
		}
		// A long text does not fit into the object header and a scalar cannot be chunked: make it a list of one.
		one := []int{1}
		return d.dataset(object, 0, len(bytes), one, one, DefaultCompression, unsafe.Pointer(&bytes[0]))
	})
}

func writeNumbers[T number](f *File, object string, data []T, shape []int, gzip Compression) error {
	object = clean(object)
	return f.write(func(d *draft) error {
		n := 1
		for _, size := range shape {
			if size < 0 || size > 0 && n > (1<<46)/size {
				return fmt.Errorf("%s: the shape %v is not possible", object, shape)
			}
			n *= size
		}
		if n != len(data) || len(shape) > C.H5X_MAX_RANK {
			return fmt.Errorf("%s: %d values do not fill the shape %v", object, len(data), shape)
		}
		if gzip < 0 || gzip > 9 {
			return fmt.Errorf("%s: compression %d is not between 0 and 9", object, gzip)
		}
		var zero T
		size := int(unsafe.Sizeof(zero))
		var chunk []int
		if n*size > maxCompact {
			chunk = chunkShape(shape, size)
		}
		var values unsafe.Pointer
		if n > 0 {
			values = unsafe.Pointer(&data[0])
		}
		return d.dataset(object, numberKind(zero), 0, shape, chunk, gzip, values)
	})
}

const (
	// maxCompact is the size up to which values lie in the object header, which holds at most 64 KB.
	maxCompact = 32 << 10
	// maxChunk stays below libhdf5's chunk cache of 1 MB.
	maxChunk = 512 << 10
)

// chunkShape fills a chunk from the fastest dimension on, with all chunks along a dimension about as large, so that
// few values are padding.
func chunkShape(shape []int, size int) []int {
	chunk := make([]int, len(shape))
	room := maxChunk / size
	for i := len(shape) - 1; i >= 0; i-- {
		parts := (shape[i] + room - 1) / room
		chunk[i] = (shape[i] + parts - 1) / parts
		room = max(1, room/chunk[i])
	}
	return chunk
}

// dataset makes a data set of numbers, or with text > 0 of strings of that length.
func (d *draft) dataset(object string, as int, text int, shape, chunk []int, gzip Compression,
	values unsafe.Pointer) error {
	name, err := d.place(object)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(name))
	if C.h5x_kind(d.id, name) != C.H5X_MISSING {
		return fmt.Errorf("%s is already there", object)
	}
	if C.h5x_write(d.id, name, C.int(as), C.size_t(text), C.int(len(shape)), dimensions(shape), dimensions(chunk),
		C.int(gzip), values) < 0 {
		d.broken = fmt.Errorf("%s cannot be written: %s", object, reason())
		return d.broken
	}
	return nil
}

// place makes the groups above an object and returns its path, which the caller frees.
func (d *draft) place(object string) (*C.char, error) {
	if object == "/" || strings.ContainsRune(object, 0) {
		return nil, fmt.Errorf("%q is not a name for a data set", object)
	}
	for i := 1; i < len(object); i++ {
		if object[i] != '/' {
			continue
		}
		if err := d.group(object[:i]); err != nil {
			return nil, err
		}
	}
	return C.CString(object), nil
}

func (d *draft) group(object string) error {
	name := C.CString(object)
	defer C.free(unsafe.Pointer(name))
	switch kind := C.h5x_kind(d.id, name); {
	case kind == C.H5X_GROUP:
		return nil
	case kind == C.H5X_MISSING:
		if C.h5x_create_group(d.id, name) < 0 {
			d.broken = fmt.Errorf("group %s cannot be made: %s", object, reason())
			return d.broken
		}
		return nil
	case kind < 0:
		d.broken = errors.New(reason())
		return d.broken
	default:
		return fmt.Errorf("%s is a %s, not a group", object, Kind(kind))
	}
}

// dimensions returns a pointer for C, nil for none. The array stays alive as long as the pointer.
func dimensions(shape []int) *C.hsize_t {
	if len(shape) == 0 {
		return nil
	}
	dims := make([]C.hsize_t, len(shape))
	for i, size := range shape {
		dims[i] = C.hsize_t(size)
	}
	return &dims[0]
}

// fixedText returns the bytes of a text; an empty one takes a zero byte, since no stored string has length 0.
func fixedText(text string) ([]byte, error) {
	if strings.ContainsRune(text, 0) {
		return nil, fmt.Errorf("the text %.40q holds a zero byte", text)
	}
	if text == "" {
		return []byte{0}, nil
	}
	return []byte(text), nil
}

// SetAttr sets an attribute of an existing object, "/" being the file itself, in place of one of the same name. A value
// is a string, []string, float64, []float64, float32, int, int64, []int64, []int or bool (stored as 0 or 1).
func (f *File) SetAttr(object, name string, value any) error {
	object = clean(object)
	return f.write(func(d *draft) error {
		if err := d.setAttr(object, name, value); err != nil {
			return fmt.Errorf("attribute %s of %s: %w", name, object, err)
		}
		return nil
	})
}

func (d *draft) setAttr(object, name string, value any) error {
	if name == "" || strings.ContainsRune(name, 0) {
		return fmt.Errorf("%q is not a name", name)
	}
	switch v := value.(type) {
	case string:
		bytes, err := fixedText(v)
		if err != nil {
			return err
		}
		return d.attribute(object, name, 0, len(bytes), nil, unsafe.Pointer(&bytes[0]))
	case []string:
		return d.textsAttribute(object, name, v)
	case float64:
		return numbersAttribute(d, object, name, []float64{v}, nil)
	case float32:
		return numbersAttribute(d, object, name, []float64{float64(v)}, nil)
	case []float64:
		return numbersAttribute(d, object, name, v, []int{len(v)})
	case int64:
		return numbersAttribute(d, object, name, []int64{v}, nil)
	case int:
		return numbersAttribute(d, object, name, []int64{int64(v)}, nil)
	case []int64:
		return numbersAttribute(d, object, name, v, []int{len(v)})
	case []int:
		values := make([]int64, len(v))
		for i, x := range v {
			values[i] = int64(x)
		}
		return numbersAttribute(d, object, name, values, []int{len(v)})
	case bool:
		values := []int64{0}
		if v {
			values[0] = 1
		}
		return numbersAttribute(d, object, name, values, nil)
	}
	return fmt.Errorf("a value of type %T cannot be stored", value)
}

func (d *draft) textsAttribute(object, name string, texts []string) error {
	size := 1
	for _, text := range texts {
		if strings.ContainsRune(text, 0) {
			return fmt.Errorf("the text %.40q holds a zero byte", text)
		}
		size = max(size, len(text))
	}
	bytes := make([]byte, max(1, size*len(texts)))
	for i, text := range texts {
		copy(bytes[i*size:], text)
	}
	return d.attribute(object, name, 0, size, []int{len(texts)}, unsafe.Pointer(&bytes[0]))
}

func numbersAttribute[T number](d *draft, object, name string, values []T, shape []int) error {
	var zero T
	var first unsafe.Pointer
	if len(values) > 0 {
		first = unsafe.Pointer(&values[0])
	}
	return d.attribute(object, name, numberKind(zero), 0, shape, first)
}

func (d *draft) attribute(object, name string, as int, text int, shape []int, values unsafe.Pointer) error {
	cobject, cname := C.CString(object), C.CString(name)
	defer C.free(unsafe.Pointer(cobject))
	defer C.free(unsafe.Pointer(cname))
	if C.h5x_kind(d.id, cobject) <= 0 {
		return &tagged{"there is no " + object, ErrNoObject}
	}
	if C.h5x_write_attr(d.id, cobject, cname, C.int(as), C.size_t(text), C.int(len(shape)), dimensions(shape), values) < 0 {
		d.broken = errors.New("it cannot be written: " + reason())
		return d.broken
	}
	return nil
}
