package supervisor_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// awkward is an error whose text panics.
type awkward struct{ text *string }

func (a *awkward) Error() string { return *a.text }

// silent is an error without a text.
type silent struct{}

func (silent) Error() string { return "" }

// TestDetails: what is remembered of an exit is the text of its cause, bounded,
// whatever the cause is.
func TestDetails(t *testing.T) {
	deep := error(errors.New("at last"))
	for range 10_000 {
		deep = &supervisor.StartError{Name: "s", Err: deep}
	}
	for _, c := range []struct {
		name  string
		cause error
		want  string // its beginning
	}{
		{"none", nil, ""},
		{"an error", errors.New("disk full"), "disk full"},
		{"a crash", &statemachine.CrashError{Name: "a", In: "step", Value: 7, Stack: []byte("goroutine 1")}, "a crashed in step: 7"},
		{"a long one", errors.New(strings.Repeat("é", 5000)), "ééé"},
		{"not UTF-8", errors.New("a\xffb"), "ab"},
		{"one that panics", (*awkward)(nil), "<nil>"},
		{"one without a text", silent{}, "supervisor_test.silent"},
		{"a failed start", &supervisor.StartError{Name: "x", Err: errors.New("no")}, `failed to start child "x": no`},
		{"a very deep one", deep, `failed to start child "s": failed to start child "s": `},
	} {
		s := started(t, supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
			supervisor.Worker{Name: "a", Machine: idle{}}}})
		n := s.tree.Node("a")
		s.tree.SetNow(5)
		s.tree.Exited(n.PID(), statemachine.Reason{Class: statemachine.ClassCrash, Detail: c.cause})
		r, ok := n.LastExit()
		if !ok || r.Class != statemachine.ClassCrash || (r.Detail == nil) != (c.cause == nil) || n.LastExitTime() != 5 {
			t.Errorf("%s: %v at %d", c.name, r, n.LastExitTime())
			continue
		}
		if c.cause == nil {
			continue
		}
		text := r.Detail.Error()
		if !strings.HasPrefix(text, c.want) || len(text) > 1<<10+3 || !utf8.ValidString(text) || strings.Contains(text, "goroutine") {
			t.Errorf("%s: %d bytes: %.80q", c.name, len(text), text)
		}
		var crash *statemachine.CrashError
		if errors.As(r.Detail, &crash) {
			t.Errorf("%s: the panic is kept", c.name)
		}
		s.work()
		s.resave(t)
		if again, _ := s.tree.Node("a").LastExit(); again.Detail.Error() != text {
			t.Errorf("%s: restored as %q", c.name, again)
		}
	}
}

// TestNothingHappened: a node of which there is nothing to remember says so.
func TestNothingHappened(t *testing.T) {
	s := started(t, supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
		supervisor.Worker{Name: "a", Machine: idle{}},
		supervisor.Worker{Name: "t", Machine: idle{}, Restart: supervisor.Temporary}}})
	last := s.tree.Node("t")
	s.tree.Exited(last.PID(), statemachine.Killed)
	s.work()
	s.tree.Shutdown()
	s.work()
	for _, n := range []*supervisor.Node{s.tree.Root(), s.tree.Node("a"), last} {
		if n == nil {
			continue // the end of its supervisor is no end of its own
		}
		_, exit := n.LastExit()
		_, waits := n.RetryTime()
		if exit != (n == s.tree.Root()) || waits || n.LastFailure() != nil || n.LastFailureTime() != 0 ||
			n.Crashes() != 0 || n.Tries() != 0 || n.RestartedFor() != "" || n.Awaited() {
			t.Errorf("%s remembers something", n.Name())
		}
	}
}

// TestFailedStart: a start that failed is remembered besides the exit before it.
func TestFailedStart(t *testing.T) {
	s := started(t, supervisor.Supervisor{Name: "root", Intensity: 9, Children: []supervisor.Child{
		supervisor.Worker{Name: "a", Machine: idle{}, Restart: supervisor.Transient}}})
	n := s.tree.Node("a")
	s.tree.SetNow(7)
	s.outcome["a"] = "fail"
	s.tree.Exited(n.PID(), statemachine.Killed)
	s.work()
	s.tree.SetNow(8)
	s.tree.Exited(n.PID(), statemachine.Normal)
	s.work()
	r, _ := n.LastExit()
	if r.Class != statemachine.ClassNormal || n.LastExitTime() != 8 || fmt.Sprint(n.LastFailure()) != "init_fail" ||
		n.LastFailureTime() != 7 || n.Crashes() != 1 || n.Restarts() != 1 || n.RestartedFor() != "a" {
		t.Errorf("%v at %d, %v at %d, %d crashes, %d restarts, for %s", r, n.LastExitTime(), n.LastFailure(),
			n.LastFailureTime(), n.Crashes(), n.Restarts(), n.RestartedFor())
	}

	// A start that is not answered is no restart yet.
	s.outcome["a"] = "slow"
	s.tree.RestartChild(s.tree.Root(), nil, "a")
	s.work()
	if n.Status() != statemachine.Starting || n.Restarts() != 1 {
		t.Errorf("%v, %d restarts", n.Status(), n.Restarts())
	}
	s.tree.Started(n.PID(), nil)
	s.work()

	// A crash in Terminate is the reason of the exit, but no crash by itself.
	s.tree.TerminateChild(s.tree.Root(), nil, "a")
	a, _ := s.tree.Next()
	s.tree.Exited(a.PID, statemachine.Crash(errors.New("in terminate")))
	s.work()
	if r, _ := n.LastExit(); fmt.Sprint(r) != "crash: in terminate" || n.Crashes() != 1 || n.Restarts() != 2 {
		t.Errorf("%v, %d crashes, %d restarts", r, n.Crashes(), n.Restarts())
	}
}

// TestDetailsEncode: an operator's listing has both encodings, and its fields
// are those that are documented.
func TestDetailsEncode(t *testing.T) {
	s := started(t, supervisor.Supervisor{Name: "root", Intensity: supervisor.NoRestarts, AutoShutdown: supervisor.AnySignificant,
		Period: time.Minute, MaxRestarts: 7, Shutdown: time.Second, Children: []supervisor.Child{
			supervisor.Supervisor{Name: "s", Restart: supervisor.Transient, Significant: true, Shutdown: supervisor.BrutalKill,
				Backoff: supervisor.Backoff{Initial: time.Second}, Children: []supervisor.Child{
					supervisor.Worker{Name: "a", Machine: idle{}}}}}})
	s.tree.SetNow(1_800_000_000e9)
	s.tree.Exited(s.tree.Node("a").PID(), statemachine.Crash(errors.New("boom")))
	s.work()
	info := s.tree.Root().Details(func(*supervisor.Node) int64 { return 3 })
	got, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"root","type":"supervisor","status":"up","restart":"permanent","strategy":"one_for_one","restarts":0,"steps":0,` +
		`"shutdown":"1s","intensity":0,"period":"1m0s","max_restarts":7,"children":[` +
		`{"name":"s","type":"supervisor","status":"up","restart":"transient","strategy":"one_for_one","restarts":0,"steps":0,` +
		`"shutdown":"brutal_kill","significant":true,"intensity":1,"period":"5s","children":[` +
		`{"name":"a","type":"worker","status":"restarting","restart":"permanent","restarts":0,"steps":3,"shutdown":"5s","crashes":1,` +
		`"last_exit":{"class":"crash","detail":"boom","at":"2027-01-15T08:00:00Z"},"tries":1,"retry_at":"2027-01-15T08:00:01Z"}]}]}`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for _, f := range []codec.Format{codec.JSON, codec.Msgpack} {
		if _, err := codec.Of[statemachine.Info]().Append(nil, f, info); err != nil {
			t.Error(err)
		}
	}
}

// TestRestartsDoNotAllocate: what is remembered of a crash, and the wait for the
// delay of a backoff, cost no memory beyond the first time.
func TestRestartsDoNotAllocate(t *testing.T) {
	boom := statemachine.Crash(errors.New("boom"))
	for _, strategy := range []supervisor.Strategy{supervisor.OneForOne, supervisor.OneForAll, supervisor.RestForOne} {
		for _, initial := range []time.Duration{0, time.Second} {
			tree, err := supervisor.New(supervisor.Supervisor{Name: "root", Strategy: strategy, Intensity: 1 << 30,
				Backoff: supervisor.Backoff{Initial: initial}, Children: []supervisor.Child{
					supervisor.Worker{Name: "a", Machine: idle{}}, supervisor.Worker{Name: "b", Machine: idle{}}}})
			if err != nil {
				t.Fatal(err)
			}
			work := func() {
				for a, ok := tree.Next(); ok; a, ok = tree.Next() {
					switch a.Kind {
					case supervisor.Start:
						tree.Started(a.PID, nil)
					case supervisor.Terminate:
						tree.Exited(a.PID, a.Reason)
					case supervisor.Retry:
						tree.Retry(a.PID, a.Child)
					}
				}
			}
			tree.Start()
			work()
			now, a := int64(0), tree.Node("a")
			crash := func() {
				now += 1e9
				tree.SetNow(now)
				tree.Exited(a.PID(), boom)
				work()
			}
			for range 20 {
				crash()
			}
			if n := testing.AllocsPerRun(1000, crash); n > 0 {
				t.Errorf("%v, %v: %v allocations", strategy, initial, n)
			}
		}
	}
}

func TestRestoreRefusesRetries(t *testing.T) {
	root := supervisor.Supervisor{Name: "root", Children: []supervisor.Child{supervisor.Worker{Name: "a", Machine: idle{}}}}
	const head = `{"nodes":[{"parent":-1,"name":"root","up":true,"gen":1,"up_gen":1,"starts":1},{"parent":0,"index":0,"name":"a",`
	for _, tail := range []string{
		`"gen":1,"past":{"retry_at":-1}}]}`,
		`"gen":1,"up":true,"past":{"retry_at":5}}]}`,
		`"gen":1,"gone":true,"past":{"retry_at":5}}]}`,
		`"past":{"retry_at":5}}]}`,
		`"gen":1,"up_gen":2}]}`,
		`"gen":1,"starts":2}]}`,
	} {
		if _, err := supervisor.Restore(root, []byte(head+tail), nil); !errors.Is(err, supervisor.ErrSavedState) {
			t.Errorf("%s: %v", tail, err)
		}
	}
	tree, err := supervisor.Restore(root, []byte(head+`"gen":1,"past":{"retry_at":5}}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := tree.Next(); !ok || a.Kind != supervisor.Retry || a.Delay != 5 || a.PID != tree.Node("a").PID() {
		t.Errorf("%+v", a)
	}
}

// TestRandomSaves drives two equal trees, one of which is saved and restored
// again and again: they do the same, and remember the same. Who is restarting has
// one timer, and nobody else.
func TestRandomSaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := func(name statemachine.Name) supervisor.Supervisor {
			s := supervisor.Supervisor{Name: name, Intensity: 50,
				Strategy:    supervisor.Strategy(rapid.IntRange(0, 2).Draw(t, "strategy")),
				MaxRestarts: rapid.SampledFrom([]int{0, 3, 20}).Draw(t, "max"),
			}
			if rapid.IntRange(0, 3).Draw(t, "backoff") > 0 {
				s.Backoff = supervisor.Backoff{Initial: time.Second, Max: 8 * time.Second, Jitter: 0.5}
			}
			for i := range rapid.IntRange(1, 3).Draw(t, "workers") {
				s.Children = append(s.Children, supervisor.Worker{Name: name + statemachine.Name(fmt.Sprint(i)), Machine: idle{},
					Restart: supervisor.Restart(rapid.IntRange(0, 2).Draw(t, "restart"))})
			}
			return s
		}
		root := spec("r")
		for _, name := range []statemachine.Name{"s", "t"} {
			root.Children = append(root.Children, spec(name))
		}
		trees := [2]*shop{}
		for i := range trees {
			tree, err := supervisor.New(root)
			if err != nil {
				t.Fatal(err)
			}
			trees[i] = &shop{root: root, tree: tree, outcome: map[statemachine.Name]string{}}
			tree.Start()
			trees[i].work()
		}
		now := int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			randomStep(t, &trees, &now)
			compareShops(t, trees[0], trees[1])
			if rapid.Bool().Draw(t, "save") {
				before := trees[1].out.Len()
				trees[1].resave(t)
				again := strings.Count(trees[1].out.String()[before:], "\n")
				if again != len(trees[1].waiting) {
					t.Fatalf("restored: %s", trees[1].out.String()[before:])
				}
				text := trees[1].out.String()[:before]
				trees[1].out.Reset()
				trees[1].out.WriteString(text)
				compareShops(t, trees[0], trees[1])
			}
		}
	})
}

// randomStep does one thing to both trees.
func randomStep(t *rapid.T, trees *[2]*shop, now *int64) {
	var all []statemachine.Name
	for n := range trees[0].tree.Root().All() {
		all = append(all, n.Name())
	}
	name := rapid.SampledFrom(all).Draw(t, "who")
	op := rapid.IntRange(0, 7).Draw(t, "op")
	*now += rapid.Int64Range(0, 3e9).Draw(t, "later")
	reason := rapid.SampledFrom([]statemachine.Reason{
		statemachine.Normal, statemachine.Killed, statemachine.Crash(errors.New("boom")),
	}).Draw(t, "reason")
	var due supervisor.PID
	if live := trees[0].pending(); len(live) > 0 {
		due = rapid.SampledFrom(live).Draw(t, "due").PID
	}
	for _, s := range trees {
		s.tree.SetNow(*now)
		n := s.tree.Node(name)
		switch {
		case op == 0 && n.Parent() != nil:
			s.tree.TerminateChild(n.Parent(), nil, name)
		case op == 1 && n.Parent() != nil:
			s.tree.RestartChild(n.Parent(), nil, name)
		case op == 2:
			s.outcome[name] = "fail"
		case op <= 4 && due.Node != nil:
			i := slices.IndexFunc(s.waiting, func(a supervisor.Action) bool { return a.PID.String() == due.String() })
			s.fire(i)
		case n.IsSupervisor() && op == 7 && n.Parent() != nil:
			s.tree.Stop(n, reason)
		case !n.IsSupervisor() && n.PID().Alive():
			s.tree.Exited(n.PID(), reason)
		}
		s.work()
		if !s.tree.Quiet() {
			t.Fatal("not quiet")
		}
		s.checkAwaited(t)
	}
}

// pending returns the waiting retries that are not stale.
func (s *shop) pending() (live []supervisor.Action) {
	for _, a := range s.waiting {
		if a.Child.PID() == a.PID && a.Child.Status() == statemachine.Restarting {
			live = append(live, a)
		}
	}
	return live
}

// checkAwaited: in a quiet tree who is restarting has one timer, and who is down
// is awaited only because of one who is.
func (s *shop) checkAwaited(t *rapid.T) {
	restarting := 0
	for n := range s.tree.Root().All() {
		if n.Status() == statemachine.Restarting {
			restarting++
			if _, ok := n.RetryTime(); !ok || !n.Awaited() {
				t.Fatalf("%s is restarting without a time", n.Name())
			}
		}
		if n.Status() == statemachine.Up && n.Awaited() {
			t.Fatalf("%s is up and awaited", n.Name())
		}
	}
	if len(s.pending()) != restarting {
		t.Fatalf("%d restarting, %v", restarting, s.pending())
	}
}

// compareShops fails if the trees differ in what they did or look like.
func compareShops(t *rapid.T, a, b *shop) {
	if a.out.String() != b.out.String() {
		t.Fatalf("did\n%s\nrestored\n%s", a.out.String(), b.out.String())
	}
	var texts [2]string
	for i, s := range []*shop{a, b} {
		info, err := json.Marshal(s.tree.Root().Details(nil))
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(info)
	}
	if texts[0] != texts[1] {
		t.Fatalf("is\n%s\nrestored\n%s", texts[0], texts[1])
	}
}
