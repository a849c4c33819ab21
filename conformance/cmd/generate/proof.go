package main

import (
	"crypto/sha256"
	"strings"

	"github.com/gomiddy/middy/conformance"
)

// thumbprint is that of a key: RFC 7638.
func thumbprint(key object) string {
	text := `{"crv":"` + key["crv"].(string) + `","kty":"` + key["kty"].(string) + `","x":"` + key["x"].(string) + `"`
	if y, ok := key["y"].(string); ok {
		text += `,"y":"` + y + `"`
	}
	sum := sha256.Sum256([]byte(text + "}"))
	return url64.EncodeToString(sum[:])
}

func okp(seed byte) object {
	key := edKey(seed)
	return object{"kty": "OKP", "crv": "Ed25519", "x": url64.EncodeToString(key[32:])}
}

// dpop makes proofs as clients do, and as attackers do. An age of a hundred years
// keeps a fixed iat good.
func dpop(g *gen) {
	const token, years = "header.payload.signature", 3200000000
	for range 70 {
		alg, key := "ES256", jwk("", 1, nil)
		if g.chance(35) {
			alg, key = "EdDSA", okp(1)
		}
		jkt := thumbprint(key)
		door := pick(g, "rest", "http1", "http2", "stage", "url", "alb", "alb-multi", "lattice1", "lattice2")
		v := visit{method: pick(g, "GET", "POST"), path: pick(g, "/orders", "/orders/42", "/a%20b")}
		if g.chance(30) {
			v.query = [][2]string{{"page", "2"}}
		}
		domain := map[string]string{"url": "abcdefghij.lambda-url.eu-west-1.on.aws"}[door]
		if domain == "" {
			domain = "api.example.com"
		}
		o := object{"maxAge": years, "setToContext": true}
		if strings.HasPrefix(door, "alb") || strings.HasPrefix(door, "lattice") || g.chance(30) {
			if o["origin"] = "https://api.example.com"; g.chance(10) {
				delete(o, "origin")
			}
			domain = "api.example.com"
		}
		g.maybe(o, 15, "algorithm", pick[any](g, "ES256", list{"EdDSA", "ES256"}, "EdDSA", "HS256"))
		g.maybe(o, 15, "required", true)
		g.maybe(o, 10, "maxProofLength", pick(g, 100, 8192))
		g.maybe(o, 10, "maxAge", 60)
		path := v.path
		if door == "stage" && g.chance(50) {
			path = "/prod" + path
		}
		sum := sha256.Sum256([]byte(token))
		header := object{"typ": "dpop+jwt", "alg": alg, "jwk": key}
		claims := object{"htm": v.method, "htu": "https://" + domain + path, "iat": 1700000000, "jti": "id-1", "ath": url64.EncodeToString(sum[:])}
		switch g.IntN(24) {
		case 0:
			header["typ"] = "JWT"
		case 1:
			claims["htm"] = "DELETE"
		case 2:
			claims["htu"] = "https://evil.example" + path
		case 3:
			claims["htu"] = claims["htu"].(string) + "?page=2#top"
		case 4:
			claims["htu"] = strings.Replace(claims["htu"].(string), "https://api", "HTTPS://API", 1)
		case 5:
			delete(claims, pick(g, "jti", "iat", "ath", "htu", "htm"))
		case 6:
			claims["ath"] = "other"
		case 7:
			header["jwk"] = jwk("", 2, nil)
		case 8:
			header["jwk"] = jwk("", 1, object{"d": "AAAA"})
		case 9:
			jkt = thumbprint(jwk("", 2, nil))
		case 10:
			claims["iat"] = pick[any](g, "1700000000", 1700000000.5, 5)
		case 11:
			header["crit"] = list{"exp"}
		case 12:
			claims["exp"] = pick(g, past, future)
		}
		proof := signed(header, claims)
		switch g.IntN(16) {
		case 0:
			proof = pick(g, "", "x", "a.b.c", proof+".x", proof+"=", proof[:len(proof)-3]+"AAA")
		}
		if g.chance(95) {
			v.field(pick(g, "DPoP", "dpop", "Dpop", "DPOP"), proof)
			if g.chance(5) {
				v.field("DPoP", proof)
			}
		}
		v.field(g.spell("Authorization"), pick(g, "DPoP ", "DPoP ", "DPoP ", "DPoP ", "dpop ", "Bearer ")+token)
		payload := object{"sub": "u", "cnf": object{"jkt": jkt}}
		if g.chance(10) {
			payload = pick(g, object{"sub": "u"}, object{"sub": "u", "cnf": object{}}, object{"sub": "u", "cnf": object{"jkt": 5}})
		}
		g.add("proof", conformance.Case{Use: g.use(o), Event: realistic(door, v), Internal: raw(object{"jwt": payload}), Handler: echoes("context")})
	}
}
