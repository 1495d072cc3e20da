package h5

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// probeVariable holds the path of the file to inspect when the executable is started again as a child.
const probeVariable = "GOFWI_H5_PROBE"

// How long a child may take. A file that libhdf5 hangs on is damaged; these rates are far below any real disk's.
var probePatience = 30 * time.Second

const (
	probeReadRate = 5_000_000  // bytes of the file per second
	probeDataRate = 50_000_000 // uncompressed bytes per second
)

// Probe tells whether a file can be opened and read without danger, by letting a child process read all of it. The
// answer is remembered as long as the file's size and time of change stay the same. The error is a sentence that says
// what is wrong; it matches ErrNotHDF5, ErrDamaged or fs.ErrNotExist where one of them applies.
func Probe(ctx context.Context, path string) error {
	info, err := statRegular(path)
	if err != nil {
		return err
	}
	if err := sniff(path, info.Size()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	key := makeVerdictKey(path, info)
	if err, known := verdicts.Load(key); known {
		return err.(verdict).err
	}
	err = runProbe(ctx, path, info.Size())
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	// A file changed a moment ago may change again without a new time stamp.
	settled := time.Since(info.ModTime()) > time.Second
	if settled && (err == nil || errors.Is(err, ErrDamaged)) {
		verdicts.Store(key, verdict{err})
	}
	return err
}

type verdictKey struct {
	path    string
	size    int64
	changed int64 // nanoseconds
}

type verdict struct{ err error }

var verdicts sync.Map // verdictKey to verdict

func makeVerdictKey(path string, info os.FileInfo) verdictKey {
	if full, err := filepath.Abs(path); err == nil {
		path = full
	}
	return verdictKey{path, info.Size(), info.ModTime().UnixNano()}
}

// runProbe starts the child, follows its report and turns its end into an error.
func runProbe(ctx context.Context, path string, size int64) error {
	full, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	program, err := ownExecutable()
	if err != nil {
		return fmt.Errorf("the child process that inspects HDF5 files cannot be started: %w", err)
	}
	report, childEnd, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("the child process that inspects HDF5 files cannot be started: %w", err)
	}
	defer report.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	child := exec.CommandContext(ctx, program)
	child.Env = append(os.Environ(),
		probeVariable+"="+full,
		"GOTRACEBACK=none",
		"MALLOC_PERTURB_=85") // memory read before it is set then differs from a lucky zero
	child.ExtraFiles = []*os.File{childEnd}
	child.WaitDelay = 5 * time.Second
	err = child.Start()
	childEnd.Close()
	if err != nil {
		return fmt.Errorf("the child process that inspects HDF5 files cannot be started: %w", err)
	}
	started := time.Now()
	patience := probePatience + time.Duration(size/probeReadRate)*time.Second
	late := make(chan struct{})
	var once sync.Once // the alarm can ring again while it is put off
	alarm := time.AfterFunc(patience, func() {
		once.Do(func() { close(late) })
		cancel()
	})
	progress := followReport(report, func(dataBytes int64) {
		alarm.Reset(patience + time.Duration(dataBytes/probeDataRate)*time.Second - time.Since(started))
	})
	end := child.Wait()
	alarm.Stop()

	if progress.finished && end == nil {
		return progress.err()
	}
	select {
	case <-late:
		return &tagged{fmt.Sprintf("the file is damaged: libhdf5 did not finish reading %s within %.0f s",
			progress.at(), time.Since(started).Seconds()), ErrDamaged}
	default:
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &tagged{fmt.Sprintf("the file is damaged: libhdf5 crashed on it (in a child process) at %s: %v",
		progress.at(), end), ErrDamaged}
}

// ownExecutable names this program. The link in /proc still works when the file was replaced since the start.
func ownExecutable() (string, error) {
	if runtime.GOOS == "linux" {
		if _, err := os.Stat("/proc/self/exe"); err == nil {
			return "/proc/self/exe", nil
		}
	}
	return os.Executable()
}

// progress is what a child reported. Its lines are "at OBJECT", "bytes N" and one of the ends "sound", "damaged WHY",
// "refused WHY", with OBJECT and WHY quoted.
type progress struct {
	object   string
	finished bool
	end, why string
}

func followReport(report io.Reader, announced func(dataBytes int64)) progress {
	var p progress
	lines := bufio.NewScanner(report)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		text, _ := strconv.Unquote(rest)
		switch word {
		case "at":
			p.object = text
		case "bytes":
			if n, err := strconv.ParseInt(rest, 10, 64); err == nil {
				announced(n)
			}
		case "sound", "damaged", "refused":
			p.finished, p.end, p.why = true, word, text
		}
	}
	return p
}

func (p progress) at() string {
	if p.object == "" {
		return "its header"
	}
	return p.object
}

func (p progress) err() error {
	switch p.end {
	case "sound":
		return nil
	case "damaged":
		if !strings.HasPrefix(p.why, "the file is") {
			p.why = "the file is damaged: " + p.why
		}
		return &tagged{p.why, ErrDamaged}
	}
	return errors.New(p.why)
}
