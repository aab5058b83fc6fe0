package supervisor_test

import (
	"github.com/lineshaft/lineshaft/conformance/scenario"
	"github.com/lineshaft/lineshaft/statemachine"
)

type Name = statemachine.Name

// specs makes the specs of a scenario.
func specs(s *scenario.Scenario) scenario.Specs {
	return scenario.Specs{Scenario: s, Machine: func(scenario.Def) statemachine.Server { return machine{} }}
}

// machine stands for a machine that the tests play themselves.
type machine struct{}

func (machine) New(Name, *statemachine.Moment) statemachine.Process { return nil }
func (machine) Validate() error                                     { return nil }
