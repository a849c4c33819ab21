// Command sse streams: server-sent events, each of which reaches the browser when it
// is written, from a function URL in the invoke mode RESPONSE_STREAM. It writes a text
// word by word, as a language model does.
//
//	go run ./cmd/middy dev --front url --stream --timeout 1m --port 3000 ./examples/sse
//	curl -sN 'localhost:3000/words?every=300ms'
//	open http://localhost:3000
//
// web.Stream in place of web.Handler is the only difference to any other function.
// The handler is net/http's, with http.ResponseController to flush: it streams from
// http.ListenAndServe as well.
//
// A browser that loses the connection comes back by itself and says which event was
// the last it got, in Last-Event-ID; the stream goes on from there. Each stream is one
// invocation and ends with it: at the function's timeout, which is three seconds
// unless you set it, and 15 minutes at most.
package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/web"
)

func main() {
	middy.Start(web.Stream(routes()))
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, page)
	})
	mux.HandleFunc("GET /words", words)
	return mux
}

const text = "An onion has layers; a request goes in through all of them and its answer comes out through all of them."

// words writes one event for each word: the HTML standard, section 9.2.
func words(w http.ResponseWriter, r *http.Request) {
	every, err := pause(r.URL.Query().Get("every"))
	if err != nil {
		web.WriteError(w, r, err)
		return
	}
	all := strings.Fields(text)
	from := 0
	if n, err := fmt.Sscanf(r.Header.Get("Last-Event-ID"), "%d", &from); n != 1 || err != nil || from < 0 {
		from = 0
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	stream := http.NewResponseController(w)
	for i, word := range all {
		if i < from {
			continue
		}
		if i > from && !wait(r.Context(), every) {
			return // the client has left, or the function's time is up
		}
		if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", i+1, word); err != nil {
			return
		}
		if err := stream.Flush(); err != nil {
			return
		}
	}
	// Without this the browser would come back for more.
	_, _ = fmt.Fprint(w, "event: end\ndata:\n\n")
}

func pause(every string) (time.Duration, error) {
	if every == "" {
		return 300 * time.Millisecond, nil
	}
	d, err := time.ParseDuration(every)
	if err != nil || d < 0 || d > time.Hour {
		return 0, web.Errorf(http.StatusBadRequest, "every must be a duration of at most an hour, such as 300ms")
	}
	return d, nil
}

// wait reports whether the time has passed.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

const page = `<!doctype html>
<title>Words</title>
<p id="words"></p>
<script>
const source = new EventSource("/words");
source.onmessage = e => document.getElementById("words").append(e.data + " ");
source.addEventListener("end", () => source.close());
</script>
`
