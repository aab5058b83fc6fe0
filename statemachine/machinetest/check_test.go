package machinetest

import (
	"container/list"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/benbjohnson/immutable"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// input and output are those of all machines here.
type input struct {
	Key  string `json:"key"`
	N    int    `json:"n"`
	List []int  `json:"list,omitempty"`
	Ask  bool   `json:"ask,omitempty"`
}

type output struct {
	N    int       `json:"n"`
	List []int     `json:"list"`
	At   time.Time `json:"at"`
}

type machine[S any] = statemachine.Machine[S, input, output]

// of returns a machine whose state has no codec.
func of[S any](step func(input, S, *statemachine.Effects[output]) (S, output)) *machine[S] {
	return &machine[S]{Step: step, Input: codec.Of[input](), Output: codec.Of[output]()}
}

// saved returns m with a codec of its state.
func saved[S any](m *machine[S], c codec.Codec[S]) *machine[S] {
	m.State = c
	return m
}

func samples() []input {
	return []input{
		{Key: "a", N: 1}, {Key: "b", N: 2}, {Key: "c", N: 3},
		{Key: "a", List: []int{3, 1, 2}}, {Key: "a", Ask: true}, {N: -1},
	}
}

// find returns what Check reports of m.
func find[S any](m *machine[S]) func(t *testing.T) []Problem {
	return func(t *testing.T) []Problem {
		t.Helper()
		c, err := newChecker(Config{Seed: 1, Sequences: 5}, m, samples())
		if err != nil {
			t.Fatal(err)
		}
		return c.inBubbles(t)
	}
}

type fx = *statemachine.Effects[output]

// counter adds to a number.
func counter(in input, n int, _ fx) (int, output) { return n + in.N, output{N: n + in.N} }

func TestCatches(t *testing.T) {
	for _, test := range []struct {
		name string
		find func(*testing.T) []Problem
		rule Rule
		text string // part of the problem's
	}{
		{"mutated map", find(of(mutatesMap)), Pure, "the state"},
		{"mutated map, saved", find(saved(of(mutatesMap), codec.Of[map[string]int]())), Pure, "the state"},
		{"mutated slice element", find(of(mutatesSlice)), Pure, "the state"},
		{"mutated through a pointer", find(of(mutatesPointer)), Pure, "the state"},
		{"mutated list of the standard library", find(of(mutatesList)), Pure, "the state"},
		{"mutated before a panic", find(of(mutatesAndPanics)), Pure, "the state"},
		{"mutated input", find(of(mutatesInput)), Pure, "the input of step"},
		{"reused output", find(of(reusesOutput())), Pure, "the output of step"},
		{"kept alias", find(of(mutatesLater())), Pure, "has changed"},
		{"alias kept from long ago", find(mutatesMuchLater()), Pure, "the state that Init returned has changed"},
		{"append to shared capacity", find(of(appends)), Pure, "from the same state"},
		{"clock", find(of(readsClock(time.Second))), NoClock, "another output"},
		{"clock in hours", find(of(readsClock(time.Hour))), NoClock, "another output"},
		{"clock in years", find(of(readsYear)), NoClock, "another state"},
		{"randomness", find(of(readsRand)), Deterministic, "the step, repeated"},
		{"global counter", find(of(countsOutside())), Deterministic, "another output"},
		{"order of a map", find(of(mapOrder)), Deterministic, "the step, repeated"},
		{"crashes now and then", find(of(crashesOnce())), Deterministic, "does not end as it did"},
		{"lying ReadOnly", find(lies()), ReadOnly, "ReadOnly reports"},
		{"undecided ReadOnly", find(undecided()), ReadOnly, "of the same input"},
		{"panicking ReadOnly", find(panicsReadOnly()), ReadOnly, "a panic: no idea"},
		{"random Init", find(initially(func(statemachine.Start[int]) (int, error) { return rand.Int(), nil })), Init, "another state"},
		{"Init that reads the clock", find(initially(func(statemachine.Start[int]) (int, error) { return time.Now().Year(), nil })), Init, "another state"},
		{"failing Init", find(initially(func(statemachine.Start[int]) (int, error) { return 0, errors.New("no disk") })), Init, "no disk"},
		{"panicking Init", find(initially(func(statemachine.Start[int]) (int, error) { panic("no disk") })), Init, "no disk"},
		{"Init that changes what was saved", find(changesSaved()), Init, "changes the saved state"},
	} {
		t.Run(test.name, func(t *testing.T) { assertFound(t, test.find(t), test.rule, test.text) })
	}
}

func assertFound(t *testing.T, problems []Problem, rule Rule, text string) {
	t.Helper()
	for _, p := range problems {
		if p.Rule == rule && strings.Contains(p.String(), text) {
			return
		}
	}
	t.Errorf("want a problem of the rule %q that says %q, got %v", rule, text, problems)
}

func mutatesMap(in input, s map[string]int, _ fx) (map[string]int, output) {
	if s == nil {
		s = map[string]int{}
	}
	s[in.Key] += in.N + 1
	return s, output{}
}

func mutatesSlice(in input, s []int, _ fx) ([]int, output) {
	if len(s) < 3 {
		return append(slices.Clip(s), in.N), output{}
	}
	s[1]++
	return s, output{}
}

func mutatesPointer(in input, s *struct{ n int }, _ fx) (*struct{ n int }, output) {
	if s == nil {
		s = &struct{ n int }{}
	}
	s.n += in.N
	return s, output{N: s.n}
}

func mutatesList(in input, s *list.List, _ fx) (*list.List, output) {
	if s == nil {
		s = list.New()
	}
	s.PushBack(in.N)
	return s, output{}
}

func mutatesAndPanics(in input, s map[string]int, _ fx) (map[string]int, output) {
	next := maps.Clone(s)
	if in.N < 0 {
		s["a"]++
		panic("negative")
	}
	if next == nil {
		next = map[string]int{}
	}
	next[in.Key] = in.N
	return next, output{}
}

func mutatesInput(in input, s int, _ fx) (int, output) {
	slices.Sort(in.List)
	return s, output{}
}

func reusesOutput() statemachine.Step[int, input, output] {
	var buf []int
	return func(in input, n int, _ fx) (int, output) {
		buf = append(buf[:0], n, in.N)
		return n + in.N, output{List: buf}
	}
}

// mutatesLater puts the same map into every fifth state, and changes it then.
func mutatesLater() statemachine.Step[[]map[string]int, input, output] {
	shared := map[string]int{}
	return func(in input, s []map[string]int, _ fx) ([]map[string]int, output) {
		if len(s) == 20 {
			shared["changed"]++
			return nil, output{}
		}
		return append(slices.Clip(s), shared), output{}
	}
}

// mutatesMuchLater changes what Init returned when no recent state has it.
func mutatesMuchLater() *machine[[]map[string]int] {
	shared := map[string]int{}
	m := of(func(in input, s []map[string]int, _ fx) ([]map[string]int, output) {
		if len(s) == 20 {
			shared["changed"]++
		}
		return make([]map[string]int, len(s)+1), output{}
	})
	m.Init = func(statemachine.Start[[]map[string]int]) ([]map[string]int, error) {
		return []map[string]int{shared}, nil
	}
	return m
}

func appends(in input, s []int, _ fx) ([]int, output) {
	if s == nil {
		s = make([]int, 0, 1000)
	}
	return append(s, in.N), output{}
}

func readsClock(d time.Duration) statemachine.Step[int, input, output] {
	return func(in input, n int, _ fx) (int, output) { return n, output{At: time.Now().Truncate(d)} }
}

func readsYear(in input, n int, _ fx) (int, output) { return time.Now().Year(), output{} }

func readsRand(in input, n int, _ fx) (int, output) { return n, output{N: rand.IntN(2)} }

func countsOutside() statemachine.Step[int, input, output] {
	n := 0
	return func(in input, s int, _ fx) (int, output) {
		n++
		return s, output{N: n}
	}
}

func mapOrder(in input, s map[string]int, _ fx) (map[string]int, output) {
	s = maps.Clone(s)
	if s == nil {
		s = map[string]int{}
	}
	s[in.Key] = in.N
	return s, output{List: slices.Collect(maps.Values(s))}
}

func crashesOnce() statemachine.Step[int, input, output] {
	n := 0
	return func(in input, s int, _ fx) (int, output) {
		if n++; n%7 == 0 {
			panic("seven")
		}
		return s, output{}
	}
}

func lies() *machine[int] {
	m := of(counter)
	m.ReadOnly = func(in input) bool { return in.N < 2 }
	return m
}

func undecided() *machine[int] {
	m := of(counter)
	m.ReadOnly = func(in input) bool { return time.Now().Year()%2 == 0 && in.N == 0 }
	return m
}

func panicsReadOnly() *machine[int] {
	m := of(counter)
	m.ReadOnly = func(in input) bool { panic("no idea") }
	return m
}

func initially(f func(statemachine.Start[int]) (int, error)) *machine[int] {
	m := of(counter)
	m.Init = f
	return m
}

func changesSaved() *machine[map[string]int] {
	m := saved(of(func(in input, s map[string]int, _ fx) (map[string]int, output) {
		s = maps.Clone(s)
		s[in.Key] = in.N
		return s, output{}
	}), codec.Of[map[string]int]())
	m.Init = func(start statemachine.Start[map[string]int]) (map[string]int, error) {
		if start.Saved == nil {
			return map[string]int{}, nil
		}
		(*start.Saved)["starts"]++
		return *start.Saved, nil
	}
	return m
}

func TestRandomnessIsNotTakenForTheClock(t *testing.T) {
	for range 5 {
		asksRand := asks(func(_ input, _ int, fx fx) { fx.SetTimer("timer", time.Duration(rand.IntN(2))) })
		for _, p := range slices.Concat(find(of(readsRand))(t), find(of(mapOrder))(t), find(asksRand)(t)) {
			if p.Rule == NoClock {
				t.Error(p)
			}
		}
	}
}

func TestPasses(t *testing.T) {
	type sorted = *immutable.SortedMap[string, int]
	tree := of(func(in input, s sorted, _ fx) (sorted, output) {
		if s == nil {
			s = immutable.NewSortedMap[string, int](nil)
		}
		if in.N == 3 {
			s = s.Delete(in.Key)
		} else {
			s = s.Set(in.Key, in.N)
		}
		return s, output{N: s.Len()}
	})
	effects := func(in input, s time.Time, fx fx) (time.Time, output) {
		return fx.Now(), output{At: fx.Now(), N: int(fx.Rand() % 10), List: []int{int(fx.Now().Sub(s).Hours())}}
	}
	crashes := func(in input, n int, fx fx) (int, output) {
		switch {
		case in.N < 0:
			panic("negative")
		case in.N == 3:
			runtime.Goexit()
		}
		return counter(in, n, fx)
	}
	asks := saved(of(counter), codec.Of[int]())
	asks.ReadOnly = func(in input) bool { return in.N == 0 }
	cyclic := func(in input, _ *ring, _ fx) (*ring, output) {
		s := &ring{N: math.NaN(), F: func() int { return in.N }}
		s.Next = s
		return s, output{}
	}
	for name, find := range map[string]func(*testing.T) []Problem{
		"counter":                 find(saved(of(counter), codec.Of[int]())),
		"read-only inputs":        find(asks),
		"time and randomness":     find(saved(of(effects), codec.Of[time.Time]())),
		"crashes":                 find(saved(of(crashes), codec.Of[int]())),
		"no codec":                find(of(effects)),
		"immutable tree":          find(tree),
		"states lead to themself": find(of(cyclic)),
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range find(t) {
				t.Error(p)
			}
		})
	}
}

type ring struct {
	N    float64
	F    func() int
	Next *ring
}

func TestSeedRepeats(t *testing.T) {
	problems := func(seed uint64) string {
		ps, err := Problems(Config{Seed: seed, Sequences: 3}, of(appends), samples())
		if err != nil || len(ps) == 0 {
			t.Fatal(ps, err)
		}
		text, _ := json.Marshal(ps)
		return string(text)
	}
	if a, b := problems(7), problems(7); a != b {
		t.Errorf("the same seed, but\n%s\n%s", a, b)
	}
	if a, b := problems(7), problems(8); a == b {
		t.Errorf("other seeds, but %s", a)
	}
}

func TestConfig(t *testing.T) {
	t.Setenv(SeedVariable, "0x7b")
	if c, err := (Config{}).withDefaults(); err != nil || c.Seed != 123 || c.Steps != DefaultSteps || c.Sequences != DefaultSequences {
		t.Errorf("%+v, %v", c, err)
	}
	if c, _ := (Config{Seed: 5}).withDefaults(); c.Seed != 5 {
		t.Errorf("the field does not win: %+v", c)
	}
	t.Setenv(SeedVariable, "twelve")
	if _, err := (Config{}).withDefaults(); err == nil {
		t.Error("no error")
	}
	if _, err := (Config{Steps: -1}).withDefaults(); err == nil {
		t.Error("no error")
	}
	if _, err := Problems(Config{}, of(counter), nil); err == nil {
		t.Error("no error")
	}
	if _, err := Problems(Config{}, &machine[int]{}, samples()); err == nil {
		t.Error("no error")
	}
}
