package supervisor

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Check reports the first thing that is wrong with the spec of a tree, as a
// *SpecError: each supervisor before its children, in start order (S2).
func Check(root Supervisor) error {
	if root.Significant {
		return &SpecError{Path: []statemachine.Name{root.Name}, Field: "Significant", Err: ErrBadCombination}
	}
	return check(&place{spec: root})
}

// CheckChild is Check for a child to be added, as far as the child itself goes:
// not its name beside those of a tree, nor Significant beside its supervisor's
// AutoShutdown. A Worker may be without a Machine, as one of a SimpleOneForOne
// supervisor is.
func CheckChild(c Child) error {
	if w, ok := c.(Worker); ok && w.Machine == nil {
		w.Machine = template{}
		c = w
	}
	err := checkChild(c, "", AnySignificant)
	if wrong, ok := err.(*SpecError); ok {
		wrong.Path = wrong.Path[1:] // without the supervisor, which is not known
	}
	return err
}

// template stands for the machine that a SimpleOneForOne supervisor has.
type template struct{ statemachine.Server }

func (template) Validate() error { return nil }

// checkChild is Check for a child, and all below it, of a supervisor with that
// name and AutoShutdown.
func checkChild(c Child, parent statemachine.Name, auto AutoShutdown) error {
	return check(&place{spec: c, above: &place{spec: Supervisor{Name: parent, AutoShutdown: auto}}})
}

// place is a spec and where it is.
type place struct {
	spec  Child
	above *place // the supervisor's; nil for the root
}

// check goes depth first through p and what is below it.
func check(p *place) error {
	seen := map[statemachine.Name]bool{}
	for todo := []*place{p}; len(todo) > 0; {
		p, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if field, err := p.wrong(seen); err != nil {
			return &SpecError{Path: p.path(), Field: field, Err: err}
		}
		if s, ok := p.spec.(Supervisor); ok {
			for i := len(s.Children) - 1; i >= 0; i-- {
				todo = append(todo, &place{s.Children[i], p})
			}
		}
	}
	return nil
}

// path returns the names from the top to p.
func (p *place) path() []statemachine.Name {
	n := 0
	for q := p; q != nil; q = q.above {
		n++
	}
	path := make([]statemachine.Name, n)
	for q := p; q != nil; q = q.above {
		n--
		path[n] = nameOf(q.spec)
	}
	return path
}

func nameOf(c Child) statemachine.Name {
	switch c := c.(type) {
	case Worker:
		return c.Name
	case Supervisor:
		return c.Name
	}
	return ""
}

// wrong returns the first wrong field of p's spec itself.
func (p *place) wrong(seen map[statemachine.Name]bool) (field string, err error) {
	switch p.spec.(type) {
	case Worker, Supervisor:
	default:
		return "Children", fmt.Errorf("%w %T: must be Worker or Supervisor", ErrInvalidChildType, p.spec)
	}
	c := p.spec.common()
	if err := checkName(c.name); err != nil {
		return "Name", err
	}
	if seen[c.name] {
		return "Name", ErrDuplicateName
	}
	seen[c.name] = true
	switch {
	case c.restart > Temporary:
		return "Restart", fmt.Errorf("%w %d", ErrInvalidRestart, c.restart)
	case c.shutdown < 0 && c.shutdown != BrutalKill:
		return "Shutdown", fmt.Errorf("%w %d", ErrInvalidShutdown, c.shutdown)
	case c.significant && p.above != nil && p.above.spec.(Supervisor).AutoShutdown == Never:
		return "Significant", fmt.Errorf("%w: the supervisor's AutoShutdown is Never", ErrBadCombination)
	case c.significant && c.restart == Permanent:
		return "Significant", fmt.Errorf("%w: the child is Permanent", ErrBadCombination)
	}
	if s, ok := p.spec.(Supervisor); ok {
		return s.wrong()
	}
	return "Machine", p.spec.(Worker).checkMachine()
}

// checkName reports what is wrong with a name.
func checkName(n statemachine.Name) error {
	switch {
	case n == "":
		return fmt.Errorf("%w: empty", ErrInvalidName)
	case len(n) > statemachine.MaxNameBytes:
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrInvalidName, len(n), statemachine.MaxNameBytes)
	case !utf8.ValidString(string(n)):
		return fmt.Errorf("%w: not UTF-8", ErrInvalidName)
	}
	return nil
}

func (w Worker) checkMachine() error {
	if w.Machine == nil {
		return fmt.Errorf("%w: nil", ErrInvalidMachine)
	}
	if err := w.Machine.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidMachine, err)
	}
	return nil
}

// wrong returns the first wrong field that only a supervisor has.
func (s *Supervisor) wrong() (field string, err error) {
	switch {
	case s.Strategy > SimpleOneForOne:
		return "Strategy", fmt.Errorf("%w %d", ErrInvalidStrategy, s.Strategy)
	case s.Intensity < NoRestarts:
		return "Intensity", fmt.Errorf("%w %d", ErrInvalidIntensity, s.Intensity)
	case s.Period < 0 || s.Period%time.Second != 0:
		return "Period", fmt.Errorf("%w %v: must be whole seconds", ErrInvalidPeriod, s.Period)
	case s.AutoShutdown > AllSignificant:
		return "AutoShutdown", fmt.Errorf("%w %d", ErrInvalidAutoShutdown, s.AutoShutdown)
	case s.MaxRestarts < 0:
		return "MaxRestarts", fmt.Errorf("%w %d: negative", ErrInvalidMaxRestarts, s.MaxRestarts)
	}
	if field, err := s.Backoff.wrong(); err != nil {
		return "Backoff." + field, err
	}
	if s.Strategy == SimpleOneForOne {
		return "Children", s.checkTemplate()
	}
	return "", nil
}

func (s *Supervisor) checkTemplate() error {
	if len(s.Children) == 1 {
		if _, ok := s.Children[0].(Worker); ok {
			return nil
		}
	}
	return fmt.Errorf("%w: must be one Worker", ErrBadStartSpec)
}
