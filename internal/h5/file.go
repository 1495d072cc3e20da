package h5

// #include "shim.h"
// #include <stdlib.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"unsafe"

	"gonum.org/v1/hdf5"
)

// File is an HDF5 file, either open for reading or being written.
type File struct {
	path   string
	in     *hdf5.File // nil while writing
	out    *draft     // nil while reading
	closed bool
}

// Open opens the HDF5 file at path for reading after Probe has found it sound.
func Open(path string) (*File, error) {
	if err := Probe(context.Background(), path); err != nil {
		return nil, err
	}
	return openProbed(path)
}

func openProbed(path string) (*File, error) {
	f := &File{path: path}
	err := do(func() error {
		if startError != nil {
			return startError
		}
		in, err := hdf5.OpenFile(path, hdf5.F_ACC_RDONLY)
		if err != nil {
			return openError(reason())
		}
		f.in = in
		return nil
	})
	if err != nil {
		return nil, f.wrap(err)
	}
	return f, nil
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

// Path returns the name under which the file was opened or created.
func (f *File) Path() string { return f.path }

// Close closes the file. A file that was being written and not committed vanishes. Closing twice does nothing.
func (f *File) Close() error {
	return f.wrap(do(func() error {
		if f.closed {
			return nil
		}
		f.closed = true
		if f.out != nil {
			return f.out.discard()
		}
		return f.in.Close()
	}))
}

// wrap names the file in an error.
func (f *File) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", f.path, err)
}

// read runs job on the worker if the file is open for reading.
func (f *File) read(job func() error) error {
	return f.wrap(do(func() error {
		switch {
		case f.closed:
			return errors.New("the file is already closed")
		case f.in == nil:
			return errors.New("the file is being written and cannot be read before it is committed and opened")
		}
		return job()
	}))
}

// Exists reports whether object, a path such as "/survey/wavelet", is in a file open for reading.
func (f *File) Exists(object string) bool {
	found := false
	err := f.read(func() error {
		kind, err := f.kind(clean(object))
		found = kind != Missing
		return err
	})
	return err == nil && found
}

// kind tells what the clean path of an object leads to. On the worker.
func (f *File) kind(object string) (Kind, error) {
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

func (f *File) id() C.hid_t { return C.hid_t(f.in.ID()) }

// clean returns the absolute path of an object; "vp" and "/vp/" mean "/vp".
func clean(object string) string { return path.Clean("/" + object) }

// openDataset opens a data set. On the worker.
func (f *File) openDataset(object string) (*hdf5.Dataset, error) {
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
	set, err := f.in.OpenDataset(object)
	if err != nil {
		return nil, damaged("%s cannot be opened", object)
	}
	return set, nil
}

// missing says that an object is not there and what is.
func (f *File) missing(object string) error {
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

// statRegular returns what the file system knows of a file that is neither a folder nor a device.
func statRegular(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			if errors.Is(err, os.ErrNotExist) {
				return nil, fmt.Errorf("%s: there is no such file: %w", path, pe.Err)
			}
			return nil, fmt.Errorf("%s: %w", path, pe.Err)
		}
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s: %w", path, &tagged{"this is a folder, not an HDF5 file", ErrNotHDF5})
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w", path,
			&tagged{fmt.Sprintf("this is not a file (%s), so not an HDF5 file", info.Mode()), ErrNotHDF5})
	}
	return info, nil
}
