package boltlog

import (
	"reflect"
	"unsafe"
)

// Watch has f make bbolt's writes to the file from here on; write is what it would have called. bbolt has no option for
// that, and keeps its own function where only its own tests can reach it.
func (l *Log) Watch(f func(b []byte, at int64, write func([]byte, int64) (int, error)) (int, error)) {
	field := reflect.ValueOf(l.db).Elem().FieldByName("ops").FieldByName("writeAt")
	writeAt := (*func([]byte, int64) (int, error))(unsafe.Pointer(field.UnsafeAddr()))
	if field.Type() != reflect.TypeOf(*writeAt) {
		panic("bbolt writes by other means")
	}
	write := *writeAt
	*writeAt = func(b []byte, at int64) (int, error) { return f(b, at, write) }
}

// Syncs reports whether bbolt was told to sync.
func (l *Log) Syncs() bool { return !l.db.NoSync && !l.db.NoGrowSync }

// Busy reports whether the saver has something to do.
func (l *Log) Busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.saving != nil
}

// Idle waits until the saver has nothing to do.
func (l *Log) Idle() {
	l.mu.Lock()
	saving := l.saving
	l.mu.Unlock()
	if saving != nil {
		<-saving
	}
}
