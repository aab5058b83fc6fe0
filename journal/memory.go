package journal

import (
	"bytes"
	"maps"
	"slices"
	"sync"
)

// Memory is a Log in memory, for tests and for programs without a file. The zero Memory is empty and ready. What it
// holds is "durable" as long as the program runs: Reopen stands for a new start.
//
// It runs one goroutine while it has work, and none otherwise; one that is not closed leaks nothing.
type Memory struct {
	mu      sync.Mutex
	queue   []memoryCall
	running chan struct{} // closed when the goroutine that runs now ends; nil if there is none
	closed  bool
	held    held
}

var _ Log = (*Memory)(nil)

// held is what is durable. Invariant: batches[i] has the index snapshot.Index+1+i, and nothing reachable from here is
// ever changed in place, so that a copy of it is a view of that moment.
type held struct {
	snapshot Snapshot // without States
	states   map[string][]byte
	batches  []Batch
}

func (h *held) last() uint64 { return h.snapshot.Index + uint64(len(h.batches)) }

// memoryCall is a call of Append or of Save; the other's fields are zero.
type memoryCall struct {
	batch    Batch
	appended func(uint64, error)
	update   Update
	saved    func(error)
	closed   bool // the Log was closed before the call
}

// Reopen returns a new Memory that holds what is durable in m now, as a program that starts anew would find it. m stays
// as it is: if it was closed, calls to it still get ErrClosed; if it was not, the new one is what kill -9 would have left.
func (m *Memory) Reopen() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{held: m.held.view()}
}

func (h *held) view() held {
	v := *h
	v.batches = slices.Clip(v.batches)
	return v
}

// Append implements Log.
func (m *Memory) Append(b Batch, done func(uint64, error)) {
	if b.Bytes() == nil {
		panic("journal: Append of the zero Batch")
	}
	m.hand(memoryCall{batch: b, appended: done})
}

// Save implements Log.
func (m *Memory) Save(u Update, done func(error)) {
	m.hand(memoryCall{update: u, saved: done})
}

func (m *Memory) hand(c memoryCall) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.closed = m.closed
	m.queue = append(m.queue, c)
	if m.running == nil {
		m.running = make(chan struct{})
		go m.run(m.running)
	}
}

// run carries out calls until none is left.
func (m *Memory) run(ended chan struct{}) {
	defer close(ended)
	var calls []memoryCall
	for {
		m.mu.Lock()
		clear(calls) // what they refer to is free to go
		calls, m.queue = m.queue, calls[:0]
		if len(calls) == 0 {
			m.running = nil
			m.mu.Unlock()
			return
		}
		m.mu.Unlock()
		for _, c := range calls {
			m.carryOut(c)
		}
	}
}

func (m *Memory) carryOut(c memoryCall) {
	switch {
	case c.appended != nil && c.closed:
		c.appended(0, ErrClosed)
	case c.appended != nil:
		c.appended(m.append(c.batch), nil)
	case c.closed:
		c.saved(ErrClosed)
	default:
		c.saved(m.save(c.update))
	}
}

func (m *Memory) append(b Batch) uint64 {
	b.sealed = bytes.Clone(b.sealed)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held.batches = append(m.held.batches, b)
	return m.held.last()
}

// save encodes without the lock: only the goroutine that runs it changes m.held.
func (m *Memory) save(u Update) error {
	m.mu.Lock()
	next := m.held.view()
	m.mu.Unlock()
	if err := u.Check(next.snapshot.Index, next.last()); err != nil {
		return err
	}
	states := maps.Clone(next.states)
	if states == nil {
		states = make(map[string][]byte)
	}
	for _, name := range u.Delete {
		delete(states, name)
	}
	if u.States != nil {
		for name, encode := range u.States {
			state, err := EncodeState(name, encode, nil)
			if err != nil {
				return err
			}
			states[name] = state
		}
	}
	next.states = states
	if u.Index != 0 {
		next.batches = slices.Clone(next.batches[u.Index-next.snapshot.Index:])
		next.snapshot = Snapshot{Index: u.Index, Time: u.Time, App: bytes.Clone(u.App)}
	}
	m.mu.Lock()
	m.held = next
	m.mu.Unlock()
	return nil
}

// Recover implements Log.
func (m *Memory) Recover(snapshot func(Snapshot) error, batch func(uint64, Batch) error) error {
	m.mu.Lock()
	now, closed := m.held.view(), m.closed
	m.mu.Unlock()
	if closed {
		return ErrClosed
	}
	s := now.snapshot
	s.States = func(yield func(string, []byte) bool) {
		for _, name := range slices.Sorted(maps.Keys(now.states)) {
			if !yield(name, now.states[name]) {
				return
			}
		}
	}
	if err := snapshot(s); err != nil {
		return err
	}
	for i, b := range now.batches {
		if err := batch(s.Index+1+uint64(i), b); err != nil {
			return err
		}
	}
	return nil
}

// Close implements Log.
func (m *Memory) Close() error {
	m.mu.Lock()
	m.closed = true
	running := m.running
	m.mu.Unlock()
	if running != nil {
		<-running
	}
	return nil
}
