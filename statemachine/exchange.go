package statemachine

// Exchange carries an input to a process, and its output back.
type Exchange[I, O any] struct {
	In  I
	Out O

	message Message // that In was made of; nil if it was made of none
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
	if p.spare != nil {
		p.Free(x)
		return
	}
	p.spare = x.(*Exchange[I, O])
	*p.spare = Exchange[I, O]{}
}

func (p *process[S, I, O]) Accept(in any) (any, bool) {
	v, ok := as[I](in)
	if !ok {
		return nil, false
	}
	ex := p.spare
	if ex == nil {
		return p.NewExchange(v), true
	}
	p.spare, ex.In = nil, v
	return ex, true
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
