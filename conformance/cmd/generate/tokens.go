package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash"
	"math/big"
	"strings"

	"github.com/gomiddy/middy/conformance"
)

// Keys of these cases. They protect nothing.
const secret = "super-secret-key-for-testing-1234"

var url64 = base64.RawURLEncoding

func edKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, 31), seed))
}

func ecKey(seed byte) *ecdsa.PrivateKey {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), seed))
	if err != nil {
		panic(err) // any small number is a key
	}
	return key
}

func spki(public any) object {
	b, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err)
	}
	return object{"$bytes": base64.StdEncoding.EncodeToString(b)}
}

// signed makes a JWS in compact form.
func signed(header, payload object) string {
	h, _ := json.Marshal(header)
	p, _ := json.Marshal(payload)
	return signedText(string(h), string(p), header)
}

func signedText(header, payload string, how object) string {
	text := url64.EncodeToString([]byte(header)) + "." + url64.EncodeToString([]byte(payload))
	mac := func(f func() hash.Hash) []byte {
		m := hmac.New(f, []byte(secret))
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	var sig []byte
	switch how["alg"] {
	case "HS256":
		sig = mac(sha256.New)
	case "HS384":
		sig = mac(sha512.New384)
	case "HS512":
		sig = mac(sha512.New)
	case "EdDSA":
		sig = ed25519.Sign(edKey(1), []byte(text))
	case "ES256":
		digest := sha256.Sum256([]byte(text))
		// Without randomness it is deterministic: RFC 6979.
		der, err := ecKey(1).Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			panic(err)
		}
		var rs struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(der, &rs); err != nil {
			panic(err)
		}
		sig = append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
	}
	return text + "." + url64.EncodeToString(sig)
}

// far are instants that stay in the past and in the future.
const past, future = 1000000000, 4102444800

func jwt(g *gen) {
	algorithms := []string{"HS256", "HS384", "HS512", "EdDSA", "ES256"}
	key := func(alg string) any {
		switch alg {
		case "EdDSA":
			return spki(edKey(1).Public())
		case "ES256":
			return spki(ecKey(1).Public())
		}
		return secret
	}
	add := func(what string, o object, k any, r request) {
		o["internalKey"], o["setToContext"] = "k", true
		c := conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), r), Handler: echoes("context")}
		if k != nil {
			c.Internal = raw(object{"k": k})
		}
		g.add(what, c)
	}
	bearer := func(token string) request {
		return request{headers: object{g.casing("Authorization"): "Bearer " + token}}
	}
	claims := []object{
		{"sub": "u"}, {"sub": "u", "exp": future}, {"sub": "u", "exp": past}, {"nbf": future}, {"nbf": past}, {"iat": future}, {"iat": past}, {"exp": "soon"}, {"exp": nil}, {"aud": "a"}, {"aud": list{"a", "b"}}, {"aud": list{}}, {"aud": 5}, {"iss": "i"}, {"iss": ""}, {"sub": "日本", "n": 1.5, "list": list{1, "x", nil}}, {},
	}
	for _, alg := range algorithms {
		for range 7 {
			o := object{"algorithm": pick[any](g, alg, alg, list{alg})}
			g.maybe(o, 30, "audience", pick[any](g, "a", list{"x", "b"}, "z"))
			g.maybe(o, 25, "issuer", pick[any](g, "i", list{"i", "j"}, "z"))
			g.maybe(o, 20, "requireExp", true)
			g.maybe(o, 20, "maxTokenAge", pick[any](g, "1h", 3600, "7 days"))
			g.maybe(o, 20, "payloadKey", "auth")
			add(alg, o, key(alg), bearer(signed(object{"alg": alg}, pick(g, claims...))))
		}
	}
	for _, c := range claims {
		add("claims", object{"algorithm": "HS256"}, secret, bearer(signed(object{"alg": "HS256"}, c)))
	}
	good := signed(object{"alg": "HS256"}, object{"sub": "u"})
	parts := strings.Split(good, ".")
	bad := []string{
		"", "x", "a.b.c", parts[0] + "." + parts[1], parts[0] + "." + parts[1] + ".", good + "x", good + ".x", parts[0] + "." + url64.EncodeToString([]byte(`{"sub":"admin"}`)) + "." + parts[2], url64.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", url64.EncodeToString([]byte(`{}`)) + "." + parts[1] + "." + parts[2],
		signed(object{"alg": "HS512"}, object{"sub": "u"}), signedText(`{"alg":"HS256"}`, `"text"`, object{"alg": "HS256"}), signedText(`{"alg":"HS256"}`, `not json`, object{"alg": "HS256"}), signedText(`not json`, `{}`, object{"alg": "HS256"}), signed(object{"alg": "HS256", "crit": list{"x"}, "x": 1}, object{"sub": "u"}), signed(object{"alg": "HS256", "typ": "at+jwt"}, object{"sub": "u"}), signed(object{"alg": "HS256", "kid": "any"}, object{"sub": "u"}), strings.Repeat("a", 5000), good + "=", "é.é.é", signed(object{"alg": "hs256"}, object{"sub": "u"}), signed(object{"alg": "HS256", "b64": false}, object{"sub": "u"}),
	}
	for _, token := range bad {
		add("bad", object{"algorithm": "HS256"}, secret, bearer(token))
	}
	for _, value := range []string{"bearer " + good, "BEARER " + good, "Bearer  " + good, good, "Basic " + good, "Bearer", "Bearer ", "Bearer " + good + " x", " Bearer " + good, "Token " + good} {
		add("scheme", object{"algorithm": "HS256"}, secret, request{headers: object{g.casing("Authorization"): value}})
	}
	for _, cookie := range []string{"t=" + good, "a=b; t=" + good + "; c=d", `t="` + good + `"`, "t=", "tt=" + good, "t=x; t=" + good, "a=b;t=" + good, "t = " + good} {
		add("cookie", object{"algorithm": "HS256", "tokenCookieName": "t"}, secret, request{headers: object{g.casing("Cookie"): cookie}})
	}
	for _, r := range []request{{headers: object{"X-Token": good}}, {headers: object{"x-token": good}}, {headers: object{"x-token": "Bearer " + good}}, {headers: object{}}, {query: map[string][]string{"token": {good}}}, {query: map[string][]string{"token": {"bad"}}, headers: object{"x-token": good}}} {
		add("source", object{"algorithm": "HS256", "tokenHeaderName": "X-Token", "tokenQueryStringName": "token"}, secret, r)
	}
	for _, o := range []object{{}, {"algorithm": "none"}, {"algorithm": list{}}, {"algorithm": list{"HS256", "none"}}} {
		add("option-refused", o, secret, bearer(good))
	}
	add("no-key", object{"algorithm": "HS256"}, nil, bearer(good))
	add("confusion", object{"algorithm": list{"HS256", "ES256"}}, secret, bearer(good))
	add("kms", object{"algorithm": "ES256"}, object{"publicKey": spki(ecKey(1).Public()), "keySpec": "ECC_NIST_P256"}, bearer(signed(object{"alg": "ES256"}, object{"sub": "u"})))
	add("kms", object{"algorithm": "EdDSA"}, object{"publicKey": spki(edKey(1).Public()), "keySpec": "ECC_NIST_ED25519"}, bearer(signed(object{"alg": "EdDSA"}, object{"sub": "u"})))
	add("kms", object{"algorithm": "HS256"}, object{"publicKey": spki(ecKey(1).Public()), "keySpec": "ECC_NIST_P256"}, bearer(good))
	add("other-key", object{"algorithm": "ES256"}, spki(ecKey(2).Public()), bearer(signed(object{"alg": "ES256"}, object{"sub": "u"})))
	add("other-key", object{"algorithm": "EdDSA"}, spki(edKey(2).Public()), bearer(signed(object{"alg": "EdDSA"}, object{"sub": "u"})))
	add("other-secret", object{"algorithm": "HS256"}, "another-secret-of-sufficient-length", bearer(good))
	issuers(g)
}

func jwk(kid string, seed byte, more object) object {
	b, err := ecKey(seed).PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	k := object{"kty": "EC", "crv": "P-256", "x": url64.EncodeToString(b[1:33]), "y": url64.EncodeToString(b[33:])}
	if kid != "" {
		k["kid"] = kid
	}
	for name, value := range more {
		k[name] = value
	}
	return k
}

func issuers(g *gen) {
	const iss, uri = "https://issuer.example", "https://issuer.example/jwks"
	token := func(kid string, claims object) json.RawMessage {
		h := object{"alg": "ES256"}
		if kid != "" {
			h["kid"] = kid
		}
		return event("rest", request{headers: object{"Authorization": "Bearer " + signed(h, claims)}})
	}
	documents := []any{
		object{"keys": list{jwk("k1", 1, object{"alg": "ES256"})}}, object{"keys": list{jwk("k1", 1, nil)}}, object{"keys": list{jwk("", 1, nil)}}, object{"keys": list{jwk("k2", 2, nil), jwk("k1", 1, object{"use": "sig"})}}, object{"keys": list{}}, object{}, 404, 503, object{"keys": list{jwk("k1", 2, nil)}}, object{"keys": list{jwk("k1", 1, object{"alg": "ES384"})}},
	}
	for _, document := range documents {
		o := object{"issuers": object{iss: object{"jwksUri": uri}}, "algorithm": "ES256", "setToContext": true, "disablePrefetch": true}
		steps := []conformance.Step{{Event: token("k1", object{"iss": iss, "sub": "u"})}, {Event: token("", object{"iss": iss})}, {Event: token("k1", object{"iss": "https://other.example"})}, {Event: token("k1", object{"sub": "no issuer"})}}
		g.add("issuers", conformance.Case{Use: g.use(o), JWKS: raw(object{uri: document}), Steps: steps, Handler: echoes("context")})
	}
	o := object{"issuers": object{iss: object{"jwksUri": uri, "audience": "a"}}, "algorithm": list{"ES256", "EdDSA"}, "setToContext": true, "disablePrefetch": true}
	g.add("issuers", conformance.Case{Use: g.use(o), JWKS: raw(object{uri: documents[0]}), Steps: []conformance.Step{{Event: token("k1", object{"iss": iss, "aud": "a"})}, {Event: token("k1", object{"iss": iss, "aud": "b"})}, {Event: token("k1", object{"iss": iss})}}, Handler: echoes("context")})
}

// pae is PASETO's pre-authentication encoding.
func pae(pieces ...string) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(pieces)))
	for _, p := range pieces {
		b = append(binary.LittleEndian.AppendUint64(b, uint64(len(p))), p...)
	}
	return b
}

func pasetoToken(payload, footer string) string {
	const header = "v4.public."
	sig := ed25519.Sign(edKey(1), pae(header, payload, footer, ""))
	token := header + url64.EncodeToString(append([]byte(payload), sig...))
	if footer != "" {
		token += "." + url64.EncodeToString([]byte(footer))
	}
	return token
}

func paseto(g *gen) {
	add := func(what string, o object, k any, r request) {
		o["internalKey"], o["setToContext"] = "k", true
		c := conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), r), Handler: echoes("context")}
		if k != nil {
			c.Internal = raw(object{"k": k})
		}
		g.add(what, c)
	}
	key := spki(edKey(1).Public())
	bearer := func(token string) request {
		return request{headers: object{g.casing("Authorization"): "Bearer " + token}}
	}
	const before, after = "2000-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z"
	payloads := []string{
		`{"sub":"u"}`, `{}`, `{"exp":"` + after + `"}`, `{"exp":"` + before + `"}`, `{"nbf":"` + after + `"}`, `{"nbf":"` + before + `"}`, `{"iat":"` + after + `"}`, `{"iat":"` + before + `"}`, `{"exp":"tomorrow"}`, `{"exp":5}`, `{"aud":"a"}`, `{"aud":"b"}`, `{"iss":"i"}`, `{"iss":"j"}`, `{"sub":"日本","n":1.5,"o":{"x":[1,null]}}`,
		`{"aud":"a","iss":"i","sub":"u"}`, `{"jti":"1","kid":"2"}`, `{"exp":"2100-01-01T00:00:00+02:00"}`,
	}
	for _, p := range payloads {
		add("payload", object{}, key, bearer(pasetoToken(p, "")))
		o := object{}
		g.maybe(o, 50, "audience", "a")
		g.maybe(o, 50, "issuer", "i")
		g.maybe(o, 30, "maxTokenAge", "1h")
		g.maybe(o, 30, "payloadKey", "auth")
		add("options", o, key, bearer(pasetoToken(p, "")))
	}
	good := pasetoToken(`{"sub":"u"}`, "")
	for _, token := range []string{
		"", "x", "v4.public.", "v4.public.AAAA", good + "A", good[:len(good)-4], "v3.public." + good[10:], "v4.local." + good[10:], "V4.PUBLIC." + good[10:], good + ".AA", pasetoToken(`{"sub":"u"}`, "footer"), pasetoToken(`{"sub":"u"}`, `{"kid":"1"}`), pasetoToken(`{"sub":"u"}`, "footer") + "x", "v4.public." + url64.EncodeToString([]byte(strings.Repeat("a", 100))), strings.Repeat("a", 4000), good + "=", "v4.public.é", pasetoToken(`[1]`, ""), pasetoToken(`text`, ""),
	} {
		add("bad", object{}, key, bearer(token))
	}
	for _, value := range []string{"bearer " + good, "Bearer  " + good, good, "Basic " + good, "Bearer", "Bearer " + good + " x"} {
		add("scheme", object{}, key, request{headers: object{g.casing("Authorization"): value}})
	}
	for _, cookie := range []string{"t=" + good, "a=b; t=" + good, `t="` + good + `"`, "t=", "x=" + good} {
		add("cookie", object{"tokenCookieName": "t"}, key, request{headers: object{g.casing("Cookie"): cookie}})
	}
	for _, r := range []request{{headers: object{"x-token": good}}, {query: map[string][]string{"token": {good}}}, {}} {
		add("source", object{"tokenHeaderName": "X-Token", "tokenQueryStringName": "token"}, key, r)
	}
	add("no-key", object{}, nil, bearer(good))
	add("other-key", object{}, spki(edKey(2).Public()), bearer(good))
	add("kms", object{}, object{"publicKey": key, "keySpec": "ECC_NIST_ED25519"}, bearer(good))
}

func x402(g *gen) {
	pay := func(more object) object {
		accepted := object{"scheme": "exact", "network": "eip155:8453", "amount": "5", "asset": "a", "payTo": "p", "maxTimeoutSeconds": 60}
		for k, v := range more {
			accepted[k] = v
		}
		return object{"$b64json": object{"x402Version": 2, "accepted": accepted, "payload": object{"signature": "0x1"}}}
	}
	base := func() object { return object{"amount": "5", "payTo": "p", "asset": "a"} }
	at := func(door, header string, value any) json.RawMessage {
		h := object{}
		if header != "" {
			h[header] = value
		}
		return event(door, request{path: "/paid", headers: h})
	}
	handler := returns(object{"statusCode": 200, "headers": object{"Content-Type": "text/plain"}, "body": "paid content"})
	paid := object{"verify": object{"isValid": true}, "settle": object{"success": true, "payer": "0xpayer", "transaction": "0xtx", "network": "eip155:8453"}}
	for _, price := range []any{0.001, "1.000001", 1e-6, 1.5e-6, "0", ".5", "007", "0.0000001", "1e2", "1.5abc", "", "5.", ".", "-1", 1e15, "123456789012345678901234567890", nil, "٣"} {
		o := object{"payTo": "p", "asset": "a"}
		if price != nil {
			o["price"] = price
		}
		g.maybe(o, 20, "decimals", pick(g, 0, 2, 18))
		g.add("price", conformance.Case{Use: g.use(o), Event: at(pick(g, doors...), "", nil), Handler: handler})
	}
	for _, o := range []object{{"amount": "5"}, {"amount": "005"}, {"amount": "5.5"}, {"amount": ""}, {"amount": "-5"}, {"versions": list{}}, {"versions": list{1}}, {"versions": list{2}}, {"versions": list{1, 2}}, {"extra": object{"name": "USDC", "version": "2"}}, {"extra": object{"paymentFlow": "x"}}, {"network": "eip155:84532"}, {"description": "d", "mimeType": "text/html"}, {"human": object{"$function": "true"}}, {"human": object{"$function": "false"}}} {
		for k, v := range base() {
			if _, has := o[k]; !has {
				o[k] = v
			}
		}
		g.add("option", conformance.Case{Use: g.use(o), Event: at(pick(g, doors...), "", nil), Handler: handler})
	}
	v1 := func(network any, version any) object {
		return object{"$b64json": object{"x402Version": version, "scheme": "exact", "network": network, "payload": object{}}}
	}
	headers := []struct {
		name  string
		value any
	}{
		{"payment-signature", pay(nil)}, {"Payment-Signature", pay(nil)}, {"PAYMENT-SIGNATURE", pay(nil)}, {"payment-signature", pay(object{"amount": "4"})}, {"payment-signature", pay(object{"amount": 5})}, {"payment-signature", pay(object{"asset": "b"})}, {"payment-signature", pay(object{"payTo": "q"})}, {"payment-signature", pay(object{"network": "eip155:1"})}, {"payment-signature", pay(object{"scheme": "upto"})}, {"payment-signature", pay(object{"maxTimeoutSeconds": 61})}, {"payment-signature", pay(object{"extra": object{"x": 1}})},
		{"payment-signature", object{"$b64json": object{"x402Version": 2}}}, {"payment-signature", object{"$b64json": object{"x402Version": "2"}}}, {"payment-signature", object{"$b64json": object{"x402Version": 3}}}, {"payment-signature", object{"$b64json": list{}}}, {"payment-signature", object{"$b64json": "text"}}, {"payment-signature", object{"$b64": "null"}}, {"payment-signature", "%%%"}, {"payment-signature", ""}, {"payment-signature", object{"$b64": "{"}}, {"payment-signature", object{"$b64json": object{"x402Version": 2, "accepted": nil}}},
		{"x-payment", v1("eip155:8453", 1)}, {"X-Payment", v1("eip155:8453", 1)}, {"X-PAYMENT", v1("eip155:8453", 1)}, {"x-payment", v1("eip155:1", 1)}, {"x-payment", v1("eip155:8453", 2)}, {"x-payment", "%%%"}, {"x-payment", ""},
	}
	facilitators := []object{
		paid, {"verify": object{"isValid": false, "invalidReason": "insufficient_balance"}}, {"verify": object{"isValid": false}}, {"verify": object{"$throw": object{"message": "secret"}}}, {"verify": object{"$throw": object{"message": "secret", "invalidReason": "bad_signature"}}},
		{"verify": object{"isValid": true}, "settle": object{"success": false, "errorReason": "insufficient_funds", "transaction": "", "network": "eip155:8453"}}, {"verify": object{"isValid": true}, "settle": object{"$throw": object{"message": "secret"}}}, {"verify": object{"isValid": true}, "settle": object{"$throw": object{"message": "secret", "errorReason": "pending", "transaction": "0x1"}}},
	}
	for _, h := range headers {
		o := base()
		o["facilitator"] = paid
		g.add("header", conformance.Case{Use: g.use(o), Event: at(pick(g, doors...), h.name, h.value), Handler: handler})
	}
	for _, f := range facilitators {
		for _, h := range []int{0, 21} {
			o := base()
			o["facilitator"] = f
			g.maybe(o, 30, "versions", pick(g, list{1}, list{2}, list{1, 2}))
			c := conformance.Case{Use: g.use(o), Event: at(pick(g, doors...), headers[h].name, headers[h].value), Handler: handler}
			g.add("facilitator", c)
			c.Handler = returns(object{"statusCode": pick(g, 201, 302, 400, 404, 500), "headers": object{"Content-Type": "text/plain"}, "body": "x"})
			g.add("status", c)
		}
	}
}
