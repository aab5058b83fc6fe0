package statem_test

import (
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/conformance/statem"
)

func readOne(t *testing.T, text string) statem.Scenario {
	t.Helper()
	all, err := statem.Read(strings.NewReader(text))
	if err != nil || len(all) != 1 {
		t.Fatalf("%d scenarios, %v", len(all), err)
	}
	return all[0]
}

func TestReadIsTheInverseOfString(t *testing.T) {
	for seed := range uint64(200) {
		s := statem.Generate(seed)
		if again := readOne(t, s.String()); again.String() != s.String() {
			t.Fatalf("%s\nread and written again:\n%s", s, again)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, line := range []string{
		"machine colour=red", "machine enter=perhaps", "machine fuel=much", "machine enter",
		"on a call e1", "on a call e1 ->", "on a call -> keep", "enter a -> keep", "enter a b c -> keep", "on a call e1 if d>2 -> keep",
		"scenario within",
	} {
		if all, err := statem.Read(strings.NewReader("scenario x\n" + line + "\nend\n")); err == nil && len(all[0].Ops) == 0 {
			t.Errorf("%q is accepted", line)
		}
	}
	for _, text := range []string{"scenario x\n", "start\n"} {
		if _, err := statem.Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestCheck(t *testing.T) {
	for text, valid := range map[string]bool{
		"init ok a ; state_timeout 5 t ; timeout 6 u\nstart\nadvance 9\n":                                          true,
		"init ok a ; state_timeout 5 t ; timeout 5 u\nstart\nadvance 9\n":                                          false,
		"on a cast e -> keep ; timeout:n 0 t ; event cast i\non a cast i -> keep ; timeout:n 5 t\nstart\ncast e\n": false,
		"on a cast e -> keep ; timeout:n 0 t\non a timeout:n t -> keep ; timeout:n 5 t\nstart\ncast e\n":           true,
		"machine enter=true\ninit ok c\non b info e -> next c\non b timeout:n t -> keep ; postpone\non c cast f -> next b ; timeout:n 0 t\n" +
			"on c timeout:n t -> next a ; timeout:n 5 t\nenter c b -> keep ; timeout:n 0 t\nstart\ncast f\ninfo e\n": false,
		"machine trap=false\nstart\nbatch cast e ; stranger_exit crash\n": false,
		"machine trap=false\nstart\nparent_exit normal\n":                 false,
		"machine trap=false\nstart\nparent_exit crash\n":                  true,
	} {
		if err := readOne(t, "scenario x\n"+text+"end\n").Check(); (err == nil) != valid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestShrink: what is left of a scenario in which an event is postponed and
// retried, if that were a difference.
func TestShrink(t *testing.T) {
	retries := func(s *statem.Scenario) bool {
		return strings.Contains(s.String(), "postpone") && strings.Contains(statem.Play(s, false), "\nenter b a d=0\nevent b cast e1")
	}
	tried := 0
	for seed := uint64(1); tried < 2; seed++ {
		s := statem.Generate(seed)
		if !retries(&s) {
			continue
		}
		tried++
		s = statem.Shrink(s, func(all []statem.Scenario) []bool {
			yes := make([]bool, len(all))
			for i := range all {
				yes[i] = retries(&all[i])
			}
			return yes
		})
		if !retries(&s) || s.Check() != nil || len(s.Rules) > 3 || len(s.Ops) > 4 {
			t.Errorf("this is left of scenario %d:\n%s", seed, s)
		}
	}
}

// All that scenarios can say is said by some that are generated.
func TestGenerateSaysEverything(t *testing.T) {
	var all, traces strings.Builder
	for seed := range uint64(3000) {
		s := statem.Generate(seed)
		all.WriteString(s.String())
		traces.WriteString(statem.Play(&s, false))
	}
	for _, words := range []string{
		"mode=state_functions", "enter=true", "trap=false", "term=crash", "term=throw", "fuel=",
		"init stop normal", "init stop shutdown_t", "init ignore", "init crash", "init badret",
		"-> next", "-> repeat", "-> stop\n", "-> stop shutdown d+", "-> stop_reply", "-> crash", "-> exit shutdown", "-> badret", "-> throw next",
		"; hold", "; free", "; event call", "; event state_timeout", "; postpone false", "; postpone true", "; hibernate", "; badaction",
		" cancel", " infinity ", " update ", "bare 0", "if d>=", "* ->",
		"\nbatch ", " ; advance ", "; stranger_exit", "\nreplace ", "\nstop ", "\nparent_exit ", "\nkill",
	} {
		if !strings.Contains(all.String(), words) {
			t.Errorf("no scenario says %q", words)
		}
	}
	for _, words := range []string{
		"terminate bad_return", "terminate bad_action", "terminate bad_enter_action", "terminate bad_enter_return",
		"terminate bad_reply_action", "terminate boom", "terminate crash", "exit term_boom", "exit killed", "lost c", "held=c",
		"result error", "result ignore", "result badop", "result noproc", "result exit", "info exit:", " timeout:m ", " state_timeout ",
	} {
		if !strings.Contains(traces.String(), words) {
			t.Errorf("no trace says %q", words)
		}
	}
}
