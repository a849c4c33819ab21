package cli

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// A sample says what a template's event is about.
type sample struct {
	method, path string // of a door
	body         string // of a door's request, or of the message
	region       string
}

// samples are the events of services that call a function without HTTP, as AWS
// documents them: https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
// and the pages below it. The body is the message, the detail or the data.
var samples = map[string]func(sample) any{
	"sqs": func(s sample) any {
		sum := md5.Sum([]byte(s.body)) // what SQS sends
		now := fmt.Sprint(time.Now().UnixMilli())
		return records(object{
			"messageId": runtimeapi.NewRequestID(), "receiptHandle": "receipt-handle", "body": s.body, "md5OfBody": hex.EncodeToString(sum[:]),
			"attributes":        object{"ApproximateReceiveCount": "1", "SentTimestamp": now, "SenderId": "AIDAIENQZJOLO23YVJ4VO", "ApproximateFirstReceiveTimestamp": now},
			"messageAttributes": object{}, "eventSource": "aws:sqs", "eventSourceARN": s.arn("sqs", "queue"), "awsRegion": s.region,
		})
	},
	"sns": func(s sample) any {
		topic := s.arn("sns", "topic")
		return records(object{
			"EventVersion": "1.0", "EventSource": "aws:sns", "EventSubscriptionArn": topic + ":21be56ed-a058-49f5-8c98-aedd2564c486",
			"Sns": object{
				"Type": "Notification", "MessageId": runtimeapi.NewRequestID(), "TopicArn": topic, "Subject": "TestInvoke", "Message": s.body,
				"Timestamp": stampOf(time.Now()), "SignatureVersion": "1", "Signature": "EXAMPLE", "SigningCertUrl": "EXAMPLE", "UnsubscribeUrl": "EXAMPLE",
				"MessageAttributes": object{},
			},
		})
	},
	"s3": func(s sample) any {
		return records(object{
			"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": s.region, "eventTime": stampOf(time.Now()), "eventName": "ObjectCreated:Put",
			"userIdentity": object{"principalId": "EXAMPLE"}, "requestParameters": object{"sourceIPAddress": "127.0.0.1"},
			"responseElements": object{"x-amz-request-id": "EXAMPLE123456789", "x-amz-id-2": "EXAMPLE"},
			"s3": object{
				"s3SchemaVersion": "1.0", "configurationId": "config",
				"bucket": object{"name": "bucket", "ownerIdentity": object{"principalId": "EXAMPLE"}, "arn": "arn:aws:s3:::bucket"},
				"object": object{"key": "folder/Happy+Face.jpg", "size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": "0A1B2C3D4E5F678901"},
			},
		})
	},
	"eventbridge": func(s sample) any { return s.bridge("orders", "OrderPlaced", detail(s.body), []string{}) },
	"schedule": func(s sample) any {
		return s.bridge("aws.events", "Scheduled Event", object{}, []string{s.arn("events", "rule/schedule")})
	},
	"kinesis": func(s sample) any {
		const number = "49590338271490256608559692538361571095921575989136588898"
		return records(object{
			"kinesis": object{
				"kinesisSchemaVersion": "1.0", "partitionKey": "1", "sequenceNumber": number, "data": base64.StdEncoding.EncodeToString([]byte(s.body)),
				"approximateArrivalTimestamp": float64(time.Now().UnixMilli()) / 1000,
			},
			"eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": "shardId-000000000006:" + number, "eventName": "aws:kinesis:record",
			"invokeIdentityArn": "arn:aws:iam::" + sampleAccount + ":role/lambda-role", "awsRegion": s.region, "eventSourceARN": s.arn("kinesis", "stream/stream"),
		})
	},
	"dynamodb": func(s sample) any {
		return records(object{
			"eventID": "1", "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": s.region,
			"dynamodb": object{
				"ApproximateCreationDateTime": time.Now().Unix(), "Keys": object{"id": object{"S": "1"}},
				"NewImage": object{"id": object{"S": "1"}, "message": object{"S": s.body}}, "SequenceNumber": "4421584500000000017450439091", "SizeBytes": 26,
				"StreamViewType": "NEW_AND_OLD_IMAGES",
			},
			"eventSourceARN": s.arn("dynamodb", "table/table/stream/2026-01-01T00:00:00.000"),
		})
	},
}

type object = map[string]any

const sampleAccount = "123456789012"

func records(r object) any { return object{"Records": []any{r}} }

func stampOf(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (s sample) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + s.region + ":" + sampleAccount + ":" + resource
}

func (s sample) bridge(source, kind string, detail any, resources []string) any {
	return object{
		"version": "0", "id": runtimeapi.NewRequestID(), "detail-type": kind, "source": source, "account": sampleAccount,
		"time": time.Now().UTC().Format(time.RFC3339), "region": s.region, "resources": resources, "detail": detail,
	}
}

// detail is the body as JSON, or as a text in an object.
func detail(body string) any {
	if json.Valid([]byte(body)) {
		return json.RawMessage(body)
	}
	return object{"message": body}
}

func sampleNames() []string { return slices.Sorted(maps.Keys(samples)) }

// template is the event of a service, of a request at a door, or of a load balancer's
// health check for the door's name with "-health" behind it.
func template(name string, s sample) ([]byte, error) {
	if make := samples[name]; make != nil {
		if s.method != "" || s.path != "" {
			return nil, usagef("--method and --path are for the event of a door, and %s is none", name)
		}
		if s.body == "" {
			s.body = `{"id":1}`
		}
		return json.Marshal(make(s))
	}
	u, err := url.ParseRequestURI(cmp.Or(s.path, "/"))
	if err != nil {
		return nil, usagef("--path %q is not a path; it begins with a slash", s.path)
	}
	if balancer, ok := strings.CutSuffix(name, "-health"); ok {
		if alb, ok := newDoor(balancer, &devConfig{}, "", "").(frontdoor.ALB); ok {
			return alb.HealthCheck(u.Path), nil
		}
	}
	door := newDoor(name, &devConfig{}, s.region, "000000000000")
	if door == nil {
		return nil, usagef("--template %s is no event; use %s, or a door's: http, http1, rest, url, alb, alb-multi, lattice or lattice1, or alb-health or alb-multi-health for a health check", name, strings.Join(sampleNames(), ", "))
	}
	h := http.Header{"Accept": {"*/*"}, "User-Agent": {"middy"}}
	if s.body != "" {
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", fmt.Sprint(len(s.body)))
	}
	r := &http.Request{Method: cmp.Or(strings.ToUpper(s.method), http.MethodGet), URL: u, RequestURI: u.RequestURI(), Host: "localhost", RemoteAddr: "127.0.0.1:1",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, ContentLength: int64(len(s.body)), Body: http.NoBody}
	if s.body != "" {
		r.Body = readCloser{bytes.NewReader([]byte(s.body))}
	}
	return door.Event(r, []byte(s.body), frontdoor.Arrival{RequestID: door.NewID(), TraceID: runtimeapi.NewTraceID(), Time: time.Now()})
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// Packages of the types that tell what a function takes.
const (
	eventsPackage = "github.com/aws/aws-lambda-go/events"
	webPackage    = "github.com/gomiddy/middy/web"
)

// httpEvents begin the names of the events that a front door makes.
var httpEvents = []string{"APIGateway", "LambdaFunctionURL", "ALBTarget", "VPCLattice"}

// eventKinds are the beginnings of the names of events that no front door makes, and
// whose they are.
var eventKinds = []struct{ prefix, service string }{
	{"SQS", "SQS"}, {"SNS", "SNS"}, {"S3", "S3"}, {"Kinesis", "Kinesis"}, {"DynamoDB", "DynamoDB"}, {"EventBridge", "EventBridge"},
	{"CloudWatch", "EventBridge"}, {"Kafka", "Kafka"}, {"SimpleEmail", "SES"}, {"Cognito", "Cognito"}, {"AppSync", "AppSync"},
	{"Codepipeline", "CodePipeline"}, {"CodePipeline", "CodePipeline"}, {"ActiveMQ", "Amazon MQ"}, {"RabbitMQ", "Amazon MQ"}, {"SecretsManager", "Secrets Manager"},
}

// eventKind is the service whose events the program takes, when its own package says
// so and has nothing to do with HTTP; otherwise "". It reads the source and runs
// nothing: an exact answer would need the program's main to run, with what that does.
func (p *program) eventKind() string {
	files, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
	if err != nil {
		return ""
	}
	kind := ""
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return ""
		}
		found, http := eventsIn(source)
		if http {
			return ""
		}
		kind = cmp.Or(kind, found)
	}
	return kind
}

// eventsIn looks for events in the parameters of functions of one file.
func eventsIn(source []byte) (kind string, http bool) {
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		return "", true // the compiler will say more; until then it may be anything
	}
	name := ""
	for _, i := range file.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		if path == webPackage || strings.HasPrefix(path, webPackage+"/") {
			http = true
		}
		if path == eventsPackage {
			name = "events"
			if i.Name != nil {
				name = i.Name.Name
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		fn, ok := n.(*ast.FuncType)
		if !ok || name == "" {
			return true
		}
		for _, param := range fn.Params.List {
			t := param.Type
			if star, ok := t.(*ast.StarExpr); ok {
				t = star.X
			}
			sel, ok := t.(*ast.SelectorExpr)
			if !ok {
				continue
			}
			if x, ok := sel.X.(*ast.Ident); !ok || x.Name != name {
				continue
			}
			for _, h := range httpEvents {
				http = http || strings.HasPrefix(sel.Sel.Name, h)
			}
			for _, k := range eventKinds {
				if kind == "" && strings.HasPrefix(sel.Sel.Name, k.prefix) {
					kind = k.service
				}
			}
		}
		return true
	})
	return kind, http
}
