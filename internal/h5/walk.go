package h5

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"path"
	"unsafe"

	"gonum.org/v1/hdf5"
)

const (
	maxObjects    = 1_000_000
	maxDepth      = 256
	maxAttributes = 1 << 16
)

// walker visits every object of a file once.
type walker struct {
	f       *source
	shallow bool                // leave out types, sizes and attributes
	enter   func(object string) // called before an object is touched; may be nil
	visit   func(Object) error
	inspect func(*set) error // called with every data set after its visit; may be nil
	seen    map[C.ulonglong]string
}

// folder is what gonum's File and Group have in common.
type folder interface {
	ID() int64
	NumObjects() (uint, error)
	ObjectNameByIndex(uint) (string, error)
	OpenGroup(string) (*hdf5.Group, error)
	OpenDataset(string) (*hdf5.Dataset, error)
}

var (
	_ folder = (*hdf5.File)(nil)
	_ folder = (*hdf5.Group)(nil)
)

func (w *walker) walk() error {
	w.seen = make(map[C.ulonglong]string)
	return w.object(w.f.file, "/", "/", 0)
}

func (w *walker) object(parent folder, name, full string, depth int) error {
	if w.enter != nil {
		w.enter(full)
	}
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	where := C.hid_t(parent.ID())
	o := Object{Path: full}

	if depth > 0 {
		var kind C.int
		var target [1024]C.char
		if C.h5x_link(where, cname, &kind, &target[0], C.size_t(len(target))) < 0 {
			return damaged("%s: the link cannot be read", full)
		}
		if Kind(kind) == SoftLink || Kind(kind) == Outside {
			o.Kind, o.Target = Kind(kind), C.GoString(&target[0])
			return w.visit(o)
		}
	}
	var info C.h5x_object
	if C.h5x_describe(where, cname, &info) < 0 {
		return damaged("%s: the object cannot be opened", full)
	}
	o.Kind = Kind(info.kind)
	first, again := w.seen[info.addr]
	if len(w.seen) > maxObjects || depth > maxDepth {
		return absurd("more than %d objects or %d nested groups are absurd", maxObjects, maxDepth)
	}
	w.seen[info.addr] = full
	if !w.shallow {
		var err error
		if o.Attributes, err = attributesOf(where, cname, full, uint64(info.nattrs)); err != nil {
			return err
		}
	}
	switch o.Kind {
	case Dataset:
		return w.dataset(parent, name, o, again)
	case Group:
		if again {
			// A second hard link to a group, perhaps to one that it lies in: do not go round in circles.
			o.Kind, o.Target = SoftLink, first
			return w.visit(o)
		}
		if err := w.visit(o); err != nil {
			return err
		}
		return w.children(parent, name, full, depth)
	}
	return w.visit(o)
}

func (w *walker) dataset(parent folder, name string, o Object, again bool) error {
	if w.shallow {
		return w.visit(o)
	}
	opened, err := parent.OpenDataset(name)
	if err != nil {
		return damaged("%s: the data set cannot be opened", o.Path)
	}
	s := &set{Dataset: opened, name: o.Path}
	defer s.Close()
	if err := s.describe(); err != nil {
		return fmt.Errorf("%s: %w", o.Path, err)
	}
	o.Shape, o.Type = s.extent.shape, s.element.String()
	o.Bytes = int64(s.extent.n) * int64(min(s.element.size, 16))
	if s.element.size > 16 {
		o.Bytes = int64(float64(s.extent.n) * float64(s.element.size))
	}
	o.Stored, o.Chunk = s.storage.bytes, s.storage.chunk
	o.Compression, o.Unreadable = s.storage.compression, s.storage.unreadable
	if err := w.visit(o); err != nil {
		return err
	}
	if w.inspect != nil && !again {
		return w.inspect(s)
	}
	return nil
}

func (w *walker) children(parent folder, name, full string, depth int) error {
	group := parent
	if depth > 0 {
		opened, err := parent.OpenGroup(name)
		if err != nil {
			return damaged("%s: the group cannot be opened", full)
		}
		defer opened.Close()
		group = opened
	}
	n, err := group.NumObjects()
	if err != nil {
		return damaged("%s: the members cannot be counted", full)
	}
	if n > maxObjects {
		return absurd("%s: %d members are absurd", full, n)
	}
	for i := range n {
		child, err := group.ObjectNameByIndex(i)
		if err != nil || child == "" {
			return damaged("%s: the name of member %d cannot be read", full, i)
		}
		if err := w.object(group, child, path.Join(full, child), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// attributesOf reads all attributes of the object called name in a group.
func attributesOf(group C.hid_t, name *C.char, full string, n uint64) ([]Attribute, error) {
	if n > maxAttributes {
		return nil, absurd("%s: %d attributes are absurd", full, n)
	}
	var attributes []Attribute
	for i := range n {
		a, err := attributeAt(group, name, i)
		if err != nil {
			return nil, fmt.Errorf("%s: attribute %d (%q): %w", full, i, a.Name, err)
		}
		attributes = append(attributes, a)
	}
	return attributes, nil
}

func attributeAt(group C.hid_t, name *C.char, index uint64) (Attribute, error) {
	id := C.h5x_attr_open_index(group, name, C.ulonglong(index))
	if id < 0 {
		return Attribute{}, damaged("it cannot be opened")
	}
	defer C.h5x_attr_close(id)
	n := C.h5x_attr_name(id, nil, 0)
	if n < 0 || n > 1<<16 {
		return Attribute{}, damaged("its name cannot be read")
	}
	text := make([]C.char, n+1)
	if C.h5x_attr_name(id, &text[0], C.size_t(len(text))) < 0 {
		return Attribute{}, damaged("its name cannot be read")
	}
	return readAttribute(id, C.GoString(&text[0]))
}
