package boltlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// view is what one transaction sees of a file that Open has accepted.
type view struct {
	tx       *bolt.Tx
	version  uint32
	ours     *bolt.Bucket
	batches  *bolt.Bucket
	parts    *bolt.Bucket // nil in version 1
	layers   []layer      // in force, the lowest first
	snapshot snapshotRecord
}

// layer is one layer's bucket.
type layer struct {
	number uint64
	*bolt.Bucket
}

func layerOf(tx *bolt.Tx, number uint64) layer { return layer{number, tx.Bucket(layerName(number))} }

func batchesOf(tx *bolt.Tx) *bolt.Bucket {
	b := tx.Bucket(bucketBatches)
	b.FillPercent = 1 // batches are only ever added at the end
	return b
}

func partsOf(tx *bolt.Tx) *bolt.Bucket {
	b := tx.Bucket(bucketParts)
	b.FillPercent = 1 // as batches
	return b
}

// viewOf reads the format version, the layers in force and the record of the snapshot.
func viewOf(tx *bolt.Tx) (v view, err error) {
	v = view{tx: tx, ours: tx.Bucket(bucketOurs)}
	if v.ours == nil {
		return v, errForeign
	}
	if v.version, err = decodeVersion(v.ours.Get(keyFormat)); err != nil {
		return v, err
	}
	numbers := []uint64{0}
	needed := [][]byte{bucketBatches, bucketParts}
	if v.version == oldVersion {
		needed = needed[:1]
	} else if numbers, err = decodeLayers(v.ours.Get(keyLayers)); err != nil {
		return v, err
	}
	for _, n := range numbers {
		needed = append(needed, layerName(n))
	}
	for _, name := range needed {
		if tx.Bucket(name) == nil {
			return v, fmt.Errorf("%w: bucket %q is missing", journal.ErrDamaged, name)
		}
	}
	for _, n := range numbers {
		v.layers = append(v.layers, layerOf(tx, n))
	}
	v.batches, v.parts = batchesOf(tx), tx.Bucket(bucketParts)
	v.snapshot, err = decodeSnapshot(v.version, v.ours.Get(keySnapshot))
	return v, err
}

func decodeVersion(format []byte) (uint32, error) {
	if len(format) != formatBytes {
		return 0, fmt.Errorf("%w: a format version of %d bytes", journal.ErrDamaged, len(format))
	}
	v := binary.BigEndian.Uint32(format)
	if v != formatVersion && v != oldVersion {
		return v, fmt.Errorf("%w: %d where this program reads %d and %d",
			journal.ErrVersion, v, oldVersion, formatVersion)
	}
	return v, nil
}

// numbers are those of the layers in force.
func (v view) numbers() []uint64 {
	var ns []uint64
	for _, l := range v.layers {
		ns = append(ns, l.number)
	}
	return ns
}

// abandoned are the layers that are not in force, of Saves that were not finished.
func (v view) abandoned() []uint64 {
	var ns []uint64
	c := v.tx.Cursor()
	for name, _ := c.Seek([]byte(layerPrefix)); name != nil; name, _ = c.Next() {
		if n, ok := layerNumber(string(name)); !ok {
			break
		} else if !slices.Contains(v.numbers(), n) {
			ns = append(ns, n)
		}
	}
	return ns
}

// indices returns the index of the first batch that is there, or would be if there were any, and of the last, and checks
// them by the ends of the batches.
func (v view) indices() (first, last uint64, err error) {
	last = v.batches.Sequence()
	c := v.batches.Cursor()
	key, _ := c.First()
	if key == nil {
		if v.snapshot.index != last {
			return 0, 0, fmt.Errorf("%w: batches %d to %d are missing", journal.ErrDamaged, v.snapshot.index+1, last)
		}
		return last + 1, last, nil
	}
	next := v.snapshot.index + 1
	if len(key) == indexBytes {
		first = binary.BigEndian.Uint64(key)
	}
	if first == 0 || first > next || v.version == oldVersion && first != next {
		return 0, 0, checkIndex(key, next)
	}
	end, _ := c.Last()
	return first, last, checkIndex(end, last)
}

func checkIndex(key []byte, want uint64) error {
	if len(key) != indexBytes || binary.BigEndian.Uint64(key) != want {
		return fmt.Errorf("%w: batch %x where batch %d was", journal.ErrDamaged, key, want)
	}
	return nil
}

// walk calls f for every name in the layers in force, in order, with what the highest of them says. It sees to it that
// no layer has lost a name.
func (v view) walk(f func(l layer, name, value []byte) error) error {
	w := v.walker()
	for {
		l, name, value, err := w.next()
		if name == nil {
			return err
		}
		if err := f(l, name, value); err != nil {
			return err
		}
	}
}

// walker goes through the names in the layers in force.
type walker struct {
	view
	cursors       [layersMax]*bolt.Cursor // nil before the first
	names, values [layersMax][]byte
	counts        [layersMax]uint64
	last          []byte // the name that was returned last
}

func (v view) walker() *walker { return &walker{view: v} }

// next returns the next name, with what the highest layer says of it; none at the end, and an error if a layer has lost
// one.
func (w *walker) next() (l layer, name, value []byte, err error) {
	for i, l := range w.layers {
		if w.cursors[i] == nil {
			w.cursors[i] = l.Cursor()
			w.names[i], w.values[i] = w.cursors[i].First()
		} else if w.names[i] != nil && bytes.Equal(w.names[i], w.last) {
			w.counts[i]++
			w.names[i], w.values[i] = w.cursors[i].Next()
		}
	}
	top := -1
	for i, name := range w.names {
		if name != nil && (top < 0 || bytes.Compare(name, w.names[top]) <= 0) {
			top = i
		}
	}
	if top >= 0 {
		w.last = w.names[top]
		return w.view.layers[top], w.last, w.values[top], nil
	}
	for i, l := range w.layers {
		if want := l.Sequence(); w.counts[i] != want {
			return l, nil, nil, fmt.Errorf("%w: %d states where there were %d", journal.ErrDamaged, w.counts[i], want)
		}
	}
	return l, nil, nil, nil
}

// verifyParts verifies the parts of a split value, and hands each over if each is not nil.
func (v view) verifyParts(c content, each func([]byte)) error {
	damaged := func(part uint32, format string, args ...any) error {
		return fmt.Errorf("%w: part %d: %s", journal.ErrDamaged, part, fmt.Sprintf(format, args...))
	}
	if v.parts == nil {
		return damaged(0, "there is none")
	}
	cursor := v.parts.Cursor()
	part := uint32(0)
	for key, value := cursor.Seek(c.ref.key(0)); c.size > 0; key, value = cursor.Next() {
		if !bytes.Equal(key, c.ref.key(part)) {
			return damaged(part, "it is missing")
		}
		b, err := unseal(key, value)
		if err != nil {
			return fmt.Errorf("part %d: %w", part, err)
		}
		if want := min(c.size, partBytes); len(b) != want {
			return damaged(part, "%d bytes where there were %d", len(b), want)
		}
		if each != nil {
			each(b)
		}
		c.size -= len(b)
		part++
	}
	return nil
}

// verify verifies a content, all its parts if it is split.
func (v view) verify(c content) error {
	if c.kind != contentSplit {
		return nil
	}
	return v.verifyParts(c, nil)
}

// bytes returns what a content that was verified holds: of a split one in memory of its own.
func (v view) bytes(c content) []byte {
	if c.kind != contentSplit {
		return c.state
	}
	b := make([]byte, 0, c.size)
	if err := v.verifyParts(c, func(part []byte) { b = append(b, part...) }); err != nil {
		panic(err) // it was verified in this transaction
	}
	return b
}
