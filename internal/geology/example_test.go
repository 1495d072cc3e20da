package geology_test

import (
	"fmt"

	"gofwi/internal/geology"
)

// A salt section 3 km deep and 8 km wide below 200 m of water. The same seed at
// 12.5 m gives the same geology on a finer grid.
func ExampleSection() {
	m, err := geology.Section(geology.Options{
		NZ: 120, NX: 320, DZ: 25, DX: 25, Seed: 1, Kind: geology.Salt, WaterDepth: 200,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Kind, len(m.VP), "cells,", m.VP[0], "m/s at the surface")
	// Output: salt 38400 cells, 1500 m/s at the surface
}
