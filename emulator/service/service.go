// Package service says what an emulated AWS service is to the emulator.
//
// Every service of the emulator speaks one of AWS's wire protocols, and all of
// them need the same things around it: a verified signature, a virtual clock,
// injected faults, AWS's own error bodies. This package is the seam between the
// two: the emulator verifies, delays and encodes; a [Service] only decides.
package service

import (
	"context"
	"time"
)

// A Protocol is the wire format of a service's requests, answers and errors.
type Protocol int

const (
	// JSON11 is AWS JSON 1.1: POST /, the operation in X-Amz-Target, errors as
	// {"__type": code, "Message"/"message": text} with status 400 or 500.
	// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
	JSON11 Protocol = iota + 1
	// Query is the AWS query protocol: form values in, XML out.
	// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
	Query
)

// A Call is one verified request. It belongs to one goroutine.
type Call struct {
	// Operation is the bare name, such as "GetSecretValue".
	Operation string
	// Body is the request body: JSON for JSON11, the form for Query.
	Body []byte
	// Region and Account are those of the endpoint and of the credentials.
	Region, Account string
	// Now is the emulator's virtual time at which the request was accepted.
	Now time.Time
	// RequestID goes back in X-Amzn-Requestid.
	RequestID string
	// AccessKeyID is the key that signed the request.
	AccessKeyID string
	// PrincipalARN is who that key belongs to.
	PrincipalARN string
	// Authorize asks whether the caller may also do action, such as
	// "secretsmanager:GetSecretValue", to one resource, a name or an ARN. It
	// returns nil, or AWS's refusal. The operation itself was authorised before
	// Call; this is for batches, whose items are refused one by one. Nil allows all.
	Authorize func(action, resource string) *Error
}

// A Service answers calls. Call returns a value that encoding/json (JSON11) or
// encoding/xml (Query: the element inside <OpResponse>) encodes, or an [*Error].
// Implementations are safe for concurrent use.
type Service interface {
	// SigningName is the service in a credential scope, such as "secretsmanager".
	SigningName() string
	Protocol() Protocol
	// TargetPrefix is what precedes the dot in X-Amz-Target ("secretsmanager",
	// "AmazonSSM"); empty for the query protocol.
	TargetPrefix() string
	Call(ctx context.Context, c *Call) (any, error)
}

// An Error is an answer in AWS's own words.
type Error struct {
	// Status is the HTTP status; zero means 400.
	Status int
	// Code is the error's shape name, such as "ResourceNotFoundException".
	Code string
	// Message is what AWS says.
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }
