package machinetest

import (
	"container/list"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

func TestContents(t *testing.T) {
	type inner struct {
		n int
		b []byte
	}
	type outer struct {
		A  any
		in inner
		m  map[string]*inner
	}
	one, two := 1, 2
	self := []any{nil}
	self[0] = self
	raw, _ := codec.ParseRaw([]byte("[1]"))
	berlin := time.FixedZone("", 3600)
	at := time.Date(2024, 2, 29, 12, 0, 0, 5, time.UTC)
	for _, test := range []struct {
		v    any
		want string
	}{
		{true, "bool true"},
		{int8(-1), "int8 -1"},
		{uint8(1), "uint8 1"},
		{1.5, "float64 1.5"},
		{math.NaN(), "float64 NaN:7ff8000000000001"},
		{complex(1, 2), "complex128 12"},
		{"a\"", `string "a\""`},
		{[]byte("a"), `[]uint8 "a"`},
		{[2]byte{1, 2}, "[2]uint8 [1 2]"},
		{[]string(nil), "[]string []"},
		{[]string{}, "[]string []"},
		{map[int]int(nil), "map[int]int map[]"},
		{map[int]string{2: "b", 1: "a"}, `map[int]string map[1:"a" 2:"b"]`},
		{&one, "*int &1"},
		{(*int)(nil), "*int nil"},
		{[]*int{&one, &two, &one}, "[]*int [&1 &2 &1]"},
		{self, "[]interface {} [[]interface {} (itself)]"},
		{func() {}, "func() func"},
		{(func())(nil), "func() func nil"},
		{make(chan int), "chan int chan"},
		{at.In(berlin), "time.Time 2024-02-29T12:00:00.000000005Z"},
		{raw, `codec.Raw {text:"[1]"}`},
		{outer{A: int32(1), in: inner{1, []byte("x")}, m: map[string]*inner{"k": {n: 2}}},
			`machinetest.outer {A:int32 1 in:{n:1 b:"x"} m:map["k":&{n:2 b:""}]}`},
		{map[string]inner{"k": {1, nil}}, `map[string]machinetest.inner map["k":{n:1 b:""}]`},
		{*list.New(), "list.List {len:0}"},
		{reflect.ValueOf(1), "reflect.Value {flag:130}"},
		{&statemachine.CrashError{Name: "n", Value: 1, Stack: []byte("goroutine 7")},
			`*statemachine.CrashError &{Name:"n" In:"" Value:int 1 Stack:""}`},
	} {
		if got := contents(&test.v, false); got != test.want {
			t.Errorf("%T: got %s, want %s", test.v, got, test.want)
		}
	}
}

func TestContentsDeep(t *testing.T) {
	l := list.New()
	empty := contents(&l, true)
	l.PushBack(1)
	full := contents(&l, true)
	if empty == full {
		t.Errorf("%s is %s", empty, full)
	}
	l.Front().Value = 2
	if changed := contents(&l, true); full == changed {
		t.Errorf("%s is %s", full, changed)
	}
}

func TestContentsAreBounded(t *testing.T) {
	type node struct{ left, right *node }
	tree := &node{}
	for range 64 {
		tree = &node{tree, tree}
	}
	if n := len(contents(&tree, true)); n > 64*valuesMax {
		t.Errorf("%d bytes", n)
	}
}
