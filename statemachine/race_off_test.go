//go:build !race

package statemachine_test

const raceDetector = false
