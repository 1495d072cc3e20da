package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gofwi/fwi"
	"gofwi/internal/arena"
)

func newBenchCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Compare methods"}
	cmd.AddCommand(newConvergenceCommand())
	return cmd
}

func newConvergenceCommand() *cobra.Command {
	var o arena.Options
	cmd := &cobra.Command{
		Use:   "convergence",
		Short: "Compare how methods converge, on many models, starts and levels of noise",
		Long: "Inverts every model from every start with every level of noise by every method, and writes a page with figures, a CSV and an HDF5 table of every evaluation to --out. " +
			"What --out holds already is not computed again: a run that was killed goes on with the same command.\n\n" +
			"Methods: " + strings.Join(arena.MethodNames(), ", ") + "; NAME=config.yaml for one of your own; any of them followed by +PROPOSER for leaps (" + strings.Join(fwi.ProposerNames(), ", ") + ").\n" +
			"The last line compares the second method with the first.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Version = version
			o.Say = func(format string, args ...any) { fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...) }
			line, err := arena.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: README.md, curves.png, profiles.png, evaluations.csv, evaluations.h5\n%s\n", o.Out, line)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.Models, "models", []string{"generated"}, "HDF5 files, generated (24 sections of all kinds), generated:KIND or generated:KIND:SEED")
	f.StringSliceVar(&o.Methods, "methods", []string{"lbfgs", "best"}, "the first is what the others are compared with")
	f.StringSliceVar(&o.Starts, "starts", nil, "smooth:500m (any width), gradient, or an HDF5 file (default: the model's own, else smooth:500m)")
	f.Float64SliceVar(&o.Noise, "noise", []float64{0}, "standard deviations of white noise in the band, as fractions of the RMS of the data")
	f.IntVar(&o.Seeds, "seeds", 1, "realisations of the noise, and sections of each generated:KIND")
	f.StringVarP(&o.Out, "out", "o", "bench-convergence", "folder for the results")
	f.BoolVar(&o.Quick, "quick", false, "small sections, one of each kind")
	f.IntVar(&o.Threads, "threads", 0, "processors to use (default all)")
	return cmd
}
