package params

import (
	"errors"
	"fmt"
	"testing"
)

func TestAFailureHasATellingName(t *testing.T) {
	for _, tt := range []struct {
		service string
		kind    Kind
		want    string
	}{
		{"secretsmanager", NotFound, "SecretNotFound"},
		{"secretsmanager", Deleted, "SecretDeleted"},
		{"secretsmanager", Denied, "SecretAccessDenied"},
		{"secretsmanager", Undecryptable, "SecretUndecryptable"},
		{"secretsmanager", Invalid, "SecretInvalid"},
		{"secretsmanager", Unavailable, "SourceUnavailable"},
		{"secretsmanager", Unanswered, "SourceUnavailable"},
		{"secretsmanager", Throttled, "SourceThrottled"},
		{"ssm", NotFound, "ParameterNotFound"},
		{"ssm", Denied, "ParameterAccessDenied"},
		{"ssm", Unsupported, "ParameterInvalid"},
		{"env", NotFound, "ValueNotFound"},
		{"vault", Denied, "ValueAccessDenied"},
		{"", 0, "SourceUnavailable"},
	} {
		err := fmt.Errorf("orders: %w", &Error{Kind: tt.kind, Service: tt.service, Name: "a", Err: errors.New("x")})
		named, ok := errors.AsType[interface {
			error
			ErrorCode() string
		}](err)
		if !ok || named.ErrorCode() != tt.want {
			t.Errorf("%v of %s is reported as %v; want %s", tt.kind, tt.service, named, tt.want)
		}
	}
	for _, tt := range []struct {
		err  interface{ ErrorCode() string }
		want string
	}{{&StaleError{Service: "secretsmanager"}, "SecretTooOld"}, {&DecodeError{Service: "ssm"}, "ParameterMalformed"}, {&DecodeError{}, "ValueMalformed"}} {
		if got := tt.err.ErrorCode(); got != tt.want {
			t.Errorf("%T is reported as %s; want %s", tt.err, got, tt.want)
		}
	}
	s := New(Config{})
	_ = s.Close(t.Context())
	_, err := s.Lookup(t.Context(), newFake().ref("a"))
	if e, ok := err.(interface{ ErrorCode() string }); !errors.Is(err, ErrClosed) || !ok || e.ErrorCode() != "StoreClosed" {
		t.Errorf("a closed Store: %#v; want ErrClosed, named StoreClosed", err)
	}
}

func TestTheFailureOfABatchNamesNoKey(t *testing.T) {
	for name, want := range map[string]string{"": "params: ssm: text", "/a": `params: ssm "/a": text`} {
		if got := (&Error{Kind: Invalid, Service: "ssm", Name: name, Text: "text"}).Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
