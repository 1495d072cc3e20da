package segy

import (
	"encoding/binary"
	"math"
)

// Lengths of the parts of a file, in bytes.
const (
	binaryBytes = 400
	headBytes   = textBytes + binaryBytes
	traceBytes  = 240
)

// Offsets in the binary header; the standard counts them from 3201.
const (
	binInterval = 16
	binSamples  = 20
	binFormat   = 24
	binUnits    = 54
	binEndian   = 96 // revision 2: 0x01020304 in the byte order of the file
	binRevision = 300
	binFixed    = 302
	binExtended = 304
)

const metresPerFoot = 0.3048

// Header is the header of a trace: what of it matters here. Lengths are in metres, with the scalars of the file
// applied and feet converted. Where CoordinateUnits is 2 (seconds of arc), 3 (degrees) or 4 (degrees, minutes, seconds)
// the coordinates are no lengths and stand here as they are.
type Header struct {
	TraceInLine int32
	TraceInFile int32
	FieldRecord int32 // number of the shot's record
	TraceNumber int32 // within the field record
	ShotPoint   int32 // number of the source point
	CDP         int32
	TraceID     int16 // 1: live, 2: dead

	Offset            float64 // source to receiver, signed
	ReceiverElevation float64 // up
	SourceElevation   float64 // of the surface at the source, up
	SourceDepth       float64 // below that surface, down
	WaterDepthSource  float64
	WaterDepthGroup   float64
	SourceX, SourceY  float64
	ReceiverX         float64
	ReceiverY         float64
	CDPX, CDPY        float64
	CoordinateUnits   int16

	Delay    float64 // time of the first sample after the shot, seconds
	Interval int     // microseconds; 0: as the file says
	Inline   int32
	Xline    int32
}

// Offsets in a trace header; the standard counts them from 1.
const (
	trTraceInLine     = 0
	trTraceInFile     = 4
	trFieldRecord     = 8
	trTraceNumber     = 12
	trShotPoint       = 16
	trCDP             = 20
	trTraceID         = 28
	trOffset          = 36
	trReceiverElev    = 40
	trSourceElev      = 44
	trSourceDepth     = 48
	trWaterSource     = 60
	trWaterGroup      = 64
	trElevationScalar = 68
	trCoordScalar     = 70
	trSourceX         = 72
	trSourceY         = 76
	trReceiverX       = 80
	trReceiverY       = 84
	trCoordUnits      = 88
	trDelay           = 108
	trSamples         = 114
	trInterval        = 116
	trCDPX            = 180
	trCDPY            = 184
	trInline          = 188
	trXline           = 192
)

// fields reads and writes numbers at offsets of a header.
type fields struct {
	bytes []byte
	order binary.ByteOrder
}

func (f fields) int32(at int) int32   { return int32(f.order.Uint32(f.bytes[at:])) }
func (f fields) int16(at int) int16   { return int16(f.order.Uint16(f.bytes[at:])) }
func (f fields) uint16(at int) uint16 { return f.order.Uint16(f.bytes[at:]) }

func (f fields) setInt32(at int, v int32)   { f.order.PutUint32(f.bytes[at:], uint32(v)) }
func (f fields) setInt16(at int, v int16)   { f.order.PutUint16(f.bytes[at:], uint16(v)) }
func (f fields) setUint16(at int, v uint16) { f.order.PutUint16(f.bytes[at:], v) }

// factor is what a scalar of the file stands for: positive to multiply by, negative to divide by, 0 for 1.
func factor(scalar int16) float64 {
	switch {
	case scalar > 0:
		return float64(scalar)
	case scalar < 0:
		return 1 / -float64(scalar)
	}
	return 1
}

// parse reads a trace header; unit is the length of the file's unit in metres.
func (h *Header) parse(f fields, unit float64) {
	h.TraceInLine = f.int32(trTraceInLine)
	h.TraceInFile = f.int32(trTraceInFile)
	h.FieldRecord = f.int32(trFieldRecord)
	h.TraceNumber = f.int32(trTraceNumber)
	h.ShotPoint = f.int32(trShotPoint)
	h.CDP = f.int32(trCDP)
	h.TraceID = f.int16(trTraceID)
	h.Inline = f.int32(trInline)
	h.Xline = f.int32(trXline)
	h.Interval = int(f.uint16(trInterval))
	h.Delay = float64(f.int16(trDelay)) * 1e-3

	h.Offset = float64(f.int32(trOffset)) * unit
	elevations := unit * factor(f.int16(trElevationScalar))
	h.ReceiverElevation = float64(f.int32(trReceiverElev)) * elevations
	h.SourceElevation = float64(f.int32(trSourceElev)) * elevations
	h.SourceDepth = float64(f.int32(trSourceDepth)) * elevations
	h.WaterDepthSource = float64(f.int32(trWaterSource)) * elevations
	h.WaterDepthGroup = float64(f.int32(trWaterGroup)) * elevations

	coordinates := factor(f.int16(trCoordScalar))
	h.CoordinateUnits = f.int16(trCoordUnits)
	if h.CoordinateUnits < 2 {
		coordinates *= unit
	}
	h.SourceX = float64(f.int32(trSourceX)) * coordinates
	h.SourceY = float64(f.int32(trSourceY)) * coordinates
	h.ReceiverX = float64(f.int32(trReceiverX)) * coordinates
	h.ReceiverY = float64(f.int32(trReceiverY)) * coordinates
	h.CDPX = float64(f.int32(trCDPX)) * coordinates
	h.CDPY = float64(f.int32(trCDPY)) * coordinates
}

// elevations and coordinates list what shares a scalar.
func (h *Header) elevations() []float64 {
	return []float64{h.ReceiverElevation, h.SourceElevation, h.SourceDepth, h.WaterDepthSource, h.WaterDepthGroup}
}

func (h *Header) coordinates() []float64 {
	return []float64{h.SourceX, h.SourceY, h.ReceiverX, h.ReceiverY, h.CDPX, h.CDPY}
}

// put writes a trace header in metres with the given divisors of elevations and coordinates.
func (h *Header) put(f fields, samples, interval int, elevationDivisor, coordinateDivisor int) {
	f.setInt32(trTraceInLine, h.TraceInLine)
	f.setInt32(trTraceInFile, h.TraceInFile)
	f.setInt32(trFieldRecord, h.FieldRecord)
	f.setInt32(trTraceNumber, h.TraceNumber)
	f.setInt32(trShotPoint, h.ShotPoint)
	f.setInt32(trCDP, h.CDP)
	f.setInt16(trTraceID, h.TraceID)
	f.setInt32(trInline, h.Inline)
	f.setInt32(trXline, h.Xline)
	f.setUint16(trSamples, uint16(samples))
	f.setUint16(trInterval, uint16(interval))
	f.setInt16(trDelay, int16(math.Round(h.Delay*1e3)))
	f.setInt32(trOffset, int32(math.Round(h.Offset)))

	f.setInt16(trElevationScalar, int16(-elevationDivisor))
	for i, at := range []int{trReceiverElev, trSourceElev, trSourceDepth, trWaterSource, trWaterGroup} {
		f.setInt32(at, int32(math.Round(h.elevations()[i]*float64(elevationDivisor))))
	}
	f.setInt16(trCoordScalar, int16(-coordinateDivisor))
	for i, at := range []int{trSourceX, trSourceY, trReceiverX, trReceiverY, trCDPX, trCDPY} {
		f.setInt32(at, int32(math.Round(h.coordinates()[i]*float64(coordinateDivisor))))
	}
	f.setInt16(trCoordUnits, max(1, h.CoordinateUnits))
}
