package awsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/restjson"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	serializerID   = "OperationSerializer"
	deserializerID = "OperationDeserializer"

	// maxResponse bounds what is read of an answer. The largest, twenty secrets
	// of 64 KiB each with every byte escaped, has 8 MiB.
	maxResponse = 16 << 20
)

type serialize struct{ target string }

func (*serialize) ID() string { return serializerID }

func (m *serialize) HandleSerialize(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
	out middleware.SerializeOutput, md middleware.Metadata, err error,
) {
	req, err := smithyRequest(in.Request)
	if err != nil {
		return out, md, &smithy.SerializationError{Err: err}
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(in.Parameters); err != nil {
		return out, md, &smithy.SerializationError{Err: err}
	}
	req.Method, req.URL.Path = http.MethodPost, "/"
	req.Header.Set("X-Amz-Target", m.target)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req, err = req.SetStream(bytes.NewReader(bytes.TrimRight(body.Bytes(), "\n")))
	if err != nil {
		return out, md, &smithy.SerializationError{Err: err}
	}
	in.Request = req
	return next.HandleSerialize(ctx, in)
}

type deserialize struct{ out any }

func (*deserialize) ID() string { return deserializerID }

func (m *deserialize) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, md middleware.Metadata, err error,
) {
	out, md, err = next.HandleDeserialize(ctx, in)
	resp, ok := out.RawResponse.(*smithyhttp.Response)
	switch {
	case ok:
		defer func() { smithyhttp.CloseResponseBody(ctx, resp, false, err) }()
	case err == nil:
		err = &smithy.DeserializationError{Err: fmt.Errorf("no HTTP response but %T", out.RawResponse)}
	}
	if err != nil {
		return out, md, err
	}

	success := resp.StatusCode >= 200 && resp.StatusCode <= 299
	body, err := readBody(resp.Body, resp.ContentLength)
	if success && m.out == nil {
		return out, md, nil // the status line has said it all: a message is not sent twice
	}
	if err != nil {
		if !errors.Is(err, errTooLong) {
			err = &BrokenAnswerError{Err: err}
		}
		err = &smithy.DeserializationError{Err: fmt.Errorf("read the response: %w", err)}
		return out, md, err
	}
	if !success {
		err = apiError(resp.Header, body)
		return out, md, err
	}
	defer clear(body) // it may hold a secret
	out.Result = m.out
	if json.Unmarshal(body, m.out) != nil {
		// Its own error quotes what it read.
		err = &smithy.DeserializationError{Err: fmt.Errorf("the response of %d bytes is not the JSON that the operation answers with", len(body))}
		return out, md, err
	}
	return out, md, nil
}

// A BrokenAnswerError says that the connection failed after the status line. The
// SDK's retryers take it for the failed connection that it is, and ask again.
// That is safe for the operations that have an answer here: all of them read.
type BrokenAnswerError struct{ Err error }

func (e *BrokenAnswerError) Error() string {
	return fmt.Sprintf("the answer broke off before its end: %v", e.Err)
}

// Unwrap returns what the connection said.
func (e *BrokenAnswerError) Unwrap() error { return e.Err }

// ConnectionError is true: [retry.RetryableConnectionError] asks.
func (e *BrokenAnswerError) ConnectionError() bool { return true }

var errTooLong = errors.New("it is too long")

// readBody reads into one buffer where the length is known, so that no copy of
// a secret is left behind by growing.
func readBody(r io.Reader, length int64) ([]byte, error) {
	if length > maxResponse {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", errTooLong, length, maxResponse)
	}
	if length >= 0 {
		body := make([]byte, length)
		_, err := io.ReadFull(r, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(r, maxResponse+1))
	if len(body) > maxResponse {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLong, maxResponse)
	}
	return body, err
}

// apiError is what the service says. A body that is not JSON, such as a
// proxy's page, is an unknown error, not a second failure that hides the first.
func apiError(h http.Header, body []byte) error {
	var info struct {
		Code    json.RawMessage `json:"code"`
		Type    string          `json:"__type"`
		Message string          `json:"message"`
	}
	code := h.Get("X-Amzn-ErrorType")
	jsonErr := error(nil)
	if len(body) > 0 {
		jsonErr = json.Unmarshal(body, &info)
	}
	if code == "" {
		code = info.Type
	}
	if code == "" {
		_ = json.Unmarshal(info.Code, &code) // a number, in some errors: not a code
	}
	code = firstLine(restjson.SanitizeErrorCode(code), maxCode)
	if code == "" {
		code = "UnknownError"
	}
	message := firstLine(info.Message, maxMessage)
	if message == "" {
		message = "UnknownError"
		if jsonErr != nil {
			message = fmt.Sprintf("the answer of %d bytes is not AWS's: a proxy or another server sent it", len(body))
		}
	}
	return &smithy.GenericAPIError{Code: code, Message: message}
}

// What of an error goes on, in bytes: it ends up in logs, and a failure is remembered.
const (
	maxCode    = 128
	maxMessage = 2 << 10
)

// firstLine is one line of at most n bytes, without control characters. What follows the
// first line of a rejected signature is the canonical request, session token included.
func firstLine(s string, n int) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		s = s[:i]
	}
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
