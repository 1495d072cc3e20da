package h5

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// content is all that a file says; two sound files with equal content are the same to a reader.
type content struct {
	objects []Object
	numbers map[string][]float64
	texts   map[string][]string
}

// readEverything reads whatever the package can read. Values that it refuses are left out.
func readEverything(path string) (content, error) {
	c := content{numbers: map[string][]float64{}, texts: map[string][]string{}}
	f, err := Open(path)
	if err != nil {
		return c, err
	}
	defer f.Close()
	if c.objects, err = f.List(); err != nil {
		return c, err
	}
	for _, o := range c.objects {
		if o.Kind != Dataset || o.Unreadable != "" {
			continue
		}
		switch {
		case strings.HasPrefix(o.Type, "string"):
			c.texts[o.Path], err = f.ReadStrings(o.Path)
		case strings.Contains(o.Type, "int"), strings.Contains(o.Type, "float"):
			c.numbers[o.Path], _, err = f.ReadFloat64(o.Path)
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// ownFile writes one object of each kind that this package makes.
func ownFile(t *testing.T) []byte {
	path := create(t, func(f *File) {
		check(t, f.WriteFloat32("/model/vp", ramp(10000), []int{50, 200}, DefaultCompression))
		check(t, f.WriteFloat32("/model/plain", ramp(9000), []int{9000}, NoCompression))
		check(t, f.WriteFloat64("/survey/source_position", []float64{10, 20, 30, 40}, []int{2, 2}, NoCompression))
		check(t, f.WriteInt64("/count", []int64{1, 2, 3}, []int{3}, NoCompression))
		check(t, f.WriteString("/configuration", "stages: 3\n"))
		check(t, f.SetAttr("/model/vp", "dx", 12.5))
		check(t, f.SetAttr("/", "title", "a small problem"))
	})
	data, err := os.ReadFile(path)
	check(t, err)
	return data
}

// tryDamaged reads a damaged file and fails on anything but an error of the right kind or success.
func tryDamaged(t *testing.T, what string, data []byte) (content, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "damaged.h5")
	check(t, os.WriteFile(path, data, 0o644))
	c, err := readEverything(path)
	if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotHDF5) {
		t.Errorf("%s: %v is neither ErrDamaged nor ErrNotHDF5", what, err)
	}
	if err != nil && !strings.Contains(err.Error(), path) {
		t.Errorf("%s: the error %q does not name the file", what, err)
	}
	return c, err
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	foreign, err := os.ReadFile("testdata/h5py.h5")
	check(t, err)
	for name, data := range map[string][]byte{"own": ownFile(t), "h5py": foreign} {
		random := rand.New(rand.NewPCG(3, 4))
		lengths := []int{0, 1, 7, 8, 9, 47, 48, 95, 96, 512, len(data) / 2, len(data) - 1}
		for range 30 {
			lengths = append(lengths, random.IntN(len(data)))
		}
		for _, n := range lengths {
			if _, err := tryDamaged(t, fmt.Sprintf("%s cut to %d bytes", name, n), data[:n]); err == nil {
				t.Errorf("%s, cut to %d of %d bytes, is taken for sound", name, n, len(data))
			}
		}
	}
	path := filepath.Join(t.TempDir(), "half.h5")
	check(t, os.WriteFile(path, foreign[:len(foreign)/2], 0o644))
	_, err = Open(path)
	wantError(t, err, fmt.Sprintf("cut short: it has %d of %d bytes", len(foreign)/2, len(foreign)))
}

// TestEveryBitFlipInAnOwnFileIsNoticed proves the checksums: a flipped bit is an error or lies where nothing is stored.
func TestEveryBitFlipInAnOwnFileIsNoticed(t *testing.T) {
	data := ownFile(t)
	want, err := tryDamaged(t, "no flip", data)
	check(t, err)
	random := rand.New(rand.NewPCG(5, 6))
	noticed := 0
	const flips = 300
	for range flips {
		bit := random.IntN(8 * len(data))
		flipped := bytes.Clone(data)
		flipped[bit/8] ^= 1 << (bit % 8)
		what := fmt.Sprintf("bit %d of byte %d flipped", bit%8, bit/8)
		got, err := tryDamaged(t, what, flipped)
		if err != nil {
			noticed++
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the content changed and nobody noticed", what)
		}
	}
	t.Logf("%d of %d flips in %d bytes were noticed, the others changed nothing", noticed, flips, len(data))
	if noticed < flips/2 {
		t.Errorf("only %d of %d flips were noticed", noticed, flips)
	}
}

// TestBitFlipsInAForeignFileNeverCrash damages a file of the old format, which has no checksums. What counts is that
// this process survives and that each answer is an error or values.
func TestBitFlipsInAForeignFileNeverCrash(t *testing.T) {
	data, err := os.ReadFile("testdata/h5py.h5")
	check(t, err)
	random := rand.New(rand.NewPCG(7, 8))
	noticed := 0
	const flips = 300
	for range flips {
		bit := random.IntN(8 * len(data))
		flipped := bytes.Clone(data)
		flipped[bit/8] ^= 1 << (bit % 8)
		if _, err := tryDamaged(t, fmt.Sprintf("bit %d of byte %d flipped", bit%8, bit/8), flipped); err != nil {
			noticed++
		}
	}
	t.Logf("%d of %d flips in %d bytes were noticed", noticed, flips, len(data))
	if noticed == 0 {
		t.Error("no flip was noticed")
	}
}

// Variables are set before init functions run, so this makes the child of Probe misbehave on files of certain names.
var _ = misbehave(os.Getenv(childVariable))

func misbehave(path string) bool {
	switch filepath.Base(path) {
	case "crash.h5":
		sayAt("/model/vp")
		_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
		time.Sleep(time.Hour)
	case "hang.h5":
		sayAt("/model/vp")
		time.Sleep(time.Hour)
	case "silent.h5":
		os.Exit(0)
	}
	return true
}

func sayAt(object string) {
	_ = gob.NewEncoder(os.NewFile(replyDescriptor, "replies")).Encode(reply{At: object})
}

func TestACrashOfTheChildIsASentence(t *testing.T) {
	for _, name := range []string{"crash.h5", "silent.h5"} {
		path := filepath.Join(t.TempDir(), name)
		check(t, os.WriteFile(path, ownFile(t), 0o644))
		_, err := Open(path)
		wantError(t, err, path, "libhdf5 crashed on it")
		if name == "crash.h5" {
			wantError(t, err, "/model/vp", "exit status 2")
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%v is not ErrDamaged", err)
		}
	}
}

func TestAHangOfTheChildEnds(t *testing.T) {
	defer func(d time.Duration) { patience = d }(patience)
	patience = 500 * time.Millisecond
	path := filepath.Join(t.TempDir(), "hang.h5")
	check(t, os.WriteFile(path, ownFile(t), 0o644))
	_, err := Open(path)
	wantError(t, err, path, "did not finish reading /model/vp")

	patience = time.Hour
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := OpenContext(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cancelled OpenContext returns %v", err)
	}
}

func TestVerdictsAreRememberedUntilTheFileChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "problem.h5")
	data := ownFile(t)
	old := time.Now().Add(-time.Hour)
	put := func(data []byte, changed time.Time) {
		check(t, os.WriteFile(path, data, 0o644))
		check(t, os.Chtimes(path, changed, changed))
	}
	put(data, old)
	check(t, open(t, path).Close())
	// Values whose checksum is wrong, in a file that claims not to have changed, show that nothing is read again.
	flipped := bytes.Clone(data)
	flipped[len(flipped)/2] ^= 1
	put(flipped, old)
	f := open(t, path)
	_, _, err := f.ReadFloat32("/model/plain")
	wantError(t, err, "/model/plain", "cannot be read")
	put(flipped, old.Add(time.Second))
	_, err = Open(path)
	wantError(t, err, path, "damaged", "/model/plain")
	put(data, old.Add(2*time.Second))
	check(t, open(t, path).Close())
}

func TestAbsurdSizesAreRefused(t *testing.T) {
	_, err := Open("testdata/absurd.h5") // 4 TiB never written
	wantError(t, err, "testdata/absurd.h5", "/vp", "[1048576 1048576]")
	if err := checkMemory(1<<60/8, 4); err == nil {
		t.Error("half an exabyte is taken to fit into memory")
	}
	check(t, checkMemory(1000, 4))
}

// overwrite replaces the file at path by a larger one and returns the error of saving it.
func overwrite(path string) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.WriteFloat32("/vp", ramp(1<<20), []int{1 << 20}, NoCompression); err != nil {
		return err
	}
	return f.Commit()
}

// checkUntouched fails unless the folder holds nothing but the file with its first content.
func checkUntouched(t *testing.T, path string, before []byte) {
	t.Helper()
	after, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the earlier file changed")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	check(t, err)
	if len(entries) != 1 {
		t.Errorf("files are left over: %v", entries)
	}
}

func TestAFullDiskLeavesTheEarlierFile(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small file system cannot be mounted here (%v); TestALimitedFileSizeLeavesTheEarlierFile covers it", err)
	}
	defer func() { check(t, syscall.Unmount(folder, syscall.MNT_DETACH)) }()
	path := filepath.Join(folder, "checkpoint.h5")
	before := ownFile(t)
	check(t, os.WriteFile(path, before, 0o644))
	wantError(t, overwrite(path), path, "cannot be saved", "no space left on device")
	checkUntouched(t, path, before)
	if _, err := Open(path); err != nil {
		t.Error(err)
	}
}

// limitVariable makes the test below its own child, which may not write files of more than 100 kB.
const limitVariable = "GOFWI_H5_TEST_LIMITED"

func TestALimitedFileSizeLeavesTheEarlierFile(t *testing.T) {
	if path := os.Getenv(limitVariable); path != "" {
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 100_000, Max: 100_000}
		check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
		wantError(t, overwrite(path), path, "cannot be saved", "file too large")
		return
	}
	path := filepath.Join(t.TempDir(), "checkpoint.h5")
	before := ownFile(t)
	check(t, os.WriteFile(path, before, 0o644))
	child := exec.Command(os.Args[0], "-test.run=^TestALimitedFileSizeLeavesTheEarlierFile$")
	child.Env = append(os.Environ(), limitVariable+"="+path)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	checkUntouched(t, path, before)
}

func TestClosingWithoutCommitLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint.h5")
	before := ownFile(t)
	check(t, os.WriteFile(path, before, 0o640))
	f, err := Create(path)
	check(t, err)
	check(t, f.WriteFloat32("/vp", ramp(10), []int{10}, NoCompression))
	check(t, f.Close())
	checkUntouched(t, path, before)
	wantError(t, f.Commit(), "already closed")

	check(t, overwrite(path))
	info, err := os.Stat(path)
	check(t, err)
	equal(t, "rights of the replaced file", info.Mode().Perm(), os.FileMode(0o640))
}

func TestALinkIsKeptWhenItsFileIsReplaced(t *testing.T) {
	folder := t.TempDir()
	target, link := filepath.Join(folder, "target.h5"), filepath.Join(folder, "link.h5")
	check(t, os.WriteFile(target, ownFile(t), 0o644))
	check(t, os.Symlink("target.h5", link))
	check(t, overwrite(link))
	info, err := os.Lstat(link)
	check(t, err)
	if info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced by a file")
	}
	f := open(t, target)
	shape, err := f.Shape("/vp")
	check(t, err)
	equal(t, "shape", shape, []int{1 << 20})
}

// FuzzOpen lets the fuzzer damage files. Each input costs a child process.
func FuzzOpen(f *testing.F) {
	foreign, err := os.ReadFile("testdata/h5py.h5")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(foreign)
	f.Add(foreign[:2048])
	f.Add([]byte("\x89HDF\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tryDamaged(t, "fuzzed file", data)
	})
}
