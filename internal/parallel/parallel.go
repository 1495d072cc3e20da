// Package parallel spreads loops over the processors.
package parallel

import (
	"runtime"
	"sync"
)

// Ranges splits n items into contiguous shares, one a processor, and works on them side by side.
func Ranges(n int, work func(first, last int)) {
	shares := min(runtime.GOMAXPROCS(0), n)
	if shares <= 1 {
		work(0, n)
		return
	}
	var wait sync.WaitGroup
	for i := range shares {
		wait.Add(1)
		go func() {
			defer wait.Done()
			work(n*i/shares, n*(i+1)/shares)
		}()
	}
	wait.Wait()
}
