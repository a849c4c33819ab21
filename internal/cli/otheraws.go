package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/gomiddy/middy/emulator/sigv4"
	"github.com/gomiddy/middy/internal/loopback"
)

// The services that are not emulated. Their clients are sent to an address of ours,
// so that nothing leaves the machine by mistake: neither the name of a table, nor a
// request that the developer's own credentials would make true.

// variables are the names in AWS_ENDPOINT_URL_<NAME> of services whose signing name
// is another.
// https://docs.aws.amazon.com/sdkref/latest/guide/ss-endpoints-table.html
var variables = map[string]string{
	"aoss": "OPENSEARCHSERVERLESS", "apigateway": "API_GATEWAY", "bedrock": "BEDROCK_RUNTIME", "cognito-idp": "COGNITO_IDENTITY_PROVIDER",
	"elasticfilesystem": "EFS", "elasticloadbalancing": "ELASTIC_LOAD_BALANCING_V2", "elasticmapreduce": "EMR", "es": "OPENSEARCH",
	"events": "EVENTBRIDGE", "execute-api": "APIGATEWAYMANAGEMENTAPI", "iotdata": "IOT_DATA_PLANE", "logs": "CLOUDWATCH_LOGS",
	"mobiletargeting": "PINPOINT", "monitoring": "CLOUDWATCH", "route53": "ROUTE_53", "s3express": "S3", "s3-object-lambda": "S3",
	"sagemaker": "SAGEMAKER_RUNTIME", "ses": "SESV2", "states": "SFN",
}

// hostNames are the first part of the host of services whose name in
// AWS_ENDPOINT_URL_<NAME> is another.
// https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
var hostNames = map[string]string{
	"api_gateway": "apigateway", "cloudwatch": "monitoring", "cloudwatch_logs": "logs", "cognito_identity_provider": "cognito-idp",
	"efs": "elasticfilesystem", "eventbridge": "events", "iot_data_plane": "data-ats.iot", "opensearch": "es", "sagemaker_runtime": "runtime.sagemaker",
	"ses": "email", "sesv2": "email", "sfn": "states",
}

// emulated are the services that middy dev has itself.
var emulated = []string{"secrets_manager", "secretsmanager", "ssm", "sts", "lambda", "apigatewaymanagementapi"}

func variable(signingName string) string {
	if v := variables[signingName]; v != "" {
		return v
	}
	return strings.ToUpper(strings.NewReplacer("-", "_", " ", "_").Replace(signingName))
}

// readPass reads --pass: names as in AWS_ENDPOINT_URL_<NAME>, in any case.
func readPass(text string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		name = strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(strings.TrimSpace(name)))
		switch {
		case name == "" && text == "":
		case !validServiceName(name):
			return nil, usagef("--pass %q is not a list of services; write it as s3,dynamodb", text)
		case slices.Contains(emulated, name):
			return nil, usagef("--pass %s: middy dev emulates it, and its signatures are the emulator's", name)
		case !slices.Contains(names, name):
			names = append(names, name)
		}
	}
	return names, nil
}

func validServiceName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// otherAWS is where clients of services that are not emulated end up.
type otherAWS struct {
	env     []string // for the function and for a shell
	servers []*http.Server
}

// startOther listens for all of them, and for each of pass.
func startOther(ctx context.Context, a *app, cfg *devConfig, verifier *sigv4.Verifier, region string, r *reporter) (o *otherAWS, err error) {
	o = &otherAWS{}
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	serve := func(variable string, h http.Handler) error {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return failf("the address for other AWS services: %w", err)
		}
		srv := &http.Server{Handler: h, ReadHeaderTimeout: bodyWait}
		o.servers = append(o.servers, srv)
		o.env = append(o.env, variable+"=http://"+l.Addr().String())
		go func() { _ = srv.Serve(l) }() // it ends with close
		return nil
	}
	if err := serve("AWS_ENDPOINT_URL", notEmulated{r}); err != nil || len(cfg.passed) == 0 {
		return o, err
	}
	own, err := developersCredentials(ctx, a.env)
	if err != nil {
		return o, failf("--pass needs your own credentials, and there are none: %w", err)
	}
	for _, name := range cfg.passed {
		target := cmp.Or(a.env.get("AWS_ENDPOINT_URL_"+strings.ToUpper(name)), "https://"+serviceHost(name, region))
		u, err := url.Parse(target)
		if err != nil || u.Host == "" {
			return o, failf("AWS_ENDPOINT_URL_%s is not an address", strings.ToUpper(name))
		}
		if err := serve("AWS_ENDPOINT_URL_"+strings.ToUpper(name), newPass(u, own, verifier)); err != nil {
			return o, err
		}
	}
	return o, nil
}

// serviceHost is the regional endpoint.
// https://docs.aws.amazon.com/general/latest/gr/rande.html
func serviceHost(name, region string) string {
	host := hostNames[name]
	if host == "" {
		host = strings.ReplaceAll(name, "_", "-")
	}
	if name == "iam" || name == "route_53" {
		return strings.ReplaceAll(name, "_", "") + ".amazonaws.com"
	}
	suffix := ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		suffix += ".cn"
	}
	return host + "." + region + suffix
}

func (o *otherAWS) close() {
	for _, s := range o.servers {
		_ = s.Close()
	}
}

// notEmulated answers every request with one error, in the words of the protocol
// that it came in, and says it on the console. Clients do not try a 400 again.
type notEmulated struct{ r *reporter }

const (
	notEmulatedCode = "NotEmulated"
	forClients      = "this address is for AWS clients on this machine, not for web pages"
)

func (n notEmulated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !loopback.Host(r.Host) || r.Header.Get("Origin") != "" {
		http.Error(w, forClients, http.StatusForbidden)
		return
	}
	claim, _ := sigv4.Parse(r) // what is not signed has no name
	service := claim.Service
	text := "middy dev does not emulate this AWS service: set AWS_ENDPOINT_URL_<SERVICE> with --env, or reach AWS with --pass"
	if validServiceName(strings.ReplaceAll(service, "-", "_")) && len(service) < 64 {
		v := variable(service)
		text = fmt.Sprintf("middy dev does not emulate %s: set AWS_ENDPOINT_URL_%s with --env, or reach AWS itself with --pass %s", service, v, strings.ToLower(v))
		if service == "execute-api" {
			text = "there is no WebSocket API to call back: start middy dev with --websocket"
		}
	}
	n.r.notEmulated(service, text)
	writeAWSError(w, r, service, notEmulatedCode, text)
}

// writeAWSError writes an error with status 400 as the service's protocol has it.
// https://smithy.io/2.0/aws/protocols/index.html
func writeAWSError(w http.ResponseWriter, r *http.Request, service, code, text string) {
	form := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	id := "00000000-0000-0000-0000-000000000000"
	w.Header().Set("X-Amzn-Requestid", id)
	var kind string
	var body []byte
	element := func(name, text string) string {
		var b bytes.Buffer
		_ = xml.EscapeText(&b, []byte(text)) // a Buffer takes everything
		return "<" + name + ">" + b.String() + "</" + name + ">"
	}
	switch {
	case r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		kind, body = "application/cbor", cborMap("__type", code, "message", text)
	case service == "ec2":
		kind = "text/xml"
		body = []byte("<Response><Errors><Error>" + element("Code", code) + element("Message", text) + "</Error></Errors>" + element("RequestID", id) + "</Response>")
	case service == "s3", service == "s3express":
		kind = "application/xml"
		body = []byte("<Error>" + element("Code", code) + element("Message", text) + element("RequestId", id) + "</Error>")
	case form, service == "cloudfront", service == "route53":
		kind = "text/xml"
		body = []byte("<ErrorResponse><Error><Type>Sender</Type>" + element("Code", code) + element("Message", text) + "</Error>" + element("RequestId", id) + "</ErrorResponse>")
	default:
		kind = "application/json"
		if k := r.Header.Get("Content-Type"); strings.HasPrefix(k, "application/x-amz-json-") {
			kind = k
		}
		w.Header().Set("X-Amzn-Errortype", code)
		body, _ = json.Marshal(map[string]string{"__type": code, "message": text, "Message": text}) // strings only
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// cborMap encodes a map of texts. RFC 8949, section 3.
func cborMap(pairs ...string) []byte {
	out := []byte{5<<5 | byte(len(pairs)/2)}
	for _, s := range pairs {
		out = append(out, 3<<5|25)
		out = binary.BigEndian.AppendUint16(out, uint16(len(s)))
		out = append(out, s...)
	}
	return out
}

// maxPassed is the largest body that is passed on, in bytes: it is held in memory to
// be verified and signed.
const maxPassed = 64 << 20

// developersCredentials are those of the developer's own environment.
func developersCredentials(ctx context.Context, env environ) (aws.CredentialsProvider, error) {
	if id, secret := env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY"); id != "" && secret != "" {
		return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: env.get("AWS_SESSION_TOKEN"), Source: "environment"}, nil
		}), nil
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(env.get("AWS_PROFILE")), config.WithRegion("us-east-1"))
	if err != nil {
		return nil, err
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, err
	}
	return cfg.Credentials, nil
}

// newPass sends requests on to target, signed anew with the developer's credentials,
// which the function never sees. It takes only those that the function signed with
// the credentials it was given: no other program gets in by the address alone.
func newPass(target *url.URL, own aws.CredentialsProvider, verifier *sigv4.Verifier) http.Handler {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, ResponseHeaderTimeout: time.Minute, DisableCompression: true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claim, _ := sigv4.Parse(r) // what is not signed is refused below
		refuse := func(text string) {
			writeAWSError(w, r, claim.Service, "PassRefused", "middy dev --pass: "+text)
		}
		if !loopback.Host(r.Host) || r.Header.Get("Origin") != "" {
			http.Error(w, forClients, http.StatusForbidden)
			return
		}
		id, err := verifier.Verify(r, sigv4.Endpoint{Service: claim.Service, UnsignedPayload: true})
		switch {
		case err != nil:
			refuse("the request is not signed with the credentials that the function was given: " + clean(err))
			return
		case id.Presigned:
			refuse("a presigned URL needs your own signature; call the service instead")
			return
		case strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-AWS4-"):
			refuse("chunks that are signed one by one cannot be signed anew; turn them off in the client")
			return
		}
		credentials, err := own.Retrieve(r.Context())
		if err != nil {
			refuse("your own credentials: " + err.Error())
			return
		}
		body, err := io.ReadAll(r.Body) // from memory: the verifier has read it
		if err != nil {
			refuse(err.Error())
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		(&httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(target)
				p.Out.Host = target.Host
				sign(r.Context(), p.Out, body, credentials, id)
			},
			Transport: transport,
			ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
				writeAWSError(w, r, claim.Service, "PassFailed", "middy dev --pass could not reach "+target.Host+": "+err.Error())
			},
		}).ServeHTTP(w, r)
	})
}

// sign replaces a signature. Whether the service takes it, the service says.
func sign(ctx context.Context, r *http.Request, body []byte, credentials aws.Credentials, id *sigv4.Identity) {
	for _, h := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		r.Header.Del(h)
	}
	hash := r.Header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		sum := sha256.Sum256(body)
		hash = hex.EncodeToString(sum[:])
	}
	_ = v4.NewSigner().SignHTTP(ctx, credentials, r, hash, id.Service, id.Region, time.Now(), func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = strings.HasPrefix(id.Service, "s3")
	})
}
