// Package bench measures Lineshaft side by side with what else one could use.
// It is a module of its own, so that what it compares with never reaches those
// who use Lineshaft. Only ratios within one run mean something.
//
// Which map carries the key-value store:
//
//	cd bench && go test -run TestMaps -bench Maps -benchtime 0.2s .
//
// Lineshaft, the floor below it, and actor libraries beside it (two of which
// register the same protobuf name):
//
//	cd bench && GOLANG_PROTOBUF_REGISTRATION_CONFLICT=warn go test -run TestServers -bench 'Call|Cast' .
package bench
