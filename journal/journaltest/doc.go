// Package journaltest is the suite that every journal.Log must pass.
//
//	func TestLog(t *testing.T) {
//		journaltest.Run(t, func(t *testing.T) func() journal.Log {
//			path := filepath.Join(t.TempDir(), "journal")
//			return func() journal.Log {
//				log, err := boltlog.Open(path, boltlog.Options{})
//				if err != nil {
//					t.Fatal(err)
//				}
//				return log
//			}
//		})
//	}
//
// It tests the contract as far as a program can that does not crash: order, indices, what is there after Close and a new
// start. That nothing is lost when the program is killed each Log must test for itself.
//
// Random tests are run by rapid, which prints a seed when one fails; -rapid.seed takes it back.
package journaltest
