package eventloop

import (
	"fmt"
	"testing"
)

// What was not applied leaves nothing in a window that has room.
func TestWindowForgets(t *testing.T) {
	var w window
	first := &keyed{proc: "a", key: "first", done: true}
	w.add(first)
	for i := range 10_000 {
		k := &keyed{proc: "a", key: fmt.Sprint(i)}
		w.add(k)
		w.remove(k)
		w.tidy()
	}
	for i := range 100 {
		w.add(&keyed{proc: "b", key: fmt.Sprint(i), done: true})
	}
	w.forget("b")
	if len(w.order) > 10 || w.bytes != first.size() || w.find("a", "first") != first {
		t.Errorf("%d places and %d bytes for one key", len(w.order), w.bytes)
	}
	w.shrink(0)
	if len(w.order) != 0 || w.gone != 0 || w.bytes != 0 || len(w.keys) != 0 {
		t.Errorf("%+v; want an empty window", w)
	}
}
