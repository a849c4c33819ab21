package freshsign

import (
	"errors"
	"net/http"
	"strings"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// aboutSignature reports whether a service says with code that it did not accept the signature. All of them also
// stand for a wrong key, so the code alone is no evidence of age. AccessDenied is not among them: it is an answer.
func aboutSignature(code string) bool {
	switch code {
	case "InvalidSignatureException", "InvalidSignature", "SignatureDoesNotMatch", "RequestTimeTooSkewed",
		"RequestExpired", "RequestInTheFuture", "AuthFailure":
		return true
	}
	return false
}

// aboutSession reports whether code says that the credentials are not, or no longer, known.
func aboutSession(code string) bool {
	switch code {
	case "ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId":
		return true
	}
	return false
}

// Evidence is what a rejected pass left behind.
type evidence struct {
	code    string
	head    bool      // the answer to a HEAD request, which has no body to carry a code
	signed  time.Time // the date in the signature of the request that was answered
	server  time.Time // the service's clock
	request string    // the service's request id
}

// age is how late the signature arrived, and whether both instants are known.
func (v evidence) age() (time.Duration, bool) {
	if v.signed.IsZero() || v.server.IsZero() {
		return 0, false
	}
	return v.server.Sub(v.signed), true
}

func gather(c *call, md middleware.Metadata, err error) evidence {
	var v evidence
	var api smithy.APIError
	if !errors.As(err, &api) {
		return v
	}
	v.code = api.ErrorCode()
	v.request, _ = awsmiddleware.GetRequestIDMetadata(md)
	if c.sig.signer != nil {
		v.signed = c.sig.at.service()
	}
	if resp, ok := awsmiddleware.GetRawResponse(md).(*smithyhttp.Response); ok {
		v.server = serverDate(resp.Header)
		if resp.Request != nil {
			v.head = resp.Request.Method == http.MethodHead
			if t, err := time.Parse(dateLayout, resp.Request.Header.Get(dateHeader)); err == nil {
				v.signed = t
			}
		}
	}
	// The message is the service's own arithmetic, and beats a Date that a proxy may have written.
	if signed, server, ok := instants(api.ErrorMessage()); ok {
		v.signed, v.server = signed, server
	}
	return v
}

// instants reads the instants out of the two sentences that AWS uses:
//
//	Signature expired: 20250116T095814Z is now earlier than 20250116T095815Z (20250116T100315Z - 5 min.)
//	Signature not yet current: 20250116T100901Z is still later than 20250116T100900Z (20250116T100400Z + 5 min.)
//
// The first is the signature's, the last the service's; the one between is the edge of the window.
func instants(message string) (signed, server time.Time, ok bool) {
	_, rest, found := strings.Cut(message, "Signature expired: ")
	if !found {
		if _, rest, found = strings.Cut(message, "Signature not yet current: "); !found {
			return signed, server, false
		}
	}
	first, rest, _ := strings.Cut(rest, " ")
	_, last, found := strings.Cut(rest, "(")
	if !found {
		return signed, server, false
	}
	last, _, _ = strings.Cut(last, " ")
	signed, err1 := time.Parse(dateLayout, first)
	server, err2 := time.Parse(dateLayout, last)
	if err1 != nil || err2 != nil {
		return time.Time{}, time.Time{}, false
	}
	return signed, server, true
}

// rejected counts the attempts of a pass that failed by their signature. More than one means that the SDK has learned
// to retry them by itself.
func rejected(md middleware.Metadata) (n int) {
	results, _ := retry.GetAttemptResults(md)
	for _, r := range results.Results {
		var api smithy.APIError
		if errors.As(r.Err, &api) && aboutSignature(api.ErrorCode()) {
			n++
		}
	}
	return n
}
