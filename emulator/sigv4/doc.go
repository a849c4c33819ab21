// Package sigv4 verifies AWS Signature Version 4, as a service does.
//
// An emulator that accepts every signature hides the one fault that functions
// meet in production and nobody can reproduce at home: a request that was right
// when it was signed and wrong when it arrived. This package recomputes the
// signature from the bytes on the wire and a secret it was told, holds it
// against the request's, and refuses in AWS's own words, with all three
// instants:
//
//	Signature expired: 20250116T095814Z is now earlier than 20250116T095815Z (20250116T100315Z - 5 min.)
//
// It is written from AWS's description of the algorithm and shares no line with
// any SDK's signer, so that a test which signs with an SDK and verifies here
// compares two independent readings.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
//
// # What is verified
//
// Both places for a signature: the Authorization header and the query string of
// a presigned URL. In this order, which is the order in which AWS's JSON
// services were seen to complain:
//
//   - there is exactly one signature, complete, with a well-formed date
//   - the signature's age: |now - X-Amz-Date| is within the window, in whole
//     seconds, because X-Amz-Date has no smaller unit. So a fresh signature is
//     never refused, however short the window was set for a test
//   - host is signed; so is every x-amz-* header except x-amz-content-sha256
//   - the credential's scope: region, service, terminator, and the same UTC day
//     as X-Amz-Date
//   - the access key exists, has not expired, and its session token is the one sent
//   - the body's hash, and the signature over the canonical request
//
// # Bodies
//
// The body's own SHA-256 goes into the canonical request, whatever
// X-Amz-Content-Sha256 says; a header that contradicts the body is refused.
// UNSIGNED-PAYLOAD is accepted where [Endpoint.UnsignedPayload] says so, which is
// always the case for S3. STREAMING-* (aws-chunked) is accepted under the same
// condition: the seed signature over the headers is verified, the chunks are
// not, and [Identity.Payload] says so.
//
// # What is not
//
// SigV4a (ECDSA) is refused as an unsupported algorithm. A request without a
// signature is refused: there is no anonymous access.
package sigv4
