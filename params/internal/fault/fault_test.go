package fault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/gomiddy/middy/params"
)

func Example() {
	err := Error(Place{Service: "secretsmanager", Name: "prod/db", Action: "secretsmanager:GetSecretValue", Resource: "arn:…:secret:prod/db-??????"},
		&smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"})
	fmt.Println(params.KindOf(err), "/", err)
	// Output: denied / params: secretsmanager "prod/db": access denied; allow secretsmanager:GetSecretValue on arn:…:secret:prod/db-??????: api error AccessDeniedException: no
}

func TestKind(t *testing.T) {
	for _, tt := range []struct {
		code, message string
		want          params.Kind
		says          string
	}{
		{"ThrottlingException", "", params.Throttled, "too many requests"},
		{"RequestLimitExceeded", "", params.Throttled, "too many requests"},
		{"ResourceNotFoundException", "", params.NotFound, "create it or correct the name"},
		{"ParameterNotFound", "", params.NotFound, "create it"},
		{"DecryptionFailure", "", params.Undecryptable, "kms:Decrypt"},
		{"AccessDeniedException", "Access to KMS is not allowed", params.Undecryptable, "kms:Decrypt"},
		{"AccessDeniedException", "not authorized to perform", params.Denied, "allow ACTION on RESOURCE"},
		{"InvalidRequestException", "because it was marked for deletion", params.Deleted, "restore it"},
		{"InvalidRequestException", "currently marked deleted", params.Deleted, "restore it"},
		{"InvalidRequestException", "another", params.Invalid, "check the name"},
		{"InvalidParameterException", "", params.Invalid, "check the name"},
		{"UnknownOperationException", "", params.Unsupported, "does not know ACTION"},
		{"InternalServiceError", "", params.Unavailable, "the service failed"},
		{"ExpiredTokenException", "", params.Unavailable, "session"},
		{"InvalidSignatureException", "", params.Unavailable, "signature was rejected"},
		{"UnrecognizedClientException", "", params.Unavailable, "credentials are missing or unknown"},
		{"Whatever", "", params.Unavailable, "the service failed"},
	} {
		p := Place{Service: "s", Name: "n", Action: "ACTION", Resource: "RESOURCE"}
		cause := &smithy.GenericAPIError{Code: tt.code, Message: tt.message}
		for _, err := range []error{Error(p, fmt.Errorf("op: %w", cause)), Item(p, tt.code, tt.message)} {
			if params.KindOf(err) != tt.want || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s %q: %v %v", tt.code, tt.message, params.KindOf(err), err)
			}
			if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != tt.code {
				t.Error("the cause is lost:", err)
			}
		}
	}
}

func TestSilence(t *testing.T) {
	for says, cause := range map[string]error{
		"no answer in time": context.DeadlineExceeded, "was cancelled": context.Canceled, "cannot be resolved": &net.OpError{Err: &net.DNSError{}},
		"the connection failed": &net.OpError{Op: "dial", Err: errors.New("refused")}, "could not be asked": errors.New("x"),
	} {
		err := Error(Place{Service: "s", Name: "n"}, fmt.Errorf("op: %w", cause))
		if !errors.Is(err, params.ErrUnavailable) || !errors.Is(err, cause) || !strings.Contains(err.Error(), says) {
			t.Error(err)
		}
	}
	if Error(Place{}, nil) != nil {
		t.Error("no error became one")
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	err := func(p Place) string {
		return Error(p, &smithy.GenericAPIError{Code: "ResourceNotFoundException"}).Error()
	}
	if s := err(Place{Version: "v7"}); !strings.Contains(s, "it has no version v7") {
		t.Error(s)
	}
	if s := err(Place{Stage: "AWSPENDING"}); !strings.Contains(s, "the label AWSPENDING") {
		t.Error(s)
	}
}
