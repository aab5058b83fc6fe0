package conformance

import (
	"context"
	_ "embed"

	"github.com/lineshaft/lineshaft/conformance/otp"
	"github.com/lineshaft/lineshaft/conformance/scenario"
)

//go:embed testdata/otp_oracle.escript
var oracle []byte

// OTP plays scenarios on the Erlang that is installed, and returns their
// traces: see otp.Play.
func OTP(ctx context.Context, scenarios []scenario.Scenario) ([]string, error) {
	texts := make([]string, len(scenarios))
	for i, s := range scenarios {
		texts[i] = s.String()
	}
	return otp.Play(ctx, oracle, texts)
}
