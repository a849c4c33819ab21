// Package conformance holds this module beside Middy for Node.js, case by case.
//
// People who move a function from Middy ask one question: does it still answer
// the same? A list of features does not say. Here it is answered by some thousand
// cases in cases/*.jsonl. Each names middlewares and options as Middy's own
// documentation does, an event and what the handler does, and holds what Middy
// 7.9 did; a runner executes the same on our packages through [web.Handler], and
// every difference has a reason or is a bug.
//
// # A case
//
// One JSON object per line:
//
//	{"id":"http-cors/spec/preflight-any",
//	 "use":[{"name":"http-cors","options":{"origin":"*"}}],
//	 "event":{"httpMethod":"OPTIONS","headers":{}},
//	 "handler":{"return":{"statusCode":200}},
//	 "want":{"response":{"statusCode":204,"headers":{"Access-Control-Allow-Origin":"*"}},"skipped":true}}
//
// use is in the order of registration, the first outermost. Besides Middy's
// packages it may hold script, which does what its before, after and onError list,
// and recover, which turns an error into a response. context and internal seed
// Middy's context and request.internal. The handler has one of
//
//	return  the response
//	throw   {"http":[code,message,properties]}, {"message":…,"statusCode":…} or {"value":…}
//	echo    the facets of the event to record as the handler sees them: body,
//	        headers, queryStringParameters, pathParameters, context
//
// Some cases have steps, several events for one instance, or call, a function of
// @middy/util. want holds response, error with status and message, saw (the
// echo), skipped (the handler did not run), log, calls and sends.
//
// Values that JSON lacks are objects with one key: $undef, $bytes (base64),
// $repeat ([text, count]), $concat, $b64, $json, $b64json, $regexp, and $function, which is one of a few by name. A compressed body is
// {"$z":[coding, plain text]}.
//
// # What is equal
//
// Results are compared as a client sees them: [Equal]. In them a string of more than
// 1000 bytes is {"$digest":[SHA-256, length]}.
//
// # Deviations
//
// A case whose result differs holds a deviation: ours, which is pinned, and the
// ids of reasons in deviations.jsonl. Most reasons have a rule, which takes its kind
// of difference out of the two results; what is left then must be equal, so that
// no reason hides what it was not meant for: [Explain]. Others are held by experiment:
// [Rewrite] makes another case of it, and ours does with the one what Middy does with
// the other, which is the deviation's instead. docs/conformance.md counts them.
//
// # New cases
//
// Write them into a PACKAGE.spec.jsonl, without want, or into a generator of
// cmd/generate, and ask Middy:
//
//	go run ./conformance/cmd/generate -seed 1
//	go run ./conformance/cmd/generate -explain
//	go run ./conformance/cmd/report
//
// The second command prints what no rule explains. It is a bug of ours, or of the
// adapter in internal/ours, or wants a reason.
package conformance
