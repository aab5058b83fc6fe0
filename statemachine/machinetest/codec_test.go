package machinetest

import (
	"container/list"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
)

func TestCatchesCodecs(t *testing.T) {
	for _, test := range []struct {
		name string
		find func(*testing.T) []Problem
		rule Rule
		text string
	}{
		{"unexported field", find(remembers(codec.Of[memo]())), RoundTrip, "the state: it comes back from json as another value"},
		{"format that loses a field", find(remembers(lossy{codec.Msgpack})), RoundTrip, "the state: it comes back from msgpack as another value"},
		{"two encodings", find(remembers(swaps{})), RoundTrip, "it has two encodings in json"},
		{"other encoding", find(saved(of(queues), codec.Convert(codec.Of[[]int](), numbers, reversed))), RoundTrip, "the state: what comes back from json has another encoding in json"},
		{"not encodable", find(saved(of(counts(math.NaN())), codec.Of[float64]())), RoundTrip, "the state: it cannot be encoded in json"},
		{"not decodable", find(remembers(refuses{})), RoundTrip, "cannot be decoded: not today"},
		{"codec that panics", find(remembers(panics{})), RoundTrip, "panic: no codec"},
		{"codec that does not append", find(remembers(replaces{})), RoundTrip, "does not append"},
		{"codec that keeps the data", find(keepsData()), RoundTrip, "comes back"},
		{"input", find(inputs(lossyInput{codec.Of[input]()})), RoundTrip, "the input: it comes back"},
		{"output", find(outputs(lossyOutput{codec.Of[output]()})), RoundTrip, "the output: it comes back"},
		{"order of a foreign list", find(saved(of(queues), codec.Convert(codec.Of[[]int](), sorted, queue))), Restored, "returns another output"},
	} {
		t.Run(test.name, func(t *testing.T) { assertFound(t, test.find(t), test.rule, test.text) })
	}
}

// memo has a field that encoding/json does not see, and one that it does.
type memo struct {
	N    int `json:"n"`
	last string
}

func remembers(c codec.Codec[memo]) *machine[memo] {
	return saved(of(func(in input, s memo, _ fx) (memo, output) {
		return memo{N: s.N + in.N, last: in.Key}, output{N: s.N}
	}), c)
}

// whole encodes all of a memo.
func whole() codec.Codec[memo] {
	type wire struct {
		N    int
		Last string
	}
	return codec.Convert(codec.Of[wire](),
		func(m memo) wire { return wire{m.N, m.last} },
		func(w wire) (memo, error) { return memo{w.N, w.Last}, nil })
}

func TestWholeCodecPasses(t *testing.T) {
	for _, p := range find(remembers(whole()))(t) {
		t.Error(p)
	}
}

// lossy loses a field in one format.
type lossy struct{ in codec.Format }

func (c lossy) Append(dst []byte, f codec.Format, v memo) ([]byte, error) {
	if f == c.in {
		v.last = ""
	}
	return whole().Append(dst, f, v)
}

func (c lossy) Decode(f codec.Format, data []byte) (memo, error) { return whole().Decode(f, data) }

// swaps encodes the same value in two ways, in turn.
type swaps struct{}

var swapped int

func (swaps) Append(dst []byte, f codec.Format, v memo) ([]byte, error) {
	dst, err := whole().Append(dst, f, v)
	if swapped++; f == codec.JSON && swapped%2 == 0 {
		dst = append(dst, ' ')
	}
	return dst, err
}

func (swaps) Decode(f codec.Format, data []byte) (memo, error) { return whole().Decode(f, data) }

type refuses struct{ lossy }

func (refuses) Decode(codec.Format, []byte) (memo, error) { return memo{}, errors.New("not today") }

type panics struct{ lossy }

func (panics) Append([]byte, codec.Format, memo) ([]byte, error) { panic("no codec") }

type replaces struct{ lossy }

func (replaces) Append(_ []byte, f codec.Format, v memo) ([]byte, error) {
	return whole().Append(nil, f, v)
}

func counts(f float64) func(input, float64, fx) (float64, output) {
	return func(in input, s float64, _ fx) (float64, output) { return f, output{} }
}

// bytesCodec decodes to the very bytes that it is given.
type bytesCodec struct{}

func (bytesCodec) Append(dst []byte, _ codec.Format, v []byte) ([]byte, error) {
	return append(dst, v...), nil
}
func (bytesCodec) Decode(_ codec.Format, data []byte) ([]byte, error) { return data, nil }

func keepsData() *machine[[]byte] {
	return saved(of(func(in input, s []byte, _ fx) ([]byte, output) {
		return append(slices.Clip(s), in.Key...), output{N: len(s)}
	}), codec.Codec[[]byte](bytesCodec{}))
}

type lossyInput struct{ codec.Codec[input] }

func (c lossyInput) Append(dst []byte, f codec.Format, v input) ([]byte, error) {
	v.List = nil
	return c.Codec.Append(dst, f, v)
}

func inputs(c codec.Codec[input]) *machine[int] {
	m := of(counter)
	m.Input = c
	return m
}

type lossyOutput struct{ codec.Codec[output] }

func (c lossyOutput) Decode(f codec.Format, data []byte) (output, error) {
	v, err := c.Codec.Decode(f, data)
	v.N = 0
	return v, err
}

func outputs(c codec.Codec[output]) *machine[int] {
	m := of(counter)
	m.Output = c
	return m
}

// queues keeps its inputs in a list, of which a codec forgets the order.
func queues(in input, s *list.List, _ fx) (*list.List, output) {
	next, _ := queue(nil)
	if s != nil {
		next.PushBackList(s)
	}
	if next.Len() > 5 {
		next.Remove(next.Front())
	}
	next.PushBack(in.N)
	return next, output{N: next.Front().Value.(int)}
}

func queue(ns []int) (*list.List, error) {
	l := list.New()
	for _, n := range ns {
		l.PushBack(n)
	}
	return l, nil
}

func reversed(ns []int) (*list.List, error) {
	slices.Reverse(ns)
	return queue(ns)
}

func numbers(l *list.List) []int {
	var ns []int
	for e := l.Front(); e != nil; e = e.Next() {
		ns = append(ns, e.Value.(int))
	}
	return ns
}

func sorted(l *list.List) []int { return slices.Sorted(slices.Values(numbers(l))) }

func TestProblemIsShort(t *testing.T) {
	long := strings.Repeat("ü", 10_000)
	want, got := differing(long+"x"+long, long+"y"+long)
	for _, s := range []string{want, got} {
		if len(s) > shownMax+2*len("…") || strings.ToValidUTF8(s, "") != s {
			t.Errorf("%d bytes: %s", len(s), s)
		}
	}
	if !strings.Contains(want, "x") || !strings.Contains(got, "y") {
		t.Errorf("the difference is not shown: %s, %s", want, got)
	}
	if w, g := differing("ab", "abc"); w != "ab" || g != "abc" {
		t.Errorf("%q, %q", w, g)
	}
	text := Problem{Rule: Pure, Sequence: 2, Step: 3, Input: `{"n":1}`, Text: "it has changed", Want: "1", Got: "2"}.String()
	if text != "pure: sequence 2, step 3, input {\"n\":1}: it has changed\n\twant 1\n\tgot  2" {
		t.Error(text)
	}
}
