package arena

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"gofwi/fwi"
)

// Method is an entrant of the arena.
type Method struct {
	Name          string
	Configuration string // YAML as fwi.Config.Merge reads it; what decides the data in it (start, acquisition, seed) is ignored
	Proposer      string // fwi.NewProposer's name for it; "": none
}

// textbook is the configuration that methods have in common which shall not move with the defaults: one preconditioner, all shots.
const textbook = "{misfit: least-squares, memory: 20, first_change: 80, max_change: 400, preconditioner: {power: 0.75, floor: 0.01, smoothing: 0.2}, method: %s}"

// methods are the entrants known by name.
func methods() []Method {
	all := []Method{{Name: "best", Configuration: "{}"}} // what a user gets who asks for nothing
	for _, m := range fwi.MethodNames() {
		all = append(all, Method{Name: m, Configuration: fmt.Sprintf(textbook, m)})
	}
	for _, m := range fwi.MisfitNames() {
		all = append(all, Method{Name: m, Configuration: fmt.Sprintf("{misfit: %s}", m)})
	}
	return all
}

// MethodNames returns the names that FindMethod takes, without those of files and proposers.
func MethodNames() []string {
	var names []string
	for _, m := range methods() {
		names = append(names, m.Name)
	}
	return names
}

// FindMethod returns the method called NAME, NAME+PROPOSER, or LABEL=FILE.yaml, also with +PROPOSER behind the label.
func FindMethod(text string) (Method, error) {
	name, file, isFile := strings.Cut(text, "=")
	base, proposer, assisted := strings.Cut(name, "+")
	var m Method
	if isFile {
		if base == "" {
			return m, fmt.Errorf("method %q has no name before the =", text)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return m, fmt.Errorf("method %s: %w", base, err)
		}
		var c fwi.Config
		if err := c.Merge(content); err != nil {
			return m, fmt.Errorf("method %s, %s: %w", base, file, err)
		}
		m = Method{Configuration: string(content)}
	} else {
		known := methods()
		i := slices.IndexFunc(known, func(m Method) bool { return m.Name == base })
		if i < 0 {
			return m, fmt.Errorf("there is no method %q; choose among %s, or give one of your own as NAME=config.yaml", base, strings.Join(MethodNames(), ", "))
		}
		m = known[i]
	}
	m.Name = name
	if assisted {
		if _, err := fwi.NewProposer(proposer); err != nil {
			return m, fmt.Errorf("method %s: %w", name, err)
		}
		m.Proposer = proposer
	}
	return m, nil
}
