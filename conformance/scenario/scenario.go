package scenario

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Scenario is a tree, and what is done with it.
type Scenario struct {
	Name string
	Defs []Def
	Ops  []string // one line each, its words separated by single blanks
}

// Def is a definition: of a supervisor or of a worker.
type Def struct {
	Name       string
	Parent     string // "-" of the root, "@" if it is not started with the tree
	Supervisor bool
	Attrs      map[string]string
}

// attributes are the keys of Attrs, in the order in which they are written,
// and their values; none: a number.
var attributes = []struct {
	key    string
	values []string
}{
	{"strategy", []string{"one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"}},
	{"intensity", nil},
	{"period", nil},
	{"auto", []string{"never", "any_significant", "all_significant"}},
	{"restart", []string{"permanent", "transient", "temporary"}},
	{"significant", []string{"true", "false"}},
	{"shutdown", []string{"infinity", "brutal_kill", ""}},
	{"trap", []string{"true", "false"}},
	{"term", []string{"ok", "crash", "hang"}},
}

// Read returns the scenarios of a text.
func Read(r io.Reader) ([]Scenario, error) {
	var all []Scenario
	var s Scenario
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case f[0] == "scenario" && len(f) == 2:
			s = Scenario{Name: f[1]}
		case f[0] == "sup" || f[0] == "worker":
			d, err := readDef(f)
			if err != nil {
				return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
			}
			s.Defs = append(s.Defs, d)
		case f[0] == "end":
			all = append(all, s)
			s = Scenario{}
		default:
			s.Ops = append(s.Ops, strings.Join(f, " "))
		}
	}
	if s.Name != "" {
		return nil, fmt.Errorf("scenario %s has no end", s.Name)
	}
	return all, lines.Err()
}

func readDef(f []string) (Def, error) {
	if len(f) < 3 {
		return Def{}, fmt.Errorf("%q: name and parent are missing", strings.Join(f, " "))
	}
	d := Def{Name: f[1], Parent: f[2], Supervisor: f[0] == "sup", Attrs: map[string]string{}}
	for _, kv := range f[3:] {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || !validAttr(k, v) {
			return Def{}, fmt.Errorf("%s: %q is no attribute", d.Name, kv)
		}
		d.Attrs[k] = v
	}
	return d, nil
}

func validAttr(key, value string) bool {
	for _, a := range attributes {
		if a.key != key {
			continue
		}
		if slices.Contains(a.values, value) {
			return true
		}
		_, err := strconv.ParseUint(value, 10, 31)
		return err == nil && (a.values == nil || slices.Contains(a.values, ""))
	}
	return false
}

// String returns the scenario as Read reads it.
func (s Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario %s\n", s.Name)
	for _, d := range s.Defs {
		b.WriteString(d.String() + "\n")
	}
	for _, op := range s.Ops {
		b.WriteString(op + "\n")
	}
	b.WriteString("end\n")
	return b.String()
}

// String returns the definition's line.
func (d Def) String() string {
	words := []string{"worker", d.Name, d.Parent}
	if d.Supervisor {
		words[0] = "sup"
	}
	for _, a := range attributes {
		if v, ok := d.Attrs[a.key]; ok {
			words = append(words, a.key+"="+v)
		}
	}
	return strings.Join(words, " ")
}

// Find returns the first definition of that name.
func (s *Scenario) Find(name string) (Def, bool) {
	i := slices.IndexFunc(s.Defs, func(d Def) bool { return d.Name == name })
	if i < 0 {
		return Def{}, false
	}
	return s.Defs[i], true
}

// Pool reports whether the supervisor of that name is a pool.
func (s *Scenario) Pool(sup string) bool {
	d, ok := s.Find(sup)
	return ok && d.pool()
}

func (d Def) pool() bool { return d.Attrs["strategy"] == "simple_one_for_one" }

// Template returns the definition of a pool's children.
func (s *Scenario) Template(pool string) (Def, bool) {
	i := slices.IndexFunc(s.Defs, func(d Def) bool { return d.Parent == pool })
	if i < 0 {
		return Def{}, false
	}
	return s.Defs[i], true
}

// BatchOps returns the operations of a batch, given all its words.
func BatchOps(words []string) (sup string, ops []string) {
	return words[1], strings.Split(strings.Join(words[2:], " "), " ; ")
}
