// Package segy reads and writes SEG-Y files of revisions 0 and 1: velocity models and gathers.
//
// A file is a textual header of 3200 bytes (EBCDIC or ASCII), a binary header of 400 bytes, optional further textual
// headers and traces, each with a header of 240 bytes. Samples may be IBM or IEEE floats of four bytes or integers of
// four, two or one bytes; all come out as float32. Big-endian is the standard; little-endian files, which some programs
// write, are recognised where their format code makes sense only when its bytes are swapped.
//
// Every count in a file is checked against the file's size before memory is taken, so that a damaged file is an error
// with numbers in it.
//
// The standard: SEG-Y rev 1 Data Exchange Format, Society of Exploration Geophysicists, 2002.
package segy
