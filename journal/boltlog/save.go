package boltlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// Limits of what one step changes. A batch that is appended meanwhile shares its commit with a step, or waits for one.
const (
	stepBytes        = 64 << 10 // written
	stepBytesQuiet   = 1 << 20  // written, while nobody appends
	stepBytesClosing = 8 << 20  // written, once the Log is closed and nobody appends
	stepFreedBytes   = 4 << 20  // whose pages become free: that costs time and no writing
	stepDeletes      = 1024
	smallUpdate      = 256       // states of an update that is put in place, each in a page of its own at worst
	fewBatches       = 64        // dropped together with the switch
	wholeAppBytes    = 128 << 10 // of an application state that is not split
)

// saver does what Saves ask for, in steps that the committer commits between batches, or with them.
//
// A small update is one step: its states are put where they belong. Any other is staged in a layer that is not in force,
// step by step. The last step, the switch, puts the layer in force and changes the snapshot, all at once. Until then a
// crash leaves the old snapshot. What is of no use after the switch goes in further steps: see tidy.
type saver struct {
	log      *Log
	version  uint32   // of the file's format
	snapshot uint64   // index of the durable snapshot
	splitApp bool     // its application state is split
	first    uint64   // index of the first batch that is in the file, or would be
	layers   []uint64 // in force
	next     uint64   // number of the next layer; no part in the file has it
	untidy   bool     // there may be something to tidy
	saved    bool     // a Save with an Index; nobody has looked yet whether to compact after it
	tail     int64    // of that save
}

// newSaver reads what a saver must know.
func newSaver(v view) (s saver, last uint64, err error) {
	s = saver{
		version:  v.version,
		snapshot: v.snapshot.index,
		splitApp: v.snapshot.app.kind == contentSplit,
		layers:   v.numbers(),
	}
	if s.first, last, err = v.indices(); err != nil {
		return s, 0, err
	}
	abandoned := v.abandoned()
	s.next = slices.Max(append(abandoned, s.layers...)) + 1
	if v.parts != nil {
		if key, _ := v.parts.Cursor().Last(); key != nil {
			r, _, err := refOf(key)
			if err != nil {
				return s, 0, err
			}
			s.next = max(s.next, r.layer+1)
		}
	}
	s.untidy = len(s.layers) > 1 || len(abandoned) > 0 || s.first <= s.snapshot
	return s, last, nil
}

// saveAll is the saver's goroutine: it saves, and tidies, until there is nothing to do.
func (l *Log) saveAll(ended chan struct{}) {
	defer close(ended)
	s := &l.saver
	closed := func() bool { closed, _ := l.state(); return closed }
	for {
		l.mu.Lock()
		var c save
		waiting := len(l.saves) > 0
		if waiting {
			c = l.saves[0]
			l.saves[0] = save{} // what it refers to is free to go
			l.saves = l.saves[1:]
		} else if !s.untidy && !s.saved || l.closed || l.failed != nil {
			l.saving = nil
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		switch {
		case !waiting && s.untidy:
			_ = s.tidy(closed) // an error has ended the Log
		case !waiting:
			s.compactIfItPays()
		case c.compact != nil:
			s.compact(c.compact)
		default:
			s.save(c)
		}
	}
}

// view reads the file. An error is one of damage: it ends the Log, and what is returned is that.
func (s *saver) view(read func(view) error) error {
	err := guard(func() error {
		return viewFile(s.log.db, s.log.file, func(tx *bolt.Tx) error {
			v, err := viewOf(tx)
			if err != nil {
				return err
			}
			return read(v)
		})
	})
	if err != nil {
		return s.log.do(&step{apply: func(*bolt.Tx) error { return err }})
	}
	return nil
}

// save does all that a Save asks for, up to its done.
func (s *saver) save(c save) {
	st := &stage{saver: s, number: s.next}
	final, err := s.prepare(c, st)
	if err != nil {
		final = &step{err: err}
	}
	final.saved = c.saved
	err = s.log.do(final)
	if st.room != nil {
		st.room.free()
	}
	// gofail: var saveAfterSwitch struct{}
	if st.begun {
		s.version = formatVersion
		s.next++
		s.untidy = true
	}
	if err != nil {
		return
	}
	if st.switches {
		s.layers = append(s.layers, st.number)
	}
	if u := c.update; u.Index != 0 {
		s.snapshot, s.splitApp = u.Index, st.app != nil
		s.saved, s.tail = true, c.tail
		s.first = st.first
		s.untidy = s.untidy || s.first <= s.snapshot
	}
}

// prepare does all steps but the last, and returns that.
func (s *saver) prepare(c save, st *stage) (*step, error) {
	if c.closed {
		return nil, journal.ErrClosed
	}
	if _, failed := s.log.state(); failed != nil {
		return nil, failed
	}
	refused := func(err error) error { return fmt.Errorf("journal file %s: %w", s.log.path, err) }
	u := c.update
	if err := u.Check(s.snapshot, c.last); err != nil {
		return nil, refused(err)
	}
	if s.untidy {
		if err := s.tidy(func() bool { return false }); err != nil {
			return nil, err
		}
		st.number = s.next
	}
	changes, replacesSplit, err := s.changes(u)
	if err != nil {
		return nil, err
	}
	for _, ch := range changes {
		if err := st.add(ch); errors.Is(err, journal.ErrRefused) {
			return nil, refused(err)
		} else if err != nil {
			return nil, err
		}
	}
	if len(u.App) > wholeAppBytes {
		if err := st.addApp(u.App); err != nil {
			return nil, err
		}
	}
	small := s.version == formatVersion && !st.splits && !replacesSplit && len(changes) <= smallUpdate
	if small && (u.Index == 0 || !s.splitApp) && !st.begun {
		return &step{apply: func(tx *bolt.Tx) error { return st.inPlace(tx, u) }}, nil
	}
	return &step{apply: func(tx *bolt.Tx) error { return st.switchTo(tx, u) }}, nil
}

// change is what an update does to one name.
type change struct {
	name   string
	encode journal.Encode // nil: it is deleted
}

// changes returns what u does, ordered by name, each name once, and whether a split state is among what it replaces.
// Deletions of what is not there are left out.
func (s *saver) changes(u journal.Update) (cs []change, replacesSplit bool, err error) {
	puts := make(map[string]journal.Encode)
	if u.States != nil {
		for name, encode := range u.States {
			puts[name] = encode
		}
	}
	for name, encode := range puts {
		cs = append(cs, change{name: name, encode: encode})
	}
	err = s.view(func(v view) error {
		l := v.layers[0] // the only one
		for _, name := range u.Delete {
			if _, put := puts[name]; !put && name != "" && l.Get([]byte(name)) != nil {
				puts[name] = nil
				cs = append(cs, change{name: name})
			}
		}
		if len(cs) > smallUpdate {
			return nil
		}
		replacesSplit = slices.ContainsFunc(cs, func(c change) bool { return isSplit(l.Get([]byte(c.name))) })
		return nil
	})
	slices.SortFunc(cs, func(a, b change) int { return strings.Compare(a.name, b.name) })
	return cs, replacesSplit, err
}

// stage gathers what an update changes, and writes it to a layer that is not in force when that is enough for a step.
type stage struct {
	*saver
	number uint64 // of the layer
	begun  bool   // the layer is in the file
	groups uint32 // of parts, so far
	splits bool

	room    *room  // nil until a state is encoded
	entries []pair // not yet written; values of theirs may lie in room
	parts   []pair // as entries
	bytes   int    // of both
	app     []byte // the content, if it is split

	switches bool   // the last step is the switch
	first    uint64 // of the batches, after the last step
}

type pair struct{ key, value []byte }

// add encodes what becomes of a name.
func (st *stage) add(c change) error {
	key := []byte(c.name)
	if c.encode == nil {
		return st.put(&st.entries, key, sealed(key, gone()))
	}
	if st.room == nil {
		st.room = newRoom()
	}
	state, err := journal.EncodeState(c.name, c.encode, st.room.rest())
	if err != nil {
		return err
	}
	if len(state) > partBytes {
		value, err := st.split(state)
		if err != nil {
			return err
		}
		return st.put(&st.entries, key, sealed(key, value))
	}
	value := sealed(key, whole(state))
	if err := st.put(&st.entries, key, value); err != nil {
		return err
	}
	st.room.keep(value)
	return nil
}

// split puts the parts of a value, and returns its content.
func (st *stage) split(value []byte) ([]byte, error) {
	st.splits = true
	st.groups++
	r := ref{st.number, st.groups}
	part := uint32(0)
	for b := range slices.Chunk(value, partBytes) {
		key := r.key(part)
		sealed := sealed(key, append(make([]byte, 0, len(b)+crcBytes), b...))
		if err := st.put(&st.parts, key, sealed); err != nil {
			return nil, err
		}
		part++
	}
	return split(r, len(value)), nil
}

func (st *stage) addApp(app []byte) (err error) {
	st.app, err = st.split(app)
	return err
}

// put gathers a pair for the next step, and does the step if it is full.
func (st *stage) put(to *[]pair, key, value []byte) error {
	if st.bytes > 0 && st.bytes+len(value) > st.log.stepMax() {
		if err := st.log.do(&step{apply: st.write}); err != nil {
			return err
		}
		st.begun = true
		st.entries, st.parts, st.bytes = nil, nil, 0
		if st.room != nil {
			value = st.room.reset(value)
		}
		// gofail: var saveBetweenParts struct{}
	}
	*to = append(*to, pair{key, value})
	st.bytes += len(key) + len(value)
	return nil
}

// write writes what was gathered to the layer, which the first time makes it.
func (st *stage) write(tx *bolt.Tx) error {
	if !st.begun {
		// gofail: var saveBeforeFirstPart struct{}
		if err := upgrade(tx); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(layerName(st.number)); err != nil {
			return err
		}
	}
	b := layerOf(tx, st.number)
	b.FillPercent = 1
	for _, e := range st.entries {
		if err := b.Put(e.key, e.value); err != nil {
			return err
		}
	}
	parts := partsOf(tx)
	for _, p := range st.parts {
		if err := parts.Put(p.key, p.value); err != nil {
			return err
		}
	}
	return b.SetSequence(b.Sequence() + uint64(len(st.entries)))
}

// switchTo puts the layer in force.
func (st *stage) switchTo(tx *bolt.Tx, u journal.Update) error {
	if err := st.write(tx); err != nil {
		return err
	}
	st.begun, st.switches = true, true
	layers := append(slices.Clone(st.layers), st.number)
	if err := tx.Bucket(bucketOurs).Put(keyLayers, encodeLayers(layers)); err != nil {
		return err
	}
	// gofail: var saveInSwitch struct{}
	return st.checkpoint(tx, u)
}

// inPlace puts a small update where it belongs.
func (st *stage) inPlace(tx *bolt.Tx, u journal.Update) error {
	b := layerOf(tx, st.layers[0])
	for _, e := range st.entries {
		if err := setEntry(b, e.key, e.value); err != nil {
			return err
		}
	}
	// gofail: var saveInPlace struct{}
	return st.checkpoint(tx, u)
}

// setEntry puts an entry of the lowest layer, or deletes it if it is gone, and counts.
func setEntry(b layer, name, value []byte) error {
	count := b.Sequence()
	there := b.Get(name) != nil
	switch {
	case isGone(value) && !there:
		return nil
	case isGone(value):
		return errors.Join(b.Delete(name), b.SetSequence(count-1))
	case there:
		return b.Put(name, value)
	}
	return errors.Join(b.Put(name, value), b.SetSequence(count+1))
}

// checkpoint changes the snapshot's record and drops what batches can go at once.
func (st *stage) checkpoint(tx *bolt.Tx, u journal.Update) (err error) {
	if u.Index == 0 {
		return nil
	}
	app := st.app
	if app == nil {
		app = whole(slices.Clone(u.App))
	}
	if err := tx.Bucket(bucketOurs).Put(keySnapshot, encodeSnapshot(u.Index, u.Time, app)); err != nil {
		return err
	}
	st.first, err = dropBatches(tx, st.saver.first, u.Index, fewBatches)
	return err
}

// dropBatches deletes batches from first up to last, as many as one step may, and returns which is the first now.
func dropBatches(tx *bolt.Tx, first, last uint64, most int) (uint64, error) {
	b := batchesOf(tx)
	c := b.Cursor()
	end, freed := first, 0
	for key, value := c.First(); key != nil && end <= last && most > 0 && freed < stepFreedBytes; key, value = c.Next() {
		end, freed, most = end+1, freed+len(value), most-1
	}
	for i := first; i < end; i++ {
		if err := b.Delete(indexKey(i)); err != nil {
			return first, err
		}
		// gofail: var dropBetweenBatches struct{}
	}
	return end, nil
}

// upgrade makes a file of version 1 one of this version: what it holds stays where it is, as layer 0.
func upgrade(tx *bolt.Tx) error {
	v, err := viewOf(tx)
	if err != nil || v.version == formatVersion {
		return err
	}
	if s := v.snapshot; s.index != 0 {
		record := encodeSnapshot(s.index, s.time, whole(slices.Clone(s.app.state)))
		if err := v.ours.Put(keySnapshot, record); err != nil {
			return err
		}
	}
	if _, err := tx.CreateBucket(bucketParts); err != nil {
		return err
	}
	return errors.Join(v.ours.Put(keyLayers, encodeLayers(v.numbers())), putFormat(v.ours))
}
