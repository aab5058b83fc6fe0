package supervisor

import "github.com/lineshaft/lineshaft/statemachine"

// savedPast is what is saved of a node's past, beside its counts of starts.
type savedPast struct {
	Exit    *savedEnd         `json:"exit,omitempty"`
	Failure *savedEnd         `json:"failure,omitempty"`
	Because statemachine.Name `json:"because,omitempty"`
	UpAt    int64             `json:"up_at,omitempty"`
	Crashes uint32            `json:"crashes,omitempty"`
	Tries   uint32            `json:"tries,omitempty"`
	// RetryAt is, of a child that is restarting, when it is to be started.
	RetryAt int64 `json:"retry_at,omitempty"`
}

// savedEnd is an end that is remembered.
type savedEnd struct {
	Class statemachine.Class `json:"class,omitempty"`
	Text  string             `json:"text,omitempty"`
	At    int64              `json:"at,omitempty"`
}

// savedPast returns what is to be saved of n's past, nil if nothing is.
func (n *Node) savedPast() *savedPast {
	p := n.past
	if p == nil {
		return nil
	}
	s := &savedPast{
		Exit: p.exit.saved(), Failure: p.failure.saved(), Because: p.because, UpAt: p.upAt, Crashes: p.crashes, Tries: p.tries,
	}
	if n.state == restarting {
		s.RetryAt = p.due
	}
	return s
}

func (e *ended) saved() *savedEnd {
	if !e.known {
		return nil
	}
	return &savedEnd{e.class, e.text, e.at}
}

// restored returns what was saved as s.
func (s *savedEnd) restored() ended {
	if s == nil {
		return ended{}
	}
	return ended{true, s.Class, s.Text, s.At}
}

// restorePast makes the past of n, which is linked if it is to be, what s says.
// False: it cannot be.
func (t *Tree) restorePast(n *Node, s savedNode) bool {
	if s.Past != nil || s.UpGen < s.Gen || s.Starts < s.Gen {
		n.remember().lag, n.past.missed = s.Gen-s.UpGen, s.Gen-s.Starts
	}
	if s.Past == nil {
		return true
	}
	p, saved := n.past, s.Past
	p.exit, p.failure = saved.Exit.restored(), saved.Failure.restored()
	p.because, p.upAt, p.crashes, p.tries = saved.Because, saved.UpAt, saved.Crashes, saved.Tries
	switch {
	case saved.RetryAt == 0:
		return true
	case saved.RetryAt < 0 || s.Up || s.Gone || n.parent == nil || s.Gen == 0:
		return false
	}
	t.retryAt(n, saved.RetryAt)
	return true
}
