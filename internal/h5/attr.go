package h5

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"strings"
	"unsafe"
)

// Attribute is a named value at an object. Value is a string, float64 or int64 for a single value and []string,
// []float64 or []int64 for several; nil where the type is none of these.
type Attribute struct {
	Name  string
	Type  string // as stored, such as "float32" or "string"
	Shape []int
	Value any
}

// maxAttribute bounds the bytes of an attribute; libhdf5 itself allows 64 KB in most files.
const maxAttribute = 1 << 28

// Attr returns an attribute of an object, "/" being the file itself, and whether it is there.
func (f *File) Attr(object, name string) (Attribute, bool, error) {
	var a Attribute
	var exists bool
	err := f.read(func() (err error) {
		a, exists, err = f.attr(clean(object), name)
		return err
	})
	return a, exists, err
}

// AttrFloat64 returns an attribute that holds one number.
func (f *File) AttrFloat64(object, name string) (float64, bool, error) {
	values, exists, err := f.AttrFloat64s(object, name)
	if err != nil || !exists {
		return 0, exists, err
	}
	if len(values) != 1 {
		return 0, true, f.wrap(fmt.Errorf("attribute %s of %s holds %d numbers, one is needed",
			name, clean(object), len(values)))
	}
	return values[0], true, nil
}

// AttrFloat64s returns an attribute that holds numbers.
func (f *File) AttrFloat64s(object, name string) ([]float64, bool, error) {
	a, exists, err := f.Attr(object, name)
	if err != nil || !exists {
		return nil, exists, err
	}
	switch v := a.Value.(type) {
	case float64:
		return []float64{v}, true, nil
	case []float64:
		return v, true, nil
	case int64:
		return []float64{float64(v)}, true, nil
	case []int64:
		values := make([]float64, len(v))
		for i, x := range v {
			values[i] = float64(x)
		}
		return values, true, nil
	}
	return nil, true, f.wrap(a.unfit(object, "a number"))
}

// AttrInt64 returns an attribute that holds one whole number, of whatever type.
func (f *File) AttrInt64(object, name string) (int64, bool, error) {
	a, exists, err := f.Attr(object, name)
	if err != nil || !exists {
		return 0, exists, err
	}
	switch v := a.Value.(type) {
	case int64:
		return v, true, nil
	case []int64:
		if len(v) == 1 {
			return v[0], true, nil
		}
	case float64:
		if whole := int64(v); float64(whole) == v {
			return whole, true, nil
		}
	}
	return 0, true, f.wrap(a.unfit(object, "one whole number"))
}

// AttrString returns an attribute that holds one text.
func (f *File) AttrString(object, name string) (string, bool, error) {
	a, exists, err := f.Attr(object, name)
	if err != nil || !exists {
		return "", exists, err
	}
	switch v := a.Value.(type) {
	case string:
		return v, true, nil
	case []string:
		if len(v) == 1 {
			return v[0], true, nil
		}
	}
	return "", true, f.wrap(a.unfit(object, "one text"))
}

func (a Attribute) unfit(object, need string) error {
	value := fmt.Sprintf("%v", a.Value)
	if a.Value == nil {
		value = "values of type " + a.Type
	} else if s, ok := a.Value.(string); ok {
		value = fmt.Sprintf("the text %q", s)
	}
	return fmt.Errorf("attribute %s of %s holds %s, %s is needed", a.Name, clean(object), value, need)
}

// attr reads one attribute. On the worker.
func (f *File) attr(object, name string) (Attribute, bool, error) {
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

// readAttribute reads the value of an open attribute. On the worker.
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
	if C.h5x_attr_read(id, numberKind(values[0]), unsafe.Pointer(&values[0])) < 0 {
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
