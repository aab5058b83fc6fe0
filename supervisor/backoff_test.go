package supervisor_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts of testdata/restart print now")

// TestRestartScripts plays the scripts testdata/restart/*.txt: the spec, then
// commands, each with the actions that follow, all but Retry and the slow
// starts answered at once.
//
//	now SECONDS
//	exit NAME REASON        the process of a worker ends by itself
//	fail NAME..., ignore NAME...  the next start of these does that
//	due NAME                the delay of its latest Retry is over
//	stale NAME              that of the first Retry since the last due or stale is
//	slow NAME, failed NAME, ignored NAME  the next start waits for its answer
//	call SUP REQUEST [NAME]
//	awaited, details NAME, save, quiet
func TestRestartScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/restart/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := playRestarts(t, string(text))
			if *rewrite {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("prints\n%s", got)
			}
		})
	}
}

// idle is a machine that nothing runs.
type idle struct{}

func (idle) New(statemachine.Name, *statemachine.Moment) statemachine.Process { return nil }
func (idle) Validate() error                                                  { return nil }

// shop is an event loop that writes down the actions of its tree.
type shop struct {
	root    supervisor.Supervisor
	tree    *supervisor.Tree
	out     strings.Builder
	outcome map[statemachine.Name]string // of the next start: fail, ignore or slow
	waiting []supervisor.Action          // Retry with a Delay, in order
}

func newShop(t testing.TB, root supervisor.Supervisor) *shop {
	t.Helper()
	tree, err := supervisor.New(root)
	if err != nil {
		t.Fatal(err)
	}
	return &shop{root: root, tree: tree, outcome: map[statemachine.Name]string{}}
}

// started is newShop, and starts the tree.
func started(t testing.TB, root supervisor.Supervisor) *shop {
	t.Helper()
	s := newShop(t, root)
	s.tree.Start()
	s.work()
	s.out.Reset()
	return s
}

func (s *shop) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// work carries out all actions.
func (s *shop) work() {
	for a, ok := s.tree.Next(); ok; a, ok = s.tree.Next() {
		s.act(a)
	}
}

func (s *shop) act(a supervisor.Action) {
	if a.Kind == supervisor.Reply {
		s.printf("reply %v", s.answer(a.Answer))
		return
	}
	name := a.PID.Node.Name()
	switch a.Kind {
	case supervisor.Start:
		s.start(a)
	case supervisor.Terminate, supervisor.Kill:
		s.printf("%v %s", a.Kind, name)
		s.tree.Exited(a.PID, a.Reason)
	case supervisor.Guard:
	case supervisor.Exit:
		s.printf("exit %s %v", name, a.Reason)
	case supervisor.Retry:
		if a.Delay == 0 {
			s.printf("retry %s", a.Child.Name())
			s.tree.Retry(a.PID, a.Child)
			return
		}
		s.printf("retry %v in %v", a.PID, a.Delay)
		s.waiting = append(s.waiting, a)
	}
}

func (s *shop) start(a supervisor.Action) {
	name := a.PID.Node.Name()
	outcome, because := s.outcome[name], ""
	delete(s.outcome, name)
	if a.Because != nil {
		because = " because of " + string(a.Because.Name())
	}
	s.printf("start %v%s %s", a.PID, because, outcome)
	switch outcome {
	case "fail":
		s.tree.Started(a.PID, errors.New("init_fail"))
	case "ignore":
		s.tree.Ignored(a.PID)
	case "":
		s.tree.Started(a.PID, nil)
	}
}

func (s *shop) answer(a *supervisor.Answer) string {
	switch {
	case a.Err != nil:
		return a.Err.Error()
	case a.Children != nil:
		var words []string
		for _, c := range a.Children {
			words = append(words, fmt.Sprintf("%s=%v", c.Name, c.Status))
		}
		return strings.Join(words, " ")
	case a.PID.Node != nil:
		return a.PID.String()
	}
	return "ok"
}

// playRestarts returns the script with what the tree does now.
func playRestarts(t *testing.T, text string) string {
	var s *shop
	var specs []string
	var head strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		cmd, ok := strings.CutPrefix(line, "> ")
		switch {
		case ok && s == nil:
			s = newShop(t, specOf(specs, "-")[0].(supervisor.Supervisor))
			fallthrough
		case ok:
			s.printf("%s", line)
			s.do(t, strings.Fields(cmd))
			s.work()
		case s == nil:
			head.WriteString(line + "\n")
			if line != "" && line[0] != '#' {
				specs = append(specs, line)
			}
		case line == "" || line[0] == '#':
			s.printf("%s", line)
		}
	}
	var b strings.Builder
	for line := range strings.Lines(head.String() + s.out.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

// specOf returns the children of parent that lines, "NAME PARENT KEY=VALUE...",
// define.
func specOf(lines []string, parent string) (children []supervisor.Child) {
	for _, line := range lines {
		f := strings.Fields(line)
		if f[1] != parent {
			continue
		}
		name := statemachine.Name(f[0])
		w, s := supervisor.Worker{Name: name, Machine: idle{}}, supervisor.Supervisor{Name: name, Intensity: 100}
		isSup := parent == "-" || strings.HasPrefix(f[0], "s")
		for _, kv := range f[2:] {
			k, v, _ := strings.Cut(kv, "=")
			n, _ := strconv.Atoi(v)
			d, _ := time.ParseDuration(v)
			switch k {
			case "restart":
				w.Restart = supervisor.Restart(slices.Index([]string{"permanent", "transient", "temporary"}, v))
				s.Restart = w.Restart
			case "strategy":
				s.Strategy = supervisor.Strategy(slices.Index([]string{"one_for_one", "one_for_all", "rest_for_one", "pool"}, v))
			case "intensity":
				s.Intensity = n
			case "max_restarts":
				s.MaxRestarts = n
			case "initial":
				s.Backoff.Initial = d
			case "max":
				s.Backoff.Max = d
			case "reset":
				s.Backoff.Reset = d
			default:
				panic("unknown key " + k)
			}
		}
		if isSup {
			s.Children = specOf(lines, f[0])
			children = append(children, s)
		} else {
			children = append(children, w)
		}
	}
	return children
}

// do carries out one command.
func (s *shop) do(t *testing.T, f []string) {
	name := statemachine.Name(f[min(1, len(f)-1)])
	switch f[0] {
	case "start":
		s.tree.Start()
	case "shutdown":
		s.tree.Shutdown()
	case "now":
		n, err := strconv.Atoi(f[1])
		if err != nil {
			t.Fatal(err)
		}
		s.tree.SetNow(int64(n) * int64(time.Second))
	case "exit":
		s.tree.Exited(s.tree.Node(name).PID(), map[string]statemachine.Reason{
			"normal": statemachine.Normal, "killed": statemachine.Killed, "crash": statemachine.Crash(errors.New("boom")),
		}[f[2]])
	case "fail", "ignore", "slow":
		for _, n := range f[1:] {
			s.outcome[statemachine.Name(n)] = f[0]
		}
	case "failed":
		s.tree.Started(s.tree.Node(name).PID(), errors.New("init_fail"))
	case "ignored":
		s.tree.Ignored(s.tree.Node(name).PID())
	case "due":
		i := len(s.waiting) - 1
		for s.waiting[i].Child.Name() != name {
			i--
		}
		s.fire(i)
	case "stale":
		s.fire(0)
	case "call":
		s.call(f)
	case "awaited":
		for n := range s.tree.Root().All() {
			if n.Awaited() {
				s.printf("%s", n.Name())
			}
		}
	case "details":
		b, err := json.Marshal(s.tree.Node(name).Details(nil))
		if err != nil {
			t.Fatal(err)
		}
		s.printf("%s", b)
	case "save":
		s.resave(t)
	case "quiet":
		s.printf("%v", s.tree.Quiet())
	default:
		t.Fatalf("unknown command %v", f)
	}
}

// fire lets the delay of a waiting Retry be over.
func (s *shop) fire(i int) {
	a := s.waiting[i]
	s.waiting = slices.Delete(s.waiting, i, i+1)
	s.tree.Retry(a.PID, a.Child)
}

func (s *shop) call(f []string) {
	sup, name := s.tree.Node(statemachine.Name(f[1])), statemachine.Name(f[len(f)-1])
	switch f[2] {
	case "terminate_child":
		s.tree.TerminateChild(sup, nil, name)
	case "restart_child":
		s.tree.RestartChild(sup, nil, name)
	case "delete_child":
		s.tree.DeleteChild(sup, nil, name)
	case "start_child":
		w := supervisor.Worker{Name: name}
		if spec, _ := sup.Supervisor(); spec.Strategy != supervisor.SimpleOneForOne {
			w.Machine = idle{}
		}
		s.tree.StartChild(sup, nil, w)
	case "terminate_pid":
		s.tree.TerminatePID(sup, nil, s.tree.Node(name).PID())
	case "which":
		s.tree.WhichChildren(sup, nil)
	case "stop":
		s.tree.Stop(sup, statemachine.Crash(errors.New("stopped")))
	}
}

// resave replaces the tree by one that is restored from it.
func (s *shop) resave(t interface{ Fatal(...any) }) {
	data := s.tree.Save()()
	tree, err := supervisor.Restore(s.root, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.tree, s.waiting = tree, nil
	s.work()
	if again := tree.Save()(); string(again) != string(data) {
		t.Fatal("saved", string(data), "\nrestored", string(again))
	}
}

// TestBackoffDelays: the delays of one child's tries in a row, in milliseconds.
func TestBackoffDelays(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name    string
		backoff supervisor.Backoff
		want    []time.Duration
	}{
		{"doubles up to a minute", supervisor.Backoff{Initial: 10 * time.Second},
			[]time.Duration{10_000, 20_000, 40_000, 60_000, 60_000}},
		{"initial beyond the default", supervisor.Backoff{Initial: time.Hour}, []time.Duration{3_600_000, 3_600_000}},
		{"max", supervisor.Backoff{Initial: 100 * ms, Max: 500 * ms}, []time.Duration{100, 200, 400, 500, 500}},
		{"factor", supervisor.Backoff{Initial: 100 * ms, Factor: 1.5}, []time.Duration{100, 150, 225}},
		{"constant", supervisor.Backoff{Initial: 100 * ms, Factor: 1}, []time.Duration{100, 100, 100}},
		{"beyond all bounds", supervisor.Backoff{Initial: 1 * ms, Factor: 1e300, Max: math.MaxInt64},
			[]time.Duration{1, (math.MaxInt64 - 1e18) / ms, (math.MaxInt64 - 1e18) / ms}},
	} {
		s := started(t, supervisor.Supervisor{Name: "root", Intensity: 100, Backoff: c.backoff, Children: []supervisor.Child{
			supervisor.Worker{Name: "a", Machine: idle{}}}})
		s.tree.SetNow(1e18)
		for i, want := range c.want {
			s.tree.Exited(s.tree.Node("a").PID(), statemachine.Killed)
			s.work()
			if got := s.waiting[0].Delay / ms; got != want {
				t.Errorf("%s: try %d after %d ms, want %d", c.name, i+1, got, want)
			}
			if due, ok := s.tree.Node("a").RetryTime(); !ok || due <= 1e18 {
				t.Errorf("%s: try %d is due at %d", c.name, i+1, due)
			}
			s.fire(0)
			s.work()
		}
	}
}

// TestBackoffJitter: the random part is a function of seed, name and try, is
// within its bounds, and fills them.
func TestBackoffJitter(t *testing.T) {
	delays := func(seed uint64, name statemachine.Name, jitter float64) (ds []time.Duration) {
		s := started(t, supervisor.Supervisor{Name: "root", Intensity: 1000,
			Backoff:  supervisor.Backoff{Initial: time.Second, Factor: 1, Jitter: jitter, Seed: seed},
			Children: []supervisor.Child{supervisor.Worker{Name: name, Machine: idle{}}}})
		for range 400 {
			s.tree.Exited(s.tree.Node(name).PID(), statemachine.Killed)
			s.work()
			ds = append(ds, s.waiting[0].Delay)
			s.fire(0)
			s.work()
		}
		return ds
	}
	for _, jitter := range []float64{0.25, 1} {
		ds := delays(1, "a", jitter)
		low := time.Duration(float64(time.Second) * (1 - jitter))
		if m := slices.Min(ds); m < max(low, 1) || m > low+time.Second/50 {
			t.Errorf("jitter %v: shortest %v", jitter, m)
		}
		if m := slices.Max(ds); m > time.Second || m < time.Second-time.Second/50 {
			t.Errorf("jitter %v: longest %v", jitter, m)
		}
		if !slices.Equal(ds, delays(1, "a", jitter)) {
			t.Error("not the same twice")
		}
		if slices.Equal(ds, delays(2, "a", jitter)) || slices.Equal(ds, delays(1, "b", jitter)) {
			t.Error("another seed or child has the same delays")
		}
	}
	// These must never change: a journal is replayed with them.
	want := []time.Duration{957596946, 741897470, 952567301}
	if got := delays(7, "till", 0.5)[:3]; !slices.Equal(got, want) {
		t.Errorf("pinned delays are %d", got)
	}
}

func TestRestartSpecs(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		spec  supervisor.Supervisor
		field string
	}{
		{supervisor.Supervisor{MaxRestarts: -1}, "MaxRestarts: invalid max_restarts -1: negative"},
		{supervisor.Supervisor{Backoff: supervisor.Backoff{Initial: -s}}, "Backoff.Initial: invalid backoff -1s: negative"},
		{supervisor.Supervisor{Backoff: supervisor.Backoff{Max: s}}, "Backoff.Initial: invalid backoff: zero means none, but other fields are set"},
		{supervisor.Supervisor{Backoff: supervisor.Backoff{Jitter: 1}}, "Backoff.Initial: invalid backoff: zero means none, but other fields are set"},
		{supervisor.Supervisor{Backoff: supervisor.Backoff{Initial: 2 * s, Max: s}}, "Backoff.Max: invalid backoff 1s: less than Initial, 2s"},
		{supervisor.Supervisor{Backoff: supervisor.Backoff{Initial: s, Factor: 0.5}}, "Backoff.Factor: invalid backoff 0.5: must be at least 1"},
		{supervisor.Supervisor{Backoff: supervisor.Backoff{Initial: s, Factor: math.Inf(1)}}, "Backoff.Factor: invalid backoff +Inf: must be at least 1"},
		{supervisor.Supervisor{Backoff: supervisor.Backoff{Initial: s, Factor: math.NaN()}}, "Backoff.Factor: invalid backoff NaN: must be at least 1"},
		{supervisor.Supervisor{Backoff: supervisor.Backoff{Initial: s, Jitter: 1.1}}, "Backoff.Jitter: invalid backoff 1.1: must be from 0 to 1"},
		{supervisor.Supervisor{Backoff: supervisor.Backoff{Initial: s, Jitter: -0.1}}, "Backoff.Jitter: invalid backoff -0.1: must be from 0 to 1"},
		{supervisor.Supervisor{Backoff: supervisor.Backoff{Initial: s, Jitter: math.NaN()}}, "Backoff.Jitter: invalid backoff NaN: must be from 0 to 1"},
		{supervisor.Supervisor{Backoff: supervisor.Backoff{Initial: s, Reset: -s}}, "Backoff.Reset: invalid backoff -1s: negative"},
		{supervisor.Supervisor{MaxRestarts: 1, Backoff: supervisor.Backoff{Initial: s, Max: s, Factor: 1, Jitter: 1, Reset: 1, Seed: 9}}, ""},
	} {
		c.spec.Name = "below"
		err := supervisor.Check(supervisor.Supervisor{Name: "root", Children: []supervisor.Child{c.spec}})
		got := fmt.Sprint(err)
		if want := `spec of "root"/"below": ` + c.field; got != want && (c.field != "" || err != nil) {
			t.Errorf("%s\nwant %s", got, want)
		}
		if err != nil && !errors.Is(err, supervisor.ErrInvalidBackoff) && !errors.Is(err, supervisor.ErrInvalidMaxRestarts) {
			t.Errorf("%s is no sentinel", got)
		}
	}
}

// BenchmarkCrash is a crash and the restart, with what is remembered of it.
func BenchmarkCrash(b *testing.B) {
	for name, c := range map[string]struct {
		reason  statemachine.Reason
		backoff supervisor.Backoff
	}{
		"killed":       {reason: statemachine.Killed},
		"error":        {reason: statemachine.Crash(errors.New("boom"))},
		"panic":        {reason: statemachine.Crash(&statemachine.CrashError{Name: "a", In: "step", Value: "boom"})},
		"with backoff": {reason: statemachine.Killed, backoff: supervisor.Backoff{Initial: time.Second, Jitter: 0.5}},
	} {
		b.Run(name, func(b *testing.B) {
			tree, err := supervisor.New(supervisor.Supervisor{Name: "root", Intensity: 1 << 30, Backoff: c.backoff,
				Children: []supervisor.Child{supervisor.Worker{Name: "a", Machine: idle{}}}})
			if err != nil {
				b.Fatal(err)
			}
			work := func() {
				for a, ok := tree.Next(); ok; a, ok = tree.Next() {
					if a.Kind == supervisor.Start {
						tree.Started(a.PID, nil)
					} else {
						tree.Retry(a.PID, a.Child)
					}
				}
			}
			tree.Start()
			work()
			now, n := int64(0), tree.Node("a")
			b.ReportAllocs()
			for b.Loop() {
				now += 1e9
				tree.SetNow(now)
				tree.Exited(n.PID(), c.reason)
				work()
			}
		})
	}
}
