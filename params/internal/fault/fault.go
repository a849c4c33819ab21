// Package fault reads what an AWS error means to a cache of remote values.
//
// The services of AWS name the same few conditions differently, and some name
// two conditions alike: a missing KMS permission and a missing permission on the
// secret are both an AccessDeniedException. One table, for all providers.
package fault

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"github.com/gomiddy/middy/internal/awsapi"
	"github.com/gomiddy/middy/params"
)

// A Place says which value an error is about, and what would help.
type Place struct {
	Service, Name string
	// Action and Resource are what to allow when access is denied.
	Action, Resource string
	// Version and Stage were asked for, if any.
	Version, Stage string
}

// Error returns what err means at a place. A nil err is nil.
func Error(p Place, err error) error {
	if err == nil {
		return nil
	}
	e := &params.Error{Service: p.Service, Name: p.Name, Err: err}
	api, answered := errors.AsType[smithy.APIError](err)
	if answered {
		e.Kind = Kind(api.ErrorCode(), api.ErrorMessage())
		e.Text = text(p, e.Kind, api.ErrorCode())
		return e
	}
	e.Kind = params.Unavailable
	e.Text = silence(err)
	return e
}

// Kind returns what an error code and its message mean.
func Kind(code, message string) params.Kind {
	if _, ok := retry.DefaultThrottleErrorCodes[code]; ok {
		return params.Throttled
	}
	switch code {
	case "ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound", "ParameterVersionLabelNotFound":
		return params.NotFound
	case "DecryptionFailure", "InvalidKeyId", "KMSAccessDeniedException", "KMSDisabledException",
		"KMSInvalidStateException", "KMSNotFoundException", "KMSInvalidKeyUsageException":
		return params.Undecryptable
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation":
		if strings.Contains(strings.ToLower(message), "kms") {
			return params.Undecryptable
		}
		return params.Denied
	case "InvalidRequestException":
		if strings.Contains(strings.ToLower(message), "delet") {
			return params.Deleted
		}
		return params.Invalid
	case "InvalidParameterException", "ValidationException", "InvalidNextTokenException", "InvalidResourceId":
		return params.Invalid
	case "UnknownOperationException", "UnsupportedOperationException", "InvalidAction", "NotImplemented":
		return params.Unsupported
	}
	return params.Unavailable
}

func text(p Place, kind params.Kind, code string) string {
	switch kind {
	case params.Throttled:
		return "too many requests in this account and region; the value in use is kept"
	case params.NotFound:
		return missing(p)
	case params.Deleted:
		return "it is scheduled for deletion; restore it or remove the declaration"
	case params.Denied:
		return "access denied; allow " + p.Action + " on " + p.Resource
	case params.Undecryptable:
		return "KMS does not decrypt it for this role; allow kms:Decrypt on its key, and see that the key is enabled"
	case params.Invalid:
		return "the request is not valid; check the name"
	case params.Unsupported:
		return "the endpoint does not know " + p.Action
	}
	switch code {
	case "ExpiredTokenException", "ExpiredToken", "RequestExpired":
		return "the session of the credentials has expired"
	case "InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed":
		return "the signature was rejected (its age, the clock, or the secret key)"
	case "UnrecognizedClientException", "InvalidClientTokenId", "IncompleteSignature", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "InvalidAccessKeyId":
		return "the credentials are missing or unknown; see AWS_ACCESS_KEY_ID and the role"
	}
	return "the service failed"
}

func missing(p Place) string {
	what := "it does not exist in this account and region"
	switch {
	case p.Version != "":
		what = "it has no version " + p.Version
	case p.Stage != "":
		what = "it does not exist, or has no version with the label " + p.Stage
	}
	return what + "; create it or correct the name"
}

// Foreign is what an answer is that does not say that it is about what was asked
// for: a success without the value, or about another one.
const Foreign = "the answer is not about it: a proxy or another server sent it; see the endpoint"

// NotAbout is the failure of an answer that is [Foreign].
func NotAbout(p Place) error {
	return &params.Error{Kind: params.Unavailable, Service: p.Service, Name: p.Name, Text: Foreign}
}

// silence says why there was no answer.
func silence(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "the request was cancelled"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "its host name cannot be resolved; see the region and the VPC endpoint"
	}
	if _, ok := errors.AsType[*awsapi.BrokenAnswerError](err); ok {
		return "the answer broke off, each time it was asked for"
	}
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		return Foreign
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return "the connection failed; see the endpoint, the subnet's route and the VPC endpoint"
	}
	return "it could not be asked"
}

// Item returns what one item's error in the answer to a batch means.
func Item(p Place, code, message string) error {
	kind := Kind(code, message)
	return &params.Error{Kind: kind, Service: p.Service, Name: p.Name, Text: text(p, kind, code),
		Err: &smithy.GenericAPIError{Code: code, Message: message}}
}
