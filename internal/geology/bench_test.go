package geology

import "testing"

func BenchmarkSection(b *testing.B) {
	for _, kind := range Kinds() {
		b.Run(kind.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := Section(Options{NZ: 240, NX: 800, DZ: 12.5, DX: 12.5, Seed: 1, Kind: kind}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
