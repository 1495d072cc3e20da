package segy

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Format is the code of how samples are stored.
type Format int

const (
	IBM   Format = 1 // IBM float, 4 bytes
	Int32 Format = 2 // two's complement integers
	Int16 Format = 3
	IEEE  Format = 5 // IEEE float, 4 bytes
	Int8  Format = 8
)

func (f Format) String() string {
	switch f {
	case IBM:
		return "IBM float32"
	case Int32:
		return "int32"
	case Int16:
		return "int16"
	case IEEE:
		return "IEEE float32"
	case Int8:
		return "int8"
	case 4:
		return "fixed-point with gain"
	case 6:
		return "IEEE float64"
	case 7, 15:
		return "24-bit integers"
	}
	return fmt.Sprintf("unknown format %d", int(f))
}

// bytes returns the size of a sample, 0 for formats that this package does not read.
func (f Format) bytes() int {
	switch f {
	case IBM, Int32, IEEE:
		return 4
	case Int16:
		return 2
	case Int8:
		return 1
	}
	return 0
}

// defined tells whether a revision of the standard up to 2.0 gives the code a meaning.
func (f Format) defined() bool { return f >= 1 && f <= 12 && f != 9 || f == 15 || f == 16 }

// decode turns len(out) stored samples into numbers. Integers of more than 24 bits are rounded.
func (f Format) decode(out []float32, stored []byte, order binary.ByteOrder) {
	switch f {
	case IBM:
		for i := range out {
			out[i] = fromIBM(order.Uint32(stored[4*i:]))
		}
	case IEEE:
		for i := range out {
			out[i] = math.Float32frombits(order.Uint32(stored[4*i:]))
		}
	case Int32:
		for i := range out {
			out[i] = float32(int32(order.Uint32(stored[4*i:])))
		}
	case Int16:
		for i := range out {
			out[i] = float32(int16(order.Uint16(stored[2*i:])))
		}
	case Int8:
		for i := range out {
			out[i] = float32(int8(stored[i]))
		}
	}
}

// encode appends samples as IEEE or IBM floats, big-endian. It returns the index of a sample that the format cannot
// hold, or -1.
func (f Format) encode(stored []byte, samples []float32) ([]byte, int) {
	for i, v := range samples {
		bits := math.Float32bits(v)
		if f == IBM {
			var ok bool
			if bits, ok = toIBM(v); !ok {
				return stored, i
			}
		}
		stored = binary.BigEndian.AppendUint32(stored, bits)
	}
	return stored, -1
}
