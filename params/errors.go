package params

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Kind says what a failure means to the cache.
type Kind int

const (
	// Unavailable: no answer, or one that says nothing about the value (5xx,
	// time-out, connection, DNS, a rejected signature). The old value stays.
	Unavailable Kind = iota + 1 //mutate:equivalent `1 -> (1+1)`: any number but 0
	// Throttled: too many requests, here or at KMS. The old value stays.
	Throttled
	// NotFound: there is no such value, or not in that version or stage.
	NotFound
	// Deleted: it is scheduled for deletion.
	Deleted
	// Denied: these credentials may not read it.
	Denied
	// Undecryptable: KMS refuses to decrypt it.
	Undecryptable
	// Invalid: the request itself is wrong, such as a malformed name.
	Invalid
	// Unsupported: the source does not know the request at all, such as a batch
	// to an old emulator.
	Unsupported
	// Unanswered: a batch answered without a word about this key.
	Unanswered
)

// Conditions that [errors.Is] finds in the errors of this package.
var (
	ErrUnavailable   = errors.New("params: the source is unavailable")
	ErrThrottled     = errors.New("params: the source is throttling")
	ErrNotFound      = errors.New("params: not found")
	ErrDenied        = errors.New("params: access denied")
	ErrUndecryptable = errors.New("params: cannot be decrypted")
	ErrInvalid       = errors.New("params: invalid request")
	// ErrStale: a value is too old to be used; see [StaleError].
	ErrStale = errors.New("params: the value is too old")
	// ErrDecode: a value is not what its declaration says; see [DecodeError].
	ErrDecode = errors.New("params: the value is not what its declaration says")
	// ErrClosed: the Store was closed and its values wiped.
	ErrClosed error = closedError{}
)

// closedError has a name to be reported by.
type closedError struct{}

func (closedError) Error() string     { return "params: the store is closed" }
func (closedError) ErrorCode() string { return "StoreClosed" }

func (k Kind) sentinel() error {
	switch k {
	case Throttled:
		return ErrThrottled
	case NotFound, Deleted:
		return ErrNotFound
	case Denied:
		return ErrDenied
	case Undecryptable:
		return ErrUndecryptable
	case Invalid, Unsupported:
		return ErrInvalid
	}
	return ErrUnavailable
}

// String is one word, for events.
func (k Kind) String() string {
	switch k {
	case Unavailable:
		return "unavailable"
	case Throttled:
		return "throttled"
	case NotFound:
		return "not_found"
	case Deleted:
		return "deleted"
	case Denied:
		return "denied"
	case Undecryptable:
		return "undecryptable"
	case Invalid:
		return "invalid"
	case Unsupported:
		return "unsupported"
	case Unanswered:
		return "unanswered"
	}
	return ""
}

// forbidsStale reports whether the answer is about the value: then the old one
// may not be served for long.
func (k Kind) forbidsStale() bool {
	switch k {
	case NotFound, Deleted, Denied, Undecryptable:
		return true
	}
	return false
}

// An Error says why a value could not be fetched. errors.Is finds its Kind's
// sentinel; errors.As reaches the source's own error.
type Error struct {
	Kind Kind
	// Service and Name say which value.
	Service, Name string
	// Text is what happened and what to do, in one clause.
	Text string
	// Err is the source's own error.
	Err error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("params: " + e.Service)
	if e.Name != "" { // the failure of a batch has none
		fmt.Fprintf(&b, " %q", e.Name)
	}
	b.WriteString(": ")
	switch {
	case e.Text != "":
		b.WriteString(e.Text)
	default:
		b.WriteString(strings.TrimPrefix(e.Kind.sentinel().Error(), "params: "))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Is reports whether target is the sentinel of e's Kind.
func (e *Error) Is(target error) bool { return target == e.Kind.sentinel() }

// Unwrap returns the source's own error.
func (e *Error) Unwrap() error { return e.Err }

// ErrorCode is the name by which Lambda reports the failure, and by which a state
// machine's ErrorEquals or an alarm can match it: SecretNotFound, SecretDeleted,
// SecretAccessDenied, SecretUndecryptable, SecretInvalid; for Parameter Store
// Parameter..., for any other source Value...; and SourceUnavailable,
// SourceThrottled.
func (e *Error) ErrorCode() string {
	what := subject(e.Service)
	switch e.Kind {
	case Throttled:
		return "SourceThrottled"
	case NotFound:
		return what + "NotFound"
	case Deleted:
		return what + "Deleted"
	case Denied:
		return what + "AccessDenied"
	case Undecryptable:
		return what + "Undecryptable"
	case Invalid, Unsupported:
		return what + "Invalid"
	}
	return "SourceUnavailable"
}

// subject is what a service has, in names of errors.
func subject(service string) string {
	switch service {
	case "secretsmanager":
		return "Secret"
	case "ssm":
		return "Parameter"
	}
	return "Value"
}

// KindOf returns what err means to the cache: the Kind of the [*Error] in its
// chain, or [Unavailable].
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Unavailable
}

// A StaleError says that the source has not confirmed a value for as long as
// MaxStale allows, so that it may no longer be served.
type StaleError struct {
	Service, Name string
	// Confirmed is when the source last said that the value is the current one.
	Confirmed time.Time
	// Age is how long ago that was, and Limit how long it might have been:
	// MaxStale, or the TTL where that is longer. Zero: it must be confirmed
	// before every use.
	Age, Limit time.Duration
	// Err is why it could not be confirmed since.
	Err error
}

func (e *StaleError) Error() string {
	limit := fmt.Sprintf("its limit is %s, and it could not be confirmed since", e.Limit.Round(time.Millisecond))
	if e.Limit == 0 {
		limit = "must be confirmed before every use, and could not be"
	}
	return fmt.Sprintf("params: %s %q was last confirmed %s ago (at %s), %s: %v",
		e.Service, e.Name, e.Age.Round(time.Second), e.Confirmed.UTC().Format(time.RFC3339), limit, e.Err)
}

// ErrorCode is SecretTooOld, ParameterTooOld or ValueTooOld; see [Error.ErrorCode].
func (e *StaleError) ErrorCode() string { return subject(e.Service) + "TooOld" }

// Is reports whether target is [ErrStale].
func (e *StaleError) Is(target error) bool { return target == ErrStale }

// Unwrap returns why the value could not be confirmed.
func (e *StaleError) Unwrap() error { return e.Err }

// A DecodeError says that a value is not what its declaration says. It never
// carries any of the content, not even a character of it.
type DecodeError struct {
	Service, Name, Version string
	// Field is the path that was asked for, if any.
	Field string
	// Want is the Go type, Reason what is wrong.
	Want, Reason string
}

func (e *DecodeError) Error() string {
	what := fmt.Sprintf("params: %s %q", e.Service, e.Name)
	if e.Field != "" {
		what += fmt.Sprintf(", field %q,", e.Field)
	}
	if e.Version != "" {
		what += fmt.Sprintf(" (version %s)", e.Version)
	}
	return fmt.Sprintf("%s is not a %s: %s", what, e.Want, e.Reason)
}

// ErrorCode is SecretMalformed, ParameterMalformed or ValueMalformed; see
// [Error.ErrorCode].
func (e *DecodeError) ErrorCode() string { return subject(e.Service) + "Malformed" }

// Is reports whether target is [ErrDecode].
func (e *DecodeError) Is(target error) bool { return target == ErrDecode }
