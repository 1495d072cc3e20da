package h5

import "fmt"

// Attribute is a named value at an object. Value is a string, float64 or int64 for a single value and []string,
// []float64 or []int64 for several; nil where the type is none of these.
type Attribute struct {
	Name  string
	Type  string // as stored, such as "float32" or "string"
	Shape []int
	Value any
}

// Attr returns an attribute of an object, "/" being the file itself, and whether it is there.
func (f *File) Attr(object, name string) (Attribute, bool, error) {
	r, err := f.ask(request{Op: opAttribute, Object: clean(object), Name: name})
	return r.Attribute, r.Exists, err
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
