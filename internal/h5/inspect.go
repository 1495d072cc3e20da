package h5

// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"os"
	"unsafe"
)

// An executable that links this package and finds probeVariable set is a child of Probe: it inspects the file and ends
// before main, or a test's main, begins.
func init() {
	if path := os.Getenv(probeVariable); path != "" {
		inspectAndExit(path)
	}
}

// reportDescriptor is the first of exec.Cmd's ExtraFiles.
const reportDescriptor = 3

func inspectAndExit(path string) {
	// Should memory run out, let this process be the one to go.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	r := reporter{os.NewFile(reportDescriptor, "report")}
	err := inspect(path, r)
	switch {
	case err == nil:
		r.say("sound")
	case errors.Is(err, ErrDamaged):
		r.say("damaged %q", err.Error())
	default:
		r.say("refused %q", err.Error())
	}
	os.Exit(0)
}

type reporter struct{ to *os.File }

// say sends a line to the parent and ends the child when there is no parent any more.
func (r reporter) say(format string, args ...any) {
	if _, err := fmt.Fprintf(r.to, format+"\n", args...); err != nil {
		os.Exit(1)
	}
}

// Deflate, the strongest common filter, shrinks at most about 1032 times. What claims to be larger than that times the
// file, and more than a small allowance for sets never written, is no data.
const (
	maxRatio     = 1032
	maxUnwritten = 1 << 30
)

// inspect does with every object of a file what the parent might do later: open it, read its attributes, read its
// values, in blocks of bounded size.
func inspect(path string, r reporter) error {
	f, err := openProbed(path)
	if err != nil {
		return trimPath(err)
	}
	defer f.Close()
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	limit := float64(info.Size())*maxRatio + maxUnwritten
	total := 0.0
	err = f.read(func() error {
		w := walker{
			f:     f,
			enter: func(object string) { r.say("at %q", object) },
			visit: func(o Object) error {
				if o.Unreadable != "" {
					return nil
				}
				total += float64(o.Bytes)
				if total > limit {
					return absurd("the file is damaged: it has %d bytes, but %s alone claims shape %v of %s",
						info.Size(), o.Path, o.Shape, o.Type)
				}
				r.say("bytes %d", int64(total))
				return nil
			},
			inspect: (*set).readThrough,
		}
		return w.walk()
	})
	return trimPath(err)
}

// trimPath takes off the file's name, which the parent puts back.
func trimPath(err error) error {
	if err == nil {
		return nil
	}
	return errors.Unwrap(err)
}

// readThrough reads all numbers or texts of a data set once. Values of other types are never read by this package.
func (s *set) readThrough() error {
	if s.storage.unreadable != "" || s.extent.n == 0 || s.storage.bytes == 0 {
		return nil
	}
	if s.element.text() {
		_, err := s.texts()
		return err
	}
	if !s.element.numeric() {
		return nil
	}
	shape := s.extent.shape
	if len(shape) == 0 {
		var value [1 << 8]byte
		if s.element.size > len(value) {
			return absurd("%s: a number of %d bytes is absurd", s.name, s.element.size)
		}
		return s.readBlock(C.H5X_STORED, nil, unsafe.Pointer(&value[0]))
	}
	block, err := s.blockShape()
	if err != nil {
		return err
	}
	n := s.element.size
	for i := range block {
		block[i] = min(block[i], shape[i])
		n *= block[i]
	}
	buffer := make([]byte, n)
	start, count := make([]int, len(shape)), make([]int, len(shape))
	for {
		for i := range shape {
			count[i] = min(block[i], shape[i]-start[i])
		}
		part, err := makeSlab(start, count, nil, shape)
		if err != nil {
			return err
		}
		if err := s.readBlock(C.H5X_STORED, part, unsafe.Pointer(&buffer[0])); err != nil {
			return err
		}
		i := len(shape) - 1
		for ; i >= 0; i-- {
			if start[i] += block[i]; start[i] < shape[i] {
				break
			}
			start[i] = 0
		}
		if i < 0 {
			return nil
		}
	}
}

// blockShape returns the shape of the blocks in which to read: whole chunks, so that none is decompressed twice, and
// as many along the fast dimensions as fit the budget.
func (s *set) blockShape() ([]int, error) {
	const budget, maxChunk = 16 << 20, 1 << 30
	block := make([]int, len(s.extent.shape))
	bytes := float64(s.element.size)
	for i := range block {
		block[i] = 1
		if s.storage.chunk != nil {
			block[i] = s.storage.chunk[i]
		}
		if block[i] < 1 {
			return nil, absurd("%s: the chunk shape %v is absurd", s.name, s.storage.chunk)
		}
		bytes *= float64(block[i])
	}
	if bytes > maxChunk {
		return nil, absurd("%s: chunks of shape %v are absurd", s.name, s.storage.chunk)
	}
	for i := len(block) - 1; i >= 0; i-- {
		chunks := (s.extent.shape[i] + block[i] - 1) / block[i]
		fit := max(1, min(chunks, int(budget/bytes)))
		block[i] *= fit
		bytes *= float64(fit)
		if fit < chunks {
			break
		}
	}
	return block, nil
}
