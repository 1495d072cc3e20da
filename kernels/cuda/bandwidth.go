package cuda

import (
	"slices"
	"time"
)

// CopyBandwidth measures copies inside the device's memory and returns bytes read and written per second: the median of a few, each of two pieces
// of the given number of bytes.
func (d *Device) CopyBandwidth(bytes int) (float64, error) {
	from, err := d.Alloc(bytes)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	to, err := d.Alloc(bytes)
	if err != nil {
		return 0, err
	}
	defer to.Close()
	const copies = 10 // at a time: launching one takes as long as copying some megabytes
	var rates []float64
	for range 6 {
		begun := time.Now()
		err := d.do(func() error {
			for range copies {
				if err := d.driver.copy(to.at, from.at, bytes); err != nil {
					return err
				}
			}
			return d.driver.finishWork()
		})
		if err != nil {
			return 0, err
		}
		rates = append(rates, 2*copies*float64(bytes)/time.Since(begun).Seconds())
	}
	rates = rates[1:] // the first one touches the memory
	slices.Sort(rates)
	return rates[len(rates)/2], nil
}
