package cuda

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever changes the kernels must make their PTX anew (make ptx), or GPUs would run what the tests did not.
func TestPTXIsOfThePresentSource(t *testing.T) {
	hash := sha256.New()
	for _, name := range []string{"../acoustic.h", "acoustic.cu"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(text)
	}
	want := fmt.Sprintf("// source: %x ", hash.Sum(nil))
	modules, err := filepath.Glob("ptx/acoustic_*.ptx")
	if err != nil || len(modules) != 2*4*2 {
		t.Fatalf("%d modules for 2 dimensions, 4 orders and 2 types: %v", len(modules), err)
	}
	for _, name := range modules {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		line, err := bufio.NewReader(f).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, want) {
			t.Errorf("%s is of another source than acoustic.cu with acoustic.h: run make ptx", name)
		}
	}
}
