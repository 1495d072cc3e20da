package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gofwi/internal/demo"
	"gofwi/internal/geology"
)

func newDemoCommand() *cobra.Command {
	var seed uint64
	var kind, size string
	var overwrite, volume bool
	cmd := &cobra.Command{
		Use:   "demo OUT.h5",
		Short: "Write a demonstration problem: random geology, a survey and a start model",
		Long: "demo writes a problem with a section of random but plausible geology as its truth, a marine survey with a source that emits\n" +
			"nothing below 3 Hz, and a smooth start model; with --3d a small volume instead of the section. fwi run models the data and inverts them.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := args[0]
			if err := refuseExisting(out, overwrite); err != nil {
				return err
			}
			k, err := parseGeology(kind)
			if err != nil {
				return err
			}
			p, err := demo.Problem(demo.Options{Seed: seed, Kind: k, Size: size, Volume: volume})
			if err != nil {
				return err
			}
			if err := p.Save(out); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\ninvert it with: fwi run %s\n", out, describe(p), out)
			return nil
		},
	}
	cmd.Flags().Uint64Var(&seed, "seed", demo.DefaultSeed, "seed of the geology: another number, another section")
	cmd.Flags().StringVar(&kind, "kind", demo.DefaultKind.String(), "geology: "+strings.Join(geologyNames(), ", "))
	cmd.Flags().StringVar(&size, "size", demo.Medium, "small (ten seconds on two cores) or medium (a minute)")
	cmd.Flags().BoolVar(&volume, "3d", false, "a volume with sources and receivers over an area, to 8 Hz (about two minutes on two cores); --size does not apply")
	cmd.MarkFlagsMutuallyExclusive("3d", "size")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace an existing file")
	return cmd
}

func geologyNames() []string {
	names := []string{geology.AnyKind.String()}
	for _, k := range geology.Kinds() {
		names = append(names, k.String())
	}
	return names
}

func parseGeology(name string) (geology.Kind, error) {
	for _, k := range append(geology.Kinds(), geology.AnyKind) {
		if name == k.String() {
			return k, nil
		}
	}
	return 0, fmt.Errorf("geology %q is unknown: choose %s", name, strings.Join(geologyNames(), ", "))
}
