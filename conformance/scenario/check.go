package scenario

import (
	"fmt"
	"slices"
	"strings"
)

// Check reports what keeps the scenario from being one that has the same trace
// every time, with OTP and with us:
//
//   - a name that is defined twice, a parent that is not, or not one root;
//   - a wrong spec in the tree that is started (we find it earlier than OTP);
//   - a terminate that hangs where the supervisor waits for ever or long, or a
//     call or stop that makes it hang by itself;
//   - a supervisor that may be killed: its children end at any time;
//   - a kill of a supervisor, for the same reason.
//
// It does not find the rest of what the generator avoids: see Generate.
func (s *Scenario) Check() error {
	roots := 0
	for i, d := range s.Defs {
		if slices.ContainsFunc(s.Defs[:i], func(e Def) bool { return e.Name == d.Name }) {
			return fmt.Errorf("%s is defined twice", d.Name)
		}
		if d.Parent == "-" && d.Supervisor {
			roots++
		}
		if err := s.checkDef(d); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	if roots != 1 {
		return fmt.Errorf("%d roots", roots)
	}
	for _, op := range s.Ops {
		if err := s.checkOp(strings.Fields(op)); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	return nil
}

func (s *Scenario) checkDef(d Def) error {
	a := d.Attrs
	if d.Parent != "-" && d.Parent != "@" {
		p, ok := s.Find(d.Parent)
		switch {
		case !ok || !p.Supervisor:
			return fmt.Errorf("there is no supervisor %s", d.Parent)
		case p.pool() && d.Supervisor:
			return fmt.Errorf("a supervisor in the pool %s", d.Parent)
		case a["significant"] == "true" && (p.Attrs["auto"] == "" || p.Attrs["auto"] == "never"):
			return fmt.Errorf("significant, but %s has no auto shutdown", d.Parent)
		}
		if a["significant"] == "true" && (a["restart"] == "" || a["restart"] == "permanent") {
			return fmt.Errorf("significant and permanent")
		}
	}
	switch {
	case d.Supervisor && a["shutdown"] != "" && a["shutdown"] != "infinity":
		return fmt.Errorf("a supervisor with shutdown=%s", a["shutdown"])
	case a["term"] == "hang" && (len(a["shutdown"]) != 2 || a["trap"] == "false"):
		return fmt.Errorf("hangs, but shutdown=%q", a["shutdown"])
	case d.pool():
		n := 0
		for _, c := range s.Defs {
			if c.Parent == d.Name {
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("a pool with %d templates", n)
		}
	}
	return nil
}

// checkOp checks one operation, or one of a batch.
func (s *Scenario) checkOp(f []string) error {
	switch f[0] {
	case "batch":
		_, ops := BatchOps(f)
		for _, op := range ops {
			if err := s.checkOp(strings.Fields(op)); err != nil {
				return err
			}
		}
	case "kill", "call", "stop":
		d, ok := s.Find(f[1])
		if ok && d.Supervisor && f[0] == "kill" {
			return fmt.Errorf("it is a supervisor")
		}
		if ok && d.Attrs["term"] == "hang" && f[0] != "kill" && f[len(f)-1] != "ping" {
			return fmt.Errorf("its terminate hangs")
		}
	}
	return nil
}
