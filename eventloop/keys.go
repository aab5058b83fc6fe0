package eventloop

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

// MaxKeyBytes is the longest idempotency key, in bytes.
const MaxKeyBytes = 255

// keyOverhead is what a key costs in the window beside names and output, in bytes.
const keyOverhead = 64

// keyed is an input with an idempotency key: that it was applied, and what it
// was answered.
type keyed struct {
	proc statemachine.Name
	key  string
	sum  [16]byte // of the input
	done bool     // it has its answer; until then the entry waits for a later step's
	by   *entry   // until it is done
	gone bool     // it was forgotten before its turn
	also []*entry // who have sent it again meanwhile

	out    []byte // the output in msgpack, unless there is
	failed error  // an error: it was applied, and had no output
}

func (k *keyed) size() int64 {
	return int64(len(k.proc) + len(k.key) + len(k.out) + keyOverhead)
}

// window is the keys of inputs that were applied lately, the first one first.
type window struct {
	keys  map[statemachine.Name]map[string]*keyed
	order []*keyed
	gone  int // of order
	bytes int64
}

func (w *window) find(p statemachine.Name, key string) *keyed { return w.keys[p][key] }

func (w *window) add(k *keyed) {
	if w.keys == nil {
		w.keys = map[statemachine.Name]map[string]*keyed{}
	}
	if w.keys[k.proc] == nil {
		w.keys[k.proc] = map[string]*keyed{}
	}
	w.keys[k.proc][k.key] = k
	w.order = append(w.order, k)
	w.bytes += k.size()
}

// remove forgets k; its place in the order is left for shrink, or tidy.
func (w *window) remove(k *keyed) {
	if k.gone {
		return
	}
	k.gone = true
	w.gone++
	w.bytes -= k.size()
	delete(w.keys[k.proc], k.key)
	if len(w.keys[k.proc]) == 0 {
		delete(w.keys, k.proc)
	}
}

// shrink forgets the first ones that have their answer until the rest has at
// most limit bytes. Of those that have none yet the turn comes again.
func (w *window) shrink(limit int64) {
	for n := len(w.order); n > 0; n-- {
		k := w.order[0]
		if !k.gone && w.bytes <= limit {
			return
		}
		w.order[0] = nil
		w.order = w.order[1:]
		switch {
		case k.gone:
			w.gone--
		case k.done:
			w.remove(k)
			w.gone--
		default:
			w.order = append(w.order, k)
		}
	}
}

// tidy has no more in the order that are forgotten than others.
func (w *window) tidy() {
	if w.gone > len(w.order)/2 {
		w.order = slices.DeleteFunc(w.order, func(k *keyed) bool { return k.gone })
		w.gone = 0
	}
}

// forget forgets the keys of a process that was deleted.
func (w *window) forget(p statemachine.Name) {
	for _, k := range w.keys[p] {
		w.remove(k)
	}
	w.tidy()
}

// window returns the keys of p: those that a replay has too, or others.
func (l *Loop) window(p *process) *window {
	if p.derives() {
		return &l.windows[1]
	}
	return &l.windows[0]
}

// CallOnce is Call, with an idempotency key: an input that the process has
// applied under the same key is not applied again, but answered as it was then,
// across crashes of the process and, where durability keeps the state, starts of
// the program. An input that was not applied may be sent again under its key. If
// the key was used for another input the error is ErrKeyReused, not applied.
//
// A key is 1 to MaxKeyBytes bytes, of one process; the empty key is none. What is
// remembered is bounded by Config.KeyBytes, the oldest being forgotten first: a
// key must be used again before that. Read-only inputs need no key, and have none.
func (l *Loop) CallOnce(ctx context.Context, name statemachine.Name, key string, f codec.Format, body []byte, out codec.Format, dst []byte) ([]byte, error) {
	p, x, err := l.decode(name, f, body)
	if err != nil {
		return dst, err
	}
	if key == "" {
		err = l.exchange(ctx, p, x)
	} else {
		err = l.submitOnce(ctx, p, x, key, false)
	}
	if err != nil {
		return dst, err
	}
	res, err := p.front().AppendOutput(dst, out, x)
	p.front().Free(x)
	if err != nil {
		return dst, refused(name, statemachine.Applied, fmt.Errorf("%w: %w", statemachine.ErrOutput, err))
	}
	return res, nil
}

// CastOnce is Cast with an idempotency key: see CallOnce. Where it is not journaled
// it waits for its turn, when it is known whether the key was used before.
func (l *Loop) CastOnce(ctx context.Context, name statemachine.Name, key string, f codec.Format, body []byte) error {
	p, x, err := l.decode(name, f, body)
	if err != nil {
		return err
	}
	if key == "" {
		return l.castExchange(ctx, p, x)
	}
	return l.submitOnce(ctx, p, x, key, true)
}

// Once returns a handle whose calls and casts have an idempotency key: see
// Loop.CallOnce.
func (r Ref[I, O]) Once(key string) Ref[I, O] {
	r.key = key
	return r
}

// submitOnce is submit with a key.
func (l *Loop) submitOnce(ctx context.Context, p *process, x any, key string, cast bool) error {
	if err := ctx.Err(); err != nil {
		return late(ctx, p.name, statemachine.NotApplied)
	}
	if len(key) > MaxKeyBytes {
		err := fmt.Errorf("%w: an idempotency key of %d bytes exceeds %d", statemachine.ErrInput, len(key), MaxKeyBytes)
		return refused(p.name, statemachine.NotApplied, err)
	}
	if p.front().IsReadOnly(x) {
		if cast {
			return l.castExchange(ctx, p, x)
		}
		return l.exchange(ctx, p, x)
	}
	data, err := p.front().AppendInput(nil, x)
	if err != nil {
		return refused(p.name, statemachine.NotApplied, fmt.Errorf("%w: %w", statemachine.ErrInput, err))
	}
	e := l.queue.fresh()
	e.key, e.sum = key, sumOf(data)
	return l.submitEntry(ctx, e, p, x, cast)
}

func sumOf(data []byte) [16]byte {
	sum := sha256.Sum256(data)
	return [16]byte(sum[:16])
}

// repeated reports whether the input of e was applied already, and if so has it
// answered as it was, or refused.
func (l *Loop) repeated(e *entry) bool {
	p := e.proc
	k := l.window(p).find(p.name, e.key)
	switch {
	case k == nil || k.by == e:
		return false
	case k.sum != e.sum:
		l.refuse(e, statemachine.ErrKeyReused)
	case !k.done:
		k.also = append(k.also, e)
	default:
		l.answerAgain(e, k)
	}
	return true
}

// answerAgain answers e as the first input of its key was.
func (l *Loop) answerAgain(e *entry, k *keyed) {
	p, err := e.proc, k.failed
	if e.cast {
		p.unread.Add(-1)
	} else if err == nil {
		var out any
		failed := aside(p.name, "decode", func() (err error) {
			out, err = p.DecodeOutput(k.out)
			return err
		})
		if failed != nil || !p.SetOutput(e.x, out) {
			err = fmt.Errorf("%w: what was answered cannot be decoded any more", statemachine.ErrOutput)
		}
	}
	if err != nil && !e.cast {
		err = refused(p.name, statemachine.Applied, err)
	} else {
		err = nil
	}
	l.queue.answer(e, err)
}

// beginKey notes the key of e, which is about to be stepped.
func (l *Loop) beginKey(e *entry) {
	l.window(e.proc).add(&keyed{proc: e.proc.name, key: e.key, sum: e.sum, by: e})
}

// endKey notes how e, which has a key, was answered.
func (l *Loop) endKey(e *entry, err error) {
	w := l.window(e.proc)
	k := w.find(e.proc.name, e.key)
	if k == nil || k.by != e {
		return // it was refused, or its key is forgotten
	}
	k.by = nil
	if err != nil && statemachine.OutcomeOf(err) != statemachine.Applied {
		w.remove(k)
		w.tidy()
		for _, again := range k.also {
			l.refuse(again, err)
		}
		return
	}
	w.bytes -= k.size()
	k.done = true
	var refusal *statemachine.CallError
	switch {
	case errors.As(err, &refusal):
		k.failed = refusal.Err
	case err != nil:
		k.failed = err
	default:
		err = aside(e.proc.name, "encode", func() (err error) {
			k.out, err = e.proc.AppendOutput(nil, codec.Msgpack, e.x)
			return err
		})
		if err != nil {
			k.failed = fmt.Errorf("%w: %w", statemachine.ErrOutput, err)
		}
	}
	w.bytes += k.size()
	for _, again := range k.also {
		l.answerAgain(again, k)
	}
	k.also = nil
	w.shrink(l.bounds.Keys)
}

// How an input was sent, in the journal: the first byte of the data of a
// KindSent. The key's length, the key and the sum of the input follow those that
// have one, then the input.
const (
	sentCast      = 'c'
	sentKeyed     = 'k'
	sentKeyedCast = 'K'
)

// appendInput is what the journal keeps of an input.
func (e *entry) appendInput(dst []byte) ([]byte, error) {
	switch {
	case e.key == "" && e.cast:
		dst = append(dst, sentCast)
	case e.key != "":
		how := byte(sentKeyed)
		if e.cast {
			how = sentKeyedCast
		}
		dst = binary.AppendUvarint(append(dst, how), uint64(len(e.key)))
		dst = append(append(dst, e.key...), e.sum[:]...)
	}
	return e.proc.AppendInput(dst, e.x)
}

// recordKind is the kind of the journal's entry of an input.
func (e *entry) recordKind() journal.Kind {
	if e.cast || e.key != "" {
		return journal.KindSent
	}
	return journal.KindInput
}

// readSent reads how an input was sent, and returns the input.
func (e *entry) readSent(data []byte) ([]byte, error) {
	malformed := errors.New("an input was sent in an unknown way")
	if len(data) == 0 {
		return nil, malformed
	}
	how, data := data[0], data[1:]
	switch how {
	case sentCast:
		e.cast = true
		return data, nil
	case sentKeyed, sentKeyedCast:
		e.cast = how == sentKeyedCast
	default:
		return nil, malformed
	}
	n, used := binary.Uvarint(data)
	if used <= 0 || n > MaxKeyBytes || len(data) < used+int(n)+len(e.sum) {
		return nil, malformed
	}
	data = data[used:]
	e.key = string(data[:n])
	copy(e.sum[:], data[n:])
	return data[int(n)+len(e.sum):], nil
}

// keptKey is a key in a snapshot.
type keptKey struct {
	Proc   statemachine.Name  `json:"proc"`
	Key    []byte             `json:"key"`
	Sum    []byte             `json:"sum"`
	Out    []byte             `json:"out,omitempty"`
	Failed string             `json:"failed,omitempty"` // the error's text
	Exit   bool               `json:"exit,omitempty"`   // it is an ExitError's, with this class
	Class  statemachine.Class `json:"class,omitempty"`
	From   uint64             `json:"from,omitempty"` // it waits for a later step's reply
}

// notedKey is a key that a snapshot is to have. What it says does not change once
// it is done; until then from is all that is looked at.
type notedKey struct {
	*keyed
	from uint64
}

// noteKeys takes note of the keys of all processes whose state is kept. There may
// be very many, while the loop stands still.
func (l *Loop) noteKeys() []notedKey {
	all := make([]notedKey, 0, len(l.windows[0].order)+len(l.windows[1].order))
	kept := map[statemachine.Name]bool{}
	for i := range l.windows {
		for name := range l.windows[i].keys {
			kept[name] = l.keepsKeys(name)
		}
		proc, is := statemachine.Name(""), false
		for _, k := range l.windows[i].order {
			if k.proc != proc {
				proc, is = k.proc, kept[k.proc]
			}
			if k.gone || !is {
				continue
			}
			n := notedKey{keyed: k}
			if !k.done {
				n.from = uint64(k.by.from)
			}
			all = append(all, n)
		}
	}
	return all
}

// keepKeys returns what a snapshot has of the keys, on any goroutine.
func keepKeys(noted []notedKey) []keptKey {
	all := make([]keptKey, 0, len(noted))
	for _, k := range noted {
		s := keptKey{Proc: k.proc, Key: []byte(k.key), Sum: k.sum[:], From: k.from}
		if k.from == 0 {
			s.Out = k.out
			s.fails(k.failed)
		}
		all = append(all, s)
	}
	return all
}

// fails notes the error that the input was answered with, if there was one.
func (s *keptKey) fails(err error) {
	var exit *statemachine.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		s.Exit, s.Class = true, exit.Reason.Class
		if exit.Reason.Detail != nil {
			s.Failed = exit.Reason.Detail.Error()
		}
	default:
		s.Failed = err.Error()
	}
}

// keepsKeys reports whether the keys of a process are kept: as long as its state
// is, also if the tree does not have it now.
func (l *Loop) keepsKeys(name statemachine.Name) bool {
	p := l.procs.find(name)
	return p != nil && p.Durable() || l.orphans[name] != nil
}

// restoreKeys takes over the keys of a snapshot.
func (l *Loop) restoreKeys(all []keptKey) {
	for _, s := range all {
		if !l.keepsKeys(s.Proc) || len(s.Sum) != 16 {
			continue
		}
		p := l.procs.find(s.Proc)
		k := &keyed{proc: s.Proc, key: string(s.Key), sum: [16]byte(s.Sum), out: s.Out, done: s.From == 0}
		switch {
		case s.Exit:
			r := statemachine.Reason{Class: s.Class}
			if s.Failed != "" {
				r.Detail = errors.New(s.Failed)
			}
			k.failed = &statemachine.ExitError{Name: s.Proc, Reason: r}
		case s.Failed != "":
			k.failed = fmt.Errorf("%w: %s", statemachine.ErrOutput, s.Failed)
		case s.From != 0 && (p == nil || !p.Durable()): // nobody will answer it
			k.done, k.failed = true, &statemachine.ExitError{Name: s.Proc, Reason: statemachine.Killed}
		case s.From != 0:
			k.by = &entry{kind: kindInput, proc: p, x: p.Blank(), key: k.key, sum: k.sum, from: statemachine.From(s.From), time: 1,
				answered: true, shared: true}
			p.keep(k.by)
		}
		l.windows[1].add(k)
	}
}
