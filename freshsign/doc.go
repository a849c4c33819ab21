// Package freshsign makes the signatures of any aws-sdk-go-v2 client survive the freezes of a Lambda sandbox and clocks
// that are wrong.
//
// The problem: the SDK signs a request early and its bytes leave late. A sandbox that is frozen in between, or while
// the answer is on its way, sends a signature that is dead on arrival (AWS accepts five minutes) or learns a clock
// offset that is as long as the freeze, and signs the next request in the past:
//
//	InvalidSignatureException: Signature expired: 20250116T095814Z is now earlier than 20250116T095815Z (20250116T100315Z - 5 min.)
//
// The SDK retries that only when it sees clock skew, and here is none. One line cures it:
//
//	freshsign.Apply(&cfg) // before secretsmanager.NewFromConfig(cfg)
//
// # How
//
// Four parts, in the order of their worth:
//
//   - A rejected signature is healed: around the SDK's retry loop, and independent of its attempts and tokens, the call
//     is signed and sent again, at most three times, and only upon evidence: the service's clock and the date in the
//     rejected signature are at least four minutes apart. Writes too, since a rejected signature was never executed.
//     Credentials that expired are renewed, once. Access that was denied, and a key that is wrong, are never retried.
//   - The clock offset is learned strictly: only from a fast exchange through which both clocks ran alike, only if a
//     second one agrees or a rejection proves it, and it is forgotten when the clocks disagree. The SDK's own correction
//     is switched off.
//   - A signature older than a second is renewed when its connection is handed out, the last moment before the first
//     byte, in HTTP/1.1 and HTTP/2. Credentials that died in the wait are not sent at all.
//   - Connections that were idle for over a minute, or through a clock event, are not used again.
//
// Every incident is told to Config.OnIncident and Config.Logger with its cause, and a failure that stays is an [*Error]
// that names it.
//
// # What it cannot do
//
// It cannot prevent what happens to bytes that the kernel already has: a freeze after the write makes a rejected
// request, which is healed, at the cost of one more. It cannot repeat a body that cannot seek. Event streams, streamed
// payloads with chunk signatures or trailers, SigV4a and presigned URLs pass through with the signature that the SDK
// gave them. And it cannot make a call outlive its context.
package freshsign
