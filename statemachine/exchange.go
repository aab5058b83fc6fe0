package statemachine

// Exchange carries an input to a process, and its output back.
type Exchange[I, O any] struct {
	In  I
	Out O

	message Message // that In was made of; nil if it was made of none
}

// carrier is an Exchange whose types are hidden.
type carrier interface{ input() any }

func (x *Exchange[I, O]) input() any { return x.In }

// spares are exchanges of a loop that nobody uses.
type spares []carrier

const (
	sparesMax  = 1 << 10 // how many are kept
	sparesSeen = 4       // how many are looked at, for one of the right types
)

// exchangeOf returns an exchange with the input in.
func exchangeOf[I, O any](s *spares, in I) *Exchange[I, O] {
	last := len(*s) - 1
	for i := last; i >= 0 && i > last-sparesSeen; i-- {
		if x, ok := (*s)[i].(*Exchange[I, O]); ok {
			(*s)[i] = (*s)[last]
			*s = (*s)[:last]
			x.In = in
			return x
		}
	}
	return &Exchange[I, O]{In: in}
}

func (p *process[S, I, O]) NewExchange(in I) *Exchange[I, O] {
	ex, _ := p.m.exchanges.Get().(*Exchange[I, O])
	if ex == nil {
		ex = new(Exchange[I, O])
	}
	ex.In = in
	return ex
}

func (p *process[S, I, O]) Free(x any) {
	ex := x.(*Exchange[I, O])
	*ex = Exchange[I, O]{}
	p.m.exchanges.Put(ex)
}

func (p *process[S, I, O]) Reuse(x any) {
	s := &p.fx.moment.spares
	if len(*s) == sparesMax {
		p.Free(x)
		return
	}
	ex := x.(*Exchange[I, O])
	*ex = Exchange[I, O]{}
	*s = append(*s, ex)
}

func (p *process[S, I, O]) Accept(in any) (any, bool) {
	if ex, ok := in.(*Exchange[I, O]); ok {
		return ex, true
	}
	if c, ok := in.(carrier); ok {
		in = c.input()
	}
	v, ok := as[I](in)
	if !ok {
		return nil, false
	}
	return exchangeOf[I, O](&p.fx.moment.spares, v), true
}

func (p *process[S, I, O]) Blank() any { return new(Exchange[I, O]) }

func (p *process[S, I, O]) Output(x any) any { return x.(*Exchange[I, O]).Out }

func (p *process[S, I, O]) SetOutput(x, out any) bool {
	o, ok := as[O](out)
	if ok {
		x.(*Exchange[I, O]).Out = o
	}
	return ok
}
