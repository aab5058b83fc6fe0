package event

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Scenario is handlers, given as data, and operations on a manager of them: see
// the package comment.
type Scenario struct {
	Name  string
	Defs  []Def
	Rules []Rule
	Ops   []string // words separated by one blank
}

// Def says what the Terminate of a handler does: ok, crash or throw.
type Def struct{ Handler, Term string }

// Rule says what a callback of a handler does.
type Rule struct {
	Kind    string // event, info or call
	Handler string // "*": any
	Content string // "*": any
	Cond    string // as "d<2", or ""
	Throw   bool   // the result is thrown, which is the same
	Result  []string
}

// Read reads scenarios.
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
		case f[0] == "handler" && len(f) >= 2:
			d := Def{Handler: f[1], Term: "ok"}
			for _, attr := range f[2:] {
				d.Term = strings.TrimPrefix(attr, "term=")
			}
			s.Defs = append(s.Defs, d)
		case f[0] == "on":
			rule, err := readRule(f[1:])
			if err != nil {
				return nil, fmt.Errorf("scenario %s: %s: %w", s.Name, line, err)
			}
			s.Rules = append(s.Rules, rule)
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

func readRule(f []string) (Rule, error) {
	arrow := slices.Index(f, "->")
	if arrow != 3 && arrow != 5 || len(f) == arrow+1 {
		return Rule{}, fmt.Errorf("it is no rule")
	}
	r := Rule{Kind: f[0], Handler: f[1], Content: f[2], Result: f[arrow+1:]}
	if arrow == 5 {
		r.Cond = f[4]
	}
	if r.Result[0] == "throw" {
		r.Throw, r.Result = true, r.Result[1:]
	}
	return r, nil
}

// String returns the scenario as Read reads it.
func (s Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario %s\n", s.Name)
	for _, d := range s.Defs {
		fmt.Fprintf(&b, "handler %s term=%s\n", d.Handler, d.Term)
	}
	for _, r := range s.Rules {
		b.WriteString(r.String() + "\n")
	}
	for _, op := range s.Ops {
		b.WriteString(op + "\n")
	}
	b.WriteString("end\n")
	return b.String()
}

// String returns the rule's line.
func (r Rule) String() string {
	words := []string{"on", r.Kind, r.Handler, r.Content}
	if r.Cond != "" {
		words = append(words, "if", r.Cond)
	}
	words = append(words, "->")
	if r.Throw {
		words = append(words, "throw")
	}
	return strings.Join(append(words, r.Result...), " ")
}

// find returns the result of the callback, nil if no rule is about it.
func (s *Scenario) find(kind, handler, content string, d int) []string {
	for _, r := range s.Rules {
		if r.Kind == kind && (r.Handler == "*" || r.Handler == handler) && (r.Content == "*" || r.Content == content) && holds(r.Cond, d) {
			return r.Result
		}
	}
	return nil
}

func holds(cond string, d int) bool {
	for _, op := range []string{"<", ">=", "="} {
		text, ok := strings.CutPrefix(cond, "d"+op)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			panic("no condition: " + cond)
		}
		switch op {
		case "<":
			return d < n
		case ">=":
			return d >= n
		}
		return d == n
	}
	return cond == ""
}

// term returns what the Terminate of a handler does.
func (s *Scenario) term(handler string) string {
	for _, d := range slices.Backward(s.Defs) {
		if d.Handler == handler {
			return d.Term
		}
	}
	return "ok"
}

// items returns the operations of a batch, or op itself.
func items(op string) [][]string {
	rest, batch := strings.CutPrefix(op, "batch ")
	if !batch {
		rest = op
	}
	var all [][]string
	for _, item := range strings.Split(rest, " ; ") {
		all = append(all, strings.Fields(item))
	}
	return all
}
