package h5

// Object is one entry of a file's tree.
type Object struct {
	Path        string
	Kind        Kind
	Target      string      // of a soft link
	Shape       []int       // of a data set; empty for a scalar
	Type        string      // of a data set's values, such as "float32" or "int16 big-endian"
	Bytes       int64       // of a data set's values, uncompressed
	Stored      int64       // bytes of them in the file
	Chunk       []int       // nil: not chunked
	Compression string      // such as "shuffle, gzip 4, fletcher32"
	Unreadable  string      // why this package will not read the values, or ""
	Attributes  []Attribute // in the order of their names
}

// List returns the whole tree, each group before what it holds, names in alphabetical order. The first object is "/".
func (f *File) List() ([]Object, error) {
	r, err := f.ask(request{Op: opList})
	return r.Objects, err
}
