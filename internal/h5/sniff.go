package h5

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

var signature = []byte("\x89HDF\r\n\x1a\n")

// sniff returns nil if the file carries HDF5's signature, else a sentence that says what the file looks like.
func sniff(path string, size int64) error {
	if size == 0 {
		return &tagged{"the file is empty (0 bytes), so not an HDF5 file", ErrNotHDF5}
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	head := make([]byte, 4096)
	n, err := file.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	head = head[:n]
	// A user block may come before the signature, which then lies at 512 bytes or a power of two times that.
	for offset := int64(0); offset < size; offset = max(512, 2*offset) {
		var at [8]byte
		if _, err := file.ReadAt(at[:], offset); err == nil && bytes.Equal(at[:], signature) {
			return nil
		}
	}
	if size < int64(len(signature)) && bytes.HasPrefix(signature, head) {
		return &tagged{fmt.Sprintf("the file is cut short: %d bytes, less than HDF5's signature", size), ErrDamaged}
	}
	return &tagged{"this is not an HDF5 file; it looks like " + looksLike(head, size), ErrNotHDF5}
}

func looksLike(head []byte, size int64) string {
	for _, known := range []struct{ magic, name string }{
		{"\x93NUMPY", "a numpy array (.npy)"},
		{"\x1f\x8b", "a gzip archive: unpack it first"},
		{"PK\x03\x04", "a zip archive (as .npz is): unpack it first"},
		{"BZh", "a bzip2 archive: unpack it first"},
		{"\xfd7zXZ\x00", "an xz archive: unpack it first"},
		{"\x28\xb5\x2f\xfd", "a zstandard archive: unpack it first"},
		{"CDF\x01", "a classic netCDF file: nccopy -k nc4 converts it"},
		{"CDF\x02", "a classic netCDF file: nccopy -k nc4 converts it"},
		{"CDF\x05", "a classic netCDF file: nccopy -k nc4 converts it"},
		{"MATLAB 5.0", "a MATLAB file of before version 7.3: save it with -v7.3"},
		{"\x0e\x03\x13\x01", "an HDF4 file: h4toh5 converts it"},
		{"\x89PNG", "a PNG picture"},
		{"%PDF", "a PDF document"},
		{"\x7fELF", "a program"},
	} {
		if bytes.HasPrefix(head, []byte(known.magic)) {
			return known.name
		}
	}
	if isSEGY(head) {
		return "a SEG-Y file: import it first"
	}
	zeros := true
	for _, b := range head {
		zeros = zeros && b == 0
	}
	if zeros {
		return fmt.Sprintf("%d bytes that begin with zeros, as an unfinished copy leaves", size)
	}
	if isText(head) {
		return "a text file"
	}
	if size%4 == 0 {
		return fmt.Sprintf("binary data of %d bytes, perhaps %d raw float32 values", size, size/4)
	}
	return fmt.Sprintf("binary data of %d bytes", size)
}

// isSEGY recognises a SEG-Y file by its format code and number of samples in either byte order.
func isSEGY(head []byte) bool {
	if len(head) < 3600 {
		return false
	}
	for _, order := range []binary.ByteOrder{binary.BigEndian, binary.LittleEndian} {
		samples, format := order.Uint16(head[3220:]), order.Uint16(head[3224:])
		if samples > 0 && (format >= 1 && format <= 5 || format == 8) && (head[0] == 'C' || head[0] == 0xC3) {
			return true
		}
	}
	return false
}

func isText(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n <= 1 && len(head) >= utf8.UTFMax {
			return false
		}
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
		head = head[n:]
	}
	return true
}
