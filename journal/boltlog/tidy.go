package boltlog

import (
	"errors"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// errStopped says that tidying was told to stop. What is left to tidy can be seen in the file at any time.
var errStopped = errors.New("stopped")

// tidier is one run of tidy.
type tidier struct {
	*saver
	stop      func() bool
	abandoned []uint64 // layers that never came in force
	emptied   []uint64 // layers of which nothing is left
}

// tidy removes what is of no use, in steps, until only one layer is left, and nothing that it does not need. It returns
// errStopped when stop says so, or what ended the Log.
//
// What tells that there is something to tidy goes last, so that a crash leaves nothing that nobody looks for: the record
// of a second layer, or the bucket of one that is not in force.
func (s *saver) tidy(stop func() bool) error {
	t := &tidier{saver: s, stop: stop}
	for _, do := range []func() error{t.batches, t.abandon, t.merge, t.sweep, t.finish} {
		if err := do(); err != nil {
			return err
		}
	}
	s.untidy = false
	return nil
}

// steps does one step after the other while there is more to do.
func (t *tidier) steps(apply func(tx *bolt.Tx) (more bool, err error)) error {
	for {
		if t.stop() {
			return errStopped
		}
		more := false
		err := t.log.do(&step{apply: func(tx *bolt.Tx) (err error) {
			// gofail: var tidyStep struct{}
			more, err = apply(tx)
			return err
		}})
		if err != nil || !more {
			return err
		}
	}
}

// batches drops those that the snapshot includes.
func (t *tidier) batches() error {
	if t.first > t.snapshot {
		return nil
	}
	return t.steps(func(tx *bolt.Tx) (more bool, err error) {
		t.first, err = dropBatches(tx, t.first, t.snapshot, stepDeletes)
		return t.first <= t.snapshot, err
	})
}

// abandon empties the layers of Saves that were not finished.
func (t *tidier) abandon() error {
	err := t.view(func(v view) error {
		t.abandoned = v.abandoned()
		return nil
	})
	for _, n := range t.abandoned {
		if err == nil {
			err = t.steps(func(tx *bolt.Tx) (bool, error) { return removeSome(layerOf(tx, n), nil) })
		}
	}
	t.emptied = t.abandoned
	return err
}

// removeSome deletes entries from the beginning of a layer, as many as a step may, after f has seen each. It reports
// whether there are more. What f returns is what it has written, in bytes.
func removeSome(l layer, f func(name, value []byte) (int, error)) (more bool, err error) {
	var names [][]byte
	freed, written := 0, 0
	c := l.Cursor()
	name, value := c.First()
	for ; name != nil && len(names) < stepDeletes && freed < stepFreedBytes && written < stepBytes; name, value = c.Next() {
		if f != nil {
			n, err := f(name, value)
			if err != nil {
				return false, err
			}
			written += n
		}
		names = append(names, name)
		freed += len(value)
	}
	for _, n := range names {
		if err := l.Delete(n); err != nil {
			return false, err
		}
	}
	return name != nil, l.SetSequence(l.Sequence() - uint64(len(names)))
}

// merge makes two layers one, by moving to the other what is less to move: of the upper all, or of the lower what the
// upper does not replace. After a Save of all states that is nothing.
func (t *tidier) merge() error {
	if len(t.layers) < 2 {
		return nil
	}
	lower, upper := t.layers[0], t.layers[1]
	plan, err := t.survey()
	if err != nil {
		return err
	}
	if !plan.raise {
		t.emptied = append(t.emptied, upper)
		return t.steps(func(tx *bolt.Tx) (bool, error) {
			to := layerOf(tx, lower)
			return removeSome(layerOf(tx, upper), func(name, value []byte) (int, error) {
				return len(value), setEntry(to, name, value)
			})
		})
	}
	for _, name := range plan.large {
		if err := t.raiseLarge(name); err != nil {
			return err
		}
	}
	err = t.steps(func(tx *bolt.Tx) (bool, error) { return raiseSome(layerOf(tx, lower), layerOf(tx, upper)) })
	if err != nil {
		return err
	}
	t.emptied = append(t.emptied, lower)
	return t.removeGone(upper, plan.gone)
}

// plan is how two layers become one.
type plan struct {
	raise bool     // the lower's entries go up, rather than the upper's down
	large []string // entries of layer 0 that must be split, in raise
	gone  []string // entries of the upper layer that say that there is nothing
}

// survey reads both layers.
func (t *tidier) survey() (p plan, err error) {
	err = t.view(func(v view) error {
		down, up := 0, 0 // bytes to move
		err := v.walk(func(l layer, name, value []byte) error {
			switch {
			case l.number != t.layers[0]:
				down += len(value)
				if isGone(value) {
					p.gone = append(p.gone, string(name))
				}
			default:
				up += len(value)
				if l.number == 0 && len(value)-crcBytes > partBytes {
					p.large = append(p.large, string(name))
				}
			}
			return nil
		})
		p.raise = up <= down || t.layers[0] == 0
		return err
	})
	return p, err
}

// raiseSome moves entries to the upper layer, but those that it replaces.
func raiseSome(lower, upper layer) (more bool, err error) {
	added := uint64(0)
	more, err = removeSome(lower, func(name, value []byte) (int, error) {
		if upper.Get(name) != nil {
			return 0, nil
		}
		if lower.number == 0 {
			state, err := unseal(name, value)
			if err != nil {
				return 0, err
			}
			value = sealed(name, whole(slices.Clone(state)))
		}
		added++
		return len(value), upper.Put(name, value)
	})
	if err != nil {
		return false, err
	}
	return more, upper.SetSequence(upper.Sequence() + added)
}

// raiseLarge splits a state of layer 0 and puts it in the upper layer.
func (t *tidier) raiseLarge(name string) error {
	key := []byte(name)
	var state []byte
	st := &stage{saver: t.saver, number: t.layers[1], begun: true}
	err := t.view(func(v view) error {
		b, err := unseal(key, v.layers[0].Get(key))
		if err != nil {
			return err
		}
		state = slices.Clone(b)
		c := v.parts.Cursor() // where groups of this layer end
		last, _ := c.Seek(ref{st.number + 1, 0}.key(0))
		if last == nil {
			last, _ = c.Last()
		} else {
			last, _ = c.Prev()
		}
		if last != nil {
			if r, _, _ := refOf(last); r.layer == st.number {
				st.groups = r.group
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	value, err := st.split(state)
	if err != nil {
		return err
	}
	if err := st.put(&st.entries, key, sealed(key, value)); err != nil {
		return err
	}
	return t.log.do(&step{apply: st.write})
}

// removeGone deletes what says that there is nothing, once there is no layer below.
func (t *tidier) removeGone(number uint64, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return t.steps(func(tx *bolt.Tx) (bool, error) {
		l := layerOf(tx, number)
		n := min(len(names), stepDeletes)
		for _, name := range names[:n] {
			if err := l.Delete([]byte(name)); err != nil {
				return false, err
			}
		}
		names = names[n:]
		return len(names) > 0, l.SetSequence(l.Sequence() - uint64(n))
	})
}

// sweep deletes the parts that nothing refers to.
func (t *tidier) sweep() error {
	if len(t.emptied) == 0 {
		return nil
	}
	var groups []ref
	err := t.view(func(v view) (err error) {
		groups, err = v.unused()
		return err
	})
	if err != nil || len(groups) == 0 {
		return err
	}
	return t.steps(func(tx *bolt.Tx) (bool, error) {
		parts := partsOf(tx)
		c := parts.Cursor()
		var keys [][]byte
		for freed := 0; len(groups) > 0 && freed < stepFreedBytes && len(keys) < stepDeletes; {
			key, value := c.Seek(groups[0].key(0))
			for ; groups[0].has(key) && freed < stepFreedBytes; key, value = c.Next() {
				keys = append(keys, key)
				freed += len(value)
			}
			if !groups[0].has(key) {
				groups = groups[1:]
			}
		}
		for _, key := range keys {
			if err := parts.Delete(key); err != nil {
				return false, err
			}
		}
		return len(groups) > 0, nil
	})
}

// unused returns the groups of parts to which nothing refers.
func (v view) unused() (groups []ref, err error) {
	used := make(map[ref]bool)
	if v.snapshot.app.kind == contentSplit {
		used[v.snapshot.app.ref] = true
	}
	c := v.parts.Cursor()
	key, _ := c.First()
	if key == nil {
		return nil, nil
	}
	for _, l := range v.layers {
		err := l.ForEach(func(name, value []byte) error {
			if l.number == 0 || !isSplit(value) {
				return nil
			}
			c, err := decodeEntry(l.number, name, value)
			used[c.ref] = true
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for key != nil {
		r, _, err := refOf(key)
		if err != nil {
			return nil, err
		}
		if !used[r] {
			groups = append(groups, r)
		}
		key, _ = c.Seek(ref{r.layer, r.group + 1}.key(0))
	}
	return groups, nil
}

// finish forgets the layers of which nothing is left.
func (t *tidier) finish() error {
	if len(t.emptied) == 0 {
		return nil
	}
	left := slices.DeleteFunc(slices.Clone(t.layers), func(n uint64) bool { return slices.Contains(t.emptied, n) })
	err := t.log.do(&step{apply: func(tx *bolt.Tx) error {
		for _, n := range t.emptied {
			if err := tx.DeleteBucket(layerName(n)); err != nil {
				return err
			}
		}
		// gofail: var tidyFinish struct{}
		return tx.Bucket(bucketOurs).Put(keyLayers, encodeLayers(left))
	}})
	if err == nil {
		t.layers = left
	}
	return err
}
