package trace

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var (
	times  = regexp.MustCompile(`,"time":\d+`)
	places = regexp.MustCompile(`\(\d{4}-[^)]*Z\)`)
)

func wantReport(t *testing.T, r *Report, want string) {
	t.Helper()
	if got := places.ReplaceAllString(r.String(), "(TIME)"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !r.Differs() {
		t.Error("it does not differ")
	}
}

func TestChanges(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want []string
	}{
		{`{"a":[1,{"b":2}],"c":null}`, `{"a":[1,{"b":2}],"c":null}`, nil},
		{`1`, `2`, []string{"(all of it): 1 → 2"}},
		{`1`, `1.0`, []string{"(all of it): 1 → 1.0"}},
		{`12345678901234567890`, `12345678901234567891`, []string{"(all of it): 12345678901234567890 → 12345678901234567891"}},
		{`null`, `{}`, []string{"(all of it): null → {}"}},
		{`{}`, `[]`, []string{"(all of it): {} → []"}},
		{`[]`, `"x"`, []string{`(all of it): [] → "x"`}},
		{`{"a":1,"b":2,"c":3}`, `{"b":2,"c":"3","d":4}`, []string{`/a: gone, was 1`, `/c: 3 → "3"`, `/d: new: 4`}},
		{`{"a":{"b":[1,2,3]}}`, `{"a":{"b":[1,4]}}`, []string{`/a/b/1: 2 → 4`, `/a/b/2: gone, was 3`}},
		{`[true]`, `[false,null]`, []string{`/0: true → false`, `/1: new: null`}},
		{`{"a/b~c\n":1}`, `{}`, []string{`/a~1b~0c\n: gone, was 1`}},
	} {
		a, err := parse([]byte(tt.a))
		if err != nil {
			t.Fatal(err)
		}
		b, err := parse([]byte(tt.b))
		if err != nil {
			t.Fatal(err)
		}
		if got := changes(a, b); !slices.Equal(got, tt.want) {
			t.Errorf("%s, %s: %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
}

// Of many changes the last are told by their digest: none can differ unseen.
func TestManyChanges(t *testing.T) {
	many := func(last int) []string {
		m := map[string]any{}
		for i := range 100 {
			m[fmt.Sprintf("%03d", i)] = true
		}
		m["099"] = last
		return changes(map[string]any{}, m)
	}
	one, two := many(1), many(2)
	if len(one) != changesMax+1 || !slices.Equal(one[:changesMax], two[:changesMax]) || !strings.HasPrefix(one[changesMax], "… and 68 more (sha256 ") {
		t.Errorf("%q", one)
	}
	if one[changesMax] == two[changesMax] || one[changesMax] != many(1)[changesMax] {
		t.Errorf("%q, %q", one[changesMax], two[changesMax])
	}
}

func TestBrief(t *testing.T) {
	for _, unit := range []string{"x", "ü", "€", "\xff"} {
		long := strings.Repeat(unit, 1000)
		text := brief([]byte(long))
		if len(text) > textMax+80 || !utf8.ValidString(text) || !strings.Contains(text, "sha256") && unit != "\xff" {
			t.Errorf("%q", text)
		}
		if unit != "\xff" && text == brief([]byte(long[:len(long)-len(unit)]+"z")) {
			t.Errorf("another text looks the same: %q", text)
		}
	}
	if got := brief([]byte("short")); got != "short" {
		t.Errorf("%q", got)
	}
}
