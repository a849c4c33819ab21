package sigv4

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestAWSTestSuite runs AWS's published Signature Version 4 test suite
// (aws-sig-v4-test-suite, Apache-2.0) against the verifier: requests as they are on
// the wire, signatures as AWS published them.
func TestAWSTestSuite(t *testing.T) {
	const unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	const token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
	type header [2]string
	const vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	const post = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
	for _, v := range []struct {
		name, method, target string
		headers              []header
		body, signature      string
	}{
		{"get-vanilla", "GET", "/", nil, "", vanilla},
		{"get-vanilla-query", "GET", "/", nil, "", vanilla},
		{"get-relative", "GET", "/example/..", nil, "", vanilla},
		{"get-relative-relative", "GET", "/example1/example2/../..", nil, "", vanilla},
		{"get-slash", "GET", "//", nil, "", vanilla},
		{"get-slash-dot-slash", "GET", "/./", nil, "", vanilla},
		{"get-slash-pointless-dot", "GET", "/./example", nil, "", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
		{"get-slashes", "GET", "//example//", nil, "", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
		{"get-space", "GET", "/example space/", nil, "", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
		{"get-unreserved", "GET", "/" + unreserved, nil, "", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{"get-utf8", "GET", "/\u1234", nil, "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
		{"get-vanilla-empty-query-key", "GET", "/?Param1=value1", nil, "", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		{"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", nil, "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-vanilla-query-unreserved", "GET", "/?" + unreserved + "=" + unreserved, nil, "", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		{"get-vanilla-utf8-query", "GET", "/?\u1234=bar", nil, "", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		{"get-header-key-duplicate", "GET", "/", []header{{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}}, "",
			"c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		{"get-header-value-multiline", "GET", "/", []header{{"My-Header1", "value1,value2,value3"}}, "",
			"ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790"},
		{"get-header-value-order", "GET", "/", []header{{"My-Header1", "value4"}, {"My-Header1", "value1"}, {"My-Header1", "value3"}, {"My-Header1", "value2"}}, "",
			"08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
		{"get-header-value-trim", "GET", "/", []header{{"My-Header1", " value1"}, {"My-Header2", ` "a   b   c"`}}, "",
			"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{"post-vanilla", "POST", "/", nil, "", post},
		{"post-header-key-sort", "POST", "/", []header{{"My-Header1", "value1"}}, "", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
		{"post-header-value-case", "POST", "/", []header{{"My-Header1", "VALUE1"}}, "", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
		{"post-sts-header-before", "POST", "/", []header{{"X-Amz-Security-Token", token}}, "", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
		{"post-vanilla-query", "POST", "/?Param1=value1", nil, "", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
		{"post-vanilla-query-nonunreserved", "POST", "/?@%23$%25%5E&%2B=/,?%3E%3C%60%22;:%5C%7C][%7B%7D", nil, "",
			"66c82657c86e26fb25238d0e69f011edc4c6df5ae71119d7cb98ed9b87393c1e"},
		{"post-vanilla-query-space", "POST", "/?p=", nil, "", "e71688addb58a26418614085fb730ba3faa623b461c17f48f2fbdb9361b94a9b"},
		{"post-x-www-form-urlencoded", "POST", "/", []header{{"Content-Type", "application/x-www-form-urlencoded"}}, "Param1=value1",
			"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{"post-x-www-form-urlencoded-parameters", "POST", "/", []header{{"Content-Type", "application/x-www-form-urlencoded; charset=utf8"}}, "Param1=value1",
			"1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
	} {
		t.Run(v.name, func(t *testing.T) {
			path, query, _ := strings.Cut(v.target, "?")
			r, err := http.NewRequest(v.method, "http://example.amazonaws.com/", strings.NewReader(v.body))
			if err != nil {
				t.Fatal(err)
			}
			r.RequestURI, r.URL = v.target, &url.URL{Path: path, RawQuery: query}
			r.Header.Set("X-Amz-Date", "20150830T123600Z")
			names := []string{"host", "x-amz-date"}
			creds := Credentials{Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
			for _, h := range v.headers {
				r.Header.Add(h[0], h[1])
				names = append(names, strings.ToLower(h[0]))
				if h[0] == "X-Amz-Security-Token" {
					creds.SessionToken = h[1]
				}
			}
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders="+
				strings.Join(names, ";")+", Signature="+v.signature)
			verifier := New(Config{
				Lookup: func(id string) (Credentials, bool) { return creds, id == "AKIDEXAMPLE" },
				Now:    func() time.Time { return time.Date(2015, 8, 30, 12, 40, 0, 0, time.UTC) },
				Debug:  true,
			})
			if _, err := verifier.Verify(r, Endpoint{Service: "service", Regions: []string{"us-east-1"}}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestS3Examples runs the worked examples of the S3 API reference.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
func TestS3Examples(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, v := range []struct {
		name, method, target, host, body string
		headers                          map[string]string
		signature                        string
		payload                          PayloadMode
	}{
		{"get object", "GET", "/test.txt", "examplebucket.s3.amazonaws.com", "", map[string]string{"Range": "bytes=0-9", "X-Amz-Content-Sha256": empty},
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", Signed},
		{"put object", "PUT", "/test%24file.text", "examplebucket.s3.amazonaws.com", "Welcome to Amazon S3.", map[string]string{
			"Date": "Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY",
			"X-Amz-Content-Sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd", Signed},
		{"get bucket lifecycle", "GET", "/?lifecycle", "examplebucket.s3.amazonaws.com", "", map[string]string{"X-Amz-Content-Sha256": empty},
			"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", Signed},
		{"list objects", "GET", "/?max-keys=2&prefix=J", "examplebucket.s3.amazonaws.com", "", map[string]string{"X-Amz-Content-Sha256": empty},
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7", Signed},
		{"chunked upload, seed", "PUT", "/examplebucket/chunkObject.txt", "s3.amazonaws.com", "", map[string]string{
			"X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY",
			"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "66560", "Content-Length": "66824"},
			"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", Streamed},
		{"presigned", "GET", "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
			"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
			"examplebucket.s3.amazonaws.com", "", nil, "", UnsignedBody},
	} {
		t.Run(v.name, func(t *testing.T) {
			path, query, _ := strings.Cut(v.target, "?")
			r, err := http.NewRequest(v.method, "http://"+v.host+"/", strings.NewReader(v.body))
			if err != nil {
				t.Fatal(err)
			}
			r.RequestURI, r.URL = v.target, &url.URL{Path: path, RawQuery: query}
			names := []string{"host"}
			if v.signature != "" {
				r.Header.Set("X-Amz-Date", "20130524T000000Z")
				names = append(names, "x-amz-date")
			}
			for k, val := range v.headers {
				r.Header.Set(k, val)
				names = append(names, strings.ToLower(k))
			}
			if v.signature != "" {
				r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="+
					strings.Join(names, ";")+",Signature="+v.signature)
			}
			verifier := New(Config{
				Lookup: func(string) (Credentials, bool) {
					return Credentials{Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, true
				},
				Now: func() time.Time { return time.Date(2013, 5, 24, 0, 15, 0, 0, time.UTC) }, Debug: true,
			})
			id, err := verifier.Verify(r, Endpoint{Service: "s3", Regions: []string{"us-east-1"}})
			if err != nil {
				t.Fatal(err)
			}
			if id.Payload != v.payload {
				t.Errorf("payload mode %d, want %d", id.Payload, v.payload)
			}
		})
	}
}
