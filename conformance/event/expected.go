package event

import "strings"

// Expected returns what OTP's trace says that ours should be: a client is not
// told of the end of a manager that is ended from outside.
func Expected(otp string) string {
	var b strings.Builder
	outside := false
	for line := range strings.Lines(otp) {
		if strings.HasPrefix(line, "> ") {
			outside = strings.HasPrefix(line, "> parent_exit ")
		}
		if !outside || !strings.HasPrefix(line, "told ") {
			b.WriteString(line)
		}
	}
	return b.String()
}
