package scenario

import (
	"fmt"
	"slices"
	"strings"
)

// Trace is written by a player.
type Trace struct {
	out    strings.Builder
	events []event // of the present operation
}

// event is one line of what happened.
type event struct{ what, name, more string }

// NewTrace returns the trace of a scenario of that name that has not begun.
func NewTrace(name string) *Trace {
	t := &Trace{}
	fmt.Fprintf(&t.out, "scenario %s\n", name)
	return t
}

// Echo begins an operation.
func (t *Trace) Echo(op string) { fmt.Fprintf(&t.out, "> %s\n", op) }

// Event notes that something happened: what is init, terminate or exit; more
// may be "".
func (t *Trace) Event(what, name, more string) { t.events = append(t.events, event{what, name, more}) }

// Finish ends an operation. rootExit is "", or the class of the exit of the
// root, if that has ended. pool returns the pool that a process belongs to, ""
// if it is none's child.
func (t *Trace) Finish(results []string, rootExit string, alive []string, pool func(name string) string) {
	sortPools(t.events, pool)
	for _, e := range t.events {
		t.out.WriteString(strings.TrimSpace(e.what+" "+e.name+" "+e.more) + "\n")
	}
	t.events = nil
	for _, r := range results {
		fmt.Fprintf(&t.out, "result %s\n", r)
	}
	if rootExit != "" {
		fmt.Fprintf(&t.out, "root_exit %s\n", rootExit)
	}
	t.out.WriteString(strings.Join(append([]string{"alive"}, alive...), " ") + "\n")
}

// String returns the trace, which is now at its end.
func (t *Trace) String() string { return t.out.String() + "end\n" }

// sortPools sorts each run of ends of one pool's children.
func sortPools(events []event, pool func(name string) string) {
	of := func(e event) string {
		if e.what == "init" {
			return ""
		}
		return pool(e.name)
	}
	for i := 0; i < len(events); i++ {
		p := of(events[i])
		if p == "" {
			continue
		}
		j := i
		for j < len(events) && of(events[j]) == p {
			j++
		}
		slices.SortStableFunc(events[i:j], func(a, b event) int { return strings.Compare(a.name, b.name) })
		i = j - 1
	}
}

// SplitTraces returns the traces of a text, one for each scenario.
func SplitTraces(text string) []string {
	all := strings.SplitAfter(text, "\nend\n")
	return all[:len(all)-1]
}

// Diff writes two traces line by line: what only want has with -, what only
// got has with +.
func Diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	// same[i][j] is how many lines w[i:] and g[j:] have in common, in order.
	same := make([][]int, len(w)+1)
	same[len(w)] = make([]int, len(g)+1)
	for i := len(w) - 1; i >= 0; i-- {
		same[i] = make([]int, len(g)+1)
		for j := len(g) - 1; j >= 0; j-- {
			same[i][j] = max(same[i+1][j], same[i][j+1])
			if w[i] == g[j] {
				same[i][j] = 1 + same[i+1][j+1]
			}
		}
	}
	var b strings.Builder
	for i, j := 0, 0; i < len(w) || j < len(g); {
		switch {
		case i < len(w) && j < len(g) && w[i] == g[j]:
			b.WriteString("  " + w[i] + "\n")
			i++
			j++
		case j == len(g) || i < len(w) && same[i+1][j] >= same[i][j+1]:
			b.WriteString("- " + w[i] + "\n")
			i++
		default:
			b.WriteString("+ " + g[j] + "\n")
			j++
		}
	}
	return b.String()
}

// CheckedEarlier are the examples with a wrong spec in the tree that is
// started. OTP finds it when it starts the supervisor that it is in, and ends
// those that it has started by then; we refuse the whole tree, so that nothing
// begins. The rest of their traces is the same: see OnlyError.
var CheckedEarlier = []string{
	"bad_combination_permanent", "bad_combination_never", "duplicate_static", "duplicate_nested", "pool_wrong_templates",
}

// OnlyError takes out of a trace of OTP what began before it found the wrong
// spec, and the way from there to the root.
func OnlyError(trace string) string {
	var b strings.Builder
	for line := range strings.Lines(trace) {
		if strings.HasPrefix(line, "result error") {
			words := strings.Fields(line)[2:]
			for words[0] == "failed_to_start_child" {
				words = words[2:]
			}
			if words[0] != "start_spec" {
				words = append([]string{"start_spec"}, words...)
			}
			line = "result error " + strings.Join(words, " ") + "\n"
		}
		switch strings.Fields(line)[0] {
		case "init", "exit", "terminate":
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}
