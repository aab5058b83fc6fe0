package conformance_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/conformance/scenario"
)

// suite has the names of the cases of supervisor_SUITE, OTP's own tests of its
// supervisor (as of 2025).
const suite = `
sup_start_normal sup_start_ignore_init sup_start_ignore_child sup_start_ignore_temporary_child
sup_start_ignore_temporary_child_start_child sup_start_ignore_temporary_child_start_child_simple
sup_start_ignore_permanent_child_start_child_simple sup_start_error_return sup_start_fail
sup_start_child_returns_error sup_start_restart_child_returns_error sup_start_child_returns_error_simple

sup_start_map sup_start_map_simple sup_start_map_faulty_specs child_specs child_specs_map sup_flags extra_return
get_callback_module

sup_stop_infinity sup_stop_timeout sup_stop_timeout_dynamic sup_stop_brutal_kill sup_stop_brutal_kill_dynamic
sup_stop_race sup_stop_non_shutdown_exit_dynamic

child_adm child_adm_simple order_of_children which_children which_children_simple_one_for_one count_children
count_children_supervisor count_restarting_children already_started_outside_supervisor scale_start_stop_many_children

permanent_normal transient_normal temporary_normal permanent_shutdown transient_shutdown temporary_shutdown
permanent_abnormal transient_abnormal temporary_abnormal faulty_application_shutdown temporary_bystander
do_not_save_start_parameters_for_temporary_children do_not_save_child_specs_for_temporary_children
external_start_no_progress_log multiple_restarts

one_for_one one_for_one_escalation one_for_all one_for_all_escalation one_for_all_other_child_fails_restart
rest_for_one rest_for_one_escalation rest_for_one_other_child_fails_restart

simple_one_for_one simple_one_for_one_shutdown simple_one_for_one_extra simple_one_for_one_escalation
simple_one_for_one_corruption simple_one_for_one_restart_ignore simple_one_for_one_scale_many_temporary_children
hanging_restart_loop hanging_restart_loop_rest_for_one hanging_restart_loop_simple

nonsignificant_temporary nonsignificant_transient significant_temporary significant_transient significant_simple
significant_bystander significant_escalation
significant_upgrade_never_any significant_upgrade_any_never significant_upgrade_never_all significant_upgrade_all_never
significant_upgrade_any_all significant_upgrade_all_any significant_upgrade_child

code_change code_change_map code_change_simple code_change_simple_map
child_unlink tree simple_global_supervisor format_log_1 format_log_2
`

const (
	noMaps = "OTP's second notation for specs; ours have one"
	noInfo = "our Init returns a state; there is no {ok, Pid, Info}"
)

// cannotApply are the cases of supervisor_SUITE that mean nothing here, and why.
var cannotApply = map[string]string{
	"sup_start_map":        noMaps,
	"sup_start_map_simple": noMaps,
	"extra_return":         noInfo,
	"get_callback_module":  "a supervisor has no callback module: its spec is a value",

	"already_started_outside_supervisor": "only the loop starts processes, so that none runs outside of its supervisor",
	"faulty_application_shutdown":        "about OTP's application controller",
	"do_not_save_start_parameters_for_temporary_children": "specs have no start parameters; that they are forgotten says " +
		"do_not_save_child_specs_for_temporary_children",
	"external_start_no_progress_log": "about OTP's logger",

	"simple_one_for_one_extra": noInfo,
	"simple_one_for_one_corruption": "it sends the supervisor an exit of a child that lives; " +
		"here only the loop can say that one has ended",

	"child_unlink":             "a child cannot take itself away from its supervisor",
	"simple_global_supervisor": "names are not global: a tree is on one machine",
	"format_log_1":             "about OTP's logger",
	"format_log_2":             "about OTP's logger",
}

// TestSupervisorSuite has a subtest for each case of supervisor_SUITE: it plays
// the scenarios of testdata/suite with the case's name (or NAME.something), or,
// where no scenario can say it, runs a function.
func TestSupervisorSuite(t *testing.T) {
	cases := map[string]func(*testing.T){}
	for _, file := range supervisors.Files(t, "suite") {
		all, traces := supervisors.Load(t, file)
		for i, s := range all {
			name, _, _ := strings.Cut(s.Name, ".")
			before := cases[name]
			cases[name] = func(t *testing.T) {
				if before != nil {
					before(t)
				}
				if got := play(t, s); got != traces[i] {
					t.Errorf("differs from OTP:\n%s", scenario.Diff(traces[i], got))
				}
			}
		}
	}
	for name, f := range suiteFuncs {
		if cases[name] != nil {
			t.Errorf("%s is a scenario and a function", name)
		}
		cases[name] = f
	}
	names := strings.Fields(suite)
	for _, name := range names {
		f, why := cases[name], cannotApply[name]
		switch {
		case f == nil && why == "":
			t.Errorf("%s is missing", name)
		case f != nil && why != "":
			t.Errorf("%s is tested, although it cannot apply: %s", name, why)
		case f != nil:
			t.Run(name, f)
		}
		delete(cases, name)
	}
	for name := range cases {
		t.Errorf("%s is no case of supervisor_SUITE", name)
	}
	for name := range cannotApply {
		if !slices.Contains(names, name) {
			t.Errorf("%s is no case of supervisor_SUITE", name)
		}
	}
}
