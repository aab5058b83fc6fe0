//go:build !race

package genstatem_test

const raceDetector = false
