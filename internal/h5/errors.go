package h5

import (
	"errors"
	"fmt"
	"strings"
)

// What an error of this package is about, for errors.Is. A missing file also matches fs.ErrNotExist.
var (
	// ErrNotHDF5 means that the file is of another kind, or empty, or no file at all.
	ErrNotHDF5 = errors.New("not an HDF5 file")
	// ErrDamaged means that the file is cut short or that some of its content cannot be read.
	ErrDamaged = errors.New("damaged HDF5 file")
	// ErrNoObject means that the file is sound but does not hold the object.
	ErrNoObject = errors.New("no such object")
)

// tagged is a sentence that also matches one of the errors above, without repeating its text.
type tagged struct {
	text string
	is   error
}

func (e *tagged) Error() string { return e.text }
func (e *tagged) Unwrap() error { return e.is }

// damaged says what cannot be read, with libhdf5's reason. Call it right after the failure.
func damaged(format string, args ...any) error {
	return damagedBecause(reason(), format, args...)
}

func damagedBecause(why, format string, args ...any) error {
	text := fmt.Sprintf(format, args...) + ": " + why
	if strings.Contains(why, "version number") {
		text += " (damage, or a newer format than this libhdf5 knows)"
	}
	return &tagged{text, ErrDamaged}
}

// absurd says that a size cannot be true.
func absurd(format string, args ...any) error {
	return &tagged{fmt.Sprintf(format, args...), ErrDamaged}
}
