package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/web"
)

// problem is what a refusal looks like to a client.
type problem struct {
	Status int
	Detail string
	Errors []web.FieldError
}

// ask sends a request to h on the pattern, and returns the response.
func ask(t testing.TB, pattern string, h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(pattern, h)
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

func problemOf(t testing.TB, w *httptest.ResponseRecorder) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%d %s %q is no problem: %v", w.Code, w.Header().Get("Content-Type"), w.Body, err)
	}
	return p
}

// complaints are the field errors as "place: detail".
func complaints(p problem) []string {
	var all []string
	for _, f := range p.Errors {
		all = append(all, f.Pointer+f.In+" "+f.Parameter+": "+f.Detail)
	}
	return all
}

type level string

func (l *level) UnmarshalText(b []byte) error {
	if string(b) != "low" && string(b) != "high" {
		return errors.New("private reason")
	}
	*l = level(b)
	return nil
}

type paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
	Cursor string `query:"cursor" maxLength:"4"`
}

type everything struct {
	paging2
	Shop    string         `path:"shop" pattern:"^[a-z]+$"`
	Day     *time.Time     `query:"day"`
	Wait    time.Duration  `query:"wait" default:"1m30s"`
	Open    bool           `query:"open"`
	Rate    float64        `query:"rate" exclusiveMinimum:"0" exclusiveMaximum:"1"`
	Small   int8           `query:"small"`
	Count   uint16         `query:"count" enum:"1,2,3"`
	Tags    []string       `query:"tag" minItems:"1" maxItems:"3" minLength:"2"`
	Numbers []int          `header:"X-Numbers"`
	IPs     []*net.IP      `query:"ip"`
	Level   level          `query:"level"`
	Key     string         `header:"Idempotency-Key" format:"uuid"`
	Session string         `cookie:"session"`
	Host    string         `header:"Host"`
	Sorts   []string       `query:"sort" default:"name,age"`
	Opt     *string        `query:"opt"`
	Exact   json.Number    `query:"exact"`
	Unbound map[string]int `json:"-"`
}

type paging2 struct{ paging }

func echo[In any](got *In) http.Handler {
	return web.JSON(func(_ context.Context, in In) (struct{}, error) {
		*got = in
		return struct{}{}, nil
	})
}

func TestParametersAreBound(t *testing.T) {
	var got everything
	w := ask(t, "GET /shops/{shop}", echo(&got), "GET",
		"/shops/abc?day=2026-01-31T15:04:05Z&open=true&rate=0.5&small=-128&count=3&tag=aa&tag=bb&ip=192.0.2.1&level=high&opt=&exact=1.50&cursor=a%26%C3%A4", "",
		"X-Numbers", "1, 2", "x-numbers", "3,", "Idempotency-Key", "0192F0C4-0000-7000-8000-000000000000", "Cookie", "a=1; session=s1")
	if w.Code != 204 || w.Body.Len() != 0 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	ip := net.ParseIP("192.0.2.1")
	day := time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC)
	want := everything{
		paging2: paging2{paging{Limit: 20, Cursor: "a&ä"}}, Shop: "abc", Day: &day, Wait: 90 * time.Second, Open: true, Rate: 0.5, Small: -128, Count: 3,
		Tags: []string{"aa", "bb"}, Numbers: []int{1, 2, 3}, IPs: []*net.IP{&ip}, Level: "high", Key: "0192F0C4-0000-7000-8000-000000000000",
		Session: "s1", Host: "example.com", Sorts: []string{"name", "age"}, Opt: new(string), Exact: "1.50",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEveryWrongParameterIsNamedAtOnce(t *testing.T) {
	var got everything
	w := ask(t, "GET /shops/{shop}", echo(&got), "GET",
		"/shops/ABC?day=yesterday&wait=1&open=yes&rate=1&small=128&count=4&tag=a&ip=x&level=mid&limit=0&limit=1&cursor=%C3%A4%C3%A4%C3%A4%C3%A4%C3%A4&exact=0x10", "",
		"X-Numbers", "1,b", "Idempotency-Key", "1")
	p := problemOf(t, w)
	want := []string{
		"query limit: must be given once",
		"query cursor: must have at most 4 characters",
		"path shop: must match ^[a-z]+$",
		"query day: must be a date and time of RFC 3339, such as 2026-01-31T15:04:05Z",
		"query wait: must be a duration, such as 1m30s",
		"query open: must be true or false",
		"query rate: must be less than 1",
		"query small: must be between -128 and 127",
		"query count: must be one of 1, 2, 3",
		"query tag: must have at least 2 characters",
		"header X-Numbers: item 2 must be an integer",
		"query ip: is not valid",
		"query level: is not valid",
		"header Idempotency-Key: must be a UUID",
		"query exact: must be a number",
	}
	if got := complaints(p); w.Code != 422 || !slices.Equal(got, want) || p.Detail != "15 fields are invalid." {
		t.Errorf("%d %s\ngot  %q\nwant %q", w.Code, p.Detail, got, want)
	}
	if strings.Contains(w.Body.String(), "private") {
		t.Error("the reason of UnmarshalText reached the client")
	}
}

func TestParameterEdges(t *testing.T) {
	type in struct {
		N    int         `query:"n" required:"true"`
		U    uint8       `query:"u"`
		F    float32     `query:"f"`
		L    []string    `header:"X-List" maxItems:"2"`
		One  string      `header:"X-One"`
		E    json.Number `query:"e"`
		IP   net.IP      `query:"ip"`
		I    []int       `header:"X-I"`
		Rest string      `path:"rest"`
	}
	for _, c := range []struct {
		rule, query string
		header      []string
		want        string
	}{
		{"a required parameter that is missing", "", nil, "query n: is required"},
		{"an empty number", "n=", nil, "query n: must be an integer"},
		{"a fraction is no integer", "n=1.5", nil, "query n: must be an integer"},
		{"a negative unsigned", "n=1&u=-1", nil, "query u: must be at least 0"},
		{"an unsigned that is too large", "n=1&u=256", nil, "query u: must be between 0 and 255"},
		{"an integer that no int holds", "n=9223372036854775808", nil, "query n: must be between -9223372036854775808 and 9223372036854775807"},
		{"a float that is too large", "n=1&f=1e39", nil, "query f: is too large"},
		{"infinity is no number", "n=1&f=Inf", nil, "query f: must be a number"},
		{"two signs are no number", "n=1&e=1-2", nil, "query e: must be a number"},
		{"a hexadecimal is no number", "n=1&e=0x1p4", nil, "query e: must be a number"},
		{"a list that decodes itself is one value", "n=1&ip=192.0.2.1", nil, ""},
		{"a comma in a quoted element separates nothing", "n=1", []string{"X-I", `"1,2"`}, "header X-I: must be an integer"},
		{"too many elements of a list", "n=1", []string{"X-List", "a,b", "X-List", "c"}, "header X-List: must have at most 2 items"},
		{"lines of a scalar header are one value", "n=1", []string{"X-One", "a", "X-One", "b"}, ""},
		{"unknown parameters are nobody's", "n=1&x=2", nil, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var got in
			w := ask(t, "GET /{rest...}", echo(&got), "GET", "/r?"+c.query, "", c.header...)
			if c.want == "" {
				if w.Code != 204 {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
				return
			}
			if all := complaints(problemOf(t, w)); w.Code != 422 || !slices.Equal(all, []string{c.want}) {
				t.Errorf("%d %q, want %q", w.Code, all, c.want)
			}
		})
	}
	t.Run("nothing is malformed in a query", func(t *testing.T) {
		type in struct {
			Q   string `query:"q"`
			IDs []int  `query:"ids"`
		}
		for query, want := range map[string]string{"q=a;b": "a;b", "q=a&utm=x;y": "a", "q=100%": "100%", "q=%zz": "%zz", "%;=1&q=a+b": "a b"} {
			var got in
			if w := ask(t, "GET /", echo(&got), "GET", "/?"+query, ""); w.Code != 204 || got.Q != want {
				t.Errorf("%s: got %d and %q, want %q", query, w.Code, got.Q, want)
			}
		}
		for query, want := range map[string]string{
			"ids=1,2":       "ids query: must be an integer; for several values repeat the parameter, ids=…&ids=…",
			"ids=1&ids=2,3": "ids query: item 2 must be an integer",
			"ids=x":         "ids query: must be an integer",
		} {
			w := ask(t, "GET /", echo(new(in)), "GET", "/?"+query, "")
			if fields := problemOf(t, w).Errors; len(fields) != 1 || fields[0].Parameter+" "+fields[0].In+": "+fields[0].Detail != want {
				t.Errorf("%s: got %+v, want %s", query, fields, want)
			}
		}
	})
	t.Run("an integer is exact or refused", func(t *testing.T) {
		type in struct {
			N int64         `json:"n"`
			U uint64        `json:"u" maximum:"9007199254740991"`
			D time.Duration `json:"d"`
		}
		for body, want := range map[string]in{
			`{"n":9007199254740993.0}`:         {N: 9007199254740993},
			`{"n":-9007199254740993.00}`:       {N: -9007199254740993},
			`{"n":9223372036854775807.0}`:      {N: 9223372036854775807},
			`{"n":922337203685477580.7e1}`:     {N: 9223372036854775807},
			`{"n":-9.223372036854775808e18}`:   {N: -9223372036854775808},
			`{"n":-0.0,"u":0e5,"d":1e9}`:       {D: time.Second},
			`{"n":0e999999999}`:                {},
			`{"d":1.0,"u":9007199254740991.0}`: {D: 1, U: 9007199254740991},
		} {
			var got in
			if w := ask(t, "POST /", echo(&got), "POST", "/", body); w.Code != 204 || got != want {
				t.Errorf("%s: got %d and %+v, want %+v", body, w.Code, got, want)
			}
		}
		for _, body := range []string{`{"n":9223372036854775808.0}`, `{"n":0.5}`, `{"n":1e-400}`, `{"n":1.5}`, `{"n":1e19}`, `{"n":1e400}`, `{"n":1.` + strings.Repeat("0", 70) + `}`, `{"n":9007199254740992.5}`, `{"u":9007199254740992}`, `{"u":9007199254740993}`, `{"u":-1}`} {
			if w := ask(t, "POST /", echo(new(in)), "POST", "/", body); w.Code != 422 {
				t.Errorf("%s: got %d, want 422", body, w.Code)
			}
		}
	})
	t.Run("a route without the path parameter is the function's fault", func(t *testing.T) {
		if w := ask(t, "GET /{other}", echo(new(in)), "GET", "/r?n=1", ""); w.Code != 500 || strings.Contains(w.Body.String(), "rest") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("an empty path parameter is missing", func(t *testing.T) {
		w := ask(t, "GET /{rest...}", echo(new(in)), "GET", "/?n=1", "")
		if all := complaints(problemOf(t, w)); !slices.Equal(all, []string{"path rest: is required"}) {
			t.Errorf("%q", all)
		}
	})
}

type item struct {
	Name  string    `json:"name" required:"true" minLength:"1" maxLength:"5"`
	Price float64   `json:"price" minimum:"0"`
	Count int       `json:"count" default:"1"`
	Parts []item    `json:"parts" maxItems:"2"`
	When  time.Time `json:"when"`
}

type order struct {
	Shop    string            `path:"shop"`
	Item    item              `json:"item"`
	Items   []item            `json:"items" minItems:"1"`
	Labels  map[string]string `json:"labels" maxLength:"3" maxItems:"2"`
	Email   string            `json:"email" format:"email"`
	Blob    []byte            `json:"blob"`
	Any     any               `json:"any"`
	Raw     json.RawMessage   `json:"raw"`
	Level   *level            `json:"level"`
	Quoted  int64             `json:"quoted,string" maximum:"9"`
	Pair    [2]int            `json:"pair"`
	Flag    *bool             `json:"flag"`
	Wait    time.Duration     `json:"wait"`
	Exact   json.Number       `json:"exact"`
	Grid    [][]int           `json:"grid" maximum:"5"`
	Colours []string          `json:"colours" enum:"red,green"`
}

func TestTheBodyIsBound(t *testing.T) {
	var got order
	w := ask(t, "POST /{shop}", echo(&got), "POST", "/s", `
		{"items":[{"name":"a","parts":[{"name":"b","count":2}]}, {"NAME":"\u00e4\n"}], "labels" : {"k":"v"}, "email":"a@example.com",
		"blob":"aGk=","any":{"x":[1]},"raw": [1, 2] ,"level":"low","quoted":"7","pair":[1,2],"flag":false,"wait":5,"exact":1.50,
		"grid":[[1],[2,3]],"colours":["red"],"unknown":{"a":[1,{"b":"]"}]}, "item":null}`)
	if w.Code != 204 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	low, no := level("low"), false
	want := order{
		Shop: "s", Item: item{Count: 1}, Items: []item{{Name: "a", Count: 1, Parts: []item{{Name: "b", Count: 2}}}, {Name: "ä\n", Count: 1}}, Labels: map[string]string{"k": "v"},
		Email: "a@example.com", Blob: []byte("hi"), Any: map[string]any{"x": []any{1.0}}, Raw: json.RawMessage("[1, 2]"), Level: &low, Quoted: 7,
		Pair: [2]int{1, 2}, Flag: &no, Wait: 5, Exact: "1.50", Grid: [][]int{{1}, {2, 3}}, Colours: []string{"red"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEveryWrongMemberIsPointedAt(t *testing.T) {
	for _, c := range []struct {
		rule, body string
		want       []string
	}{
		{"nested, in arrays and maps", `{"items":[{"name":"a","price":-1},{"name":"abcdef","parts":[{"price":"1"}]},7],"labels":{"a/b~c d":"long","x":null},"grid":[[1],[2,6]]}`, []string{
			"#/items/0/price : must be at least 0",
			"#/items/1/name : must have at most 5 characters",
			"#/items/1/parts/0/price : must be a number",
			"#/items/1/parts/0/name : is required",
			"#/items/2 : must be an object",
			"#/labels/a~1b~0c%20d : must have at most 3 characters",
			"#/labels/x : must not be null",
			"#/grid/1/1 : must be at most 5",
		}},
		{"wrong types", `{"items":{},"labels":[],"email":1,"blob":"?","level":1,"quoted":5,"pair":[1],"flag":"true","wait":"1s","exact":"1","item":[],"colours":["blue"]}`, []string{
			"#/items : must be an array",
			"#/labels : must be an object",
			"#/email : must be a string",
			"#/blob : must be base64",
			"#/level : must be a string",
			"#/quoted : must be a string that holds the value",
			"#/pair : must have 2 items",
			"#/flag : must be true or false",
			"#/wait : must be an integer, in nanoseconds",
			"#/exact : must be a number",
			"#/item : must be an object",
			"#/colours/0 : must be one of red, green",
		}},
		{"counts", `{"items":[],"labels":{"a":"","b":"","c":""},"pair":[1,2,3],"quoted":"10"}`, []string{
			"#/items : must have at least 1 item",
			"#/labels : must have at most 2 items",
			"#/pair : must have 2 items",
			"#/quoted : must be at most 9",
		}},
		{"a member given twice, in whatever case", `{"email":"a@b.c","Email":"d@e.f"}`, []string{"#/email : is given twice"}},
		{"also when one of them is null", `{"email":null,"EMAIL":"a@b.c","level":"low","level":null}`, []string{"#/email : is given twice", "#/level : is given twice"}},
		{"a name of a map given twice, which are not two items", `{"labels":{"a":"1","a":"3"}}`, []string{"#/labels/a : is given twice"}},
		{"a name given twice in what decodes itself", `{"any":{"x":[{"a":1,"a":2}]},"raw":[{"a":1,"A":2}]}`, []string{
			"#/any : has a name that is given twice",
			"#/raw : has a name that is given twice",
		}},
		{"null counts as nothing", `{"items":[{"name":null}]}`, []string{"#/items/0/name : is required"}},
		{"numbers in strings that are none", `{"quoted":"null"}`, []string{"#/quoted : must be a string that holds the value"}},
		{"nothing in a string is no number", `{"quoted":""}`, []string{"#/quoted : must be a string that holds the value"}},
		{"an object is no number, and is stepped over", `{"item":{"name":"a","count":{"a":1,"b":[2]},"price":-1}}`, []string{"#/item/count : must be an integer", "#/item/price : must be at least 0"}},
		{"not an object", `[1,"}"]`, []string{"# : must be an object"}},
		{"null", `null`, []string{"# : must be an object"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := ask(t, "POST /{shop}", echo(new(order)), "POST", "/s", c.body)
			if got := complaints(problemOf(t, w)); w.Code != 422 || !slices.Equal(got, c.want) {
				t.Errorf("%d\ngot  %q\nwant %q", w.Code, got, c.want)
			}
		})
	}
}

// null is nothing, but where the type has a null of its own, as encoding/json has it.
func TestNullInABody(t *testing.T) {
	type in struct {
		Any  any             `json:"any" required:"true"`
		Raw  json.RawMessage `json:"raw"`
		Ptr  *picky          `json:"ptr"`
		List []any           `json:"list"`
		Ints []*int          `json:"ints"`
		IP   net.IP          `json:"ip"` // bytes that decode text
	}
	var got in
	w := ask(t, "POST /", echo(&got), "POST", "/", `{"any":null,"raw":null,"ptr":null,"list":[null],"ints":[null],"ip":"192.0.2.1"}`)
	want := in{Raw: json.RawMessage("null"), List: []any{nil}, Ints: []*int{nil}, IP: net.ParseIP("192.0.2.1")}
	if w.Code != 204 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %d %s %+v, want %+v", w.Code, w.Body, got, want)
	}
	type required struct {
		Ptr *picky `json:"ptr" required:"true"`
	}
	w = ask(t, "POST /", echo(new(required)), "POST", "/", `{"ptr":null}`)
	if all := complaints(problemOf(t, w)); !slices.Equal(all, []string{"#/ptr : is required"}) {
		t.Errorf("a pointer that is null: got %q, want that it is required", all)
	}
}

// 1e-999999 is written quickly, and exact arithmetic takes 30 ms for it.
func TestATinyNumberCostsWhatAnyNumberCosts(t *testing.T) {
	type in struct {
		N []int `json:"n"`
	}
	w := ask(t, "POST /", echo(new(in)), "POST", "/", `{"n":[`+strings.Repeat("1e-999999,", 50_000)+`0]}`)
	if all := complaints(problemOf(t, w)); w.Code != 422 || len(all) != 64 || all[0] != "#/n/0 : must be an integer" {
		t.Errorf("got %d %.3q, want that they are no integers", w.Code, all)
	}
}

func TestWhatIsNoBodyIsRefused(t *testing.T) {
	h := web.JSON(func(context.Context, struct {
		A any `json:"a"`
	}) (struct{}, error) {
		return struct{}{}, nil
	}, web.EndpointConfig{MaxBody: 64, MaxDepth: 3, MaxValues: 9})
	for _, c := range []struct {
		rule, body, contentType string
		status                  int
		detail                  string
	}{
		{"empty is an empty object", ``, "text/plain", 204, ""},
		{"json with a charset", `{}`, "application/json; charset=UTF-8", 204, ""},
		{"a type that ends in +json", `{}`, "application/vnd.api+json", 204, ""},
		{"no type", `{}`, "", 415, "The request has a body and no Content-Type; send application/json."},
		{"another type", `{}`, "text/plain", 415, "The Content-Type is not a JSON one; send application/json."},
		{"a form", `a=1`, "application/x-www-form-urlencoded", 415, "The Content-Type is not a JSON one; send application/json."},
		{"a type that does not parse", `{}`, "application/json/x", 415, "The Content-Type is not a JSON one; send application/json."},
		{"an empty parameter says nothing", `{}`, "application/json ;; charset=\"utf-8\"", 204, ""},
		{"a charset that does not parse", `{}`, "application/json; charset", 415, "The charset of JSON is UTF-8."},
		{"JSON of another tree", `{}`, "model/gltf+json", 204, ""},
		{"another charset", `{}`, "application/json; charset=latin1", 415, "The charset of JSON is UTF-8."},
		{"not JSON", `{"a":}`, "application/json", 400, "The body is not JSON: invalid character '}' looking for beginning of value, at byte 6."},
		{"cut off", `{"a":`, "application/json", 400, "The body is not JSON: unexpected end of JSON input, at byte 5."},
		{"two values", `{} {}`, "application/json", 400, "The body is not JSON: invalid character '{' after top-level value, at byte 4."},
		{"a byte order mark", "\xef\xbb\xbf{}", "application/json", 400, "The body begins with a byte order mark, which is no JSON."},
		{"not UTF-8", "{\"a\":\"\xff\"}", "application/json", 400, "The body is not UTF-8."},
		{"as deep as allowed", `{"a":[[1]]}`, "application/json", 204, ""},
		{"deeper", `{"a":[[[1]]]}`, "application/json", 400, "The body is nested deeper than 3 levels."},
		{"arrays beside each other are not deeper", `{"a":[[],[]]}`, "application/json", 204, ""},
		{"nor are objects", `{"a":[{},{}]}`, "application/json", 204, ""},
		{"brackets in strings are not depth", `{"a":"[[[[\"[["}`, "application/json", 204, ""},
		{"too many values", `{"a":[1,2,3,4,5,6,7,8,9,0]}`, "application/json", 413, "The body has more than 9 values."},
		{"too large", `{"a":"` + strings.Repeat("x", 64) + `"}`, "application/json", 413, "The body is larger than 64 bytes."},
	} {
		t.Run(c.rule, func(t *testing.T) {
			for _, chunked := range []bool{false, true} {
				r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
				if chunked {
					r.ContentLength = -1
				}
				if c.contentType != "" {
					r.Header.Set("Content-Type", c.contentType)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != c.status {
					t.Fatalf("chunked %v: %d %s", chunked, w.Code, w.Body)
				}
				if c.status > 299 {
					if p := problemOf(t, w); p.Detail != c.detail {
						t.Errorf("got %q", p.Detail)
					}
				}
				if (w.Header().Get("Accept") != "") != (c.status == 415) {
					t.Errorf("Accept: %q", w.Header().Get("Accept"))
				}
			}
		})
	}
	t.Run("an encoded body", func(t *testing.T) {
		if w := ask(t, "/", h, "POST", "/", `{}`, "Content-Encoding", "gzip"); w.Code != 415 {
			t.Errorf("%d", w.Code)
		}
	})
	t.Run("a body that breaks off", func(t *testing.T) {
		r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(`{"a"`), broken{}))
		r.Header.Set("Content-Type", "application/json")
		r.ContentLength = 10
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 400 {
			t.Errorf("%d", w.Code)
		}
	})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestAWholeBody(t *testing.T) {
	type list struct {
		Items []item `body:"" maxItems:"2"`
	}
	type optional struct {
		Item *item `body:""`
	}
	type word struct {
		S string `body:"" enum:"a,b"`
	}
	t.Run("an array", func(t *testing.T) {
		var got list
		if w := ask(t, "/", echo(&got), "POST", "/", `[{"name":"a"},{"name":"b"}]`); w.Code != 204 || len(got.Items) != 2 || got.Items[1].Name != "b" {
			t.Errorf("%d %s %+v", w.Code, w.Body, got)
		}
	})
	t.Run("pointers start at its root", func(t *testing.T) {
		w := ask(t, "/", echo(new(list)), "POST", "/", ` [{"name":""},{},{}]`)
		if got := complaints(problemOf(t, w)); !slices.Equal(got, []string{"#/0/name : must have at least 1 character", "#/1/name : is required", "# : must have at most 2 items"}) {
			t.Errorf("%q", got)
		}
	})
	t.Run("is required", func(t *testing.T) {
		w := ask(t, "/", echo(new(list)), "POST", "/", ``)
		if got := complaints(problemOf(t, w)); !slices.Equal(got, []string{"# : a JSON body is required"}) {
			t.Errorf("%q", got)
		}
	})
	t.Run("a pointer is optional", func(t *testing.T) {
		var got optional
		if w := ask(t, "/", echo(&got), "POST", "/", ``); w.Code != 204 || got.Item != nil {
			t.Errorf("%d %+v", w.Code, got)
		}
		if w := ask(t, "/", echo(&got), "POST", "/", `{"name":"a"}`); w.Code != 204 || got.Item.Name != "a" {
			t.Errorf("%d %+v", w.Code, got)
		}
	})
	t.Run("a pointer may be required", func(t *testing.T) {
		type required struct {
			Item *item `body:"" required:"true"`
		}
		w := ask(t, "/", echo(new(required)), "POST", "/", ``)
		if got := complaints(problemOf(t, w)); !slices.Equal(got, []string{"# : a JSON body is required"}) {
			t.Errorf("got %q, want that a JSON body is required", got)
		}
	})
	t.Run("a body with a default is optional", func(t *testing.T) {
		var got struct {
			N int `body:"" default:"5"`
		}
		if w := ask(t, "/", echo(&got), "POST", "/", ``); w.Code != 204 || got.N != 5 {
			t.Errorf("got %d %+v, want 5", w.Code, got)
		}
	})
	t.Run("a scalar", func(t *testing.T) {
		var got word
		if w := ask(t, "/", echo(&got), "POST", "/", `"b"`); w.Code != 204 || got.S != "b" {
			t.Errorf("%d %+v", w.Code, got)
		}
	})
}

func TestUnknownMembersAreRefusedOnDemand(t *testing.T) {
	h := web.JSON(func(context.Context, order) (struct{}, error) { return struct{}{}, nil }, web.EndpointConfig{RefuseUnknown: true})
	w := ask(t, "POST /{shop}", h, "POST", "/s", `{"items":[{"name":"a","colour":1}],"shop":"other","":{}, "`+strings.Repeat("ä", 100)+`":1}`)
	want := []string{
		"#/items/0/colour : is not known here", "#/shop : is not known here", "#/ : is not known here",
		"#/" + strings.Repeat("%C3%A4", 32) + "%E2%80%A6 : is not known here",
	}
	if got := complaints(problemOf(t, w)); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTheListOfErrorsIsBounded(t *testing.T) {
	w := ask(t, "POST /{shop}", echo(new(order)), "POST", "/s", `{"items":[`+strings.Repeat("0,", 50_000)+`0]}`)
	p := problemOf(t, w)
	if len(p.Errors) != 64 || p.Detail != "Many fields are invalid; these are the first 64." || w.Body.Len() > 10_000 {
		t.Errorf("%d errors in %d bytes: %s", len(p.Errors), w.Body.Len(), p.Detail)
	}
}

type stay struct {
	From int `json:"from"`
	To   int `json:"to" required:"true"`
}

func (s *stay) Validate() error {
	switch {
	case s.From == 1:
		return &web.Error{Status: 409, Detail: "taken"}
	case s.From == 2:
		return errors.Join(web.FieldError{Pointer: "#/from", Detail: "is taken"}, fmt.Errorf("wrapped: %w", web.FieldError{Parameter: "q", In: "query", Detail: "is odd"}), errors.New("not now"))
	case s.To < s.From:
		return errors.New("to must not be before from")
	}
	return nil
}

func TestTheInputIsAskedLast(t *testing.T) {
	for _, c := range []struct {
		rule, body string
		status     int
		want       []string
	}{
		{"fields first", `{"from":5}`, 422, []string{"#/to : is required"}},
		{"any error is shown", `{"from":5,"to":3}`, 422, []string{" : to must not be before from"}},
		{"its own status", `{"from":1,"to":3}`, 409, nil},
		{"several, joined", `{"from":2,"to":3}`, 422, []string{"#/from : is taken", "query q: is odd", " : not now"}},
		{"fine", `{"from":3,"to":3}`, 204, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := ask(t, "/", echo(new(stay)), "POST", "/", c.body)
			if w.Code != c.status {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if c.status == 204 {
				return
			}
			if got := complaints(problemOf(t, w)); !slices.Equal(got, c.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAFieldErrorReadsAsASentence(t *testing.T) {
	for _, c := range []struct {
		e    web.FieldError
		want string
	}{
		{web.FieldError{Pointer: "#/a", Detail: "is odd"}, "#/a is odd"},
		{web.FieldError{Parameter: "q", In: "query", Detail: "is odd"}, "query parameter q is odd"},
		{web.FieldError{Detail: "odd"}, "odd"},
	} {
		if c.e.Error() != c.want {
			t.Errorf("%q", c.e.Error())
		}
	}
}

type created struct {
	ID string `json:"id"`
}

func (created) Status() int { return 201 }

func (c created) Headers(h http.Header) { h.Set("Location", "/orders/"+c.ID) }

type choosy struct {
	code int
	X    string
}

func (c *choosy) Status() int { return c.code }

type typed struct{ S string }

func (typed) Headers(h http.Header) { h.Set("Content-Type", "application/vnd.x+json") }

type reset struct{ X string }

func (reset) Status() int { return 205 }

type nothing struct{}

func TestTheResult(t *testing.T) {
	answer := func(h *web.Endpoint) http.Handler { return h }
	for _, c := range []struct {
		rule   string
		h      http.Handler
		status int
		body   string
		header [2]string
	}{
		{"200 and JSON, not escaped for pages", answer(web.JSON(func(context.Context, nothing) (map[string]string, error) { return map[string]string{"a": "<b>"}, nil })), 200, `{"a":"<b>"}`, [2]string{"Content-Type", "application/json"}},
		{"the result chooses status and header", web.JSON(func(context.Context, nothing) (created, error) { return created{"7"}, nil }), 201, `{"id":"7"}`, [2]string{"Location", "/orders/7"}},
		{"through a pointer", web.JSON(func(context.Context, nothing) (*created, error) { return &created{"7"}, nil }), 201, `{"id":"7"}`, [2]string{"Location", "/orders/7"}},
		{"with methods of the pointer", web.JSON(func(context.Context, nothing) (choosy, error) { return choosy{code: 202, X: "x"}, nil }), 202, `{"X":"x"}`, [2]string{}},
		{"a nil pointer is null", web.JSON(func(context.Context, nothing) (*created, error) { return nil, nil }), 200, `null`, [2]string{}},
		{"nothing is 204", web.JSON(func(context.Context, nothing) (struct{}, error) { return struct{}{}, nil }), 204, ``, [2]string{"Content-Type", ""}},
		{"204 has no body", web.JSON(func(context.Context, nothing) (choosy, error) { return choosy{code: 204}, nil }), 204, ``, [2]string{"Content-Type", ""}},
		{"205 has no body", web.JSON(func(context.Context, nothing) (reset, error) { return reset{}, nil }), 205, ``, [2]string{"Content-Type", ""}},
		{"304 has no body", web.JSON(func(context.Context, nothing) (choosy, error) { return choosy{code: 304}, nil }), 304, ``, [2]string{"Content-Type", ""}},
		{"its own media type", web.JSON(func(context.Context, nothing) (typed, error) { return typed{"x"}, nil }), 200, `{"S":"x"}`, [2]string{"Content-Type", "application/vnd.x+json"}},
		{"an interface", web.JSON(func(context.Context, nothing) (any, error) { return created{"7"}, nil }), 201, `{"id":"7"}`, [2]string{"Location", "/orders/7"}},
		{"no final status", web.JSON(func(context.Context, nothing) (choosy, error) { return choosy{code: 100}, nil }), 500, `{"title":"Internal Server Error","status":500}` + "\n", [2]string{}},
		{"no status of HTTP", web.JSON(func(context.Context, nothing) (choosy, error) { return choosy{code: 600}, nil }), 500, `{"title":"Internal Server Error","status":500}` + "\n", [2]string{}},
		{"what cannot be JSON", web.JSON(func(context.Context, nothing) (any, error) { return func() {}, nil }), 500, `{"title":"Internal Server Error","status":500}` + "\n", [2]string{}},
		{"the function's error", web.JSON(func(context.Context, nothing) (any, error) { return nil, web.Errorf(404, "no such order") }), 404, `{"title":"Not Found","status":404,"detail":"no such order"}` + "\n", [2]string{}},
		{"an error that is not for clients", web.JSON(func(context.Context, nothing) (any, error) { return nil, errors.New("secret") }), 500, `{"title":"Internal Server Error","status":500}` + "\n", [2]string{}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := ask(t, "/", c.h, "GET", "/", "")
			if w.Code != c.status || w.Body.String() != c.body {
				t.Errorf("got %d %q", w.Code, w.Body)
			}
			if c.header[0] != "" && w.Header().Get(c.header[0]) != c.header[1] {
				t.Errorf("%s: %q", c.header[0], w.Header().Get(c.header[0]))
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		e    *web.Endpoint
		want web.Operation
	}{
		{web.JSON(func(context.Context, stay) (created, error) { return created{}, nil }), web.Operation{Input: reflect.TypeFor[stay](), Output: reflect.TypeFor[created](), Status: 201}},
		{web.JSON(func(context.Context, stay) (*created, error) { return nil, nil }), web.Operation{Input: reflect.TypeFor[stay](), Output: reflect.TypeFor[*created](), Status: 201}},
		{web.JSON(func(context.Context, stay) (struct{}, error) { return struct{}{}, nil }), web.Operation{Input: reflect.TypeFor[stay](), Status: 204}},
		{web.JSON(func(context.Context, stay) (reset, error) { return reset{}, nil }), web.Operation{Input: reflect.TypeFor[stay](), Status: 205}},
		{web.JSON(func(context.Context, stay) (int, error) { return 0, nil }, web.EndpointConfig{RefuseUnknown: true}), web.Operation{Input: reflect.TypeFor[stay](), Output: reflect.TypeFor[int](), Status: 200, RefusesUnknown: true}},
	} {
		if got := c.e.Describe(); got != c.want {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
}

// wide has more members than fit on the stack, and one that is filled beyond reason.
type wide struct {
	A0, A1, A2, A3, A4, A5, A6, A7, A8, A9 *int
	B0, B1, B2, B3, B4, B5, B6, B7, B8, B9 *int
	C0, C1, C2, C3, C4, C5, C6, C7, C8, C9 *int
	D0, D1, D2, D3                         *int
	Inner                                  struct {
		Deeper struct {
			N int `default:"7"`
		}
	}
	Self   *wide
	Custom *picky
}

type picky struct{ s string }

func (p *picky) UnmarshalJSON(b []byte) error {
	if string(b) != `"good"` {
		return errors.New("private reason")
	}
	p.s = "good"
	return nil
}

func TestIntegersAreThoseOfJSONSchema(t *testing.T) {
	for _, c := range []struct {
		number string
		want   int64
		wrong  string
	}{
		{"1.0", 1, ""}, {"1e2", 100, ""}, {"-1.50e1", -15, ""}, {"9007199254740992.0", 1 << 53, ""}, {"-0.0", 0, ""}, {"9223372036854775807", 1<<63 - 1, ""},
		{"1.5", 0, "must be an integer"}, {"1e-1", 0, "must be an integer"}, {"1e300", 0, "must be an integer"},
		{"9223372036854775808", 0, "must be between -9223372036854775808 and 9223372036854775807"},
	} {
		var got struct {
			N int64 `json:"n"`
		}
		w := ask(t, "/", echo(&got), "POST", "/", `{"n":`+c.number+`}`)
		if c.wrong == "" {
			if w.Code != 204 || got.N != c.want {
				t.Errorf("%s: %d %s %d", c.number, w.Code, w.Body, got.N)
			}
		} else if all := complaints(problemOf(t, w)); !slices.Equal(all, []string{"#/n : " + c.wrong}) {
			t.Errorf("%s: %q", c.number, all)
		}
	}
}

func TestTheRequestItselfCanBeHad(t *testing.T) {
	type in struct {
		Q       string `query:"q"`
		Request *http.Request
		A       int `json:"a"`
	}
	var got in
	if w := ask(t, "/", echo(&got), "POST", "/x?q=1", `{"a":2,"Request":{"Method":"PUT"}}`); w.Code != 204 || got.Request.Method != "POST" || got.Q != "1" || got.A != 2 {
		t.Errorf("%d %s %+v", w.Code, w.Body, got)
	}
}

func TestWideAndDeepStructs(t *testing.T) {
	var got struct {
		W wide `body:""`
	}
	w := ask(t, "/", echo(&got), "POST", "/", `{"D3":1,"A0":null,"Self":{"Inner":{}},"Custom":"good"}`)
	if w.Code != 204 || *got.W.D3 != 1 || got.W.A0 != nil || got.W.Inner.Deeper.N != 7 || got.W.Self.Inner.Deeper.N != 7 || got.W.Custom.s != "good" {
		t.Errorf("%d %s %+v", w.Code, w.Body, got)
	}
	w = ask(t, "/", echo(&got), "POST", "/", `{"Custom":"bad"}`)
	if all := complaints(problemOf(t, w)); !slices.Equal(all, []string{"#/Custom : is not valid"}) || strings.Contains(w.Body.String(), "private") {
		t.Errorf("%s", w.Body)
	}
}

func TestLimitsCanBeSwitchedOff(t *testing.T) {
	h := web.JSON(func(_ context.Context, in struct {
		A any `json:"a"`
	}) (struct{}, error) {
		return struct{}{}, nil
	}, web.EndpointConfig{MaxBody: -1, MaxDepth: -1, MaxValues: -1})
	for _, body := range []string{`{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, `{"a":[` + strings.Repeat("0,", 200_000) + `0]}`, `{"a":"` + strings.Repeat("x", 7<<20) + `"}`} {
		if w := ask(t, "/", h, "POST", "/", body); w.Code != 204 {
			t.Errorf("%d %.100s", w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{"a":1}`))
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = 1 << 50 // of which no memory is made
	if h.ServeHTTP(w, r); w.Code != 204 {
		t.Errorf("a length that is a promise only: got %d %s, want 204", w.Code, w.Body)
	}
	if w := ask(t, "/", h, "POST", "/", strings.Repeat("[", 10_001)); w.Code != 400 {
		t.Errorf("deeper than encoding/json goes: %d", w.Code)
	}
}

type moody struct{ p *int }

func (m moody) Status() int { return *m.p }

func TestAStatusThatNeedsAResultIsDescribedAs200(t *testing.T) {
	if op := web.JSON(func(context.Context, nothing) (moody, error) { return moody{}, nil }).Describe(); op.Status != 200 {
		t.Errorf("%+v", op)
	}
}

func TestTagsThatMakeNoSenseFailAtColdStart(t *testing.T) {
	try := func(f func()) (said string) {
		defer func() {
			if v := recover(); v != nil {
				said = fmt.Sprint(v)
			}
		}()
		f()
		return ""
	}
	type inner struct {
		N string `json:"n" minimum:"1"`
	}
	for _, c := range []struct {
		want string
		f    func()
	}{
		{"it must be a struct", func() { echo(new(int)) }},
		{"no tag that says where it comes from", func() {
			echo(new(struct{ A int }))
		}},
		{"a chan int cannot come from a request", func() {
			echo(new(struct {
				A chan int `json:"a"`
			}))
		}},
		{"cannot be read from text", func() {
			echo(new(struct {
				A map[string]int `query:"a"`
			}))
		}},
		{"there is never more than one value", func() {
			echo(new(struct {
				A []int `path:"a"`
			}))
		}},
		{"there is never more than one value", func() {
			echo(new(struct {
				A []int `cookie:"a"`
			}))
		}},
		{"is bound twice", func() {
			echo(new(struct {
				A int `header:"a"`
				B int `header:"A"`
			}))
		}},
		{"has no name", func() {
			echo(new(struct {
				A int `query:""`
			}))
		}},
		{"nobody can set it", func() {
			echo(new(struct {
				a int `query:"a"`
			}))
		}},
		{"it means nothing for a int", func() {
			echo(new(struct {
				A int `query:"a" maxLength:"5"`
			}))
		}},
		{"it means nothing for a string", func() {
			echo(new(struct {
				B []inner `json:"b"`
			}))
		}},
		{"it means nothing for a time.Duration", func() {
			echo(new(struct {
				A time.Duration `query:"a" minimum:"5"`
			}))
		}},
		{"its own default", func() {
			echo(new(struct {
				A int `query:"a" default:"5" maximum:"4"`
			}))
		}},
		{"the default would never be used", func() {
			echo(new(struct {
				A int `query:"a" default:"5" required:"true"`
			}))
		}},
		{"has a default", func() {
			echo(new(struct {
				A int `path:"a" default:"5"`
			}))
		}},
		{"missing closing", func() {
			echo(new(struct {
				A string `query:"a" pattern:"[" `
			}))
		}},
		{"the format must be one of", func() {
			echo(new(struct {
				A string `query:"a" format:"phone"`
			}))
		}},
		{"it must be a number", func() {
			echo(new(struct {
				A int `query:"a" minimum:"x"`
			}))
		}},
		{"too large to be compared exactly", func() {
			echo(new(struct {
				A int64 `query:"a" maximum:"9007199254740993"`
			}))
		}},
		{"it must be a count", func() {
			echo(new(struct {
				A string `query:"a" minLength:"-1"`
			}))
		}},
		{"they must be numbers", func() {
			echo(new(struct {
				A int `query:"a" enum:"1,x"`
			}))
		}},
		{"two fields with the tag body", func() {
			echo(new(struct {
				A int `body:""`
				B int `body:""`
			}))
		}},
		{"remove one of them", func() {
			echo(new(struct {
				A int `body:""`
				B int `json:"b"`
			}))
		}},
		{"is an interface with methods", func() {
			echo(new(struct {
				A io.Reader `json:"a"`
			}))
		}},
		{"one EndpointConfig", func() {
			web.JSON(func(context.Context, nothing) (int, error) { return 0, nil }, web.EndpointConfig{}, web.EndpointConfig{})
		}},
	} {
		if said := try(c.f); !strings.Contains(said, c.want) {
			t.Errorf("got  %s\nwant %s", said, c.want)
		}
	}
}

// twin has every kind of member and no rule, so that encoding/json is its oracle.
type twin struct {
	B    bool              `json:"b"`
	I    int               `json:"i"`
	I8   int8              `json:"i8"`
	U    uint16            `json:"u"`
	F    float32           `json:"f"`
	S    string            `json:"s"`
	P    *string           `json:"p"`
	L    []twin            `json:"l"`
	T    *twin             `json:"t"`
	M    map[string][]int  `json:"m"`
	A    any               `json:"a"`
	R    json.RawMessage   `json:"r"`
	D    time.Time         `json:"d"`
	X    []byte            `json:"x"`
	N    json.Number       `json:"n"`
	Q    int               `json:"q,string"`
	V    level             `json:"v"`
	W    map[int]string    `json:"w"`
	Emb                    // promoted
	*Far                   // promoted, made on demand
	Z    map[string]*level `json:"z"`
}

// Emb and Far are embedded in twin.
type (
	Emb struct {
		E string `json:"e"`
		S string `json:"s"` // hidden
	}
	Far struct {
		G int `json:"g"`
	}
)

func FuzzTheBodyIsWhatEncodingJSONMakesOfIt(f *testing.F) {
	for _, s := range []string{
		`{"b":true,"i":-5,"i8":127,"u":65535,"f":1.5e3,"s":"\u00e4\ud800","p":"x","l":[{},{"l":[]}],"t":{"t":null},"m":{"k":[1,2],"":[]}}`,
		`{"a":[1,{"x":null}],"r":{ "y" : 1 },"d":"2026-01-31T15:04:05+01:00","x":"aGk=","n":1e400,"q":"12","v":"low","w":{"1":"a"},"e":"e","g":7,"S":"upper","z":{"a":"low"}}`,
		`{"i":1.0,"u":1e2,"q":"2.0"}`, `{"d":"1998-12-31t23:59:60z"}`, `{"\u0062":false,"unknown":[[[{"]":"["}]]]}`, `{"i":1.0}`, `{"i8":128}`, `[]`, `nul`, `{"r":null,"a":null,"d":null,"q":"x"}`, ` {"s":"a\"b\\"} `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		type in struct {
			T twin `body:""`
		}
		var got in
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		echo(&got).ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%d", w.Code)
		}
		if w.Code != 204 || len(body) == 0 {
			return
		}
		var want twin
		err := json.Unmarshal(body, &want)
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && strings.HasPrefix(e.Value, "number ") && strings.ContainsAny(e.Value, ".eE") {
			return // 1.0 is an integer
		}
		if _, ok := errors.AsType[*time.ParseError](err); ok {
			return // a leap second, or a t or z: RFC 3339 has them, package time has not
		}
		if err != nil {
			t.Fatalf("accepted, and encoding/json says: %v", err)
		}
		if !reflect.DeepEqual(got.T, want) {
			t.Fatalf("%s\ngot  %+v\nwant %+v", body, got.T, want)
		}
	})
}

func FuzzParameters(f *testing.F) {
	f.Add("day=2026-01-31T15:04:05Z&rate=0.5&tag=aa", "1,2", "session=x")
	f.Add("limit=%&rate=1e999&ip=::1&small=--1", "\"a,b", "session=\x00")
	f.Fuzz(func(t *testing.T, query, numbers, cookie string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = query
		r.Header["X-Numbers"], r.Header["Cookie"] = []string{numbers}, []string{cookie}
		r.SetPathValue("shop", "abc")
		w := httptest.NewRecorder()
		echo(new(everything)).ServeHTTP(w, r)
		if w.Code != 204 && w.Code != 400 && w.Code != 422 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

func TestAnEndpointServesManyAtOnce(t *testing.T) {
	h := web.JSON(func(_ context.Context, in order) (order, error) { return in, nil })
	done := make(chan string)
	for i := range 8 {
		go func() {
			w := ask(t, "POST /{shop}", h, "POST", fmt.Sprintf("/s%d", i), fmt.Sprintf(`{"items":[{"name":"%d"}]}`, i))
			var got order
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Items[0].Name != fmt.Sprint(i) || got.Items[0].Count != 1 {
				done <- w.Body.String()
				return
			}
			done <- ""
		}()
	}
	for range 8 {
		if s := <-done; s != "" {
			t.Error(s)
		}
	}
}

func ExampleJSON() {
	type placeOrder struct {
		Shop  string `path:"shop"`
		Item  string `json:"item" required:"true" maxLength:"80"`
		Count int    `json:"count" minimum:"1" maximum:"99" default:"1"`
	}
	type placed struct {
		Text string `json:"text"`
	}
	place := func(_ context.Context, o placeOrder) (placed, error) {
		return placed{fmt.Sprintf("%d %s from %s", o.Count, o.Item, o.Shop)}, nil
	}
	mux := http.NewServeMux()
	mux.Handle("POST /shops/{shop}/orders", web.JSON(place))

	for _, body := range []string{`{"item":"tea"}`, `{"count":100}`} {
		r := httptest.NewRequest("POST", "/shops/north/orders", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}
	// Output:
	// 200 {"text":"1 tea from north"}
	// 422 {"title":"Unprocessable Entity","status":422,"detail":"2 fields are invalid.","errors":[{"pointer":"#/count","detail":"must be at most 99"},{"pointer":"#/item","detail":"is required"}]}
}

func BenchmarkEndpoint(b *testing.B) {
	h := web.JSON(func(_ context.Context, in order) (struct{}, error) { return struct{}{}, nil })
	body := `{"items":[{"name":"a","price":2.5,"when":"2026-01-31T15:04:05Z"},{"name":"b"}],"labels":{"k":"v"},"email":"a@example.com","grid":[[1],[2,3]]}`
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/s", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.SetPathValue("shop", "s")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func TestADecoderKeepsTheSameRulesOutsideOfHTTP(t *testing.T) {
	d := web.NewDecoder[[]stay](web.EndpointConfig{MaxBody: 40})
	for _, c := range []struct {
		rule, data string
		status     int
		want       []string
	}{
		{"fine", ` [{"to":1}] `, 0, nil},
		{"rules", `[{"from":"x"},{}]`, 422, []string{"#/0/from : must be an integer", "#/0/to : is required", "#/1/to : is required"}},
		{"no JSON", ``, 400, nil},
		{"too large", strings.Repeat(" ", 41), 413, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got, err := d.Decode([]byte(c.data))
			if c.status == 0 {
				if err != nil || len(got) != 1 || got[0].To != 1 {
					t.Fatalf("%v %v", got, err)
				}
				return
			}
			e, ok := errors.AsType[*web.Error](err)
			if !ok || e.Status != c.status || got != nil || !slices.Equal(complaints(problem{Errors: e.Fields}), c.want) {
				t.Errorf("%v %v", got, err)
			}
		})
	}
	if got, err := web.NewDecoder[int](web.EndpointConfig{MaxBody: -1}).Decode([]byte("7")); err != nil || got != 7 {
		t.Errorf("without a limit: got %d, %v", got, err)
	}
	if _, err := web.NewDecoder[stay](web.EndpointConfig{}).Decode([]byte(`{"from":5,"to":3}`)); err == nil || !strings.Contains(fmt.Sprint(err), "not valid") {
		t.Errorf("Validate was not asked: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a chan is no JSON")
		}
	}()
	web.NewDecoder[chan int](web.EndpointConfig{})
}

type embeddedBase struct {
	Page int    `query:"page"`
	Name string `json:"name"`
	*EmbeddedDeep
}

// EmbeddedDeep is embedded by pointer.
type EmbeddedDeep struct {
	Tenant string `header:"X-Tenant"`
	Note   string `json:"note"`
	*EmbeddedDeep
}

// Fields of what an input embeds are its own, by value or by pointer.
func TestEmbeddedStructsAreBound(t *testing.T) {
	t.Parallel()
	type in struct {
		embeddedBase
		ID string `path:"id"`
	}
	var got in
	mux := http.NewServeMux()
	mux.Handle("POST /{id}", echo(&got))
	r := httptest.NewRequest("POST", "/7?page=2", strings.NewReader(`{"name":"n","note":"x"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Tenant", "t")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	if w.Code != 204 || got.ID != "7" || got.Page != 2 || got.Name != "n" || got.EmbeddedDeep == nil || got.Tenant != "t" || got.Note != "x" {
		t.Errorf("got %d %s %+v %+v", w.Code, w.Body, got, got.EmbeddedDeep)
	}
	type hiddenDeep struct {
		Tenant string `header:"X-Tenant"`
	}
	defer func() {
		if err := fmt.Sprint(recover()); !strings.Contains(err, "embeds a pointer to the unexported") {
			t.Errorf("a pointer that nobody can set: got %s", err)
		}
	}()
	web.JSON(func(context.Context, struct{ *hiddenDeep }) (struct{}, error) { return struct{}{}, nil })
}
