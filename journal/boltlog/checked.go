package boltlog

import (
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// The second half of a Check: what was gathered must fit together.

// conclude checks what was gathered.
func (c *checker) conclude(tx *bolt.Tx) {
	c.sum.Version, c.sum.Snapshot = int(c.version), c.snapshot.index
	c.contents(c.readRecords())
	c.missing()
	if !c.structure {
		c.bolt(tx)
	}
	if c.sum.Problems > 0 && c.sum.Damage == Intact {
		c.sum.Damage = DamagedMiddle // such as a page of batches that were about to be dropped
	}
}

// readRecords tells what is wrong with the records of bucketOurs, and returns the layers in force.
func (c *checker) readRecords() (layers []uint64) {
	if c.lost[""] || c.lost[string(bucketOurs)] {
		return nil // that was told
	}
	_, err := decodeVersion(c.records[string(keyFormat)])
	if err == nil {
		_, err = decodeSnapshot(c.version, c.records[string(keySnapshot)])
	}
	if err != nil {
		c.found(DamagedMiddle, err)
	}
	if c.version == oldVersion {
		return []uint64{0}
	}
	layers, err = decodeLayers(c.records[string(keyLayers)])
	if err != nil {
		c.found(DamagedMiddle, err)
	}
	return layers
}

// contents checks the states of the layers in force: how many there are, and that all parts are there.
func (c *checker) contents(layers []uint64) {
	inForce := []string{string(bucketOurs)}
	for _, n := range layers {
		name := string(layerName(n))
		inForce = append(inForce, name)
		s, there := c.v.subtree(name)
		switch {
		case !there && !c.lost[""]:
			c.middle("bucket %q is missing", name)
		case there && !c.lost[name] && c.counts[name] != s.sequence:
			c.middle("bucket %q: %d states where there were %d", name, c.counts[name], s.sequence)
		}
	}
	if c.snapshot.app.kind == contentSplit {
		c.splits = append(c.splits, splitState{string(bucketOurs), "", c.snapshot.app})
	}
	for _, s := range c.splits {
		g := c.groups[s.ref]
		if !slices.Contains(inForce, s.bucket) || !g.torn && g.bytes == s.size {
			continue // not in force: of a Save that was cut short
		}
		what := "application state"
		if s.name != "" {
			what = fmt.Sprintf("state of %q", s.name)
		}
		c.middle("%s: its parts are not what they were", what)
	}
}

// missing finds which batches behind the snapshot are not there, and so whether the tail or the middle is damaged.
func (c *checker) missing() {
	next := c.snapshot.index + 1
	for _, there := range c.batches {
		if there.first > next {
			c.middle("%s cannot be read, and later ones are there", batches(next, there.first-1))
		}
		next = max(next, there.last+1)
	}
	c.sum.Last = next - 1
	s, there := c.v.subtree(string(bucketBatches))
	switch {
	case !there && !c.lost[""]:
		c.middle("bucket %q is missing", bucketBatches)
	case there && s.sequence >= next:
		c.sum.Last = s.sequence
		c.found(DamagedTail, fmt.Errorf("%w: the last %s cannot be read", journal.ErrDamaged, batches(next, s.sequence)))
	case there && s.sequence < c.sum.Last:
		c.middle("the last batch was %d, and %d is there", s.sequence, c.sum.Last)
	}
}

func batches(first, last uint64) string {
	if first == last {
		return fmt.Sprintf("batch %d", first)
	}
	return fmt.Sprintf("batches %d to %d", first, last)
}

// bolt has bbolt check its file, counts states, and tells whatever Open would say that was not told. The structure is
// known to be intact.
func (c *checker) bolt(tx *bolt.Tx) {
	for err := range tx.Check() {
		c.middle("bbolt: %v", err)
	}
	err := guard(func() error {
		v, err := viewOf(tx)
		if err != nil {
			return err
		}
		if _, _, err := newSaver(v); err != nil {
			return err
		}
		c.sum.StateBytes = int64(v.snapshot.app.bytes())
		return v.walk(func(l layer, name, value []byte) error {
			s, err := decodeEntry(l.number, name, value)
			if err == nil && s.kind != contentGone {
				c.sum.States++
				c.sum.StateBytes += int64(s.bytes())
			}
			return err
		})
	})
	if err != nil && c.sum.Problems == 0 {
		c.found(DamagedMiddle, err)
	}
}
