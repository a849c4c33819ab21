// Package runtimeapi runs a Lambda function on this machine, as Lambda runs it.
//
// A function that works on a laptop and fails on Lambda mostly fails for one
// reason: on Lambda the process does not simply run. It is started, must finish
// its Init in time, is handed one event at a time, and is frozen, mid-instruction
// and with its sockets open, from the moment it asks for the next event until
// there is one. It is killed when it takes too long, and started again, cold,
// after it died. Nothing of that happens under go run.
//
// A [Function] does all of it to the very binary that will be deployed. It hosts
// the Lambda Runtime API (and the part of the Extensions API that a Go function
// uses) on a loopback socket, starts the binary as a child process with Lambda's
// clean environment, and keeps it in one of Lambda's states:
//
//	INIT ──► ( thaw ──► INVOKE ──► settle ──► freeze )* ──► SHUTDOWN
//
// Freezing is SIGSTOP on the child's process group, thawing SIGCONT; both are
// confirmed by the kernel before anything else happens, or given up after a second,
// for a stranger's signals may keep a process from stopping. Where there are no such
// signals (Windows), functions run unfrozen and [Function.Freeze] says so.
//
// What is emulated: states and their errors, Init and suppressed Init, time
// limits, size limits, response streaming with trailers, several sandboxes,
// several invocations in one sandbox (AWS_LAMBDA_MAX_CONCURRENCY), internal
// extensions, SIGTERM at the end. What is not: memory and CPU limits, the
// bandwidth limit of streams, external extensions, snapshots (the restore calls
// answer as if nothing was snapshotted), the Telemetry API (it answers that it is
// not supported here). What is left to the kernel: on Linux the child dies with
// this process, however that ends; elsewhere only by [Function.Shutdown].
//
// Sources: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html,
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html and
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html.
package runtimeapi
