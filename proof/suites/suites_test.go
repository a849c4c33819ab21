package suites

import (
	"testing"
)

// What Lambda makes of HTTP, whatever the function does. The reasons of a suite's
// differences are these, and its own.
const (
	joined    = "this door's events and responses have one value for a name: repeated headers arrive joined with commas"
	forwarded = "the door writes X-Forwarded-For, -Proto and -Port, and the address of the client that it saw is the request's"
	wholeURL  = "this door sends the path decoded, so that %2F and / are the same"
	reencoded = "this door sends the query decoded, so that its encoding is the door's"
	known     = "the response is whole when it leaves: the door says its length"
	unknown   = "a stream's length is not known to the client: Lambda sends it chunked"
	remapped  = "a REST API renames Date, WWW-Authenticate and others to x-amzn-Remapped-Date and so on"
	hop       = "hop-by-hop headers end at the door"
	noTLS     = "TLS ends at the door: r.TLS is nil, and X-Forwarded-Proto says what it was"
	noHijack  = "a function has no connection to take over"
	noH2      = "HTTP/2 ends at the door: no push, and a protocol of the door's own"
	aborts    = "a panic fails the invocation, which the client sees as 502: the connection is the door's"
	made      = "the suite reads the request or recorder that it made itself; the handler gets the one that the event describes, and the client the door's answer"
	headBody  = "a response to HEAD has no body; the suite's recorder would keep one"
	limit     = "the door's limit of size: 1 MB for a load balancer"
	typed     = "a response without Content-Type gets the door's"
	early     = "a function's response begins when the door has its status: a buffered one when it is whole"
	trailers  = "a function's response has no trailers, and gRPC ends with them"
	original  = "the event has a path; the suite made a request whose URL has a host, too"
	ids       = "the suite compares two whole responses; this door numbers each"
	oneXX     = "a function answers once: nothing is sent before the status"
	headLen   = "the length that a function says to HEAD is not passed on: the door counts what it sends"
	tooShort  = "a response that is shorter than it says fails the invocation, which the client sees as 502"
	noBody    = "this door adds Content-Length: 0 to a request without a body"
	both      = "a function gets its request whole before it begins to answer, and its trailers never"
)

const buffered = "rest|http|alb"

const crashing = "TestServer/.*/.*/.*/(zero_ping|ping|sum|sum_close_and_receive_without_send)$"

var suites = []suite{
	{
		name: "chi", module: "github.com/go-chi/chi/v5@v5.5.0", packages: []string{".", "./middleware"}, least: 370, requests: 380,
		// A million requests for a race, and a second for each of many timeouts.
		skip: "^TestMuxContextIsThreadSafe$|^TestThrottle",
		differences: []difference{
			{"http", "TestEscapedURLParams", wholeURL},
			{"http|alb|url-stream", "TestMethodNotAllowed/Unregistered_Method|TestQueryHTTPMethod", joined},
			{"http|alb|url-stream", `middleware\.(TestDeprecation/(Combined_with_Sunset_keeps_links_from_both|Deprecation_with_multiple_links)|TestSunset/Sunset_with_multiple_links)`, joined},
			{"http|url-stream", `middleware\.TestClientIPFromHeader_MultiValueLastWins/(attacker_then_proxy|three_values_last_wins)`, joined},
			{"", `middleware\.(Example_clientIPFromXFFTrustedProxies|TestAdvisory_GHSA_9g5q_2w5x_hmxf|TestClientIPFromRemoteAddr/empty|TestClientIPFromXFFTrustedProxies/.*|TestClientIP_TrustedPeer/empty_peer_fails_closed|TestInvalidIP)`, forwarded},
			{"alb", `middleware\.TestClientIP_TrustedPeer/zoned_trusted_peer`, "a load balancer's client has an address without a zone"},
			{"", `middleware\.TestRecovererAbortHandler`, aborts},
			{"", `middleware\.TestRouteHeaders/(matching_header_should_route_to_correct_middleware|wildcard_pattern_should_match)`, "Host is no member of r.Header, as on net/http's server; the suite's made-up request has it there"},
			{"", `middleware\.TestWrapWriterHTTP2`, noH2},
		},
	},
	{
		name: "mux", module: "github.com/gorilla/mux@v1.8.1", least: 320, requests: 60,
		differences: []difference{
			{"", "TestSchemeMatchers/httpsServer", noTLS},
			{"", "Test301Redirect|TestMethodsSubrouterStrictSlash/match_(GET|POST)_handler,_redirect_strict-slash", original},
		},
	},
	{
		name: "echo", module: "github.com/labstack/echo/v4@v4.16.5", packages: []string{".", "./middleware"}, least: 2400, requests: 500,
		// A function has no connection to take over, and limiters and timeouts wait.
		skip: "WebSocket|Upgrade|RateLimiter|TestTimeout|TestContextTimeout",
		differences: []difference{
			{"", "TestEchoHead", headBody},
			{"http", "TestEchoServeHTTPPathEncoding/url_with_encoding_is_not_decoded_for_routing|TestGroupStaticFS_EncodedSeparatorDoesNotBypassRoute/nok,_encoded_slash|TestRouterInlineVerbEncodedColonUsesGenericRoute|TestStaticDirectoryHandler_EncodedSeparatorDoesNotBypassRoute/.*", wholeURL},
			{"http", `middleware\.(TestProxyRewrite|TestRewriteAfterRouting)//user/jill/order/T%2FcO4lW%2Ft%2FVp%2F`, wholeURL},
			{"http", `middleware\.(TestStaticMiddlewareAndRouterInconsistentEscaping/.*|TestStatic_(EncodedSeparatorDoesNotBypassRoute|resolvesRoutedPath|routeLevelGuard)/.*encoded_(slash|letter).*|TestTrailingSlash(EncodedFinalSegment|ForwardEscapedPath|RedirectPreservesRoute)/.*)`, wholeURL},
			{"http|url-stream", `middleware\.TestRequestLoggerError`, noBody},
			{"rest", `middleware\.TestBasicAuthRejectsInvalidSchemeBoundary`, remapped},
			{"alb", `middleware\.TestBodyDumpCaptureLimits/default`, limit},
			{"", `middleware\.TestBodyLimitBindRejectsOversizeBodies/.*`, "the length of a body is known before the handler runs, and refused before it reads"},
			{"", `middleware\.TestClientIPSecurity/real_IP_trusted_proxy/.*|middleware\.TestProxyForwardedProtoHeader/keeps_X-Forwarded-Proto_from_trusted_proxy`, forwarded},
			{"", `middleware\.(TestCompressRequestWithoutDecompressMiddleware|TestDecompressPoolError|TestDecompressSkipper|TestEchoRewrite.*|TestRewriteAfterRouting/.*|TestRewriteWithConfigPreMiddleware_Issue1143|TestProxyRealIPHeader|TestLoggerTemplate)`, made},
			{"http|alb|url-stream", `middleware\.TestCorsHeaders/preflight,_allow_(any|specific)_origin,_.*CORS_logic_done`, joined},
			{buffered, `middleware\.TestGzipWithStatic`, known},
			{"url-stream", `middleware\.TestStatic/ok,_serve_file_from_subdirectory`, unknown},
			{"rest|alb", `middleware\.TestProxyRewriteRegex//y/foo/bar\?q=1#frag`, reencoded},
			{"alb", `middleware\.TestProxyRemovesForwardedHeader/true`, noHijack},
			{"", `middleware\.TestProxySchemeSurvivesConnectionHeader/tls=true/.*`, noTLS},
		},
	},
	{
		name: "gin", module: "github.com/gin-gonic/gin@v1.12.0", packages: []string{".", "./render"}, least: 480, requests: 100,
		skip: "TestPusher|TestRunQUIC", // servers of their own, on HTTP/2 and 3
		differences: []difference{
			{"rest", "TestBasicAuth401(WithCustomRealm)?", remapped},
			{"", "TestBasicAuthForProxy407", hop},
			{"rest|http|url-stream", "TestBasicAuthForProxySucceed", hop},
			{"http", "TestRouteRawPath(NoUnescape)?", wholeURL},
			{"rest|http|url-stream", "TestRouteStaticFile(FS)?", "the recorders that the suite compares have the door's request ids and dates"},
			{"", "TestRouterGroupBasicHandle|TestRouterStaticFSNotFound", headBody},
			{"", "TestRouterNotFound", typed},
			{"url-stream", `render\.TestRenderDataContentLength/.*`, unknown},
		},
	},
	{
		name: "huma", module: "github.com/danielgtaylor/huma/v2@v2.37.2", packages: []string{".", "./adapters/humachi", "./sse", "./autopatch", "./conditional"}, least: 550, requests: 100,
		differences: []difference{
			{"url-stream", "TestGroupTransform(Underlying)?Error|TestResponseContentTypeWithExtensions/PanicOnMalformed", aborts},
			{"alb", "TestFeatures/params", "a load balancer without multi-value headers passes on the last of a repeated query parameter"},
			{"rest", "TestFeatures/response-headers", remapped},
			{"http", `adapters/humachi\.TestPathParamDecoding`, wholeURL},
		},
	},
	{
		name: "connect", module: "connectrpc.com/connect@v1.21.1", least: 650, requests: 500,
		// gRPC ends with trailers, which a function does not have: gRPC-Web and Connect's
		// own protocol are for it. A stream in both directions (CumSum, which the first
		// group calls) waits for an answer to what it has sent so far, and a function
		// gets its request whole. The second group needs a connection of the handler's:
		// a request that is still being sent, one that is broken off, Connection: close.
		skip: "TestConnectProtocolHeaderSentByDefault|TestStreamForServer|(?i:bidi|fullduplex)|" +
			"TestUnaryRequestBodyAfterEarlyResponse|TestClientDisconnect|TestHTTPCallGetBody|" +
			"TestGRPCErrorMetadataIsTrailersOnly|TestGRPCMissingTrailersError|TestGRPCMarshalStatusError|" +
			"TestHandlerWithRequestGate/gates_streaming_procedures|Test(DynamicHandler|DynamicClient)/bidi|" +
			"Test(CallInfo|CallInfoHeadersOnError|ClientPeer|HandlerTypedNilError|ErrorHeaderPropagation)/.*/bidi|TestNewClientContextInInterceptor/.*/.*/bidi|" +
			"TestServer/.*/grpc$|TestServer/.*/.*/.*/cumsum|Test[^/]*/grpc(_.*)?$",
		// They compare the two values of a repeated header, and take the missing response
		// for one: a panic.
		waits: map[string]string{"http": crashing, "alb": crashing, "url-stream": crashing},
		differences: []difference{
			{"", "TestSetProtocolHeaders/connect", trailers},
			{"", "TestWithRecover", aborts},
			{"http|url-stream", "TestGetNoContentHeaders", noBody},
			{"http|alb|url-stream", "Test(CallInfo/.*|Server/.*/(errors|count_up(_cancel_after_first_response)?))", joined},
			{"rest", "TestServer", both},
		},
	},
	{
		name: "nethttp", prepare: netHTTP, packages: []string{".", "./httputil"}, least: 350, requests: 300,
		// What begins with a slash comes last: package testing stops at the first
		// alternative that matches the beginning of a name.
		skip: "EarlyHintsRequest|TestServeHTTPDeepCopy|Hijack|Shutdown|Conn[SC]|Keep|Close|Deadline|Timeouts?$|TimeoutIs|WhenIdle|TimeoutExtended|HeaderTimeout|Expect|100|Listen|TLS|HTTP2|H2|Background|Bidi|Cancel|Disconnect|Bench|Upgrade|Interrupt|AcceptMaxFds|^TestTransport|" +
			"FlushInterval|WebSocket|InvalidChunkedBodies|ResponseControllerFlush|EnableFullDuplex|OptionsHandler|SwitchingProtocols|IdentityResponse|BlockingRemoteAddr|/^(h2|https1|h2unencrypted)$|//^(h2|https1)$",
		// They read from the log that the server's goroutine panicked; a stream's handler
		// has another, and the door ends the connection without a word.
		waits: map[string]string{"url-stream": "TestHandlerPanic|TestTimeoutHandlerPanicRecovery"},
		differences: []difference{
			{buffered, "Test(ChunkedResponseHeaders/h1|DisableContentLength/h1|HandlerSetTransferEncodingChunked|HeaderToWire|NoContentLengthIfTransferEncoding/h1|ServeFileWithContentEncoding/h1)", known},
			{"", "TestHandlerSetTransferEncodingGzip", hop},
			{"url-stream", "Test(ContentLengthZero/h1|ContentTypeWithVariousSources/h1/.*|DisableContentLength/h1|HeaderToWire|HTTP10ConnectionHeader/h1|ServeContentHeadersWithError/.*)", unknown},
			{"", "Test(EarlyHints|Processing)", oneXX},
			{"rest|http|url-stream", "TestH12_.*|TestH2_...NoBody", ids},
			{"rest|http|url-stream", "TestContentEncodingNoSniffing/.*|TestServerContentType(Sniff)?/h1|TestServerIssue5953/h1", typed},
			{"", "TestServerNoDate/h1", "the door says the date"},
			{"", "TestRequestBodyLimit/h1", both},
			// The query "example.com/test/" is a name without a value; decoded and encoded
			// again it is "example.com%2Ftest%2F=", which the suite's handler answers 500.
			{"rest|alb", "TestServeMuxHandlerRedirects", reencoded},
			{"http", "TestStripPrefix/h1//foo(%2Fbar/qux|/bar%2Fqux)", wholeURL},
			{"", "TestConnectRequest/h1", original},
			{"rest|http|url-stream", "Test(ServeContent|ServeFileContentType)/h1", typed},
			{"url-stream", "TestNoContentLengthIfTransferEncoding/h1", typed},
			{"", "Test(FileServerMethods|ServeFile|HeadResponses)/h1", headLen},
			{"", "Test(ServerUndeclaredTrailers|TrailersServerToClient(Flush)?)/h1", trailers},
			{"", "TestTrailersClientToServer/h1", both},
			{"alb", "TestH12_HandlerWritesTooLittle", tooShort},
			{"alb", "TestH12_RequestContentLength_Unknown", both},
			{"rest", "TestQuerySemicolon/.*", reencoded},
			{"", "TestMuxRedirectRelative|TestServeWithSlashRedirectForHostPatterns", "the event has a path that begins with a slash, and no host in it"},
			{"", "TestServerContext_LocalAddrContextKey/h1", "a function has no socket: its local address is the loopback's, without a port"},
			{"rest", "Test(Options/h1|ServerValidatesHostHeader|StarRequestMethod/.*)", "a REST API answers a request for * itself"},
			{"http|alb", "TestStarRequestMethod/.*", known},
			{"", `httputil\.(TestReverseProxyRewriteStripsForwarded|TestXForwardedFor_Omit)`, forwarded},
			{"", `httputil\.TestReverseProxyStrip(EmptyConnection|HeadersPresentInConnection)`, hop},
			{"", `httputil\.TestReverseProxy_CopyBuffer`, tooShort},
			{"", `httputil\.Test1xxResponses`, oneXX},
			{"", `httputil\.TestUnannouncedTrailer`, trailers},
			{"rest|alb", `httputil\.TestReverseProxyQueryParameterSmuggling.*`, reencoded},
		},
	},
}

func TestOtherPeoplesSuitesPassBehindTheDoors(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs other projects")
	}
	for _, s := range suites {
		t.Run(s.name, s.run)
	}
}
