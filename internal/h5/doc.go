// Package h5 reads and writes HDF5 files. It is the only package that touches libhdf5: a wall around
// gonum.org/v1/hdf5 and a small cgo shim for what that binding lacks or does unsafely.
//
// Reading. libhdf5 can crash, hang or run wild on a damaged file, and what it survives in one process can kill the
// next. So each open file lives in a child process, which reads and hands over the values: this same executable,
// started again with the variable GOFWI_H5_CHILD set, which an init function here notices. Open lets the child read
// everything once, so that damage is an error at the start and not hours later. Numbers of any stored type (float64,
// big-endian, integers) come out as the type asked for; ranks, sizes and types are checked before each read. External
// links, virtual data sets and raw data in other files are not followed.
//
// Writing. Create collects the file in memory and Commit puts it on disk under a temporary name in the same folder,
// syncs it and renames it, so that a full disk or a crash leaves an earlier file of that name as it was. Everything
// written carries checksums: a flipped bit is noticed when the file is next opened. The same content gives the same
// bytes.
//
// A File may be used by several goroutines; its calls run one after the other.
package h5
