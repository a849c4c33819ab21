package ours

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/compress"
	"github.com/gomiddy/middy/web/compress/brotli"
	"github.com/gomiddy/middy/web/compress/zstd"
	"github.com/gomiddy/middy/web/formbody"
	"github.com/gomiddy/middy/web/jsonbody"
	"github.com/gomiddy/middy/web/jwtauth"
	"github.com/gomiddy/middy/web/jwtauth/bearer"
	"github.com/gomiddy/middy/web/multipart"
	"github.com/gomiddy/middy/web/negotiate"
	"github.com/gomiddy/middy/web/problem"
)

var adapters = map[string]adapter{
	"recover":                    recovering,
	"http-content-encoding":      contentEncoding,
	"http-content-negotiation":   contentNegotiation,
	"http-cors":                  crossOrigin,
	"http-error-handler":         errorHandler,
	"http-event-normalizer":      eventNormalizer,
	"http-header-normalizer":     headerNormalizer,
	"http-json-body-parser":      jsonBody,
	"http-jwt":                   jwt,
	"http-multipart-body-parser": multipartBody,
	"http-partial-response":      partialResponse,
	"http-paseto":                paseto,
	"http-response-serializer":   responseSerializer,
	"http-router":                routing,
	"http-security-headers":      securityHeaders,
	"http-urlencode-body-parser": formBody,
	"http-urlencode-path-parser": pathParser,
	"http-x402":                  payment,
	"validator":                  validation,
}

// recovering makes the case's response of an error.
func recovering(r *run, o options) (func(http.Handler) http.Handler, error) {
	write := func(w http.ResponseWriter, _ *http.Request, _ error) { r.answer(w, o.all["response"]) }
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(web.WithErrorWriter(r.Context(), write)))
		})
	}, nil
}

func contentEncoding(r *run, o options) (func(http.Handler) http.Handler, error) {
	mw := compress.New(compress.Config{
		Encodings: []compress.Encoding{brotli.New(brotli.Config{}), compress.Gzip(0), compress.Deflate(0), zstd.New(zstd.Config{})},
		Prefer:    o.list("overridePreferredEncoding"),
		MinSize:   -1, // Middy has none
		// Middy compresses every type, and what has none.
		Compressible: func(string) bool { return true },
	})
	return func(next http.Handler) http.Handler {
		h := mw(next)
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if accept, ok := r.accepted("preferredEncoding"); ok {
				req.Header.Set("Accept-Encoding", accept)
			}
			h.ServeHTTP(w, req)
		})
	}, nil
}

// accepted is the header that leads to the preferences which a case seeds into
// Middy's context.
func (r *run) accepted(name string) (string, bool) {
	one, _ := r.context[name].(string)
	all, _ := r.context[name+"s"].([]any)
	if len(all) == 0 && one != "" {
		all = []any{one}
	}
	var b strings.Builder
	for i, v := range all {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%v;q=%.2f", v, 1-float64(i)/100)
	}
	return b.String(), len(all) > 0
}

func contentNegotiation(r *run, o options) (func(http.Handler) http.Handler, error) {
	offers := func(plural, name string) negotiate.Offers {
		ignore := o.has("parse"+plural) && !o.bool("parse"+plural) || o.undefined("parse"+plural)
		return negotiate.Offers{Available: o.list("available" + plural), DefaultToFirst: o.bool("defaultToFirst" + name), Ignore: ignore}
	}
	cfg := negotiate.Config{
		Charset: offers("Charsets", "Charset"), Encoding: offers("Encodings", "Encoding"), Language: offers("Languages", "Language"), MediaType: offers("MediaTypes", "MediaType"),
		AllowMismatch: o.has("failOnMismatch") && !o.bool("failOnMismatch"),
	}
	r.left = append(r.left, func(req *http.Request, into object) {
		p, ok := negotiate.From(req.Context())
		if !ok {
			return
		}
		put := func(of negotiate.Offers, name, one string, all []string) {
			if of.Ignore {
				return
			}
			list := []any{}
			for _, v := range all {
				list = append(list, v)
			}
			into["preferred"+name+"s"] = list
			if one != "" {
				into["preferred"+name] = one
			}
		}
		put(cfg.Charset, "Charset", p.Charset, p.Charsets)
		put(cfg.Encoding, "Encoding", p.Encoding, p.Encodings)
		put(cfg.Language, "Language", p.Language, p.Languages)
		put(cfg.MediaType, "MediaType", p.MediaType, p.MediaTypes)
	})
	return negotiate.New(cfg), nil
}

func errorHandler(r *run, o options) (func(http.Handler) http.Handler, error) {
	return problem.New(problem.Config{
		Form:             problem.Plain,
		FallbackMessage:  o.text("fallbackMessage"),
		ExposeStatusCode: true,
		DisableLog:       o.has("logger"),
		Logger: func(_ *http.Request, err error) {
			r.log = append(r.log, err.Error())
		},
	}), nil
}

func jsonBody(r *run, o options) (func(http.Handler) http.Handler, error) {
	r.facets["body"] = func(req *http.Request) (any, error) {
		if v, ok := jsonbody.Value(req); ok {
			return v, nil
		}
		return rawBody(req)
	}
	return jsonbody.New(jsonbody.Config{
		DisableContentTypeCheck: o.bool("disableContentTypeCheck"),
		DisableContentTypeError: o.bool("disableContentTypeError"),
		AllowInvalidUTF8:        true, // Middy's choice; ours is stricter unless asked
		Reviver:                 reviver(o.function("reviver")),
	}), nil
}

func reviver(name string) func(key string, value any) (any, bool) {
	switch name {
	case "upperStrings":
		return func(_ string, v any) (any, bool) {
			if s, ok := v.(string); ok {
				return strings.ToUpper(s), true
			}
			return v, true
		}
	case "dropNulls":
		return func(_ string, v any) (any, bool) { return v, v != nil }
	}
	return nil
}

func formBody(r *run, o options) (func(http.Handler) http.Handler, error) {
	r.facets["body"] = func(req *http.Request) (any, error) {
		values := formbody.Values(req)
		if values == nil {
			return rawBody(req)
		}
		out := object{}
		for name, all := range values {
			if len(all) == 1 {
				out[name] = all[0]
				continue
			}
			list := []any{}
			for _, v := range all {
				list = append(list, v)
			}
			out[name] = list
		}
		return out, nil
	}
	return formbody.New(formbody.Config{
		DisableContentTypeCheck: o.bool("disableContentTypeCheck"),
		DisableContentTypeError: o.bool("disableContentTypeError"),
	}), nil
}

func multipartBody(r *run, o options) (func(http.Handler) http.Handler, error) {
	file := func(f *multipart.File) object {
		return object{"filename": f.Filename, "mimetype": f.ContentType, "encoding": f.Encoding, "truncated": false, "content": f.Content}
	}
	r.facets["body"] = func(req *http.Request) (any, error) {
		form := multipart.Form(req)
		if form == nil {
			return rawBody(req)
		}
		all, err := form.Object()
		if err != nil {
			return nil, err
		}
		out := object{}
		for name, v := range all {
			switch v := v.(type) {
			case []string:
				list := []any{}
				for _, s := range v {
					list = append(list, s)
				}
				out[name] = list
			case *multipart.File:
				out[name] = file(v)
			case []*multipart.File:
				list := []any{}
				for _, f := range v {
					list = append(list, file(f))
				}
				out[name] = list
			default:
				out[name] = v
			}
		}
		return out, nil
	}
	limits := options{all: options{all: o.object("busboy")}.object("limits")}
	return multipart.New(multipart.Config{
		DisableContentTypeCheck: o.bool("disableContentTypeCheck"),
		DisableContentTypeError: o.bool("disableContentTypeError"),
		MaxParts:                int(limits.number("parts")),
		MaxFields:               int(limits.number("fields")),
		MaxFiles:                int(limits.number("files")),
		MaxFieldBytes:           int64(limits.number("fieldSize")),
		MaxFileBytes:            int64(limits.number("fileSize")),
		MaxNameLength:           int(limits.number("fieldNameSize")),
	}), nil
}

// sources are where Middy looks for a token.
func sources(o options) bearer.Sources {
	return bearer.Sources{Cookie: o.text("tokenCookieName"), Header: o.text("tokenHeaderName"), Query: o.text("tokenQueryStringName")}
}

// internal is the value in request.internal at a dotted path.
func (r *run) internal(path string) (any, bool) {
	at := value(r.c.Internal)
	for key := range strings.SplitSeq(path, ".") {
		o, ok := at.(object)
		if !ok {
			return nil, false
		}
		if at, ok = o[key]; !ok {
			return nil, false
		}
	}
	return at, true
}

var errNoKey = errors.New("there is no such key")

func jwt(r *run, o options) (func(http.Handler) http.Handler, error) {
	cfg := jwtauth.Config{
		Algorithms:       o.list("algorithm"),
		AllowShortSecret: true, // Middy's choice
		Sources:          sources(o),
		Audience:         o.list("audience"),
		Issuer:           o.list("issuer"),
		ClockTolerance:   time.Duration(o.number("clockTolerance") * float64(time.Second)),
		RequireExp:       o.bool("requireExp"),
		MaxTokenAge:      age(o.all["maxTokenAge"]),
	}
	payloadKey := "jwt"
	if o.has("payloadKey") {
		payloadKey = o.text("payloadKey")
	}
	r.left = append(r.left, func(req *http.Request, into object) {
		if claims, ok := jwtauth.Claims(req.Context()); ok && o.bool("setToContext") {
			into[payloadKey] = plainJSON(claims)
		}
	})
	if issuers := o.object("issuers"); issuers != nil {
		cfg.Issuers = map[string]jwtauth.Issuer{}
		for name, v := range issuers {
			i := options{all: v.(object)}
			cfg.Issuers[name] = jwtauth.Issuer{JWKS: i.text("jwksUri"), Audience: i.list("audience"), Algorithms: i.list("algorithm")}
		}
		cfg.Client = r.jwks()
	}
	if name := o.text("internalKey"); name != "" {
		key, ok := r.internal(name)
		secret, isText := key.(string)
		switch {
		case isText || !ok && strings.HasPrefix(strings.Join(cfg.Algorithms, ""), "HS"):
			cfg.Secret = func(context.Context) ([]byte, error) {
				if !ok {
					return nil, errNoKey
				}
				return []byte(secret), nil
			}
		default:
			cfg.PublicKey = func(context.Context) (jwtauth.PublicKey, error) {
				if !ok {
					return jwtauth.PublicKey{}, errNoKey
				}
				return publicKey(key), nil
			}
		}
	}
	return jwtauth.New(cfg), nil
}

func publicKey(key any) jwtauth.PublicKey {
	switch k := key.(type) {
	case []byte:
		return jwtauth.PublicKey{Bytes: k}
	case object:
		der, _ := k["publicKey"].([]byte)
		spec, _ := k["keySpec"].(string)
		return jwtauth.PublicKey{Bytes: der, Spec: spec}
	}
	return jwtauth.PublicKey{}
}

func age(v any) time.Duration {
	switch v := v.(type) {
	case float64:
		return time.Duration(v * float64(time.Second))
	case string:
		if days, ok := strings.CutSuffix(v, " days"); ok {
			var n int
			_, _ = fmt.Sscan(days, &n) // a case says it in digits
			return time.Duration(n) * 24 * time.Hour
		}
		d, _ := time.ParseDuration(v)
		return d
	}
	return 0
}

// jwks answers with the key sets of the case.
func (r *run) jwks() *http.Client {
	sets, _ := value(r.c.JWKS).(object)
	return &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		status, body := http.StatusOK, any("")
		switch v := sets[req.URL.String()].(type) {
		case float64:
			status = int(v)
		default:
			body = v
		}
		b, _ := json.Marshal(body) // it came from JSON
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: readCloser(b), Request: req}, nil
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// plainJSON takes json.Number and other types of a decoder away.
func plainJSON(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return value(b)
}
