package apps_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomiddy/middy/proof/apps"
	"github.com/gomiddy/middy/proof/doors"
)

// A request is one that each application gets in each place.
type request struct {
	name, method, path string
	header             http.Header
	body               []byte
}

func requests(t *testing.T) []request {
	form, kind := upload(t, 256<<10)
	small, smallKind := upload(t, 10)
	get := func(name, path string) request { return request{name: name, method: "GET", path: path} }
	list := []request{
		get("a blank in a path value", "/files/It%20is"),
		get("UTF-8 in a path value", "/files/caf%C3%A9"),
		get("a percent sign in a path value", "/files/100%25"),
		get("a slash in a path value", "/files/a%2Fb"),
		get("OData parentheses", "/files/Products('x')"),
		get("reserved characters", "/files/a!b*c,d;e=f"),
		get("a file with a blank", "/static/a%20b.txt"),
		get("a file with a percent sign", "/static/100%25.txt"),
		get("a file in UTF-8", "/static/caf%C3%A9.txt"),
		get("no such file", "/static/none.txt"),
		get("no such route", "/nowhere"),
		get("what a handler sees of a path", "/describe/a%20b/caf%C3%A9/x"),
		get("what a handler sees of an encoded slash", "/describe/a%2Fb"),
		get("what a handler sees of a query", "/describe/q?b=2&a=1&a=%20x&c=%2F"),
		get("server-sent events", "/events"),
		get("the client's address", "/ip"),
		get("a redirect", "/old"),
		get("no content", "/empty"),
		get("cookies", "/cookies"),
		get("JSON", "/json"),
		get("a proxy", "/proxy/whole"),
		get("a proxy whose backend breaks off", "/proxy/broken"),
		{"a HEAD", "HEAD", "/json", nil, nil},
		{"text", "POST", "/describe/t", http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, []byte("grüße\n")},
		{"bytes", "PUT", "/describe/b", http.Header{"Content-Type": {"application/octet-stream"}}, []byte{0, 1, 0xff, 0xfe}},
		{"a form", "POST", "/describe/f", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte("a=1&b=%20")},
		{"an upload that goes to the disk", "POST", "/upload", http.Header{"Content-Type": {kind}}, form},
		{"an upload that stays in memory", "POST", "/upload", http.Header{"Content-Type": {smallKind}}, small},
		{"an upload that is none", "POST", "/upload", http.Header{"Content-Type": {"text/plain"}}, []byte("x")},
	}
	return list
}

func upload(t *testing.T, size int) ([]byte, string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary("a-boundary-that-does-not-change"); err != nil {
		t.Fatal(err)
	}
	part, err := w.CreateFormFile("file", "image é.png")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(bytes.Repeat([]byte{0x89, 'P', 0, 0xff}, size/4))
	_ = w.WriteField("note", "a b")
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

// An answer is what the client sees of one.
type answer struct {
	Status   int
	Type     string
	Length   string
	Location string
	Cookies  []string
	Body     string
	Broken   bool // the body ended too early
}

func (a answer) String() string {
	return fmt.Sprintf("%d %q length %q location %q cookies %q broken %v\n%s", a.Status, a.Type, a.Length, a.Location, a.Cookies, a.Broken, a.Body)
}

var port = regexp.MustCompile(`127\.0\.0\.1:\d+`)

func ask(t *testing.T, base string, q request) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), q.method, base+q.path, bytes.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = q.header.Clone()
	client := http.Client{
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		return answer{Broken: true, Body: "no response"}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a := answer{
		Status: resp.StatusCode, Type: resp.Header.Get("Content-Type"), Location: resp.Header.Get("Location"),
		Cookies: slices.Sorted(slices.Values(resp.Header["Set-Cookie"])),
		Body:    port.ReplaceAllString(string(body), "127.0.0.1:PORT"), Broken: err != nil,
	}
	if q.method == http.MethodHead {
		a.Length = resp.Header.Get("Content-Length")
	}
	return a
}

// A difference is one between net/http's server and a door that Lambda makes, and
// no adapter can mend. Each expression is matched whole; an empty one fits all.
type difference struct{ app, place, request, reason string }

var differences = []difference{
	{"", ".*", "a proxy whose backend breaks off", "a buffered answer that breaks off is the door's 5xx; a streamed one breaks off behind what was sent"},
	{"", "rest|rest-stream|http1|alb|alb-multi|lattice1|lattice", "what a handler sees of a query", "the event holds the query as a map of decoded values: their order and spelling are lost"},
	{"", "http", "(a slash in a path value|what a handler sees of an encoded slash)", "an HTTP API decodes the path before it makes the event"},
	{"", "alb|lattice1?", "cookies", "a header has one value here, and whether several spellings of Set-Cookie survive is not known"},
}

func known(app, place, request string) bool {
	fits := func(pattern, s string) bool {
		return pattern == "" || regexp.MustCompile("^(?:"+pattern+")$").MatchString(s)
	}
	return slices.ContainsFunc(differences, func(d difference) bool {
		return fits(d.app, app) && fits(d.place, place) && fits(d.request, request)
	})
}

// backend answers what the proxies ask.
func backend(t *testing.T) *url.URL {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			return
		}
		_, _ = io.WriteString(w, "whole")
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestApplicationsRunUnchangedBehindEveryDoor(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	up := backend(t)
	for name, app := range map[string]http.Handler{"chi": apps.Chi(up), "gin": apps.Gin(up), "echo": apps.Echo(up), "fiber": apps.Fiber(up)} {
		t.Run(name, func(t *testing.T) {
			own := httptest.NewServer(app)
			defer own.Close()
			list := requests(t)
			want := make([]answer, len(list))
			for i, q := range list {
				want[i] = ask(t, own.URL, q)
			}
			own.Close() // it removes the files of an upload after the response
			byItself := leftovers(t, tmp)
			if served := slices.ContainsFunc(want, func(a answer) bool { return a.Status == 200 && strings.Contains(a.Body, "on disk: true") }); !served && name != "fiber" {
				t.Fatal("no upload went to the disk by net/http: the test tests nothing")
			}
			for _, place := range doors.All {
				t.Run(place.Name, func(t *testing.T) {
					h, err := place.Wrap(app, nil)
					if err != nil {
						t.Fatal(err)
					}
					s := httptest.NewServer(h)
					defer s.Close()
					for i, q := range list {
						want, got := want[i], ask(t, s.URL, q)
						if want.Type == "" {
							got.Type = "" // a door has a default of its own
						}
						if got.Length == "" {
							want.Length = "" // a door may leave a HEAD's out, and must not say another
						}
						if fmt.Sprint(got) != fmt.Sprint(want) && !known(name, place.Name, q.name) {
							t.Errorf("%s: %s %s\ngot  %.600v\nwant %.600v", q.name, q.method, q.path, got, want)
						}
					}
					if n := leftovers(t, tmp); n != byItself { // fiber leaves one everywhere
						t.Errorf("uploads left %d files, and %d by net/http's server", n, byItself)
					}
				})
			}
		})
	}
}

// leftovers counts the files in a folder, and removes them.
func leftovers(t *testing.T, dir string) int {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "multipart-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	return len(left)
}

// What breaks off at the backend must not look whole at the client, whatever the
// door makes of it.
func TestAProxyThatBreaksOffIsNeverAWholeAnswer(t *testing.T) {
	up := backend(t)
	for name, app := range map[string]http.Handler{"chi": apps.Chi(up), "gin": apps.Gin(up), "echo": apps.Echo(up)} {
		for _, place := range doors.All {
			t.Run(name+"/"+place.Name, func(t *testing.T) {
				h, err := place.Wrap(app, nil)
				if err != nil {
					t.Fatal(err)
				}
				s := httptest.NewServer(h)
				defer s.Close()
				got := ask(t, s.URL, request{method: "GET", path: "/proxy/broken"})
				if ok := got.Broken || got.Status >= 500; !ok {
					t.Errorf("the client got %v, want a 5xx or an answer that breaks off", got)
				}
			})
		}
	}
}
