// Package bench runs us beside our rivals, in one run, and prints the ratio.
//
// A number from one machine says little to the reader of another; a ratio of two
// things measured side by side says more. This is a module of its own, so that
// nobody who uses Middy for Go has the rivals in their go.sum.
//
//	cd bench && GOWORK=off go test -run '^$' -bench .
package bench
