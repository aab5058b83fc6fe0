package trace

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// changesMax is how many changes of a state are told one by one.
const changesMax = 32

// parse returns the value of a JSON text, with numbers as they are written.
func parse(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// changes returns how b differs from a, a line for each place, of which only the
// first changesMax are told.
func changes(a, b any) []string {
	var c changed
	c.compare("", a, b)
	if c.more > 0 {
		c.lines = append(c.lines, fmt.Sprintf("… and %d more (sha256 %x)", c.more, c.rest.Sum(nil)[:8]))
	}
	return c.lines
}

type changed struct {
	lines []string
	more  int
	rest  hash.Hash // of the lines that are not told
}

func (c *changed) add(path, format string, args ...any) {
	if path == "" {
		path = "(all of it)"
	}
	text := path + ": " + fmt.Sprintf(format, args...)
	if len(c.lines) < changesMax {
		c.lines = append(c.lines, text)
		return
	}
	if c.more++; c.more == 1 {
		c.rest = sha256.New()
	}
	fmt.Fprintln(c.rest, text)
}

// compare compares what is at path, a JSON pointer (RFC 6901).
func (c *changed) compare(path string, a, b any) {
	switch a := a.(type) {
	case map[string]any:
		if b, ok := b.(map[string]any); ok {
			c.members(path, a, b)
			return
		}
	case []any:
		if b, ok := b.([]any); ok {
			c.elements(path, a, b)
			return
		}
	default:
		if a == b { // neither is a map or a slice
			return
		}
	}
	c.add(path, "%s → %s", text(a), text(b))
}

func (c *changed) members(path string, a, b map[string]any) {
	keys := slices.Collect(maps.Keys(a))
	for key := range b {
		if _, both := a[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		before, was := a[key]
		now, is := b[key]
		at := path + "/" + segment(key)
		switch {
		case !was:
			c.add(at, "new: %s", text(now))
		case !is:
			c.add(at, "gone, was %s", text(before))
		default:
			c.compare(at, before, now)
		}
	}
}

func (c *changed) elements(path string, a, b []any) {
	for i := range max(len(a), len(b)) {
		at := path + "/" + strconv.Itoa(i)
		switch {
		case i >= len(a):
			c.add(at, "new: %s", text(b[i]))
		case i >= len(b):
			c.add(at, "gone, was %s", text(a[i]))
		default:
			c.compare(at, a[i], b[i])
		}
	}
}

var escapes = strings.NewReplacer("~", "~0", "/", "~1")

// segment returns a key as part of a pointer that can be printed.
func segment(key string) string {
	quoted := strconv.Quote(escapes.Replace(key))
	return quoted[1 : len(quoted)-1]
}

// text returns a value as JSON, maybe cut short.
func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was parsed
	}
	return brief(data)
}
