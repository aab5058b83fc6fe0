package trace

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
)

// Options of Record. The zero value means the defaults.
type Options struct {
	// Exact has every state looked at after every step, however large it is.
	Exact bool

	_ struct{}
}

// Record replays the journal of cfg.Log and writes to w what came of it. Returns
// how many steps that were, and the error of eventloop.Replay or of w.
func Record(cfg eventloop.Config, w io.Writer, o Options) (steps int, err error) {
	b := bufio.NewWriter(w)
	to := json.NewEncoder(b)
	to.SetEscapeHTML(false)
	if err := to.Encode(header{version}); err != nil {
		return 0, err
	}
	seen := states{}
	past, err := eventloop.Replay(cfg, func(s eventloop.Step) error {
		steps++
		l := lineOf(s)
		known := seen.of(l.Process)
		known.steps++
		if o.Exact || known.steps > known.wait {
			l.State = known.look(s.AppendState)
		}
		return to.Encode(l)
	})
	if err != nil {
		return steps, err
	}
	for process := range past.Names() {
		l := line{Process: name(process), End: true}
		l.State = seen.of(l.Process).look(func(dst []byte, f codec.Format) ([]byte, error) {
			return past.AppendState(dst, process, f)
		})
		if err := to.Encode(l); err != nil {
			return steps, err
		}
	}
	return steps, cmp.Or(to.Encode(line{End: true}), b.Flush())
}
