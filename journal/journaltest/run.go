package journaltest

import (
	"testing"

	"github.com/lineshaft/lineshaft/journal"
)

// Storage makes storage that is empty and returns what opens a Log on it, as a program does when it starts. The suite
// opens it again and again, each time after it has closed the Log before. Errors of opening end t.
type Storage func(t *testing.T) (open func() journal.Log)

// Run runs the suite, as subtests of t.
func Run(t *testing.T, storage Storage) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, func() journal.Log)
	}{
		{"Empty", testEmpty},
		{"AppendOrder", testAppendOrder},
		{"AppendConcurrently", testAppendConcurrently},
		{"AppendFromDone", testAppendFromDone},
		{"AppendOddBatches", testAppendOddBatches},
		{"AppendReusesBatch", testAppendReusesBatch},
		{"AppendZeroBatch", testAppendZeroBatch},
		{"RecoverErrors", testRecoverErrors},
		{"RecoverWhileAppending", testRecoverWhileAppending},
		{"SaveDropsBatches", testSaveDropsBatches},
		{"SaveInOrder", testSaveInOrder},
		{"SaveStates", testSaveStates},
		{"SaveOddStates", testSaveOddStates},
		{"SaveRefused", testSaveRefused},
		{"SaveEncoderFails", testSaveEncoderFails},
		{"CloseWaits", testCloseWaits},
		{"AfterClose", testAfterClose},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, storage(t)) })
	}
	t.Run("Model", func(t *testing.T) { testModel(t, storage) })
}
