package statem

import (
	"maps"
	"slices"
	"strings"

	"github.com/lineshaft/lineshaft/conformance/scenario"
)

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
	n := 5*len(s.Machine) + len(s.Init.String())
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
func (s Scenario) smaller() (all []Scenario) {
	for _, ops := range without(s.Ops) {
		c := s
		c.Ops = ops
		all = append(all, c)
	}
	for _, rules := range without(s.Rules) {
		c := s
		c.Rules = rules
		all = append(all, c)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Machine)) {
		c := s
		c.Machine = maps.Clone(s.Machine)
		delete(c.Machine, key)
		all = append(all, c)
	}
	for _, a := range s.Init.smaller() {
		c := s
		c.Init = a
		all = append(all, c)
	}
	for i, r := range s.Rules {
		for _, a := range r.Answer.smaller() {
			all = append(all, s.withRule(i, Rule{r.Enter, r.State, r.Type, r.Content, r.Cond, a}))
		}
		r.Cond = ""
		all = append(all, s.withRule(i, r))
	}
	for i, op := range s.Ops {
		rest, batch := strings.CutPrefix(op, "batch ")
		if !batch {
			continue
		}
		for _, fewer := range without(splitWords(strings.Fields(rest))) {
			if len(fewer) == 0 {
				continue
			}
			words := make([]string, len(fewer))
			for j, item := range fewer {
				words[j] = strings.Join(item, " ")
			}
			c := s
			c.Ops = slices.Clone(s.Ops)
			if c.Ops[i] = strings.Join(words, " ; "); len(words) > 1 {
				c.Ops[i] = "batch " + c.Ops[i]
			}
			all = append(all, c)
		}
	}
	return all
}

func (s Scenario) withRule(i int, r Rule) Scenario {
	s.Rules = slices.Clone(s.Rules)
	s.Rules[i] = r
	return s
}

// smaller returns the answer without some of its actions or the last word of
// its result.
func (a Answer) smaller() (all []Answer) {
	for _, actions := range without(a.Actions) {
		all = append(all, Answer{a.Result, actions})
	}
	if n := len(a.Result); n > 1 && strings.HasPrefix(a.Result[n-1], "d") {
		all = append(all, Answer{a.Result[:n-1], a.Actions})
	}
	return all
}

// without returns what is left of a list without some in a row: all, a half, a
// quarter and so on. It leaves out no less than leaves something.
func without[T any](list []T) (all [][]T) {
	for n := len(list); n > 0; n /= 2 {
		for i := 0; i+n <= len(list); i += n {
			all = append(all, slices.Delete(slices.Clone(list), i, i+n))
		}
	}
	return all
}
