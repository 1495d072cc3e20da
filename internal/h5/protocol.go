package h5

import "errors"

// What the parent asks of the child that has a file open, and what it answers. Both travel as gob.

type operation int

const (
	opWalk      operation = iota // read everything once
	opKind                       // Object: Kind
	opShape                      // Object: Shape
	opList                       // Objects
	opNumbers                    // Object, As, Slab: Shape, after Begin and Data
	opTexts                      // Object: Texts
	opAttribute                  // Object, Name: Exists, Attribute
)

type request struct {
	Op                   operation
	Object, Name         string
	As                   int
	Slab                 bool // a block; else everything
	Start, Count, Stride []int

	begin func(n int) error  // told how many numbers will follow
	more  func([]byte) error // given their bytes in native order, in parts
}

// reply is one of several messages that answer a request; all but the last one report progress.
type reply struct {
	Last  bool
	At    string // the object that is touched next
	Begin bool   // N numbers will follow
	N     int
	Data  []byte

	Err     string // of the last message
	ErrKind int

	Kind      Kind
	Exists    bool
	Shape     []int
	Texts     []string
	Attribute Attribute
	Objects   []Object
}

// errGarbled means that the child sent what the protocol does not allow: libhdf5 overwrote its memory.
var errGarbled = &tagged{"the file is damaged: libhdf5 went astray on it (in a child process)", ErrDamaged}

// The errors of this package in the order of their numbers on the wire; 0 is any other error.
var errorKinds = []error{nil, ErrDamaged, ErrNotHDF5, ErrNoObject}

func (r *reply) setError(err error) {
	if err == nil {
		return
	}
	r.Err = err.Error()
	for i, kind := range errorKinds {
		if kind != nil && errors.Is(err, kind) {
			r.ErrKind = i
		}
	}
}

func (r *reply) err() error {
	switch {
	case r.Err == "":
		return nil
	case r.ErrKind > 0 && r.ErrKind < len(errorKinds):
		return &tagged{r.Err, errorKinds[r.ErrKind]}
	}
	return errors.New(r.Err)
}
