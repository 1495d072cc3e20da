package h5

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// create writes a file with fill and returns its path.
func create(t *testing.T, fill func(*File)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.h5")
	f, err := Create(path)
	check(t, err)
	defer f.Close()
	fill(f)
	check(t, f.Commit())
	return path
}

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	check(t, err)
	t.Cleanup(func() { check(t, f.Close()) })
	return f
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError fails unless err is a sentence with all the parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not say %q", err, part)
		}
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

// ramp has values that differ in all bytes and that float32 holds exactly.
func ramp(n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i)*0.125 - 1000
	}
	return values
}

func TestRoundTripKeepsValuesAndShapes(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), math.MaxFloat32, math.SmallestNonzeroFloat32, 1.5}
	big := ramp(70 * 301 * 11) // several chunks, the last ones partly filled
	path := create(t, func(f *File) {
		check(t, f.WriteFloat32("/model/vp", special, []int{2, 3}, NoCompression))
		check(t, f.WriteFloat32("data/observed", big, []int{70, 301, 11}, DefaultCompression))
		check(t, f.WriteFloat32("data/plain", big, []int{len(big)}, NoCompression))
		check(t, f.WriteFloat64("a/b/c/d", []float64{math.Pi, -1e300}, []int{2, 1}, 9))
		check(t, f.WriteInt64("count", []int64{math.MinInt64, 0, math.MaxInt64}, []int{3}, NoCompression))
		check(t, f.WriteFloat64("scalar", []float64{42}, nil, NoCompression))
		check(t, f.WriteFloat32("none", nil, []int{0, 5}, DefaultCompression))
	})
	f := open(t, path)
	got32, shape, err := f.ReadFloat32("model/vp")
	check(t, err)
	equal(t, "shape", shape, []int{2, 3})
	for i := range special {
		if math.Float32bits(got32[i]) != math.Float32bits(special[i]) {
			t.Errorf("value %d: got %g, want %g", i, got32[i], special[i])
		}
	}
	for _, name := range []string{"/data/observed", "/data/plain"} {
		got32, _, err = f.ReadFloat32(name)
		check(t, err)
		equal(t, name, got32, big)
	}
	got64, shape, err := f.ReadFloat64("/a/b/c/d")
	check(t, err)
	equal(t, "float64", got64, []float64{math.Pi, -1e300})
	equal(t, "float64 shape", shape, []int{2, 1})
	ints, _, err := f.ReadInt64("/count")
	check(t, err)
	equal(t, "int64", ints, []int64{math.MinInt64, 0, math.MaxInt64})
	got64, shape, err = f.ReadFloat64("scalar")
	check(t, err)
	equal(t, "scalar", got64, []float64{42})
	equal(t, "scalar shape", shape, []int{})
	got32, shape, err = f.ReadFloat32("none")
	check(t, err)
	equal(t, "empty", got32, []float32{})
	equal(t, "empty shape", shape, []int{0, 5})
}

func TestRoundTripKeepsAttributesAndTexts(t *testing.T) {
	long := strings.Repeat("schedule: {stage: 1}\n", 8000) // 160 kB, more than an object header holds
	path := create(t, func(f *File) {
		check(t, f.WriteFloat32("/vp", ramp(6), []int{2, 3}, NoCompression))
		for name, value := range map[string]any{
			"title": "Übung", "empty": "", "dx": 12.5, "origin": []float64{1, -2}, "n": int64(-3), "m": 4,
			"yes": true, "no": false, "list": []int{5, 6}, "names": []string{"vp", "", "density"},
			"single": float32(0.5), "long": long, "nobody": []float64{},
		} {
			check(t, f.SetAttr("/vp", name, value))
		}
		check(t, f.SetAttr("/", "title", "old"))
		check(t, f.SetAttr("/", "title", "new and longer"))
		check(t, f.WriteString("/configuration/resolved", long))
		check(t, f.WriteString("/version", "v1.2"))
		check(t, f.WriteString("/void", ""))
	})
	f := open(t, path)
	for name, want := range map[string]any{
		"title": "Übung", "empty": "", "dx": 12.5, "origin": []float64{1, -2}, "n": int64(-3), "m": int64(4),
		"yes": int64(1), "no": int64(0), "list": []int64{5, 6}, "names": []string{"vp", "", "density"},
		"single": 0.5, "long": long, "nobody": []float64(nil),
	} {
		a, exists, err := f.Attr("vp", name)
		check(t, err)
		if !exists {
			t.Errorf("attribute %s is missing", name)
		}
		equal(t, name, a.Value, want)
	}
	title, _, err := f.AttrString("/", "title")
	check(t, err)
	equal(t, "replaced attribute", title, "new and longer")
	for name, want := range map[string]string{"configuration/resolved": long, "version": "v1.2", "void": ""} {
		got, err := f.ReadString(name)
		check(t, err)
		equal(t, name, got, want)
	}
}

func TestStoredTypesAreConverted(t *testing.T) {
	f := open(t, "testdata/h5py.h5")
	quarters := make([]float64, 12)
	for i := range quarters {
		quarters[i] = float64(i) + 0.25
	}
	for _, name := range []string{"f64", "f64be", "f32be", "f16", "gz"} {
		got, shape, err := f.ReadFloat64("/model/" + name)
		check(t, err)
		equal(t, name, got, quarters)
		equal(t, name+" shape", shape, []int{3, 4})
		got32, _, err := f.ReadFloat32("/model/" + name)
		check(t, err)
		for i := range got32 {
			if float64(got32[i]) != quarters[i] {
				t.Errorf("%s as float32: value %d is %g, want %g", name, i, got32[i], quarters[i])
			}
		}
	}
	for name, want := range map[string][]int64{
		"i16": {-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5}, "u8be": {0, 255}, "i32be": {-5, 7},
		"whole_floats": {1, -3, 1 << 52},
	} {
		got, _, err := f.ReadInt64("/model/" + name)
		check(t, err)
		equal(t, name, got, want)
		floats, _, err := f.ReadFloat32("/model/" + name)
		check(t, err)
		for i := range floats {
			if floats[i] != float32(want[i]) {
				t.Errorf("%s as float32: value %d is %g, want %d", name, i, floats[i], want[i])
			}
		}
	}
	floats, _, err := f.ReadFloat32("model/with_nan")
	check(t, err)
	if floats[0] != 1 || floats[1] == floats[1] || !math.IsInf(float64(floats[2]), 1) || !math.IsInf(float64(floats[3]), 1) {
		t.Errorf("got %v, want 1, NaN, Inf and Inf for 1e300", floats)
	}
	got, _, err := f.ReadFloat32("model/unwritten")
	check(t, err)
	equal(t, "fill value", got, []float32{7, 7, 7, 7})
	// A soft link and a second hard link lead to the same values.
	for _, name := range []string{"/alias", "/again/f64", "/model/loop/model/f64"} {
		got, _, err := f.ReadFloat64(name)
		check(t, err)
		equal(t, name, got, quarters)
	}
}

func TestWholeNumbersAreNeverChangedSilently(t *testing.T) {
	f := open(t, "testdata/h5py.h5")
	for _, name := range []string{"f64", "f16", "with_nan", "u64"} {
		_, _, err := f.ReadInt64("/model/" + name)
		wantError(t, err, "/model/"+name, "not whole numbers")
		if errors.Is(err, ErrDamaged) {
			t.Errorf("%s: the file is sound, but the error says damaged: %v", name, err)
		}
	}
}

func TestStringsOfAllKindsAreRead(t *testing.T) {
	f := open(t, "testdata/h5py.h5")
	for name, want := range map[string]string{"title": "Übung", "fixed": "abc", "padded": "ab"} {
		got, exists, err := f.AttrString("/", name)
		check(t, err)
		if !exists || got != want {
			t.Errorf("attribute %s: got %q (exists: %t), want %q", name, got, exists, want)
		}
	}
	for name, want := range map[string]string{"text": "variable", "fixed_text": "fixed"} {
		got, err := f.ReadString(name)
		check(t, err)
		equal(t, name, got, want)
	}
	got, err := f.ReadStrings("texts")
	check(t, err)
	equal(t, "texts", got, []string{"a", "", "long one"})
	_, err = f.ReadString("texts")
	wantError(t, err, "/texts", "3 strings")
}

func TestAttributesOfOtherProgramsAreRead(t *testing.T) {
	f := open(t, "testdata/h5py.h5")
	for name, want := range map[string]any{
		"flag": int64(1), "dz": 12.5, "big": []float64{1.5, -2.5}, "count": int64(-7), "huge": float64(math.MaxUint64),
		"names": []string{"vp", "rho"}, "nothing": []float64(nil), "pair": nil,
	} {
		a, exists, err := f.Attr("/", name)
		check(t, err)
		if !exists {
			t.Errorf("attribute %s is missing", name)
		}
		equal(t, name, a.Value, want)
	}
	dz, exists, err := f.AttrFloat64("/", "dz")
	check(t, err)
	if dz != 12.5 || !exists {
		t.Errorf("dz is %g (exists: %t)", dz, exists)
	}
	n, _, err := f.AttrInt64("/", "count")
	check(t, err)
	equal(t, "count", n, int64(-7))
	if _, exists, err := f.AttrFloat64("/", "absent"); exists || err != nil {
		t.Errorf("an absent attribute: exists %t, error %v", exists, err)
	}
	_, _, err = f.AttrFloat64("/", "title")
	wantError(t, err, "title", "Übung", "a number is needed")
	_, _, err = f.AttrFloat64("/", "big")
	wantError(t, err, "big", "2 numbers")
	_, _, err = f.AttrInt64("/", "dz")
	wantError(t, err, "12.5", "whole number")
	_, _, err = f.AttrString("/", "count")
	wantError(t, err, "-7", "text is needed")
	_, _, err = f.AttrFloat64s("/", "pair")
	wantError(t, err, "compound")
}

func TestWrongObjectsAreNamed(t *testing.T) {
	f := open(t, "testdata/h5py.h5")
	_, _, err := f.ReadFloat32("/vp")
	wantError(t, err, "testdata/h5py.h5", "there is no /vp", "the file holds /again/empty", "and more")
	if !errors.Is(err, ErrNoObject) {
		t.Errorf("%v is not ErrNoObject", err)
	}
	_, _, err = f.AttrString("/vp", "title")
	wantError(t, err, "there is no /vp")
	_, _, err = f.ReadFloat32("/model")
	wantError(t, err, "/model is a group, not a data set")
	_, _, err = f.ReadFloat32("/text")
	wantError(t, err, "/text", "string", "numbers are needed")
	_, _, err = f.ReadFloat32("/compound")
	wantError(t, err, "/compound", "compound", "numbers are needed")
	_, err = f.ReadString("/model/f64")
	wantError(t, err, "float64", "text is needed")
	_, _, err = f.ReadFloat32("/model/lzf")
	wantError(t, err, "/model/lzf", "filter 32000", "plug-in")
	_, _, err = f.ReadFloat32("/elsewhere")
	wantError(t, err, "there is no /elsewhere")
	_, _, err = f.ReadFloat32("/model/f64/below")
	wantError(t, err, "there is no /model/f64/below")
	_, _, err = f.ReadFloat32("a\x00b")
	wantError(t, err, "zero byte")
	for name, want := range map[string]bool{
		"/": true, "model": true, "/model/f64": true, "/alias": true, "/dangling": false, "/elsewhere": false,
		"/vp": false, "/model/f64/below": false, "/a/b/c": false,
	} {
		if got := f.Exists(name); got != want {
			t.Errorf("Exists(%q) is %t", name, got)
		}
	}
}

func TestValuesInOtherFilesAreRefused(t *testing.T) {
	f := open(t, "testdata/virtual.h5")
	for _, name := range []string{"/vp", "/outside"} {
		_, _, err := f.ReadFloat32(name)
		wantError(t, err, name, "other files")
	}
}

func TestSlabsPickTheValuesOfTheirPositions(t *testing.T) {
	const nz, ny, nx = 9, 40, 700
	cube := ramp(nz * ny * nx)
	path := create(t, func(f *File) {
		check(t, f.WriteFloat32("/cube", cube, []int{nz, ny, nx}, 1))
		check(t, f.WriteFloat32("/scalar", []float32{5}, nil, 0))
	})
	f := open(t, path)
	random := rand.New(rand.NewPCG(1, 2))
	shape := []int{nz, ny, nx}
	for range 50 {
		start, count, stride := make([]int, 3), make([]int, 3), make([]int, 3)
		for i, n := range shape {
			start[i] = random.IntN(n)
			stride[i] = 1 + random.IntN(n)
			count[i] = 1 + random.IntN((n-1-start[i])/stride[i]+1)
		}
		got, err := f.ReadSlabFloat32("cube", start, count, stride)
		check(t, err)
		var want []float32
		for z := range count[0] {
			for y := range count[1] {
				for x := range count[2] {
					want = append(want, cube[((start[0]+z*stride[0])*ny+start[1]+y*stride[1])*nx+start[2]+x*stride[2]])
				}
			}
		}
		equal(t, fmt.Sprint("slab ", start, count, stride), got, want)
	}
	got, err := f.ReadSlabFloat32("cube", []int{8, 39, 698}, []int{1, 1, 2}, nil)
	check(t, err)
	equal(t, "last two", got, cube[len(cube)-2:])
	got, err = f.ReadSlabFloat32("scalar", nil, nil, nil)
	check(t, err)
	equal(t, "scalar", got, []float32{5})
	for _, bad := range [][3][]int{
		{{0, 0}, {1, 1}, nil},
		{{0, 0, 700}, {1, 1, 1}, nil},
		{{0, 0, 0}, {1, 1, 701}, nil},
		{{0, 0, 1}, {1, 1, 350}, {1, 1, 3}},
		{{0, -1, 0}, {1, 1, 1}, nil},
		{{0, 0, 0}, {1, 1, 1}, {1, 0, 1}},
		{{0, 0, 0}, {1, 1, 0}, nil},
		{{0, 0, 1}, {1, 1, math.MaxInt}, {1, 1, math.MaxInt}},
	} {
		_, err := f.ReadSlabFloat32("cube", bad[0], bad[1], bad[2])
		wantError(t, err, "/cube")
	}
}

func TestListShowsTheWholeTree(t *testing.T) {
	f := open(t, "testdata/h5py.h5")
	objects, err := f.List()
	check(t, err)
	byPath := map[string]Object{}
	for _, o := range objects {
		byPath[o.Path] = o
	}
	for path, want := range map[string]Object{
		"/":                {Kind: Group},
		"/alias":           {Kind: SoftLink, Target: "/model/f64"},
		"/elsewhere":       {Kind: Outside},
		"/model":           {Kind: SoftLink, Target: "/again"}, // the second of two hard links
		"/again/loop":      {Kind: SoftLink, Target: "/"},
		"/again/f64be":     {Kind: Dataset, Shape: []int{3, 4}, Type: "float64 big-endian", Bytes: 96},
		"/again/i16":       {Kind: Dataset, Shape: []int{3, 4}, Type: "int16", Bytes: 24},
		"/again/u8be":      {Kind: Dataset, Shape: []int{2}, Type: "uint8", Bytes: 2},
		"/again/scalar":    {Kind: Dataset, Shape: []int{}, Type: "float64", Bytes: 8},
		"/text":            {Kind: Dataset, Shape: []int{}, Type: "string", Bytes: 8},
		"/compound":        {Kind: Dataset, Shape: []int{2}, Type: "compound", Bytes: 24},
		"/again/gz":        {Kind: Dataset, Shape: []int{3, 4}, Type: "float32", Bytes: 48, Compression: "shuffle, gzip 4"},
		"/again/unwritten": {Kind: Dataset, Shape: []int{4}, Type: "float32", Bytes: 16},
	} {
		got, exists := byPath[path]
		if !exists {
			t.Errorf("%s is not listed", path)
			continue
		}
		if got.Kind != want.Kind || got.Target != want.Target || fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) ||
			got.Type != want.Type || got.Bytes != want.Bytes || got.Compression != want.Compression {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
	equal(t, "chunk of gz", byPath["/again/gz"].Chunk, []int{2, 3})
	if byPath["/again/lzf"].Unreadable == "" {
		t.Error("a data set with an unknown filter is not marked as unreadable")
	}
	attributes := map[string]any{}
	for _, a := range byPath["/"].Attributes {
		attributes[a.Name] = a.Value
	}
	equal(t, "title", attributes["title"], any("Übung"))
	equal(t, "number of attributes", len(attributes), 11)
}

func TestForeignFilesAreNamedForWhatTheyLookLike(t *testing.T) {
	segy := make([]byte, 4000)
	segy[0], segy[3221], segy[3225] = 0xC3, 100, 1
	folder := t.TempDir()
	for name, c := range map[string]struct{ content, want string }{
		"empty.h5": {"", "empty (0 bytes)"},
		"a.npy":    {"\x93NUMPY\x01\x00", "numpy"},
		"a.gz":     {"\x1f\x8b\x08", "gzip"},
		"a.npz":    {"PK\x03\x04", "zip"},
		"a.segy":   {string(segy), "SEG-Y"},
		"a.txt":    {"vp = 1500 m/s, Übung\n", "text"},
		"a.raw":    {"\x00\x80\xbb\x44\x00\x80\xbb\x44", "2 raw float32"},
		"zero.raw": {strings.Repeat("\x00", 64), "zeros"},
	} {
		path := filepath.Join(folder, name)
		check(t, os.WriteFile(path, []byte(c.content), 0o644))
		_, err := Open(path)
		wantError(t, err, path, c.want)
		if !errors.Is(err, ErrNotHDF5) {
			t.Errorf("%v is not ErrNotHDF5", err)
		}
	}
	_, err := Open(folder)
	wantError(t, err, folder, "a folder")
	_, err = Open(filepath.Join(folder, "absent.h5"))
	wantError(t, err, "absent.h5", "there is no such file")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	_, err = Open("/dev/null")
	wantError(t, err, "/dev/null", "not a file")
	if !errors.Is(err, ErrNotHDF5) {
		t.Errorf("%v is not ErrNotHDF5", err)
	}
}

func TestMisuseIsAnErrorNotAPanic(t *testing.T) {
	path := create(t, func(f *File) {
		check(t, f.WriteFloat32("/a/b", ramp(4), []int{4}, 0))
		wantError(t, f.WriteFloat32("/a/b", ramp(4), []int{4}, 0), "/a/b is already there")
		wantError(t, f.WriteFloat32("/a", ramp(4), []int{4}, 0), "/a is already there")
		wantError(t, f.WriteFloat32("/a/b/c", ramp(4), []int{4}, 0), "/a/b is a data set, not a group")
		wantError(t, f.WriteFloat32("/x", ramp(4), []int{5}, 0), "4 values do not fill the shape [5]")
		wantError(t, f.WriteFloat32("/x", ramp(4), []int{-4}, 0), "not possible")
		wantError(t, f.WriteFloat32("/x", ramp(4), []int{4}, 10), "compression 10")
		wantError(t, f.WriteFloat32("/", ramp(4), []int{4}, 0), "not a name")
		wantError(t, f.SetAttr("/none", "dx", 1.0), "there is no /none")
		wantError(t, f.SetAttr("/a/b", "dx", struct{}{}), "struct {}")
		wantError(t, f.SetAttr("/a/b", "", 1.0), "not a name")
		wantError(t, f.SetAttr("/a/b", "t", "a\x00b"), "zero byte")
		_, _, err := f.ReadFloat32("/a/b")
		wantError(t, err, "being written")
	})
	f, err := Open(path)
	check(t, err)
	wantError(t, f.WriteFloat32("/x", ramp(4), []int{4}, 0), "open for reading")
	wantError(t, f.Commit(), "open for reading")
	check(t, f.Close())
	check(t, f.Close())
	_, _, err = f.ReadFloat32("/a/b")
	wantError(t, err, "already closed")
	if f.Exists("/a/b") {
		t.Error("an object of a closed file exists")
	}
	_, err = Create(filepath.Join(path, "below.h5"))
	wantError(t, err, "not a directory")
	_, err = Create(filepath.Join(filepath.Dir(path), "none", "x.h5"))
	wantError(t, err, "no such file or directory")
	_, err = Create(filepath.Dir(path))
	wantError(t, err, "something else of that name")
}

func TestSameContentGivesSameBytes(t *testing.T) {
	fill := func(f *File) {
		check(t, f.WriteFloat32("/deep/er/vp", ramp(50000), []int{100, 500}, DefaultCompression))
		check(t, f.SetAttr("/deep", "dx", 10.0))
	}
	a, err := os.ReadFile(create(t, fill))
	check(t, err)
	b, err := os.ReadFile(create(t, fill))
	check(t, err)
	if !reflect.DeepEqual(a, b) {
		t.Error("two files of the same content differ")
	}
}

func TestFilesAreUsedFromManyGoroutines(t *testing.T) {
	path := create(t, func(f *File) {
		for i := range 8 {
			check(t, f.WriteFloat32(fmt.Sprintf("/set%d", i), []float32{float32(i), 1}, []int{2}, 0))
		}
	})
	f := open(t, path)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 20 {
				values, _, err := f.ReadFloat32(fmt.Sprintf("/set%d", i))
				if err != nil || values[0] != float32(i) {
					t.Errorf("set %d: %v, %v", i, values, err)
				}
			}
		})
	}
	group.Wait()
}

func TestLibraryVersionIsKnown(t *testing.T) {
	version, err := LibraryVersion()
	check(t, err)
	if !strings.HasPrefix(version, "1.") && !strings.HasPrefix(version, "2.") {
		t.Errorf("libhdf5 calls itself %q", version)
	}
}

// TestPublishedModelsAreRead reads every file of the folder of benchmark data, where it is present.
func TestPublishedModelsAreRead(t *testing.T) {
	paths, err := filepath.Glob("../../../shared/data/*.h5")
	check(t, err)
	if len(paths) == 0 {
		t.Skip("no benchmark data in ../shared/data beside the repository")
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f := open(t, path)
			objects, err := f.List()
			check(t, err)
			sets := 0
			for _, o := range objects {
				if o.Kind != Dataset {
					continue
				}
				sets++
				shape, err := f.Shape(o.Path)
				check(t, err)
				equal(t, "shape of "+o.Path, shape, o.Shape)
				start, count, stride := make([]int, len(shape)), make([]int, len(shape)), make([]int, len(shape))
				for i, n := range shape {
					stride[i] = 8
					count[i] = (n + 7) / 8
				}
				values, err := f.ReadSlabFloat32(o.Path, start, count, stride)
				check(t, err)
				peak := 0.0
				for _, v := range values {
					peak = max(peak, math.Abs(float64(v)))
				}
				if peak == 0 || math.IsNaN(peak) || math.IsInf(peak, 0) {
					t.Errorf("%s: the largest value is %g", o.Path, peak)
				}
			}
			if sets == 0 {
				t.Error("no data set")
			}
			if name, exists, err := f.AttrString("/", "name"); err != nil || !exists || name == "" {
				t.Errorf("name is %q (exists: %t), error %v", name, exists, err)
			}
		})
	}
}
