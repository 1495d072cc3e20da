package h5

// #cgo pkg-config: hdf5
// #cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -DH5_USE_110_API
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"gonum.org/v1/hdf5"
)

// libhdf5 keeps its error stack per thread and serialises its calls anyway, so one goroutine, locked to its thread,
// does all of this process's HDF5 work, which is writing, and owns every draft.
var (
	startWorker sync.Once
	jobs        chan func()
)

// do runs job on the worker and returns its error. A panic below, gonum's habit on odd objects, comes back as one.
func do(job func() error) error {
	startWorker.Do(func() {
		jobs = make(chan func())
		go work()
	})
	done := make(chan error, 1)
	jobs <- func() {
		err := errors.New("the HDF5 call did not return")
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("the HDF5 binding panicked: %v", p)
			}
			done <- err
		}()
		err = job()
	}
	return <-done
}

func work() {
	runtime.LockOSThread()
	started := hdf5.DisplayErrors(false)
	if started == nil && C.h5x_start() < 0 {
		started = errors.New("libhdf5 did not start: " + reason())
	}
	if started != nil {
		// Nothing works without libhdf5; say so when the first file is opened.
		startError = started
	}
	for job := range jobs {
		job()
	}
}

// startError is set before the first job runs and read only by jobs.
var startError error

// reason returns what libhdf5 says of the last failure. Call it before anything else touches HDF5.
func reason() string {
	var text [512]C.char
	C.h5x_error(&text[0], C.size_t(len(text)))
	if s := C.GoString(&text[0]); s != "" {
		return s
	}
	return "libhdf5 gives no reason"
}

// LibraryVersion returns the version of the libhdf5 in use, such as "1.10.8".
func LibraryVersion() (string, error) {
	var version hdf5.Version
	err := do(func() (err error) {
		version, err = hdf5.LibVersion()
		return err
	})
	return version.String(), err
}
