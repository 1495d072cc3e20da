package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"gofwi/internal/h5"
	"gofwi/kernels"
	"gofwi/kernels/cuda"
)

// onnxRuntimeVariable names the variable with the path of the ONNX Runtime library.
const onnxRuntimeVariable = "FWI_ONNXRUNTIME_LIB"

func newDoctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine has, and how to get what it lacks",
		Long:  "doctor looks at the libraries and the machine. It fails only where something is broken that every run needs.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			say := func(name, format string, a ...any) {
				fmt.Fprintf(cmd.OutOrStdout(), "%-13s %s\n", name, fmt.Sprintf(format, a...))
			}
			say("fwi", "%s", version)
			say("Go", "%s, %s/%s", strings.TrimPrefix(runtime.Version(), "go"), runtime.GOOS, runtime.GOARCH)
			hdf5, err := h5.LibraryVersion()
			if err == nil {
				err = tryHDF5()
			}
			if err != nil {
				err = fmt.Errorf("HDF5 does not work: %w; on Debian or Ubuntu install libhdf5-dev and build again", err)
				say("HDF5", "broken")
			} else {
				say("HDF5", "%s, writes and reads", hdf5)
			}
			set, kernelError := kernels.InstructionSet("")
			if kernelError != nil {
				kernelError = fmt.Errorf("the kernels do not run here: %w", kernelError)
				set = "none"
			}
			say("CPU", "%s; kernels use %s", orUnknown(procValue("/proc/cpuinfo", "model name")), set)
			say("cores", "%d, %d used", runtime.NumCPU(), runtime.GOMAXPROCS(0))
			say("memory", "%s, %s of it free", orUnknown(procValue("/proc/meminfo", "MemTotal")), orUnknown(procValue("/proc/meminfo", "MemAvailable")))
			var disk syscall.Statfs_t
			if e := syscall.Statfs(".", &disk); e == nil {
				say("disk", "%.1f GiB free in this folder", float64(disk.Bavail)*float64(disk.Bsize)/(1<<30))
			} else {
				say("disk", "unknown: %v", e)
			}
			for _, line := range gpus() {
				say("CUDA", "%s", line)
			}
			say("ONNX Runtime", "%s", onnxRuntime())
			return errors.Join(err, kernelError)
		},
	}
}

// tryHDF5 writes a file and reads it back, which starts a child process as every reading does.
func tryHDF5() error {
	folder, err := os.MkdirTemp("", "fwi-doctor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "try.h5")
	w, err := h5.Create(path)
	if err != nil {
		return err
	}
	defer w.Close()
	want := []float32{1500, 2500}
	if err := errors.Join(w.WriteFloat32("/vp", want, []int{2}, h5.DefaultCompression), w.Commit()); err != nil {
		return err
	}
	r, err := h5.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	if got, _, err := r.ReadFloat32("/vp"); err != nil || !slices.Equal(got, want) {
		return errors.Join(err, fmt.Errorf("wrote %v and read %v", want, got))
	}
	return nil
}

// procValue returns the first value of a key in a file of lines "key: value", sizes in GiB, or "".
func procValue(path, key string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), ":")
		if !ok || strings.TrimSpace(name) != key {
			continue
		}
		value = strings.TrimSpace(value)
		var kib float64
		if n, _ := fmt.Sscanf(value, "%g kB", &kib); n == 1 && strings.HasSuffix(value, "kB") {
			return fmt.Sprintf("%.1f GiB", kib/(1<<20))
		}
		return value
	}
	return ""
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// libraryFolders is where the dynamic linker looks.
func libraryFolders() []string {
	folders := filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))
	return append(folders, "/usr/local/lib", "/usr/lib/"+map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]+"-linux-gnu", "/usr/lib64", "/usr/lib", "/lib64")
}

// findLibrary returns the first file that matches the pattern in the folders, or "".
func findLibrary(pattern string, folders []string) string {
	for _, folder := range folders {
		if folder == "" {
			continue
		}
		if found, _ := filepath.Glob(filepath.Join(folder, pattern)); len(found) > 0 {
			return found[0]
		}
	}
	return ""
}

var driverVersion = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

// gpus returns a line for each GPU that can be used, or one that says why there is none and what of the driver is there.
func gpus() []string {
	devices, err := cuda.Devices()
	if err != nil {
		return []string{fmt.Sprintf("no GPU can be used: %v; %s", err, nvidiaDriver())}
	}
	var lines []string
	for _, d := range devices {
		free, total, err := d.Memory()
		if err != nil {
			lines = append(lines, err.Error())
			continue
		}
		lines = append(lines, fmt.Sprintf("%s, %d multiprocessors, %.1f GiB, %.1f of them free; driver for CUDA %d.%d", d, d.Processors, float64(total)/(1<<30), float64(free)/(1<<30),
			d.DriverVersion/1000, d.DriverVersion%1000/10))
	}
	return lines
}

// nvidiaDriver says what of NVIDIA's driver is there.
func nvidiaDriver() string {
	library := findLibrary("libcuda.so.1", libraryFolders())
	content, err := os.ReadFile("/proc/driver/nvidia/version")
	driver := driverVersion.FindString(string(content))
	switch {
	case err != nil && library == "":
		return "this machine has no NVIDIA driver"
	case err != nil:
		return library + " is there, but no NVIDIA driver is loaded"
	case library == "":
		return "driver " + orUnknown(driver) + " is loaded, but libcuda.so.1 is missing: it comes with the driver's user-space packages"
	}
	return "driver " + orUnknown(driver) + ", " + library
}

func onnxRuntime() string {
	const pattern = "libonnxruntime.so*"
	if path := os.Getenv(onnxRuntimeVariable); path != "" {
		if _, err := os.Stat(path); err != nil {
			return fmt.Sprintf("%s names a library that cannot be used: %v", onnxRuntimeVariable, err)
		}
		return path + ", from " + onnxRuntimeVariable
	}
	if cache, err := os.UserCacheDir(); err == nil {
		if found := findLibrary(filepath.Join("onnxruntime-*", pattern), []string{filepath.Join(cache, "fwi")}); found != "" {
			return found
		}
	}
	if found := findLibrary(pattern, libraryFolders()); found != "" {
		return found
	}
	return "not found; inversions do without it. To get it, unpack a release of ONNX Runtime 1.24 or later and set " + onnxRuntimeVariable + " to its libonnxruntime.so"
}
