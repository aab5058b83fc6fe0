package statem

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Scenario is a state machine given as tables, and what is done with it.
type Scenario struct {
	Name    string
	Machine map[string]string // its keys are those of machineKeys
	Init    Answer            // the zero value: ok a
	Rules   []Rule
	Ops     []string // one line each, its words separated by single blanks
}

// machineKeys are the keys of Machine, in the order in which they are written,
// and their values; none: a number.
var machineKeys = []struct {
	key    string
	values []string
}{
	{"mode", []string{"handle_event_function", "state_functions"}},
	{"enter", []string{"false", "true"}},
	{"trap", []string{"true", "false"}},
	{"term", []string{"ok", "crash", "throw"}},
	{"fuel", nil},
}

// Rule says what a callback returns.
type Rule struct {
	Enter   bool   // of a state enter call: then Content is the old state
	State   string // "*": any; likewise Type and Content
	Type    string
	Content string
	Cond    string // "d<2", "d>=2" or "d=2"; "": always
	Answer  Answer
}

// Answer is what a callback returns: a result and actions, each as words.
type Answer struct {
	Result  []string
	Actions [][]string
}

// Read returns the scenarios of a text.
func Read(r io.Reader) ([]Scenario, error) {
	var all []Scenario
	var s *Scenario
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
			continue
		case s == nil && f[0] == "scenario" && len(f) == 2:
			s = &Scenario{Name: f[1], Machine: map[string]string{}}
			continue
		case s == nil:
			return nil, fmt.Errorf("%q is outside a scenario", line)
		case f[0] == "end":
			all = append(all, *s)
			s = nil
			continue
		}
		if err := s.read(f); err != nil {
			return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
		}
	}
	if s != nil {
		return nil, fmt.Errorf("scenario %s has no end", s.Name)
	}
	return all, lines.Err()
}

// read reads one line of a scenario.
func (s *Scenario) read(f []string) error {
	switch f[0] {
	case "machine":
		for _, kv := range f[1:] {
			k, v, _ := strings.Cut(kv, "=")
			if !validKey(k, v) {
				return fmt.Errorf("%q says nothing of a machine", kv)
			}
			s.Machine[k] = v
		}
	case "init":
		s.Init = readAnswer(f[1:])
	case "on", "enter":
		r, ok := readRule(f)
		if !ok {
			return fmt.Errorf("%q is no rule", strings.Join(f, " "))
		}
		s.Rules = append(s.Rules, r)
	default:
		s.Ops = append(s.Ops, strings.Join(f, " "))
	}
	return nil
}

func validKey(key, value string) bool {
	for _, k := range machineKeys {
		if k.key == key && k.values == nil {
			_, err := strconv.ParseUint(value, 10, 31)
			return err == nil
		} else if k.key == key {
			return slices.Contains(k.values, value)
		}
	}
	return false
}

func readRule(f []string) (Rule, bool) {
	arrow := slices.Index(f, "->")
	if arrow < 0 || arrow == len(f)-1 {
		return Rule{}, false
	}
	r := Rule{Enter: f[0] == "enter", Answer: readAnswer(f[arrow+1:])}
	head := f[1:arrow]
	if n := len(head); n >= 2 && head[n-2] == "if" {
		r.Cond = head[n-1]
		head = head[:n-2]
		if _, ok := holds(r.Cond, 0); !ok {
			return r, false
		}
	}
	switch {
	case r.Enter && len(head) == 2:
		r.State, r.Content = head[0], head[1]
	case !r.Enter && len(head) == 3:
		r.State, r.Type, r.Content = head[0], head[1], head[2]
	default:
		return r, false
	}
	return r, len(r.Answer.Result) > 0
}

func readAnswer(f []string) Answer {
	all := splitWords(f)
	if len(all) == 0 {
		return Answer{}
	}
	return Answer{Result: all[0], Actions: all[1:]}
}

// splitWords splits words at each ";".
func splitWords(f []string) (all [][]string) {
	for len(f) > 0 {
		i := slices.Index(f, ";")
		if i < 0 {
			return append(all, f)
		}
		all = append(all, f[:i:i])
		f = f[i+1:]
	}
	return all
}

// holds reports whether the condition holds for d; ok is false if it is none.
func holds(cond string, d int) (holds, ok bool) {
	for _, c := range []struct {
		begin string
		holds func(n int) bool
	}{
		{"d<", func(n int) bool { return d < n }},
		{"d>=", func(n int) bool { return d >= n }},
		{"d=", func(n int) bool { return d == n }},
		{"", func(int) bool { return true }},
	} {
		if rest, is := strings.CutPrefix(cond, c.begin); is {
			n, err := strconv.Atoi(rest)
			return c.holds(n), err == nil || cond == ""
		}
	}
	return false, false
}

// String returns the scenario as Read reads it.
func (s Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario %s\nmachine", s.Name)
	for _, k := range machineKeys {
		if v, ok := s.Machine[k.key]; ok {
			fmt.Fprintf(&b, " %s=%s", k.key, v)
		}
	}
	b.WriteString("\n")
	if len(s.Init.Result) > 0 {
		fmt.Fprintf(&b, "init %s\n", s.Init)
	}
	for _, r := range s.Rules {
		fmt.Fprintln(&b, r)
	}
	for _, op := range s.Ops {
		b.WriteString(op + "\n")
	}
	b.WriteString("end\n")
	return b.String()
}

// String returns the rule's line.
func (r Rule) String() string {
	words := []string{"on", r.State, r.Type, r.Content}
	if r.Enter {
		words = []string{"enter", r.State, r.Content}
	}
	if r.Cond != "" {
		words = append(words, "if", r.Cond)
	}
	return strings.Join(words, " ") + " -> " + r.Answer.String()
}

// String returns the result and the actions, as in a line.
func (a Answer) String() string {
	parts := []string{strings.Join(a.Result, " ")}
	for _, action := range a.Actions {
		parts = append(parts, strings.Join(action, " "))
	}
	return strings.Join(parts, " ; ")
}

// find returns the answer of the first rule that matches, nil if none does.
func (s *Scenario) find(enter bool, state, typ, content string, d int) *Answer {
	for i := range s.Rules {
		r := &s.Rules[i]
		match := func(pattern, word string) bool { return pattern == "*" || pattern == word }
		if r.Enter != enter || !match(r.State, state) || !match(r.Content, content) {
			continue
		}
		if !enter && !match(r.Type, typ) && !(r.Type == "timeout:*" && strings.HasPrefix(typ, "timeout:")) {
			continue
		}
		if yes, _ := holds(r.Cond, d); yes {
			return &r.Answer
		}
	}
	return nil
}
