package supervisor

// queue is a first-in-first-out queue. The zero value is empty. It gives its
// memory back when it has been emptied after growing large.
type queue[T any] struct {
	items []T
	head  int // Invariant: 0 <= head <= len(items); items[head:] are queued.
}

// keepCap is how many items' memory an empty queue keeps.
const keepCap = 256

func (q *queue[T]) len() int { return len(q.items) - q.head }

func (q *queue[T]) push(v T) {
	if q.head > 0 && len(q.items) == cap(q.items) && q.head >= len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, v)
}

// pushFront puts v before everything that is queued.
func (q *queue[T]) pushFront(v T) {
	if q.head == 0 {
		q.items = append([]T{v}, q.items...)
		return
	}
	q.head--
	q.items[q.head] = v
}

// pop removes and returns the oldest item; false if there is none.
func (q *queue[T]) pop() (v T, ok bool) {
	if q.len() == 0 {
		return v, false
	}
	v = q.items[q.head]
	q.items[q.head] = *new(T)
	q.head++
	if q.len() == 0 {
		q.items, q.head = q.items[:0], 0
		if cap(q.items) > keepCap {
			q.items = nil
		}
	}
	return v, true
}
