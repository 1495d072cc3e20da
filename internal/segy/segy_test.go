package segy

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
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

func decode(data []byte) (*File, error) {
	return Decode(context.Background(), bytes.NewReader(data), int64(len(data)))
}

func TestKnownIBMFloats(t *testing.T) {
	for bits, want := range map[uint32]float64{
		0x00000000: 0,
		0x41100000: 1,
		0x40800000: 0.5,
		0xC276A000: -118.625,
		0x42640000: 100,
		0x3F19999A: 0x19999A / 16777216.0 / 16, // 0.1 to 21 bits
		0x60FFFFFF: 0xFFFFFF * math.Pow(16, 26),
		0x43001000: 1, // not normalised
		0x7FFFFFFF: math.Inf(1),
		0xFFFFFFFF: math.Inf(-1),
		0x00100000: 0, // 5.4e-79
	} {
		if got := fromIBM(bits); float64(got) != want {
			t.Errorf("%08X is %g, want %g", bits, got, want)
		}
	}
	for v, want := range map[float32]uint32{1: 0x41100000, -118.625: 0xC276A000, 100: 0x42640000, 0: 0, 0.1: 0x4019999A, math.MaxFloat32: 0x60FFFFFF} {
		if got, ok := toIBM(v); got != want || !ok {
			t.Errorf("%g becomes %08X (%t), want %08X", v, got, ok, want)
		}
	}
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		if _, ok := toIBM(v); ok {
			t.Errorf("%g has no IBM float", v)
		}
	}
}

func TestIBMConversionIsExactWhereItCanBe(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		v := math.Float32frombits(random.Uint32())
		bits, ok := toIBM(v)
		if v != v || math.IsInf(float64(v), 0) {
			continue
		}
		if !ok {
			t.Fatalf("%g is refused", v)
		}
		back := fromIBM(bits)
		// 21 significant bits remain at the least; below 1.2e-38 float32 itself has fewer, and those are kept.
		if diff := math.Abs(float64(back) - float64(v)); diff > math.Abs(float64(v))*0x1p-21 {
			t.Fatalf("%g becomes %08X and comes back as %g", v, bits, back)
		}
		if again, _ := toIBM(back); again != bits {
			t.Fatalf("%08X comes back as %08X through %g", bits, again, back)
		}
		short := math.Float32frombits(math.Float32bits(v) &^ 7) // 21 bits
		if bits, _ := toIBM(short); fromIBM(bits) != short && math.Abs(float64(short)) > 1.2e-38 {
			t.Fatalf("%g, of 21 bits, comes back as %g", short, fromIBM(bits))
		}
	}
}

// byHand builds a file byte by byte with the positions that the standard gives, counted from 1.
func byHand(order binary.ByteOrder) []byte {
	file := make([]byte, 3600+2*(240+3*4))
	for i := range 3200 {
		file[i] = ' '
	}
	copy(file, "C 1 made by hand")
	put2 := func(at int, v int16) { order.PutUint16(file[at-1:], uint16(v)) }
	put4 := func(at int, v int32) { order.PutUint32(file[at-1:], uint32(v)) }
	put2(3217, 2000)
	put2(3221, 3)
	put2(3225, 5)
	put2(3255, 2) // feet
	for i := range 2 {
		at := 3600 + i*(240+12)
		put4(at+9, 11)
		put4(at+13, int32(i+1))
		put4(at+17, 22)
		put4(at+37, -1000)
		put4(at+41, -30)
		put4(at+49, 60)
		put2(at+69, 0)
		put2(at+71, 10)
		put4(at+73, 1000)
		put4(at+77, 2000)
		put4(at+81, int32(3000+i))
		put4(at+85, -4000)
		put2(at+115, 3)
		put2(at+117, 2000)
		for k, v := range []float32{1, -2.5, float32(i)} {
			order.PutUint32(file[at+240+4*k:], math.Float32bits(v))
		}
	}
	return file
}

func TestAFileMadeByHandIsRead(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.BigEndian, binary.LittleEndian} {
		f, err := decode(byHand(order))
		check(t, err)
		if f.LittleEndian != (order == binary.LittleEndian) || !f.Feet || f.Format != IEEE || f.Interval != 2000 ||
			f.Revision != 0 || f.Text != "C 1 made by hand" || len(f.Traces) != 2 {
			t.Errorf("%v: %+v", order, f)
		}
		h := f.Traces[1].Header
		for name, c := range map[string][2]float64{
			"source x":    {h.SourceX, 10000 * 0.3048},
			"source y":    {h.SourceY, 20000 * 0.3048},
			"receiver x":  {h.ReceiverX, 30010 * 0.3048},
			"receiver y":  {h.ReceiverY, -40000 * 0.3048},
			"offset":      {h.Offset, -1000 * 0.3048},
			"elevation":   {h.ReceiverElevation, -30 * 0.3048},
			"depth":       {h.SourceDepth, 60 * 0.3048},
			"record":      {float64(h.FieldRecord), 11},
			"number":      {float64(h.TraceNumber), 2},
			"shot point":  {float64(h.ShotPoint), 22},
			"interval":    {float64(h.Interval), 2000},
			"last sample": {float64(f.Traces[1].Samples[2]), 1},
		} {
			// feet to metres is one multiplication, the scalar another
			if math.Abs(c[0]-c[1]) > 1e-12*math.Abs(c[1]) {
				t.Errorf("%s is %g, want %g", name, c[0], c[1])
			}
		}
		if want := []float32{1, -2.5, 0}; !reflect.DeepEqual(f.Traces[0].Samples, want) {
			t.Errorf("samples %v, want %v", f.Traces[0].Samples, want)
		}
	}
}

// TestFilesOfSegyioAreRead reads what an independent program wrote.
func TestFilesOfSegyioAreRead(t *testing.T) {
	for name, format := range map[string]Format{"ibm": IBM, "ieee_little": IEEE, "int16": Int16} {
		f, err := Read(context.Background(), "testdata/segyio_"+name+".sgy")
		check(t, err)
		if f.Format != format || len(f.Traces) != 6 || f.Interval != 4000 || f.LittleEndian != (name == "ieee_little") ||
			!strings.Contains(f.Text, "C 2 written by segyio") {
			t.Errorf("%s: %+v", name, f)
		}
		for i, trace := range f.Traces {
			shot, receiver := i/3, i%3
			want := Header{
				TraceInLine: int32(i + 1), TraceInFile: int32(i + 1), FieldRecord: int32(100 + shot),
				TraceNumber: int32(receiver + 1), ShotPoint: int32(7 + shot), CDP: int32(10*shot + receiver), TraceID: 1,
				Offset: float64(-262 - 25*receiver), ReceiverElevation: -10, SourceDepth: 6,
				SourceX: 3000 + 25*float64(shot), SourceY: -0.05, ReceiverX: 3000 + 25*float64(shot) - 262 - 25*float64(receiver),
				CDPX: 12.34, Interval: 4000, Inline: 3, Xline: 4, Delay: -0.008,
			}
			if !reflect.DeepEqual(trace.Header, want) {
				t.Errorf("%s, trace %d: %+v, want %+v", name, i, trace.Header, want)
			}
			for k, v := range trace.Samples {
				sample := (float32(k) - 7.5) * float32(i+1)
				if format == Int16 {
					sample = float32(int16(sample))
				}
				if v != sample {
					t.Errorf("%s, trace %d, sample %d: %g, want %g", name, i, k, v, sample)
				}
			}
		}
		gathers := f.Gathers()
		if want := []Gather{{100, []int{0, 1, 2}}, {101, []int{3, 4, 5}}}; !reflect.DeepEqual(gathers, want) {
			t.Errorf("%s: gathers %v, want %v", name, gathers, want)
		}
	}
}

// example has values that the format holds exactly and positions down to centimetres.
func example(format Format) *File {
	f := &File{Text: "C 1 example\nC 2 with two lines", Format: format, Interval: 2500, Revision: 1}
	for i := range 7 {
		trace := Trace{Header: Header{
			TraceInLine: int32(i), TraceInFile: int32(i), FieldRecord: int32(i % 3), TraceNumber: 1, ShotPoint: 9, CDP: 4, TraceID: 1,
			Offset: -1234, ReceiverElevation: -3.5, SourceElevation: 1, SourceDepth: 7.25, WaterDepthSource: 100, WaterDepthGroup: 101,
			SourceX: 1e6 + 0.25*float64(i), SourceY: -8, ReceiverX: 12.75, ReceiverY: 0, CDPX: 1, CDPY: 2, CoordinateUnits: 1,
			Delay: 0.012, Interval: 2500, Inline: 5, Xline: 6,
		}}
		for k := range 33 {
			trace.Samples = append(trace.Samples, float32(k*k-100*i)*0.0625)
		}
		f.Traces = append(f.Traces, trace)
	}
	return f
}

func TestRoundTripKeepsHeadersAndSamples(t *testing.T) {
	for _, format := range []Format{IEEE, IBM} {
		path := filepath.Join(t.TempDir(), "a.sgy")
		want := example(format)
		check(t, Write(path, want))
		got, err := Read(context.Background(), path)
		check(t, err)
		for i := range want.Traces {
			if !reflect.DeepEqual(got.Traces[i], want.Traces[i]) {
				t.Errorf("%s, trace %d: got %+v, want %+v", format, i, got.Traces[i], want.Traces[i])
			}
		}
		got.Traces, want.Traces = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", format, got, want)
		}
		info, err := os.Stat(path)
		check(t, err)
		if size := int64(3600 + 7*(240+33*4)); info.Size() != size {
			t.Errorf("the file has %d bytes, want %d", info.Size(), size)
		}
	}
}

func TestIntegersAreRead(t *testing.T) {
	for format, size := range map[Format]int{Int32: 4, Int16: 2, Int8: 1} {
		file := make([]byte, 3600+240+3*size)
		binary.BigEndian.PutUint16(file[3224:], uint16(format))
		binary.BigEndian.PutUint16(file[3220:], 3)
		for k, v := range []int{-2, 0, 100} {
			at := file[3600+240+k*size:]
			switch size {
			case 4:
				binary.BigEndian.PutUint32(at, uint32(int32(v)))
			case 2:
				binary.BigEndian.PutUint16(at, uint16(int16(v)))
			case 1:
				at[0] = byte(int8(v))
			}
		}
		f, err := decode(file)
		check(t, err)
		if want := []float32{-2, 0, 100}; !reflect.DeepEqual(f.Traces[0].Samples, want) {
			t.Errorf("%s: %v, want %v", format, f.Traces[0].Samples, want)
		}
	}
}

func TestTracesOfDifferentLengthsAreRead(t *testing.T) {
	var file bytes.Buffer
	head := make([]byte, 3600)
	binary.BigEndian.PutUint16(head[3224:], uint16(IEEE))
	binary.BigEndian.PutUint16(head[3220:], 5) // wrong for two of the three
	file.Write(head)
	for _, n := range []int{4, 0, 7} { // 0: as the file says
		trace := make([]byte, 240)
		binary.BigEndian.PutUint16(trace[114:], uint16(n))
		file.Write(trace)
		if n == 0 {
			n = 5
		}
		file.Write(make([]byte, 4*n))
	}
	f, err := decode(file.Bytes())
	check(t, err)
	lengths := []int{len(f.Traces[0].Samples), len(f.Traces[1].Samples), len(f.Traces[2].Samples)}
	if want := []int{4, 5, 7}; !reflect.DeepEqual(lengths, want) {
		t.Errorf("lengths %v, want %v", lengths, want)
	}
	_, _, _, err = f.Section()
	wantError(t, err, "trace 2 has 5 samples, the first one 4")
}

func TestFurtherTextualHeadersAreRead(t *testing.T) {
	var plain bytes.Buffer
	check(t, Encode(&plain, example(IEEE)))
	for count, texts := range map[int]int{1: 1, -1: 2} {
		file := bytes.Clone(plain.Bytes()[:3600])
		binary.BigEndian.PutUint16(file[3504:], uint16(int16(count)))
		for i := range texts {
			more := bytes.Repeat([]byte{' '}, 3200)
			copy(more, fmt.Sprintf("((SEG: More%d))", i))
			if i == texts-1 {
				copy(more, "((SEG: EndText))")
			}
			file = append(file, more...)
		}
		file = append(file, plain.Bytes()[3600:]...)
		f, err := decode(file)
		check(t, err)
		if len(f.Traces) != 7 || !strings.HasSuffix(f.Text, "((SEG: EndText))") {
			t.Errorf("count %d: %d traces, text %q", count, len(f.Traces), f.Text)
		}
		binary.BigEndian.PutUint16(file[3504:], 30000)
		_, err = decode(file)
		wantError(t, err, "30000 further textual headers")
	}
}

func TestSectionsAreTransposed(t *testing.T) {
	values := []float32{1, 2, 3, 4, 5, 6}
	traces, err := SectionTraces(values, 2, 3, 12.5, -5)
	check(t, err)
	path := filepath.Join(t.TempDir(), "vp.sgy")
	check(t, Write(path, &File{Format: IEEE, Interval: 12500, Traces: traces}))
	f, err := Read(context.Background(), path)
	check(t, err)
	got, nz, nx, err := f.Section()
	check(t, err)
	if nz != 2 || nx != 3 || !reflect.DeepEqual(got, values) || f.Traces[2].Header.CDPX != 20 {
		t.Errorf("got %v [%d, %d], last trace %+v", got, nz, nx, f.Traces[2].Header)
	}
	if _, err := SectionTraces(values, 2, 4, 1, 0); err == nil {
		t.Error("6 values fill 2 rows of 4")
	}
}

func TestGathersFallBackToShotPointsAndPositions(t *testing.T) {
	f := &File{Traces: make([]Trace, 4)}
	if want := []Gather{{0, []int{0, 1, 2, 3}}}; !reflect.DeepEqual(f.Gathers(), want) {
		t.Errorf("one shot: %v", f.Gathers())
	}
	for i, x := range []float64{5, 7, 5, 7} {
		f.Traces[i].Header.SourceX = x
	}
	if want := []Gather{{0, []int{0, 2}}, {0, []int{1, 3}}}; !reflect.DeepEqual(f.Gathers(), want) {
		t.Errorf("by position: %v", f.Gathers())
	}
	for i, n := range []int32{2, 2, 1, 1} {
		f.Traces[i].Header.ShotPoint = n
	}
	if want := []Gather{{2, []int{0, 1}}, {1, []int{2, 3}}}; !reflect.DeepEqual(f.Gathers(), want) {
		t.Errorf("by shot point: %v", f.Gathers())
	}
}

func TestBadFilesAreSentences(t *testing.T) {
	_, err := decode(nil)
	wantError(t, err, "empty (0 bytes)")
	_, err = decode(make([]byte, 3599))
	wantError(t, err, "3599 bytes, less than the headers of 3600")
	_, err = decode(make([]byte, 4000))
	wantError(t, err, "format code 0")
	if !errors.Is(err, ErrNotSEGY) {
		t.Errorf("%v is not ErrNotSEGY", err)
	}
	file := make([]byte, 4000)
	file[3225] = 6
	_, err = decode(file)
	wantError(t, err, "format 6 (IEEE float64)")
	file[3225] = 5
	_, err = decode(file)
	wantError(t, err, "trace 1", "how many samples")
	file[3221] = 200
	_, err = decode(file)
	wantError(t, err, "trace 1: 200 samples", "800 bytes are needed, but only 160 are left")
	_, err = decode(file[:3600])
	wantError(t, err, "holds no trace")

	var whole bytes.Buffer
	check(t, Encode(&whole, example(IBM)))
	for n := range whole.Len() - 1 {
		if n > 3600 && (n-3600)%(240+33*4) == 0 {
			continue // cut between traces, which the format cannot tell
		}
		if _, err := decode(whole.Bytes()[:n]); err == nil {
			t.Fatalf("cut to %d bytes, the file is taken for sound", n)
		}
	}
	path := filepath.Join(t.TempDir(), "cut.sgy")
	check(t, os.WriteFile(path, whole.Bytes()[:whole.Len()-1], 0o644))
	_, err = Read(context.Background(), path)
	wantError(t, err, path, "trace 7", "132 bytes are needed, but only 131 are left")
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("%v is not ErrDamaged", err)
	}
	_, err = Read(context.Background(), filepath.Join(t.TempDir(), "absent.sgy"))
	wantError(t, err, "absent.sgy", "no such file")
	_, err = Read(context.Background(), t.TempDir())
	wantError(t, err, "no file")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Decode(ctx, &whole, int64(whole.Len())); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Decode returns %v", err)
	}
}

func TestWhatSEGYCannotHoldIsRefused(t *testing.T) {
	for want, spoil := range map[string]func(*File){
		"not as int16":               func(f *File) { f.Format = Int16 },
		"there is no trace":          func(f *File) { f.Traces = nil },
		"trace 3 has 1 samples":      func(f *File) { f.Traces[2].Samples = f.Traces[2].Samples[:1] },
		"interval of 70000":          func(f *File) { f.Interval = 70000 },
		"trace 2: sample 4 is NaN":   func(f *File) { f.Traces[1].Samples[3] = float32(math.NaN()) },
		"coordinates: 3e+09 m":       func(f *File) { f.Traces[0].Header.SourceX = 3e9 },
		"depths: NaN m":              func(f *File) { f.Traces[0].Header.SourceDepth = math.NaN() },
		"delay of 40 s":              func(f *File) { f.Traces[0].Header.Delay = 40 },
		"41 lines":                   func(f *File) { f.Text = strings.Repeat("\n", 40) + "x" },
		"line 1 of the textual":      func(f *File) { f.Text = strings.Repeat("x", 90) },
		"traces of 70000 samples do": func(f *File) { f.Traces = []Trace{{Samples: make([]float32, 70000)}} },
	} {
		path := filepath.Join(t.TempDir(), "bad.sgy")
		check(t, os.WriteFile(path, []byte("earlier"), 0o644))
		f := example(IBM)
		spoil(f)
		wantError(t, Write(path, f), path, want)
		entries, err := os.ReadDir(filepath.Dir(path))
		check(t, err)
		if kept, err := os.ReadFile(path); err != nil || string(kept) != "earlier" || len(entries) != 1 {
			t.Errorf("%s: the earlier file is %q, the folder holds %v", want, kept, entries)
		}
	}
}

func TestTextualHeadersOfBothKindsAreRead(t *testing.T) {
	stored, err := encodeText("C 1 Client: [none] Company & Co. 50%\nsecond line")
	check(t, err)
	if stored[0] != 0xC3 || len(stored) != 3200 {
		t.Errorf("the header begins with %x and has %d bytes", stored[0], len(stored))
	}
	want := "C 1 Client: [none] Company & Co. 50%\nC 2 second line"
	if got := decodeText(stored); got != want {
		t.Errorf("EBCDIC: %q, want %q", got, want)
	}
	ascii := bytes.Repeat([]byte{' '}, 3200)
	copy(ascii, "C 1 plain\x00text")
	if got := decodeText(ascii); got != "C 1 plain text" {
		t.Errorf("ASCII: %q", got)
	}
}

// FuzzDecode proves that no file crashes the reader or takes more memory than its size warrants, and that what was read
// can be written and read again.
func FuzzDecode(f *testing.F) {
	for _, order := range []binary.ByteOrder{binary.BigEndian, binary.LittleEndian} {
		f.Add(byHand(order))
	}
	var whole bytes.Buffer
	if err := Encode(&whole, example(IBM)); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := decode(data)
		if err != nil {
			return
		}
		total := 0
		for _, trace := range file.Traces {
			total += len(trace.Samples)
		}
		if total > len(data) {
			t.Fatalf("%d samples from %d bytes", total, len(data))
		}
		file.Gathers()
		file.Format, file.Text = IEEE, ""
		var out bytes.Buffer
		if Encode(&out, file) != nil {
			return // lengths that differ, or multiplied by the scalar exceed the format
		}
		again, err := decode(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for i := range file.Traces {
			for k, v := range file.Traces[i].Samples {
				if math.Float32bits(v) != math.Float32bits(again.Traces[i].Samples[k]) {
					t.Fatalf("trace %d, sample %d: %g became %g", i, k, v, again.Traces[i].Samples[k])
				}
			}
		}
	})
}
