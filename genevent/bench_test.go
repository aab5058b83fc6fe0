package genevent_test

import (
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/genevent"
	"github.com/lineshaft/lineshaft/statemachine"
)

// BenchmarkNotify is an event that ten handlers count, without a loop.
func BenchmarkNotify(b *testing.B) {
	count := &genevent.Kind[string, int, none, none, none]{
		Name:        "count",
		HandleEvent: func(_ string, n int, _ *genevent.Fx[string]) int { return n + 1 },
	}
	c := genevent.Config[string]{Event: codec.Of[string](), Kinds: []genevent.AnyKind[string]{count}}
	for range 10 {
		c.Handlers = append(c.Handlers, count.Add("", none{}))
	}
	moment := statemachine.NewMoment(func() int64 { return 1 }, nil)
	p := genevent.New(c).New("m", moment).(statemachine.Port[input, genevent.Output])
	if err := p.Init(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		moment.Set(1, 1)
		if _, crash := p.StepIn(genevent.Notify[string]{Event: "x"}); crash != nil {
			b.Fatal(crash)
		}
	}
}
