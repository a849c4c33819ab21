// Package freeze proves on real processes what the toolkit promises about the
// sandbox: that no freeze and no outage is the reason for a failed invocation.
//
// Clocks that a test turns, in package freshsign's own tests, reach every
// schedule, and never a kernel. Here a function is built, started under the
// emulator's Runtime API, stopped with SIGSTOP between its invocations and
// continued with SIGCONT before the next, against an emulated Secrets Manager
// that verifies signatures on its socket. What is asserted is seen from outside:
// invocations that failed, requests that were alive while the process was
// stopped, goroutines that the process had when it woke up.
//
// Beside it runs the same function as people write it on the plain SDK, and has
// to fail under the same freeze: the day it does not, the demonstration proves
// nothing, and its test says so.
//
// Times are scaled: the window of a signature is 2 s instead of 5 min. MIDDY_SOAK
// is the number of invocations of the soak, 500 by default and 60 with -short;
// MIDDY_SOAK_SEED repeats one.
package freeze
