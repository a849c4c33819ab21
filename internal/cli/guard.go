package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gomiddy/middy/emulator/lambda"
	"github.com/gomiddy/middy/internal/loopback"
)

// guard refuses what a web page in the developer's browser could send: another
// Host (DNS rebinding), and for Lambda's own API any Origin. The front door takes
// any Origin, for the function's CORS is the function's business.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !loopback.Host(r.Host):
			http.Error(w, fmt.Sprintf("middy dev answers to localhost only, and not to %q", visible(r.Host)), http.StatusForbidden)
		case lambda.Match(r) && r.Header.Get("Origin") != "":
			http.Error(w, "the Invoke API of middy dev does not answer web pages", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

const (
	// bodyWait is how long nothing may come of a request that has begun, as API
	// Gateway and load balancers bound it, too. The same holds for its headers.
	bodyWait = 10 * time.Second
	// bodyLimit is how long the whole body may take.
	bodyLimit = time.Minute
	// maxBody is the most that any door takes, 10 MB; the door itself refuses one
	// byte more in its own words.
	maxBody = 10<<20 + 1
)

// wholeBody reads a request's body before anything is asked of the function: one
// that does not come ends with 408, one that is malformed with 400, and a client that
// leaves meanwhile is noticed. A door has no more to read; the Invoke API reports what
// went wrong in its own words.
func wholeBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		body, err := readBody(w, r)
		switch {
		case err == nil:
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		case lambda.Match(r):
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
			next.ServeHTTP(w, r)
		case errors.Is(err, os.ErrDeadlineExceeded):
			w.Header().Set("Connection", "close")
			http.Error(w, "middy dev: the request's body did not come in time", http.StatusRequestTimeout)
		default:
			w.Header().Set("Connection", "close")
			http.Error(w, "middy dev: the request's body is malformed", http.StatusBadRequest)
		}
	})
}

// A broken reader fails.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// readBody reads at most maxBody bytes. The deadline is taken back when the body has
// ended, so that it does not hit the watch that net/http keeps for a client that
// leaves; otherwise it bounds what net/http still reads of the body.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	last := time.Now().Add(bodyLimit)
	var body bytes.Buffer
	buf := make([]byte, 32<<10)
	for limited := io.LimitReader(r.Body, maxBody); ; {
		soon := time.Now().Add(bodyWait)
		if soon.After(last) {
			soon = last
		}
		_ = control.SetReadDeadline(soon) // a writer that has no deadline is a test's
		n, err := limited.Read(buf)
		body.Write(buf[:n])
		switch {
		case errors.Is(err, io.EOF) && body.Len() < maxBody:
			_ = control.SetReadDeadline(time.Time{})
			return body.Bytes(), nil
		case errors.Is(err, io.EOF):
			return body.Bytes(), nil
		case err != nil:
			return body.Bytes(), err
		}
	}
}
