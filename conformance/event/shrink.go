package event

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lineshaft/lineshaft/conformance/scenario"
)

// Check reports what keeps the scenario from being one that has a trace which
// OTP's rules decide:
//
//   - in one batch, a client's exit together with what may link the manager to
//     a client, or two exits of one client;
//   - the Init of a handler that another one's own result swaps in, if it
//     hibernates, or if it fails and the handler is supervised: OTP 25 has that
//     wrong.
func (s Scenario) Check() error {
	for _, op := range s.Ops {
		var exits []string
		links := false
		for _, f := range items(op) {
			switch f[0] {
			case "client_exit":
				if slices.Contains(exits, f[1]) {
					return fmt.Errorf("%s: %s exits twice", op, f[1])
				}
				exits = append(exits, f[1])
			case "add_sup", "swap", "swap_sup":
				links = true
			}
		}
		if links && len(exits) > 0 {
			return fmt.Errorf("%s: a client may exit before it is linked to", op)
		}
	}
	p := newPlayer(&s)
	p.runner = &direct{p: p}
	if p.play(); p.unspecified != "" {
		return fmt.Errorf("an Init in place of another handler: %s", p.unspecified)
	}
	return nil
}

// Shrink returns the smallest scenario that it finds by leaving things out of
// s and for which differ is still true, as it is for s. What is left of a
// scenario that passes Check passes it too.
func Shrink(s Scenario, differ func([]Scenario) []bool) Scenario {
	valid := s.Check() == nil
	smaller := func(s Scenario) []Scenario {
		return slices.DeleteFunc(s.smaller(), func(c Scenario) bool { return valid && c.Check() != nil })
	}
	return scenario.Smallest(s, smaller, Scenario.size, differ)
}

// size is what Shrink makes small.
func (s Scenario) size() int {
	n := 10 * len(s.Defs)
	for _, r := range s.Rules {
		n += 10 + len(r.String())
	}
	for _, op := range s.Ops {
		n += 5 + len(op)
	}
	return n
}

// smaller returns what is left of s when one thing is left out of it, or
// several operations or rules in a row.
func (s Scenario) smaller() []Scenario {
	var all []Scenario
	for n := len(s.Ops) / 2; n > 0; n /= 2 {
		for i := 0; i+n <= len(s.Ops); i += n {
			c := s
			c.Ops = slices.Delete(slices.Clone(s.Ops), i, i+n)
			all = append(all, c)
		}
	}
	for n := max(len(s.Rules)/2, 1); n > 0; n /= 2 {
		for i := 0; i+n <= len(s.Rules); i += n {
			c := s
			c.Rules = slices.Delete(slices.Clone(s.Rules), i, i+n)
			all = append(all, c)
		}
	}
	for i := range s.Defs {
		c := s
		c.Defs = slices.Delete(slices.Clone(s.Defs), i, i+1)
		all = append(all, c)
	}
	for i, r := range s.Rules {
		r.Cond, r.Throw = "", false
		c := s
		c.Rules = slices.Clone(s.Rules)
		c.Rules[i] = r
		all = append(all, c)
	}
	for i, op := range s.Ops {
		for _, shorter := range shorterOps(op) {
			c := s
			c.Ops = slices.Clone(s.Ops)
			c.Ops[i] = shorter
			all = append(all, c)
		}
	}
	return all
}

// shorterOps returns what is left of a batch or a plan when one item is left
// out of it, and of a batch of one the operation.
func shorterOps(op string) (all []string) {
	rest, batch := strings.CutPrefix(op, "batch ")
	f := strings.Fields(op)
	switch {
	case batch:
		ops := strings.Split(rest, " ; ")
		if len(ops) == 1 {
			return ops
		}
		for i := range ops {
			all = append(all, "batch "+strings.Join(slices.Delete(slices.Clone(ops), i, i+1), " ; "))
		}
	case f[0] == "plan":
		outcomes := strings.Split(f[2], ",")
		for i := range outcomes {
			if len(outcomes) > 1 {
				all = append(all, "plan "+f[1]+" "+strings.Join(slices.Delete(slices.Clone(outcomes), i, i+1), ","))
			}
		}
	}
	return all
}
