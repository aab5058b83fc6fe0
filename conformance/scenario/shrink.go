package scenario

import (
	"maps"
	"slices"
	"strings"
)

// atOnce is how many scenarios Smallest asks about at a time.
const atOnce = 64

// Shrink returns the smallest scenario that it finds by leaving things out of
// s and for which differ is still true, as it is for s. What is left of a
// scenario that passes Check passes it too.
func Shrink(s Scenario, differ func([]Scenario) []bool) Scenario {
	valid := s.Check() == nil
	smaller := func(s Scenario) []Scenario {
		return slices.DeleteFunc(s.smaller(), func(c Scenario) bool { return valid && c.Check() != nil })
	}
	return Smallest(s, smaller, Scenario.size, differ)
}

// Smallest returns the smallest scenario, of any kind, that can be reached from
// s and for which differ is still true, as it is for s: smaller returns what is
// one step away. differ is asked about many at once, the smallest first, since
// it may be cheaper so.
func Smallest[S any](s S, smaller func(S) []S, size func(S) int, differ func([]S) []bool) S {
	for {
		all := slices.DeleteFunc(smaller(s), func(c S) bool { return size(c) >= size(s) })
		slices.SortStableFunc(all, func(a, b S) int { return size(a) - size(b) })
		found := false
		for some := range slices.Chunk(all, atOnce) {
			if i := slices.Index(differ(some), true); i >= 0 {
				s, found = some[i], true
				break
			}
		}
		if !found {
			return s
		}
	}
}

// size is what Shrink makes small.
func (s Scenario) size() (n int) {
	for _, d := range s.Defs {
		n += 20 + 5*len(d.Attrs)
	}
	for _, op := range s.Ops {
		n += 5 + len(op)
	}
	return n
}

// smaller returns what is left of s when one thing is left out of it, or
// several operations in a row.
func (s Scenario) smaller() []Scenario {
	var all []Scenario
	for n := len(s.Ops) / 2; n > 0; n /= 2 {
		for i := 0; i+n <= len(s.Ops); i += n {
			all = append(all, s.with(s.Defs, slices.Delete(slices.Clone(s.Ops), i, i+n)))
		}
	}
	for i, d := range s.Defs {
		if d.Parent != "-" {
			all = append(all, s.without(d.Name), s.flat(d), s.only(d))
		}
		keys := slices.Sorted(maps.Keys(d.Attrs))
		for n := len(keys); n > 0; n /= 2 {
			for some := range slices.Chunk(keys, n) {
				all = append(all, s.plain(i, some...))
			}
		}
	}
	for i, op := range s.Ops {
		for _, shorter := range shorterOps(op) {
			ops := slices.Clone(s.Ops)
			ops[i] = shorter
			all = append(all, s.with(s.Defs, ops))
		}
	}
	return all
}

func (s Scenario) with(defs []Def, ops []string) Scenario {
	return Scenario{Name: s.Name, Defs: defs, Ops: ops}
}

// without leaves out a child, all below it, and the operations that name them.
func (s Scenario) without(name string) Scenario {
	gone := map[string]bool{name: true}
	var defs []Def
	for more := true; more; {
		more, defs = false, nil
		for _, d := range s.Defs {
			if !gone[d.Name] && !gone[d.Parent] {
				defs = append(defs, d)
			} else if !gone[d.Name] {
				gone[d.Name], more = true, true
			}
		}
	}
	names := func(op string) bool {
		return slices.ContainsFunc(strings.Fields(op), func(w string) bool { return gone[w] })
	}
	return s.with(defs, slices.DeleteFunc(slices.Clone(s.Ops), names))
}

// flat puts the children of a supervisor in its place.
func (s Scenario) flat(sup Def) Scenario {
	var defs []Def
	for _, d := range s.Defs {
		if d.Parent == sup.Name {
			d.Parent = sup.Parent
		}
		if d.Name != sup.Name {
			defs = append(defs, d)
		}
	}
	return s.with(defs, s.Ops)
}

// only makes a supervisor the root: what is above and beside it is left out.
func (s Scenario) only(sup Def) Scenario {
	var defs []Def
	below := map[string]bool{sup.Name: true, "@": true}
	for more := true; more; {
		more, defs = false, nil
		for _, d := range s.Defs {
			if d.Name == sup.Name {
				d.Parent, d.Attrs = "-", maps.Clone(d.Attrs)
				delete(d.Attrs, "significant")
				delete(d.Attrs, "restart")
			} else if !below[d.Parent] {
				continue
			} else if !below[d.Name] {
				below[d.Name], more = true, true
			}
			defs = append(defs, d)
		}
	}
	return s.with(defs, s.Ops)
}

// plain leaves out attributes of the ith definition: shutdown and term, and
// restart and significant, go together.
func (s Scenario) plain(i int, keys ...string) Scenario {
	defs := slices.Clone(s.Defs)
	attrs := maps.Clone(defs[i].Attrs)
	for _, key := range keys {
		switch {
		case key == "term" && attrs["term"] == "hang":
			delete(attrs, "shutdown")
		case key == "restart":
			delete(attrs, "significant")
		}
		delete(attrs, key)
	}
	defs[i].Attrs = attrs
	return s.with(defs, s.Ops)
}

// shorterOps returns what is left of a batch or a plan when one item is left
// out of it, and of a batch when it is one operation.
func shorterOps(op string) []string {
	f := strings.Fields(op)
	var all []string
	switch f[0] {
	case "batch":
		sup, ops := BatchOps(f)
		if len(ops) == 1 {
			return ops
		}
		for i := range ops {
			all = append(all, "batch "+sup+" "+strings.Join(slices.Delete(slices.Clone(ops), i, i+1), " ; "))
		}
	case "plan":
		outcomes := strings.Split(f[2], ",")
		for i := range outcomes {
			if len(outcomes) > 1 {
				all = append(all, f[0]+" "+f[1]+" "+strings.Join(slices.Delete(slices.Clone(outcomes), i, i+1), ","))
			}
		}
	}
	return all
}
