package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"

	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/emulator/sigv4"
)

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,127}=?=?$`)

// callback is the management API.
// https://docs.aws.amazon.com/apigatewaymanagementapi/latest/api/
func (a *API) callback(w http.ResponseWriter, r *http.Request, escaped string) {
	w.Header().Set("X-Amzn-Requestid", runtimeapi.NewRequestID())
	if r.Header.Get("Origin") != "" {
		refuse(w, http.StatusForbidden, "ForbiddenException", "the callback API does not answer web pages")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxMessage))
	if err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			refuse(w, http.StatusRequestEntityTooLarge, "PayloadTooLargeException", "Message too long")
		}
		return // or the caller has left
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if refused := a.verify(r); refused != nil {
		refuse(w, http.StatusForbidden, refused.Code(sigv4.JSON), refused.Message(sigv4.JSON))
		return
	}
	id, err := url.PathUnescape(escaped)
	if err != nil || !validID.MatchString(id) {
		refuse(w, http.StatusBadRequest, "BadRequestException", fmt.Sprintf("Invalid connectionId: %s", id))
		return
	}
	switch r.Method {
	case http.MethodPost:
		err = a.Send(r.Context(), id, body)
	case http.MethodDelete:
		err = a.Disconnect(id)
	case http.MethodGet:
		a.describe(w, id)
		return
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		refuse(w, http.StatusMethodNotAllowed, "BadRequestException", "use GET, POST or DELETE")
		return
	}
	switch {
	case err != nil:
		gone(w)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	}
}

// verify returns why the signature is not accepted.
func (a *API) verify(r *http.Request) *sigv4.Error {
	if a.cfg.Verifier == nil {
		return nil
	}
	at := sigv4.Endpoint{Service: "execute-api"}
	if a.cfg.Region != "" {
		at.Regions = []string{a.cfg.Region}
	}
	_, err := a.cfg.Verifier.Verify(r, at)
	refused, _ := errors.AsType[*sigv4.Error](err)
	return refused // the body is in memory: there is no other error
}

func (a *API) describe(w http.ResponseWriter, id string) {
	c := a.find(id)
	if c == nil {
		gone(w)
		return
	}
	c.mu.Lock()
	active := c.lastActive
	c.mu.Unlock()
	answer(w, http.StatusOK, "", map[string]any{
		"connectedAt": timestamp(c.connected), "identity": c.identity, "lastActiveAt": timestamp(active),
	})
}

// gone is 410 GoneException, which has no message.
func gone(w http.ResponseWriter) {
	answer(w, http.StatusGone, "GoneException", map[string]any{"message": nil})
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	answer(w, status, code, map[string]string{"message": text})
}
