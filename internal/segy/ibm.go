package segy

import "math"

// An IBM float of four bytes is (-1)^s · 0.f · 16^(e-64), with one bit s, seven bits e and 24 bits f.

// fromIBM is exact for all values that float32 holds. Larger ones (IBM reaches 7e75) become infinite, smaller ones are
// rounded.
func fromIBM(bits uint32) float32 {
	fraction := float64(bits & 0xffffff)
	exponent := int(bits>>24&0x7f) - 64
	value := math.Ldexp(fraction, 4*exponent-24)
	if bits>>31 != 0 {
		value = -value
	}
	return float32(value)
}

// toIBM rounds to the nearest value, to even at a tie. The leading hexadecimal digit of f is not zero, which leaves 21
// to 24 bits, so up to three bits of v may be lost. An infinity or NaN, which IBM floats lack, gives false.
func toIBM(v float32) (bits uint32, ok bool) {
	if v != v || math.IsInf(float64(v), 0) {
		return 0, false
	}
	if v == 0 {
		return math.Float32bits(v), true
	}
	fraction, exponent2 := math.Frexp(math.Abs(float64(v))) // fraction in [1/2, 1)
	exponent16 := (exponent2 + 3) >> 2                      // rounded up, so that 1/16 ≤ 0.f < 1
	f := uint32(math.RoundToEven(math.Ldexp(fraction, exponent2-4*exponent16+24)))
	if f == 1<<24 {
		f >>= 4
		exponent16++
	}
	bits = uint32(exponent16+64)<<24 | f
	if v < 0 {
		bits |= 1 << 31
	}
	return bits, true
}
