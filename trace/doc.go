// Package trace says whether two builds of a program do the same with the same
// inputs, and if not, where they part.
//
// A journal has what a program was told, not what it made of it. So the older
// build writes a trace of what it makes of a journal, and the newer one compares:
//
//	steps, err := trace.Record(cfg, file, trace.Options{}) // older
//	report, err := trace.Compare(cfg, file)                // newer
//	if report.Differs() {
//		fmt.Print(report)
//	}
//
// Both go through eventloop.Replay, the code that recovers an application when it
// starts, and change nothing. Each needs the configuration that its build has
// live, and the same journal.
//
// # What is in a trace
//
// A trace is JSON lines, in the order of the steps: the place in the journal, the
// process, the input, what came of it (output or crash, and what the step asked
// for), and how the state has changed. A text of more than 200 bytes is cut short,
// and has a digest in the place of the rest: so that a trace stays small, and
// nothing that differs looks the same. The first state of a process is there as a
// whole.
//
// A state is looked at after every step if it has at most [LookBytes] bytes of
// JSON, a larger one after as many more steps as it is larger, and each once more
// at the end: to look costs as much as the state is long. So the place where a
// large state differs first is known up to that many steps; Options.Exact finds
// the very step. Outputs are compared at every step.
//
// Comparing ends once an output and a state have differed, or a step: where one
// build steps what the other does not, what follows cannot be compared.
//
// # Limits
//
// It takes memory of several times the JSON of all states. States are compared as
// JSON, by the State codecs of the two builds: a change of the codec, or a
// Migrate, is a difference of the state, as it should be.
package trace
