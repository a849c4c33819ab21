// Package emulator is an AWS in your process that really verifies signatures.
//
// Emulators answer whoever calls them. So the faults of production that come
// from time (a request signed before a freeze and sent after it, credentials
// that ran out, a clock that is wrong) cannot happen at home, and the code that
// should survive them is never run. This one holds its own clock, recomputes
// every signature, lets credentials die, and answers with AWS's own codes and
// sentences. Faults are injected by rule and repeat exactly with the same seed.
//
// A [Server] listens on loopback and routes to [service.Service] values: by
// X-Amz-Target for AWS JSON, by the service in the credential scope for the
// query protocol. For tests, package emulatortest starts one with Secrets
// Manager, Parameter Store and STS in a line.
//
// # Time
//
// [Clock] is the emulator's time: it verifies ages by it, expires credentials by
// it, and stamps answers with it. Step it to see a clock that is wrong. To see a
// freeze, use [Clock.Freeze]: ages jump and the Date header does not, which is
// how a service looks to a function that slept between signing and sending.
//
// # Faults
//
// [Chaos] holds rules: which calls (service, operation, the next n, a
// probability) and what happens to them: see [Effect]. The same is open to other
// processes:
//
// # Admin API
//
// JSON under /_middy/ on the same listener. Every call but health carries the
// header X-Middy-Token ([Server.AdminToken]); Host must be loopback's and Origin,
// if any, the emulator's own, so that no page in the developer's browser reaches it.
//
//	GET    /_middy/health                  {"status":"ok","inFlight":0}
//	GET    /_middy/clock                   {"now":…,"date":…,"offset":"0s","dateOffset":"0s","window":"0s"}
//	POST   /_middy/clock                   any of offset, dateOffset, window (set), step, freeze (move), reset
//	GET    /_middy/chaos                   [{"id":1,"hits":0,"held":0,"rule":{"effect":"throttle",…}}]
//	POST   /_middy/chaos                   a rule; answers {"id":1}
//	DELETE /_middy/chaos, /_middy/chaos/1  all, or one
//	GET    /_middy/requests                what [Server.Requests] returns
//	DELETE /_middy/requests                forget them
//	POST   /_middy/credentials/expire      {"accessKeyId":"…"}
//
// Durations are text, such as "1m30s"; rules are written as [Rule] is in JSON.
//
// # What is recorded
//
// [Server.Requests] lists every request as it was seen at the socket: when, who,
// what, how old its signature, what became of it. Never a body, a secret, or a
// signature.
package emulator
