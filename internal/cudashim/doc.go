//go:build !cuda

// Package cudashim binds NVIDIA's driver library when the program runs. It is empty in builds without the tag cuda (make cuda).
package cudashim
