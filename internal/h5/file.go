package h5

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
)

// File is an HDF5 file, either open for reading or being written.
type File struct {
	path string
	in   *reader // nil while writing
	out  *draft  // nil while reading
}

// Open opens the HDF5 file at path for reading, after all of it was read once to find damage. See OpenContext.
func Open(path string) (*File, error) { return OpenContext(context.Background(), path) }

// OpenContext is Open that stops when ctx ends. The verdict on a file is remembered as long as its size and time of
// change stay the same. The error is a sentence that says what is wrong; it matches ErrNotHDF5, ErrDamaged or
// fs.ErrNotExist where one of them applies.
func OpenContext(ctx context.Context, path string) (*File, error) {
	info, err := statRegular(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path}
	if err := sniff(path, info.Size()); err != nil {
		return nil, f.wrap(err)
	}
	if f.in, err = openReader(ctx, path, info); err != nil {
		return nil, f.wrap(err)
	}
	return f, nil
}

// Path returns the name under which the file was opened or created.
func (f *File) Path() string { return f.path }

// Close closes the file. A file that was being written and not committed vanishes. Closing twice does nothing.
func (f *File) Close() error {
	if f.in != nil {
		f.in.close()
		return nil
	}
	return f.wrap(do(f.out.close))
}

// Exists reports whether object, a path such as "/survey/wavelet", is in a file open for reading.
func (f *File) Exists(object string) bool {
	r, err := f.ask(request{Op: opKind, Object: clean(object)})
	return err == nil && r.Kind != Missing
}

// ask puts a question to the child process that has the file open.
func (f *File) ask(q request) (reply, error) {
	if f.in == nil {
		return reply{}, f.wrap(errors.New(
			"the file is being written and cannot be read before it is committed and opened"))
	}
	r, err := f.in.ask(q)
	return r, f.wrap(err)
}

// wrap names the file in an error.
func (f *File) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", f.path, err)
}

// clean returns the absolute path of an object; "vp" and "/vp/" mean "/vp".
func clean(object string) string { return path.Clean("/" + object) }

// statRegular returns what the file system knows of a file that is neither a folder nor a device.
func statRegular(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file: %w", path, pathless(err))
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, pathless(err))
	case info.IsDir():
		return nil, fmt.Errorf("%s: %w", path, &tagged{"this is a folder, not an HDF5 file", ErrNotHDF5})
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w", path,
			&tagged{fmt.Sprintf("this is not a file (%s), so not an HDF5 file", info.Mode()), ErrNotHDF5})
	}
	return info, nil
}
