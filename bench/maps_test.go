package bench

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/benbjohnson/immutable"
	iradix "github.com/hashicorp/go-immutable-radix/v2"
	"github.com/tidwall/btree"
)

// A persistent map, as the key-value store needs it: insert and remove return
// another map and leave the first as it is; list returns the first keys that
// have a prefix, in order.
type persistent[M any] struct {
	empty  func() M
	insert func(m M, key string, value int) M
	lookup func(m M, key string) (int, bool)
	remove func(m M, key string) M
	list   func(m M, prefix string, limit int) []string
}

var radix = persistent[*iradix.Tree[int]]{
	empty: iradix.New[int],
	insert: func(m *iradix.Tree[int], key string, value int) *iradix.Tree[int] {
		m, _, _ = m.Insert([]byte(key), value)
		return m
	},
	lookup: func(m *iradix.Tree[int], key string) (int, bool) { return m.Get([]byte(key)) },
	remove: func(m *iradix.Tree[int], key string) *iradix.Tree[int] {
		m, _, _ = m.Delete([]byte(key))
		return m
	},
	list: func(m *iradix.Tree[int], prefix string, limit int) (keys []string) {
		m.Root().WalkPrefix([]byte(prefix), func(k []byte, _ int) bool {
			keys = append(keys, string(k))
			return len(keys) == limit
		})
		return keys
	},
}

// byBytes orders keys faster than the map's own comparer does.
type byBytes struct{}

func (byBytes) Compare(a, b string) int { return strings.Compare(a, b) }

type sortedMap = *immutable.SortedMap[string, int]

var sorted = persistent[sortedMap]{
	empty:  func() sortedMap { return immutable.NewSortedMap[string, int](byBytes{}) },
	insert: func(m sortedMap, key string, value int) sortedMap { return m.Set(key, value) },
	lookup: func(m sortedMap, key string) (int, bool) { return m.Get(key) },
	remove: func(m sortedMap, key string) sortedMap { return m.Delete(key) },
	list: func(m sortedMap, prefix string, limit int) (keys []string) {
		it := m.Iterator()
		it.Seek(prefix)
		for !it.Done() && len(keys) < limit {
			k, _, _ := it.Next()
			if !strings.HasPrefix(k, prefix) {
				break
			}
			keys = append(keys, k)
		}
		return keys
	},
}

type hashMap = *immutable.Map[string, int]

var hashed = persistent[hashMap]{
	empty:  func() hashMap { return immutable.NewMap[string, int](nil) },
	insert: func(m hashMap, key string, value int) hashMap { return m.Set(key, value) },
	lookup: func(m hashMap, key string) (int, bool) { return m.Get(key) },
	remove: func(m hashMap, key string) hashMap { return m.Delete(key) },
	list: func(m hashMap, prefix string, limit int) (keys []string) {
		for it := m.Iterator(); !it.Done(); {
			k, _, _ := it.Next()
			keys = append(keys, k)
		}
		return first(keys, prefix, limit)
	},
}

var copied = persistent[map[string]int]{
	empty: func() map[string]int { return map[string]int{} },
	insert: func(m map[string]int, key string, value int) map[string]int {
		m = maps.Clone(m)
		m[key] = value
		return m
	},
	lookup: func(m map[string]int, key string) (int, bool) { v, ok := m[key]; return v, ok },
	remove: func(m map[string]int, key string) map[string]int {
		m = maps.Clone(m)
		delete(m, key)
		return m
	},
	list: func(m map[string]int, prefix string, limit int) []string {
		return first(slices.Collect(maps.Keys(m)), prefix, limit)
	},
}

// first returns what a sorted map lists, of keys in any order.
func first(keys []string, prefix string, limit int) []string {
	keys = slices.DeleteFunc(keys, func(k string) bool { return !strings.HasPrefix(k, prefix) })
	slices.Sort(keys)
	return keys[:min(limit, len(keys))]
}

type bTree = *btree.Map[string, int]

var bTrees = persistent[bTree]{
	empty: func() bTree { return btree.NewMap[string, int](0) },
	insert: func(m bTree, key string, value int) bTree {
		m = m.Copy()
		m.Set(key, value)
		return m
	},
	lookup: func(m bTree, key string) (int, bool) { return m.Get(key) },
	remove: func(m bTree, key string) bTree {
		m = m.Copy()
		m.Delete(key)
		return m
	},
	list: func(m bTree, prefix string, limit int) (keys []string) {
		m.Ascend(prefix, func(k string, _ int) bool {
			if len(keys) == limit || !strings.HasPrefix(k, prefix) {
				return false
			}
			keys = append(keys, k)
			return true
		})
		return keys
	},
}

// words returns n different ones, which share beginnings as those of a
// language do, in no order.
func words(n int) []string {
	syllables := strings.Fields("a be con de ex fal gra hol in jur ka lo men na or per qui re sta tion un ver wo xy ya zen ing ly ness er")
	rng := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for len(seen) < n {
		var b strings.Builder
		for range 2 + rng.IntN(4) {
			b.WriteString(syllables[rng.IntN(len(syllables))])
		}
		seen[b.String()] = true
	}
	all := slices.Sorted(maps.Keys(seen))
	rng.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// fill returns p with the words in it. It copies a Go map only once.
func fill[M any](p persistent[M], ws []string) M {
	m := p.empty()
	if plain, ok := any(m).(map[string]int); ok {
		for i, w := range ws {
			plain[w] = i
		}
		return m
	}
	for i, w := range ws {
		m = p.insert(m, w, i)
	}
	return m
}

func TestMaps(t *testing.T) {
	t.Run("radix", func(t *testing.T) { testMap(t, radix) })
	t.Run("sorted", func(t *testing.T) { testMap(t, sorted) })
	t.Run("hashed", func(t *testing.T) { testMap(t, hashed) })
	t.Run("copied", func(t *testing.T) { testMap(t, copied) })
	t.Run("btree", func(t *testing.T) { testMap(t, bTrees) })
}

func testMap[M any](t *testing.T, p persistent[M]) {
	ws := words(1000)
	m := fill(p, ws)
	less := p.remove(m, ws[7])
	more := p.insert(m, "ÿ", 1)
	if v, ok := p.lookup(m, ws[7]); v != 7 || !ok {
		t.Errorf("got %d, %v", v, ok)
	}
	if _, ok := p.lookup(less, ws[7]); ok {
		t.Error("it is not removed")
	}
	if _, ok := p.lookup(m, "ÿ"); ok {
		t.Error("the map is not persistent")
	}
	if v, _ := p.lookup(more, "ÿ"); v != 1 {
		t.Error("it is not inserted")
	}
	if got, want := p.list(m, "con", 10), first(slices.Clone(ws), "con", 10); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func BenchmarkMaps(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		ws := words(n)
		benchMap(b, fmt.Sprintf("radix/%d", n), radix, ws)
		benchMap(b, fmt.Sprintf("sorted/%d", n), sorted, ws)
		benchMap(b, fmt.Sprintf("hashed/%d", n), hashed, ws)
		benchMap(b, fmt.Sprintf("btree/%d", n), bTrees, ws)
		benchMap(b, fmt.Sprintf("copied/%d", n), copied, ws)
	}
}

func benchMap[M any](b *testing.B, name string, p persistent[M], ws []string) {
	before := heap()
	m := fill(p, ws)
	size := float64(heap()-before) / float64(len(ws))
	run := func(what string, f func(w string)) {
		b.Run(name+"/"+what, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				f(ws[i%len(ws)])
			}
			b.ReportMetric(size, "B/key")
		})
	}
	run("insert", func(w string) { sink = p.insert(m, w+"!", 1) })
	run("update", func(w string) { sink = p.insert(m, w, 1) })
	run("delete", func(w string) { sink = p.remove(m, w) })
	run("lookup", func(w string) { p.lookup(m, w) })
	run("list100", func(w string) { p.list(m, w[:1], 100) })
	runtime.KeepAlive(m)
}

var sink any

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
