package h5

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// childVariable holds the path of the file when this executable is started again as the child that reads it.
const childVariable = "GOFWI_H5_CHILD"

// patience is how long a child may go without a word. It speaks at every object and every few megabytes, so a file
// on which it takes longer is one on which libhdf5 hangs.
var patience = 30 * time.Second

// reader is a file open in a child process.
type reader struct {
	mu       sync.Mutex
	child    *exec.Cmd
	requests *os.File
	replies  *os.File
	encoder  *gob.Encoder
	decoder  *gob.Decoder
	buffer   []byte // of the last Data
	at       string // the object last touched
	broken   error  // why nothing more can be asked
}

var errClosed = errors.New("the file is already closed")

// openReader starts a child on a file and lets it read everything, unless the verdict on the file is known.
func openReader(ctx context.Context, path string, info os.FileInfo) (*reader, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	key := verdictKey{full, info.Size(), info.ModTime().UnixNano()}
	known, found := verdicts.Load(key)
	if found && known.(verdict).err != nil {
		return nil, known.(verdict).err
	}
	r, err := startReader(full)
	if err != nil {
		return nil, fmt.Errorf("the child process that reads HDF5 files cannot be started: %w", err)
	}
	stop := context.AfterFunc(ctx, r.kill)
	if found {
		_, err = r.ask(request{Op: opKind, Object: "/"})
	} else {
		_, err = r.ask(request{Op: opWalk})
	}
	if !stop() && ctx.Err() != nil {
		err = ctx.Err()
	} else if settled := time.Since(info.ModTime()) > time.Second; settled && (err == nil || errors.Is(err, ErrDamaged)) {
		// A file changed a moment ago may change again without a new time stamp, so its verdict is not kept.
		verdicts.Store(key, verdict{err})
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

type verdictKey struct {
	path    string
	size    int64
	changed int64 // nanoseconds
}

type verdict struct{ err error }

var verdicts sync.Map // verdictKey to verdict

func startReader(path string) (*reader, error) {
	program, err := ownExecutable()
	if err != nil {
		return nil, err
	}
	in, requests, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	replies, out, err := os.Pipe()
	if err != nil {
		requests.Close()
		return nil, err
	}
	defer out.Close()
	child := exec.Command(program)
	child.Stdin = in
	child.ExtraFiles = []*os.File{out}
	// An interrupt from the terminal is for the parent, which may still want to save; the child ends with its parent's
	// end of the pipe.
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	child.Env = append(os.Environ(), childVariable+"="+path, "GOTRACEBACK=none")
	if err := child.Start(); err != nil {
		requests.Close()
		replies.Close()
		return nil, err
	}
	return &reader{
		child: child, requests: requests, replies: replies,
		encoder: gob.NewEncoder(requests), decoder: gob.NewDecoder(bufio.NewReaderSize(replies, 1<<16)),
	}, nil
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

// ask sends a request and follows the replies to the last one.
func (r *reader) ask(q request) (reply, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return reply{}, r.broken
	}
	started := time.Now()
	var late bool
	alarm := time.AfterFunc(patience, r.kill)
	quiet := func() { late = !alarm.Stop() } // Stop fails once the alarm has rung

	if err := r.encoder.Encode(q); err != nil {
		quiet()
		return reply{}, r.fail(late, started)
	}
	expected := -1
	for {
		m := reply{Data: r.buffer[:0]}
		err := r.decoder.Decode(&m)
		quiet()
		if err != nil || late {
			return reply{}, r.fail(late, started)
		}
		switch {
		case m.Last:
			if err := m.err(); err != nil {
				return reply{}, err
			}
			if m.Shape == nil {
				m.Shape = []int{} // gob does not tell an empty slice from none
			}
			return m, nil
		case m.At != "":
			r.at = m.At
		case m.Begin && q.begin != nil && expected < 0 && m.N >= 0:
			expected = m.N
			err = q.begin(m.N)
		case q.more != nil && expected >= 0:
			r.buffer = m.Data
			err = q.more(m.Data)
		default:
			err = errGarbled
		}
		if err != nil {
			// The rest of the answer is not wanted and would be taken for the next one's.
			r.broken = err
			r.end()
			return reply{}, err
		}
		alarm.Reset(patience)
	}
}

// fail ends a child that died, hung or talks nonsense, and says which.
func (r *reader) fail(late bool, started time.Time) error {
	at := r.at
	if at == "" {
		at = "its header"
	}
	end := r.end()
	text := fmt.Sprintf("the file is damaged: libhdf5 crashed on it (in a child process) at %s: %v", at, end)
	if late {
		text = fmt.Sprintf("the file is damaged: libhdf5 did not finish reading %s within %.0f s", at,
			time.Since(started).Seconds())
	}
	r.broken = &tagged{text, ErrDamaged}
	return r.broken
}

func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken == nil {
		r.kill() // it only reads, so nothing is lost, and it may be busy
		r.end()
	}
	r.broken = errClosed
}

// end closes the pipes, on which the child ends, and waits for it, though not for long.
func (r *reader) end() error {
	r.requests.Close()
	r.replies.Close()
	hung := time.AfterFunc(time.Second, r.kill)
	defer hung.Stop()
	return r.child.Wait()
}

func (r *reader) kill() { _ = r.child.Process.Kill() }
