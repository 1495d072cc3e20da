package h5

// #include "shim.h"
import "C"

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"gonum.org/v1/hdf5"
)

// An executable that links this package and finds childVariable set is the child of a reader: it serves one file and
// ends before main, or a test's main, begins.
func init() {
	if path := os.Getenv(childVariable); path != "" {
		runtime.LockOSThread()
		serve(path)
		os.Exit(0)
	}
}

// replyDescriptor is the first of exec.Cmd's ExtraFiles.
const replyDescriptor = 3

// server answers the requests that come over standard input.
type server struct {
	path    string
	replies *gob.Encoder
	out     *bufio.Writer
	src     *source // nil until the first request
}

func serve(path string) {
	// Should memory run out, let this process be the one to go.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	out := bufio.NewWriterSize(os.NewFile(replyDescriptor, "replies"), 1<<16)
	s := &server{path: path, replies: gob.NewEncoder(out), out: out}
	requests := gob.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var q request
		if requests.Decode(&q) != nil {
			return // the parent closed the file, or is gone
		}
		r, err := s.answer(q)
		if err != nil {
			r = reply{}
			r.setError(err)
		}
		r.Last = true
		s.send(r)
	}
}

// send ends the process when there is no parent any more.
func (s *server) send(r reply) {
	if s.replies.Encode(r) != nil || s.out.Flush() != nil {
		os.Exit(1)
	}
}

func (s *server) answer(q request) (r reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = absurd("the file is damaged: the HDF5 binding panicked: %v", p)
		}
	}()
	if s.src == nil {
		if err := hdf5.DisplayErrors(false); err != nil {
			return r, err
		}
		if C.h5x_start() < 0 {
			return r, errors.New("libhdf5 did not start: " + reason())
		}
		if s.src, err = openSource(s.path); err != nil {
			return r, err
		}
	}
	switch q.Op {
	case opWalk:
		return r, s.inspect()
	case opKind:
		r.Kind, err = s.src.kind(q.Object)
		return r, err
	case opList:
		w := walker{f: s.src, visit: func(o Object) error {
			r.Objects = append(r.Objects, o)
			return nil
		}}
		err = w.walk()
		return r, err
	case opAttribute:
		r.Attribute, r.Exists, err = s.src.attr(q.Object, q.Name)
		return r, err
	}
	set, err := s.src.openSet(q.Object)
	if err != nil {
		return r, err
	}
	defer set.Close()
	r.Shape = set.extent.shape
	switch q.Op {
	case opTexts:
		r.Texts, err = set.texts()
	case opNumbers:
		err = s.numbers(set, q)
	}
	return r, err
}

// numbers sends the numbers of a data set, or of a block of it, in parts.
func (s *server) numbers(set *set, q request) error {
	if err := set.mustBeNumbers(); err != nil {
		return err
	}
	shape := set.extent.shape
	if !q.Slab {
		if set.extent.n == 0 {
			s.send(reply{Begin: true})
			return nil
		}
		q.Start, q.Count, q.Stride = make([]int, len(shape)), shape, nil
	}
	block, err := makeSlab(q.Start, q.Count, q.Stride, shape)
	if err != nil {
		return fmt.Errorf("%s: %w", set.name, err)
	}
	size := 8
	if q.As == asFloat32 {
		size = 4
	}
	s.send(reply{Begin: true, N: block.n})
	var buffer []byte
	return block.split(size, set.storage.chunk, func(part *slab) error {
		if n := part.n * size; n > len(buffer) {
			buffer = make([]byte, n)
		}
		if err := set.readBlock(C.int(q.As), part, unsafe.Pointer(&buffer[0])); err != nil {
			return err
		}
		s.send(reply{Data: buffer[:part.n*size]})
		return nil
	})
}

// Deflate, the strongest common filter, shrinks at most about 1032 times. What claims to be larger than that times the
// file, and more than an allowance for sets never written, is no data.
const (
	maxRatio     = 1032
	maxUnwritten = 1 << 30
)

// inspect reads everything that can be asked for later, in parts of bounded size, to find damage now.
func (s *server) inspect() error {
	info, err := os.Stat(s.path)
	if err != nil {
		return pathless(err)
	}
	limit := float64(info.Size())*maxRatio + maxUnwritten
	total := 0.0
	w := walker{
		f:     s.src,
		enter: func(object string) { s.send(reply{At: object}) },
		visit: func(o Object) error {
			if o.Unreadable != "" {
				return nil
			}
			if total += float64(o.Bytes); total > limit {
				return absurd("it has %d bytes, but %s alone claims shape %v of %s", info.Size(), o.Path, o.Shape, o.Type)
			}
			return nil
		},
		inspect: func(set *set) error {
			return set.readThrough(func() { s.send(reply{At: set.name}) })
		},
	}
	err = w.walk()
	if errors.Is(err, ErrDamaged) {
		return &tagged{"the file is damaged: " + err.Error(), ErrDamaged}
	}
	return err
}

// readThrough reads all numbers or texts of a data set once and calls progress after each part. Values of other types
// are never read by this package.
func (s *set) readThrough(progress func()) error {
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
	if s.element.size > 256 {
		return absurd("%s: a number of %d bytes is absurd", s.name, s.element.size)
	}
	shape := s.extent.shape
	if len(shape) == 0 {
		value := make([]byte, s.element.size)
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
		progress()
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
	const maxChunk = 1 << 30
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
		fit := max(1, min(chunks, int(partBytes/bytes)))
		block[i] *= fit
		bytes *= float64(fit)
		if fit < chunks {
			break
		}
	}
	return block, nil
}
