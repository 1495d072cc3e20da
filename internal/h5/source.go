package h5

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"gonum.org/v1/hdf5"
)

// source is a file open for reading. It exists only in a child process, on the child's one locked thread.
type source struct {
	file *hdf5.File
}

func openSource(path string) (*source, error) {
	file, err := hdf5.OpenFile(path, hdf5.F_ACC_RDONLY)
	if err != nil {
		return nil, openError(reason())
	}
	return &source{file}, nil
}

// openError turns libhdf5's reason for not opening a file into a sentence.
func openError(why string) error {
	var size, base, stored int64
	if n, _ := fmt.Sscanf(why, "truncated file: eof = %d, sblock->base_addr = %d, stored_eof = %d",
		&size, &base, &stored); n == 3 {
		return absurd("the file is cut short: it has %d of %d bytes", size, base+stored)
	}
	switch {
	case strings.Contains(why, "unable to lock file"), strings.Contains(why, "already open for write"):
		return errors.New("another program is writing this file (" + why + ")")
	case strings.Contains(why, "unable to open file"):
		return errors.New(why)
	}
	return damagedBecause(why, "the file is damaged or cut short")
}

// kind tells what the clean path of an object leads to.
func (f *source) kind(object string) (Kind, error) {
	if strings.ContainsRune(object, 0) {
		return Missing, fmt.Errorf("the object name %q holds a zero byte", object)
	}
	name := C.CString(object)
	defer C.free(unsafe.Pointer(name))
	kind := C.h5x_kind(f.id(), name)
	if kind < 0 {
		return Missing, damaged("%s cannot be opened", object)
	}
	return Kind(kind), nil
}

func (f *source) id() C.hid_t { return C.hid_t(f.file.ID()) }

// openDataset opens a data set.
func (f *source) openDataset(object string) (*hdf5.Dataset, error) {
	kind, err := f.kind(object)
	if err != nil {
		return nil, err
	}
	switch kind {
	case Dataset:
	case Missing:
		return nil, f.missing(object)
	default:
		return nil, fmt.Errorf("%s is a %s, not a data set", object, kind)
	}
	set, err := f.file.OpenDataset(object)
	if err != nil {
		return nil, damaged("%s cannot be opened", object)
	}
	return set, nil
}

// missing says that an object is not there and what is.
func (f *source) missing(object string) error {
	const most = 8
	var present []string
	w := walker{f: f, shallow: true, visit: func(o Object) error {
		if o.Kind == Dataset {
			present = append(present, o.Path)
		}
		if len(present) > most {
			return errEnough
		}
		return nil
	}}
	_ = w.walk() // what was seen so far is all that the sentence needs
	text := "there is no " + object + "; the file holds "
	switch {
	case len(present) == 0:
		text += "no data set"
	case len(present) > most:
		text += strings.Join(present[:most], ", ") + " and more"
	default:
		text += strings.Join(present, ", ")
	}
	return &tagged{text, ErrNoObject}
}

var errEnough = errors.New("enough seen")

// set is an open data set with all that must be known before it is read.
type set struct {
	*hdf5.Dataset
	name    string
	extent  extent
	element elementType
	storage storage
}

func (s *set) id() C.hid_t { return C.hid_t(s.ID()) }

// openSet opens a data set and checks what it says of itself. The caller closes it.
func (f *source) openSet(object string) (*set, error) {
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

// mustBeNumbers says why the values cannot be read as numbers, if so.
func (s *set) mustBeNumbers() error {
	if !s.element.numeric() {
		return fmt.Errorf("%s holds values of type %s, numbers are needed", s.name, s.element)
	}
	return s.mustBeReadable()
}

func (s *set) mustBeReadable() error {
	if s.storage.unreadable != "" {
		return fmt.Errorf("%s cannot be read: %s", s.name, s.storage.unreadable)
	}
	return nil
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
	if err := s.mustBeReadable(); err != nil {
		return nil, err
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

// maxAttribute bounds the bytes of an attribute; libhdf5 itself allows 64 KB in most files.
const maxAttribute = 1 << 28

// attr reads one attribute.
func (f *source) attr(object, name string) (Attribute, bool, error) {
	if strings.ContainsRune(name, 0) {
		return Attribute{}, false, fmt.Errorf("the attribute name %q holds a zero byte", name)
	}
	kind, err := f.kind(object)
	if err != nil {
		return Attribute{}, false, err
	}
	if kind == Missing {
		return Attribute{}, false, f.missing(object)
	}
	cobject, cname := C.CString(object), C.CString(name)
	defer C.free(unsafe.Pointer(cobject))
	defer C.free(unsafe.Pointer(cname))
	var exists C.int
	id := C.h5x_attr_open(f.id(), cobject, cname, &exists)
	if id < 0 {
		return Attribute{}, false, damaged("attribute %s of %s cannot be opened", name, object)
	}
	if exists == 0 {
		return Attribute{}, false, nil
	}
	defer C.h5x_attr_close(id)
	a, err := readAttribute(id, name)
	if err != nil {
		return Attribute{}, true, fmt.Errorf("attribute %s of %s: %w", name, object, err)
	}
	return a, true, nil
}

// readAttribute reads the value of an open attribute.
func readAttribute(id C.hid_t, name string) (Attribute, error) {
	a := Attribute{Name: name}
	var e C.h5x_extent
	if C.h5x_attr_extent(id, &e) < 0 {
		return a, damaged("the shape cannot be read")
	}
	x, err := makeExtent(&e)
	if err != nil {
		return a, err
	}
	var t C.h5x_type
	if C.h5x_attr_type(id, &t) < 0 {
		return a, damaged("the type cannot be read")
	}
	element, err := makeElementType(&t)
	if err != nil {
		return a, err
	}
	if x.n > maxAttribute/max(element.size, 8) {
		return a, absurd("%d values in an attribute are absurd", x.n)
	}
	a.Type, a.Shape = element.String(), x.shape
	single := x.n == 1 && len(x.shape) == 0
	switch {
	case element.text():
		texts, err := readTexts(x, element, func(out unsafe.Pointer) bool {
			return C.h5x_attr_read_text(id, out) >= 0
		}, func(out unsafe.Pointer) {
			C.h5x_attr_free_text(id, out)
		})
		if err != nil {
			return a, err
		}
		a.Value = oneOrAll(texts, single)
	case element.class == C.H5T_FLOAT, element.class == C.H5T_INTEGER && !element.signed && element.size >= 8:
		values, err := attributeNumbers[float64](id, x.n)
		if err != nil {
			return a, err
		}
		a.Value = oneOrAll(values, single)
	case element.numeric():
		values, err := attributeNumbers[int64](id, x.n)
		if err != nil {
			return a, err
		}
		a.Value = oneOrAll(values, single)
	}
	return a, nil
}

func attributeNumbers[T number](id C.hid_t, n int) ([]T, error) {
	values := make([]T, n)
	if n == 0 {
		return values, nil
	}
	if C.h5x_attr_read(id, C.int(numberKind(values[0])), unsafe.Pointer(&values[0])) < 0 {
		return nil, damaged("the values cannot be read")
	}
	return values, nil
}

func oneOrAll[T any](values []T, single bool) any {
	if single {
		return values[0]
	}
	return values
}
