// Command fwi recovers subsurface velocity from seismic waves: full-waveform inversion of HDF5 problem files.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

var version = "unknown" // set by the linker

const exitInterrupted = 130

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "fwi",
		Short:         "Full-waveform inversion",
		Long:          "fwi recovers subsurface velocity from seismic waves. Begin with: fwi demo demo.h5 && fwi run demo.h5",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRunCommand(), newModelCommand(), newGradientCommand(), newCheckCommand(), newDemoCommand(), newDoctorCommand(), newInfoCommand(), newPlotCommand(), newImportCommand(), newExportCommand(), newBenchCommand())
	return root
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRootCommand().ExecuteContext(ctx)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "fwi:", err)
	if errors.Is(err, context.Canceled) {
		os.Exit(exitInterrupted)
	}
	os.Exit(1)
}
