package torture_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// history is what clients have asked of registers, and what they were told, to
// be checked for linearizability: each register must have done, one after the
// other and each within the time from call to return, what it says that it did.
//
// What has an unknown outcome was done, once, before the next life of the
// program was up, or never. What was sent again under its idempotency key is
// one operation, from the first call to the last return.
type history struct {
	mu    sync.Mutex
	clock int64
	first map[string]cell // what a register was before; absent unless it is here
	ops   map[string][]porcupine.Operation
	open  map[string]bool // registers with operations that have not returned
}

// cell is the state of a register.
type cell struct {
	there bool
	n     int64
}

func (c cell) String() string {
	if !c.there {
		return "none"
	}
	return fmt.Sprint(c.n)
}

// asked is what a client asks of a register.
type asked struct {
	act act
	n   int64
}

type act uint8

const (
	get act = iota
	has     // get, of whether there is anything
	set
	del
	add
)

func (a asked) String() string {
	return [...]string{"get", "has", "set", "del", "add"}[a.act] + fmt.Sprintf("(%d)", a.n)
}

func (a asked) apply(c cell) cell {
	switch a.act {
	case set:
		return cell{true, a.n}
	case del:
		return cell{}
	case add:
		return cell{true, c.n + a.n}
	}
	return c
}

// told is what became of it.
type told struct {
	how  certainty
	cell cell // get: the register; has and del: whether it was there; add: what it became
}

type certainty uint8

const (
	answered certainty = iota
	blindly            // it was done, and what it answered is not known
	perhaps            // the outcome is unknown
)

func (x told) String() string {
	switch x.how {
	case blindly:
		return "done"
	case perhaps:
		return "?"
	}
	return x.cell.String()
}

// next returns what a register may be after a, if that answered x.
func next(c cell, a asked, x told) []any {
	after := a.apply(c)
	ok := true
	switch {
	case x.how == perhaps && after != c:
		return []any{c, after}
	case x.how != answered:
	case a.act == get:
		ok = x.cell == c
	case a.act == has || a.act == del:
		ok = x.cell.there == c.there
	case a.act == add:
		ok = x.cell == after
	}
	if !ok {
		return nil
	}
	return []any{after}
}

func newHistory() *history {
	return &history{first: map[string]cell{}, ops: map[string][]porcupine.Operation{}, open: map[string]bool{}}
}

// begin returns when an operation is called.
func (h *history) begin() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	return h.clock
}

// end notes what became of an operation. What was not applied is not noted.
func (h *history) end(register string, client int, begun int64, a asked, x told) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	o := porcupine.Operation{ClientId: client, Input: a, Call: begun, Output: x, Return: h.clock}
	if x.how == perhaps {
		if a.act == get || a.act == has {
			return
		}
		o.Return = math.MaxInt64
		h.open[register] = true
	}
	h.ops[register] = append(h.ops[register], o)
}

// settle notes that the program has started anew: what could happen has happened.
func (h *history) settle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	for register := range h.open {
		for i, o := range h.ops[register] {
			if o.Return == math.MaxInt64 {
				h.ops[register][i].Return = h.clock
			}
		}
	}
	clear(h.open)
}

// checkTime is how long the check of one register may take.
const checkTime = time.Minute

// check returns an error if the history is not linearizable.
func (h *history) check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for register, ops := range h.ops {
		m := model(h.first[register])
		switch porcupine.CheckOperationsTimeout(m, ops, checkTime) {
		case porcupine.Unknown:
			return fmt.Errorf("register %s: %d operations cannot be checked in %v", register, len(ops), checkTime)
		case porcupine.Illegal:
			return fmt.Errorf("register %s, %v at first, is not linearizable:\n%s", register, h.first[register], explain(m, ops))
		}
	}
	return nil
}

func model(first cell) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{first} },
		Step: func(state, in, out any) []any { return next(state.(cell), in.(asked), out.(told)) },
	}
	return m.ToModel()
}

// explain shows the operations around the first that fits nowhere.
func explain(m porcupine.Model, ops []porcupine.Operation) string {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	_, info := porcupine.CheckOperationsVerbose(m, ops, checkTime)
	var longest []int
	for _, part := range info.PartialLinearizations()[0] {
		if len(part) > len(longest) {
			longest = part
		}
	}
	misfit, returned := 0, int64(math.MaxInt64)
	for i, o := range ops {
		if !slices.Contains(longest, i) && o.Return < returned {
			misfit, returned = i, o.Return
		}
	}
	var text strings.Builder
	const around = 12
	for i := max(0, misfit-around); i < min(len(ops), misfit+around); i++ {
		o := ops[i]
		mark := ""
		if i == misfit {
			mark = "  <- fits nowhere"
		}
		fmt.Fprintf(&text, "  client %d, %d to %d: %v -> %v%s\n", o.ClientId, o.Call, o.Return, o.Input, o.Output, mark)
	}
	return text.String()
}

// The check itself sees what it is there for.
func TestHistory(t *testing.T) {
	const r = "r"
	value := func(n int64) told { return told{cell: cell{true, n}} }
	none, done, unknown := told{}, told{how: blindly}, told{how: perhaps}
	// do is an operation that nothing is concurrent with.
	do := func(h *history, a asked, x told) { h.end(r, 0, h.begin(), a, x) }
	write := func(n int64) asked { return asked{set, n} }
	sum := func(n int64) asked { return asked{add, n} }
	for name, test := range map[string]struct {
		does func(h *history)
		ok   bool
	}{
		"in order":        {func(h *history) { do(h, write(1), done); do(h, asked{act: get}, value(1)) }, true},
		"unknown, done":   {func(h *history) { do(h, write(1), unknown); do(h, asked{act: get}, value(1)) }, true},
		"unknown, undone": {func(h *history) { do(h, write(1), unknown); h.settle(); do(h, asked{act: get}, none) }, true},
		"unknown, late": {func(h *history) {
			do(h, write(1), unknown)
			do(h, asked{act: get}, none)
			do(h, asked{act: get}, value(1))
		}, true},
		"concurrent": {func(h *history) {
			begun := h.begin()
			do(h, asked{act: get}, none)
			do(h, asked{act: get}, value(1))
			h.end(r, 1, begun, write(1), done)
		}, true},
		"sums": {func(h *history) { do(h, sum(1), value(1)); do(h, sum(1), unknown); do(h, sum(1), value(3)) }, true},
		"deleted": {func(h *history) {
			do(h, write(1), done)
			do(h, asked{act: del}, value(0))
			do(h, asked{act: has}, none)
		}, true},
		"earlier": {func(h *history) { h.first[r] = cell{true, 7}; do(h, asked{act: get}, value(7)) }, true},

		"lost":         {func(h *history) { do(h, write(1), done); h.settle(); do(h, asked{act: get}, none) }, false},
		"from nowhere": {func(h *history) { do(h, asked{act: has}, value(0)) }, false},
		"stale":        {func(h *history) { do(h, write(1), done); do(h, write(2), done); do(h, asked{act: get}, value(1)) }, false},
		"back in time": {func(h *history) {
			do(h, write(1), unknown)
			do(h, asked{act: get}, value(1))
			do(h, asked{act: get}, none)
		}, false},
		"in a later life": {func(h *history) {
			do(h, write(1), unknown)
			h.settle()
			do(h, asked{act: get}, none)
			h.settle()
			do(h, asked{act: get}, value(1))
		}, false},
		"twice": {func(h *history) { do(h, sum(1), unknown); do(h, sum(1), value(3)) }, false},
		"deleted twice": {func(h *history) {
			do(h, write(1), done)
			do(h, asked{act: del}, done)
			do(h, asked{act: del}, value(0))
		}, false},
		"written again": {func(h *history) {
			begun := h.begin()
			h.end(r, 1, begun, write(1), done)
			do(h, write(2), done)
			do(h, asked{act: get}, value(1)) // as if the first had been sent again, and applied again
		}, false},
	} {
		h := newHistory()
		test.does(h)
		if err := h.check(); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
