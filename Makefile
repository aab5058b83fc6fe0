# What CI runs, by parts. `make verify test race` before every commit.

STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
MODULES = . bench
FUZZTIME = 50000x
TORTURE = 10m

.PHONY: all verify test race words fuzz bench conformance torture

all: verify test race

# Everything that can be known without running the program.
verify:
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'ed:"; gofmt -l .; exit 1; }
	@for m in $(MODULES); do (cd $$m && echo "verify $$m" && go vet ./... && $(STATICCHECK) ./... && go mod tidy -diff) || exit 1; done

# The README's command.
test:
	go test ./...

# All but the comparisons that have no goroutine of their own.
race:
	go test -race $$(go list ./... | grep -v -e conformance/event -e conformance/statem)

# The whole word list, killed five times.
words:
	go test ./cmd/kv -run TestWords -count=1 -v -words=0 -kills=5

# Looks for ways to lose what was acknowledged, for as long as TORTURE says: the
# program killed, at random and at failpoints; loops on disks that fail.
torture:
	go test ./torture -count=1 -v -timeout 0 -run 'TestKilledProgram|TestFailpoints|TestFilledDisk' -kvtime=$(TORTURE) -failtime=$(TORTURE)
	go test ./torture -count=1 -v -timeout 0 -run 'TestPowerCuts|TestLinearizable' -rounds=5000 -linearrounds=20000
	go test ./journal/boltlog -count=1 -v -timeout 0 -run 'TestTornPages|TestBrokenPromise' -images=3000

# Every fuzz target for a moment: a number of inputs, since go test may call the end of a time a failure.
fuzz:
	@grep -rln '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r pkg; do \
		grep -ho '^func Fuzz[A-Za-z0-9_]*' $$pkg/*_test.go | sed 's/^func //' | while read -r f; do \
			echo "$$pkg $$f"; out=$$(go test $$pkg -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) 2>&1) || { echo "$$out"; exit 1; }; \
		done || exit 1; \
	done

# Ours against the floor; then against others, in their own module.
bench:
	go test -run '^$$' -bench . -count 5 ./eventloop
	cd bench && GOLANG_PROTOBUF_REGISTRATION_CONFLICT=warn go test -run '^$$' -bench . -count 3 .

# Fresh random scenarios on the loop and on the real OTP (Debian's erlang-base),
# beside the recorded ones: every trace must be the same.
conformance:
	go test ./conformance/... -count=1 -v -scenarios=5000
