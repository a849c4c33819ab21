package sigv4

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// ErrRefused is what every [*Error] is, for errors.Is.
var ErrRefused = errors.New("sigv4: request refused")

// A Reason says why a request was refused. It is finer than AWS's codes: the
// verifier knows the secret, so it can tell a changed body from a wrong key where
// production only says that two signatures differ.
type Reason int

const (
	// Missing: the request carries no signature.
	Missing Reason = iota + 1
	// Incomplete: a part of the signature is absent or malformed.
	Incomplete
	// Ambiguous: the request is signed twice, in header and query or in two headers.
	Ambiguous
	// Expired: X-Amz-Date is older than the window allows.
	Expired
	// NotYetCurrent: X-Amz-Date is further in the future than the window allows.
	NotYetCurrent
	// PresignExpired: a presigned URL is past its X-Amz-Expires.
	PresignExpired
	// Scope: region, service, terminator or day of the credential do not fit.
	Scope
	// Unsigned: a header that must be signed is not.
	Unsigned
	// UnknownKey: nobody was issued this access key.
	UnknownKey
	// WrongToken: the session token is not the one issued with the key.
	WrongToken
	// TokenExpired: the credentials are past their end.
	TokenExpired
	// Payload: the body is not the one that X-Amz-Content-Sha256 names.
	Payload
	// Mismatch: the signatures differ: another secret, or something signed was changed.
	Mismatch
	// TooLarge: the body exceeds [Config.MaxBody].
	TooLarge
)

// String names the reason in the words of [Reason]'s constants.
func (r Reason) String() string {
	names := [...]string{"", "missing", "incomplete", "ambiguous", "expired", "not yet current", "presign expired", "scope",
		"unsigned", "unknown key", "wrong token", "token expired", "payload", "mismatch", "too large"}
	if r <= 0 || int(r) >= len(names) {
		return "reason " + strconv.Itoa(int(r))
	}
	return names[r]
}

// A Dialect is the vocabulary in which a family of services refuses.
type Dialect int

const (
	// JSON is that of AWS JSON services, such as Secrets Manager: status 400 and
	// codes that end in Exception.
	JSON Dialect = iota + 1
	// Query is that of the query protocol, such as STS: status 403 and the older codes.
	Query
	// S3 is that of S3's REST API.
	S3
)

// An Error is a refusal. Its text never contains a secret, nor, unless
// [Config.Debug] is set, anything of the request but its dates and scope.
type Error struct {
	// Reason is what the verifier knows.
	Reason Reason
	// Claim is what the request said of itself, as far as it could be read.
	Claim Claim
	// ServerTime is the instant by which age was judged.
	ServerTime time.Time
	// Window is the tolerance that was applied.
	Window time.Duration

	message string
}

// Error implements error: the package's name, the reason, and AWS's sentence.
func (e *Error) Error() string { return "sigv4: " + e.Reason.String() + ": " + e.Message(JSON) }

// Is reports that the error is an [ErrRefused].
func (e *Error) Is(target error) bool { return target == ErrRefused }

// Message is the sentence that AWS's services of that dialect answer with.
func (e *Error) Message(d Dialect) string {
	if d == S3 {
		if m, ok := s3Messages[e.Reason]; ok {
			return m
		}
	}
	if d == Query && e.Reason == PresignExpired {
		return "Request has expired."
	}
	return e.message
}

// Code is the error code that AWS's services of that dialect answer with.
//
// Sources: the common errors of Secrets Manager and STS,
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html, and
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func (e *Error) Code(d Dialect) string {
	c := codes[e.Reason]
	switch d {
	case Query:
		return c.query
	case S3:
		return c.s3
	default:
		return c.json
	}
}

// Status is the HTTP status that goes with [Error.Code].
func (e *Error) Status(d Dialect) int {
	switch {
	case e.Reason == TooLarge:
		return http.StatusRequestEntityTooLarge
	case d == JSON, e.Reason == Incomplete:
		return http.StatusBadRequest
	case d == S3 && (e.Reason == Payload || e.Reason == Scope || e.Reason == TokenExpired || e.Reason == WrongToken || e.Reason == Ambiguous):
		return http.StatusBadRequest
	default:
		return http.StatusForbidden
	}
}

type code struct{ json, query, s3 string }

var codes = map[Reason]code{
	Missing:        {"MissingAuthenticationTokenException", "MissingAuthenticationToken", "AccessDenied"},
	Incomplete:     {"IncompleteSignatureException", "IncompleteSignature", "AuthorizationHeaderMalformed"},
	Ambiguous:      {"InvalidSignatureException", "SignatureDoesNotMatch", "InvalidArgument"},
	Expired:        {"InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"},
	NotYetCurrent:  {"InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"},
	PresignExpired: {"InvalidSignatureException", "RequestExpired", "AccessDenied"},
	Scope:          {"InvalidSignatureException", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed"},
	Unsigned:       {"InvalidSignatureException", "SignatureDoesNotMatch", "AccessDenied"},
	UnknownKey:     {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"},
	WrongToken:     {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidToken"},
	TokenExpired:   {"ExpiredTokenException", "ExpiredToken", "ExpiredToken"},
	Payload:        {"InvalidSignatureException", "SignatureDoesNotMatch", "XAmzContentSHA256Mismatch"},
	Mismatch:       {"InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"},
	TooLarge:       {"RequestEntityTooLargeException", "RequestEntityTooLarge", "EntityTooLarge"},
}

var s3Messages = map[Reason]string{
	Missing:        "Access Denied",
	Expired:        "The difference between the request time and the current time is too large.",
	NotYetCurrent:  "The difference between the request time and the current time is too large.",
	PresignExpired: "Request has expired",
	Unsigned:       "There were headers present in the request which were not signed",
	UnknownKey:     "The AWS Access Key Id you provided does not exist in our records.",
	WrongToken:     "The provided token is malformed or otherwise invalid.",
	TokenExpired:   "The provided token has expired.",
	Payload:        "The provided 'x-amz-content-sha256' header does not match what was computed.",
}

const mismatchMessage = "The request signature we calculated does not match the signature you provided. " +
	"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// basicTime is the ISO 8601 basic format of X-Amz-Date.
const basicTime = "20060102T150405Z"

// ExpiredMessage is AWS's sentence for a signature that arrived too late. All
// three instants are in it, in UTC and whole seconds; window is printed in
// minutes where it is whole minutes, as AWS does, and in seconds otherwise.
func ExpiredMessage(signed, server time.Time, window time.Duration) string {
	server = server.UTC().Truncate(time.Second)
	return fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - %s)",
		signed.UTC().Format(basicTime), server.Add(-window).Format(basicTime), server.Format(basicTime), span(window))
}

// NotYetCurrentMessage is AWS's sentence for a signature from the future.
func NotYetCurrentMessage(signed, server time.Time, window time.Duration) string {
	server = server.UTC().Truncate(time.Second)
	return fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + %s)",
		signed.UTC().Format(basicTime), server.Add(window).Format(basicTime), server.Format(basicTime), span(window))
}

func span(d time.Duration) string {
	if d%time.Minute == 0 {
		return strconv.Itoa(int(d/time.Minute)) + " min."
	}
	return strconv.FormatFloat(d.Seconds(), 'g', -1, 64) + " sec."
}
