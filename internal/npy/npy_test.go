package npy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

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

// TestFilesOfNumpyAreRead reads what numpy wrote: the array [2, 3, 4] of -7, -6, ... in many ways.
func TestFilesOfNumpyAreRead(t *testing.T) {
	var want []float32
	for i := range 24 {
		want = append(want, float32(i-7))
	}
	for _, name := range []string{
		"little_f4", "big_f4", "little_f8", "big_f8", "little_i2", "big_i2", "little_i4", "big_i4", "little_i8", "i1",
		"fortran", "version2",
	} {
		got, shape, err := Read[float32]("testdata/" + name + ".npy")
		check(t, err)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(shape, []int{2, 3, 4}) {
			t.Errorf("%s: got %v %v", name, shape, got)
		}
		wide, _, err := Read[float64]("testdata/" + name + ".npy")
		check(t, err)
		for i := range wide {
			if wide[i] != float64(want[i]) {
				t.Errorf("%s as float64: value %d is %g, want %g", name, i, wide[i], want[i])
			}
		}
	}
	got, shape, err := Read[float32]("testdata/fortran2d.npy")
	check(t, err)
	if !reflect.DeepEqual(got, want[:12]) || !reflect.DeepEqual(shape, []int{3, 4}) {
		t.Errorf("Fortran order in 2D: got %v %v", shape, got)
	}
	vector, shape, err := Read[float64]("testdata/vector.npy")
	check(t, err)
	if !reflect.DeepEqual(vector, []float64{1.5, -2}) || !reflect.DeepEqual(shape, []int{2}) {
		t.Errorf("vector: got %v %v", shape, vector)
	}
	for name, parts := range map[string][]string{
		"scalar":     {"0 dimensions"},
		"structured": {"plain array of numbers"},
		"complex":    {`"<c8"`},
		"absent":     {"no such file"},
	} {
		path := "testdata/" + name + ".npy"
		_, _, err := Read[float32](path)
		wantError(t, err, append(parts, path)...)
	}
}

func TestRoundTripKeepsBitsAndShapes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npy")
	values := []float32{0, float32(math.Copysign(0, -1)), 1.5, float32(math.Inf(1)), math.MaxFloat32, math.SmallestNonzeroFloat32}
	for _, shape := range [][]int{{6}, {2, 3}, {3, 1, 2}} {
		check(t, Write(path, values, shape))
		got, gotShape, err := Read[float32](path)
		check(t, err)
		if !reflect.DeepEqual(gotShape, shape) {
			t.Errorf("shape %v, want %v", gotShape, shape)
		}
		for i := range values {
			if math.Float32bits(got[i]) != math.Float32bits(values[i]) {
				t.Errorf("value %d is %g, want %g", i, got[i], values[i])
			}
		}
		data, err := os.ReadFile(path)
		check(t, err)
		if len(data)%64 != 24 || !bytes.Contains(data, []byte("'<f4'")) {
			t.Errorf("the header of %d bytes is not aligned to 64 bytes", len(data)-24)
		}
	}
	wide := []float64{math.Pi, -1e300}
	check(t, Write(path, wide, []int{1, 2}))
	got, _, err := Read[float64](path)
	check(t, err)
	if !reflect.DeepEqual(got, wide) {
		t.Errorf("got %v, want %v", got, wide)
	}
	big := make([]float32, 20001) // more than one part of reading
	for i := range big {
		big[i] = float32(i)
	}
	check(t, Write(path, big, []int{20001}))
	gotBig, _, err := Read[float32](path)
	check(t, err)
	if !reflect.DeepEqual(gotBig, big) {
		t.Error("a long array changed")
	}
	check(t, Write(path, []float32{}, []int{0, 3}))
	none, shape, err := Read[float32](path)
	check(t, err)
	if len(none) != 0 || !reflect.DeepEqual(shape, []int{0, 3}) {
		t.Errorf("empty array: %v %v", shape, none)
	}
}

func TestRawFilesAreReadInBothOrders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vp.bin")
	want := []float32{1500, 1600, 1700, 1800, 1900, 2000}
	check(t, WriteRaw(path, want))
	got, err := ReadRaw[float32](path, Raw{Shape: []int{2, 3}})
	check(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	got, err = ReadRaw[float32](path, Raw{Shape: []int{2, 3}, Fortran: true})
	check(t, err)
	if want := []float32{1500, 1700, 1900, 1600, 1800, 2000}; !reflect.DeepEqual(got, want) {
		t.Errorf("trace by trace: got %v, want %v", got, want)
	}
	var big bytes.Buffer
	check(t, binary.Write(&big, binary.BigEndian, want))
	check(t, os.WriteFile(path, big.Bytes(), 0o644))
	got, err = ReadRaw[float32](path, Raw{Shape: []int{6}, Type: ">f4"})
	check(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("big-endian: got %v", got)
	}
	for want, raw := range map[string]Raw{
		"shape [2 4] of <f4 takes 32 bytes, but there are 24": {Shape: []int{2, 4}},
		"4 dimensions":     {Shape: []int{1, 1, 2, 3}},
		"not possible":     {Shape: []int{1 << 40, 1 << 40}},
		`type "f4" cannot`: {Shape: []int{6}, Type: "f4"},
		`type "<f2"`:       {Shape: []int{6}, Type: "<f2"},
	} {
		_, err := ReadRaw[float32](path, raw)
		wantError(t, err, path, want)
	}
}

func TestBadFilesAreSentences(t *testing.T) {
	var whole bytes.Buffer
	w := bufio.NewWriter(&whole)
	check(t, encode(w, []float32{1, 2, 3, 4, 5, 6}, []int{2, 3}))
	check(t, w.Flush())
	decode := func(data []byte) error {
		_, _, err := Decode[float32](bytes.NewReader(data), int64(len(data)))
		return err
	}
	for n := range whole.Len() {
		err := decode(whole.Bytes()[:n])
		if err == nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotNPY) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	wantError(t, decode(whole.Bytes()[:whole.Len()-1]), "[2 3] of <f4 takes 24 bytes, but there are 23")
	wantError(t, decode(append(bytes.Clone(whole.Bytes()), 0)), "but there are 25")
	wantError(t, decode(nil), "empty (0 bytes)")
	wantError(t, decode([]byte("\x89HDF\r\n\x1a\n0000")), "it begins with", "HDF")
	spoil := func(old, new string) []byte {
		return bytes.Replace(whole.Bytes(), []byte(old), []byte(new), 1)
	}
	wantError(t, decode(spoil("NUMPY\x01", "NUMPY\x09")), "version 9")
	wantError(t, decode(spoil("(2, 3,)", "(9999999999999999999, 3,)")), "is no number")
	wantError(t, decode(spoil("(2, 3,)", "(99999)")), "99999")
	wantError(t, decode(spoil("shape", "shade")), "plain array")
	if err := Write("/dev/null/x.npy", []float32{1}, []int{1}); err == nil {
		t.Error("a file was written below a device")
	}
	path := filepath.Join(t.TempDir(), "a.npy")
	check(t, os.WriteFile(path, []byte("earlier"), 0o644))
	wantError(t, Write(path, []float32{1}, []int{2}), path, "1 values do not fill the shape [2]")
	entries, err := os.ReadDir(filepath.Dir(path))
	check(t, err)
	if kept, err := os.ReadFile(path); err != nil || string(kept) != "earlier" || len(entries) != 1 {
		t.Errorf("the earlier file is %q, the folder holds %v", kept, entries)
	}
}

// FuzzDecode proves that no file crashes the reader or takes more memory than its size warrants, and that what was read
// can be written and read again.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"little_f4", "big_i2", "fortran", "version2", "structured"} {
		data, err := os.ReadFile("testdata/" + name + ".npy")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, shape, err := Decode[float64](bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if len(values) > len(data) {
			t.Fatalf("%d values from %d bytes", len(values), len(data))
		}
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		check(t, encode(w, values, shape))
		check(t, w.Flush())
		again, againShape, err := Decode[float64](&out, int64(out.Len()))
		check(t, err)
		// Printed, a NaN equals a NaN.
		if fmt.Sprint(values, shape) != fmt.Sprint(again, againShape) {
			t.Fatalf("%v %v became %v %v", shape, values, againShape, again)
		}
	})
}
