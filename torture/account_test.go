package torture_test

import (
	"runtime"
	"slices"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// account is the state of the machine under torture: every input that it has
// applied, and a mark that depends on all that has ever happened to it.
type account struct {
	Applied []applied `json:"applied"`
	Inits   int64     `json:"inits"`
	Mark    int64     `json:"mark"`
}

// applied is one input, and the mark that it left.
type applied struct {
	Seq  int64 `json:"seq"`
	Mark int64 `json:"mark"`
}

// input is one of a client's inputs.
type input struct {
	Seq int64  `json:"seq"`
	Do  string `json:"do"`  // one of the constants, or nothing special
	Pad string `json:"pad"` // so that inputs differ in size
}

const (
	doGet      = "get"       // read-only
	doCrashGet = "crash-get" // read-only, and panics
	doCrash    = "crash"     // panics
	doFail     = "fail"      // stops the process as failed, after a reply
	doQuit     = "quit"      // stops the process as shut down, without a reply
	doGoexit   = "goexit"    // calls runtime.Goexit
)

// output is the whole account for doGet, else what was applied.
type output struct {
	Applied applied `json:"applied"`
	Account account `json:"account"`
}

type machine = statemachine.Machine[account, input, output]

// mix is a step of FNV-1a over whole numbers, cut to 53 bits.
func mix(mark int64, with ...int64) int64 {
	h := uint64(mark) ^ 0xcbf29ce484222325
	for _, x := range with {
		h = (h ^ uint64(x)) * 0x100000001b3
		h ^= h >> 29
	}
	return int64(h >> 11)
}

func step(in input, s account, fx *statemachine.Effects[output]) (account, output) {
	switch in.Do {
	case doGet:
		return s, output{Account: s}
	case doCrash, doCrashGet:
		panic(in.Do)
	case doGoexit:
		runtime.Goexit()
	case doFail:
		fx.Stop(statemachine.Crash(nil))
	case doQuit:
		fx.StopNoReply(statemachine.Shutdown)
	}
	s.Mark = mix(s.Mark, in.Seq, s.Inits, fx.Now().UnixNano(), int64(fx.Rand()>>1))
	a := applied{in.Seq, s.Mark}
	s.Applied = append(slices.Clip(s.Applied), a)
	return s, output{Applied: a}
}

// newMachine returns the machine. Its Terminate takes as long as slow says.
func newMachine(slow func() time.Duration) *machine {
	m := &machine{
		Init: func(s statemachine.Start[account]) (account, error) {
			var a account
			if s.Saved != nil {
				a = *s.Saved
			}
			if slow == nil { // else a replay need not restart in the same place
				a.Inits++
				a.Mark = mix(a.Mark, a.Inits)
			}
			return a, nil
		},
		Step:     step,
		ReadOnly: func(in input) bool { return in.Do == doGet || in.Do == doCrashGet },
		Input:    codec.Of[input](),
		Output:   codec.Of[output](),
		State:    codec.Of[account](),
	}
	if slow != nil {
		m.Terminate = func(statemachine.Name, account, statemachine.Reason) {
			if d := slow(); d > 0 {
				<-time.After(d)
			}
		}
	}
	return m
}
