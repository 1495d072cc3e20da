package damped

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

const page = "../../../docs/equations.md"

// The Go code on the page is that of the files it names, and the page leaves none of the package's code out.
func TestPageShowsTheCode(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{} // code on the page by the file it is from
	blocks := strings.Split(string(text), "```go\n")
	for i, block := range blocks[1:] {
		code, _, closed := strings.Cut(block, "```\n")
		if !closed {
			t.Fatalf("%s: block %d has no end", page, i+1)
		}
		lines := strings.Split(strings.TrimSpace(blocks[i]), "\n")
		name := strings.Trim(lines[len(lines)-1], "`:")
		source, err := os.ReadFile("../../../" + name)
		if err != nil {
			t.Errorf("%s: the line before block %d names no file: %v", page, i+1, err)
			continue
		}
		if !strings.Contains(string(source), code) {
			t.Errorf("%s: block %d is not in %s:\n%s", page, i+1, name, code)
		}
		shown[name] += code
	}
	for _, name := range []string{"damped.go", "reference.go", "cpu.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
				continue
			}
			code := string(source[files.Position(d.Pos()).Offset:files.Position(d.End()).Offset])
			if !strings.Contains(shown["examples/equation/damped/"+name], code) {
				t.Errorf("%s does not show this of %s:\n%s", page, name, code)
			}
		}
	}
}
