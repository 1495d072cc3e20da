package segy

import (
	"fmt"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

const (
	textBytes   = 3200
	lineBytes   = 80
	textLines   = textBytes / lineBytes
	ebcdicSpace = 0x40
)

var ebcdic = charmap.CodePage037

// decodeText returns the lines of a textual header without blanks and empty lines at the end, whichever of EBCDIC and ASCII it is in.
// Characters that cannot be shown become blanks.
func decodeText(stored []byte) string {
	isEBCDIC := looksEBCDIC(stored)
	var lines []string
	for len(stored) > 0 {
		n := min(lineBytes, len(stored))
		var line strings.Builder
		for _, b := range stored[:n] {
			r := rune(b)
			if isEBCDIC {
				r = ebcdic.DecodeByte(b)
			}
			if r < ' ' || r > '~' {
				r = ' '
			}
			line.WriteRune(r)
		}
		lines = append(lines, strings.TrimRight(line.String(), " "))
		stored = stored[n:]
	}
	for len(lines) > 0 && (lines[len(lines)-1] == "" || lines[len(lines)-1] == cardNumber(len(lines))) {
		lines = lines[:len(lines)-1]
	}
	return strings.Join(lines, "\n")
}

// cardNumber is what line n begins with: "C 1" to "C40".
func cardNumber(n int) string { return fmt.Sprintf("C%2d", n) }

// looksEBCDIC counts blanks, of which every header has many, and printable ASCII.
func looksEBCDIC(stored []byte) bool {
	blanks, printable := 0, 0
	for _, b := range stored {
		switch {
		case b == ebcdicSpace:
			blanks++
		case b >= ' ' && b <= '~':
			printable++
		}
	}
	return blanks > 0 && blanks >= printable/2
}

// encodeText returns the textual header in EBCDIC. Lines that do not begin with C and their number, as the standard
// asks, get that in front.
func encodeText(text string) ([]byte, error) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > textLines {
		return nil, fmt.Errorf("the textual header has %d lines, SEG-Y holds %d", len(lines), textLines)
	}
	for len(lines) < textLines {
		lines = append(lines, "")
	}
	stored := make([]byte, 0, textBytes)
	for i, line := range lines {
		prefix := cardNumber(i + 1)
		if !strings.HasPrefix(line, prefix) {
			line = strings.TrimRight(prefix+" "+line, " ")
		}
		runes := []rune(line)
		if len(runes) > lineBytes {
			return nil, fmt.Errorf("line %d of the textual header has %d characters, SEG-Y holds %d: %q",
				i+1, len(runes), lineBytes, line)
		}
		for range lineBytes - len(runes) {
			runes = append(runes, ' ')
		}
		for _, r := range runes {
			b, ok := ebcdic.EncodeRune(r)
			if !ok || r < ' ' {
				b, _ = ebcdic.EncodeRune('?')
			}
			stored = append(stored, b)
		}
	}
	return stored, nil
}
