package layer_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web/internal/layer"
)

func handle(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }

func refused(f func()) (message string) {
	defer func() {
		if err, ok := recover().(error); ok {
			message = err.Error()
		}
	}()
	f()
	return ""
}

func TestADecoratorInsideOfWhatRefusesIsFoundAtTheStart(t *testing.T) {
	t.Parallel()
	mux := http.HandlerFunc(handle)
	cors := layer.Decorates("cors", handle)
	for name, c := range map[string]struct {
		next http.Handler
		bad  bool
	}{
		"a handler":                        {mux, false},
		"a decorator":                      {cors, true},
		"a decorator below another layer":  {layer.Passes(layer.Passes(cors, handle), handle), true},
		"layers without a decorator":       {layer.Passes(mux, handle), false},
		"a decorator behind a strange mux": {http.StripPrefix("/v1", cors), false},
	} {
		got := refused(func() { layer.Refuses("jsonbody", c.next) })
		if c.bad != strings.Contains(got, "put web/cors outside: cors(… jsonbody(mux))") {
			t.Errorf("%s inside of jsonbody: got %q, want a refusal: %t", name, got, c.bad)
		}
	}
}

func TestALayerServesAsItsHandlerDoes(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.Handler{"decorates": layer.Decorates("cors", handle), "passes": layer.Passes(layer.Decorates("cors", handle), handle)} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != http.StatusTeapot {
			t.Errorf("%s: got %d, want 418", name, w.Code)
		}
	}
}
