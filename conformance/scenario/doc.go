// Package scenario has the scenarios in which a supervision tree is compared
// with OTP's: their text format, the traces that playing them gives, a generator
// of random ones, and what makes one that shows a difference small.
//
//	scenario restart
//	sup root - strategy=one_for_all
//	worker a root
//	worker b root restart=transient
//	start
//	call a crash
//	end
//
// # Scenarios
//
// One item a line, words separated by blanks, # begins a comment. First the
// definitions, in start order: sup or worker, a name, the name of the parent,
// and attributes. The root's parent is "-"; that of a child which is not started
// with the tree, but by a start_child, is "@". A supervisor with strategy
// simple_one_for_one, a pool, has one worker, its template.
//
//	restart=permanent|transient|temporary      significant=true|false
//	shutdown=MILLISECONDS|infinity|brutal_kill
//	strategy=one_for_one|one_for_all|rest_for_one|simple_one_for_one
//	intensity=N  period=SECONDS (3600)  auto=never|any_significant|all_significant
//	trap=true|false (whether the worker traps exits: if not, its supervisor ends
//	it without terminate)  term=ok|crash|hang (what its terminate does)
//
// Then the operations, done one after the other, each when all that the one
// before has caused is done:
//
//	plan NAME o,o,...        the next starts of NAME go so: ok, fail, crash, ignore,
//	                         badret; o* repeats for ever; afterwards ok
//	start                    start the root
//	call W HOW               HOW: ping, crash, exit_R (reply, then end because of R),
//	                         noreply_R; R: normal, shutdown, shutdown_t, crash
//	kill W, stop NAME R      as exit(Pid, kill), gen_server:stop(Pid, R)
//	start_child SUP NAME, terminate_child, restart_child, delete_child,
//	terminate_child_id       a pool's terminate_child goes by pid, the other by id
//	which SUP, count SUP     which_children, count_children
//	tree                     all of it; ! is down
//	sleep MILLISECONDS
//	batch SUP op ; op ; ...  SUP handles none before all have been sent to it
//
// # Traces
//
// A trace has of each operation its echo, then what happened, then its results,
// and who is alive then:
//
//	scenario NAME
//	> OP
//	init NAME [OUTCOME]      its init was called, with this outcome if not ok
//	terminate NAME CLASS     its terminate was called
//	exit NAME CLASS          it ended; not written if its terminate said so
//	result ...
//	root_exit CLASS
//	alive NAME...
//	end
//
// CLASS is normal, shutdown, shutdown_t, killed or crash. In what order the
// children of a pool end is not defined; successive lines of such ends are sorted.
package scenario
