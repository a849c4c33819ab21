package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func TestTheOfficialClientSpeaksToTheServerBehindDev(t *testing.T) {
	middy := filepath.Join(t.TempDir(), "middy")
	build := exec.Command("go", "build", "-o", middy, "./cmd/middy")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build ./cmd/middy: %v\n%s", err, out)
	}
	for name, flags := range map[string][]string{
		"an HTTP API":                     {"--front", "http"},
		"a load balancer":                 {"--front", "alb"},
		"a function URL that streams":     {"--front", "url", "--stream", "--env", "MCP_STREAM=1"},
		"a REST API that streams as well": {"--front", "rest", "--stream", "--env", "MCP_STREAM=1"},
	} {
		t.Run(name, func(t *testing.T) { speak(t, dev(t, middy, flags...)) })
	}
}

// dev runs the example behind middy dev on a free port, and returns its URL.
func dev(t *testing.T, middy string, flags ...string) string {
	t.Helper()
	args := append([]string{"dev", "--port", "0", "--no-watch", "--timeout", "20s"}, flags...)
	cmd := exec.Command(middy, append(args, "./examples/mcp")...)
	cmd.Dir = "../.."
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	found := regexp.MustCompile(`middy invoke --url (\S+)`)
	said := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said += lines.Text() + "\n"
		if m := found.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }() // it must not wait for a reader
			return m[1]
		}
	}
	t.Fatalf("middy dev ended without a URL:\n%s", said)
	return ""
}

func speak(t *testing.T, url string) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	progress := make(chan float64, 10)
	client := mcp.NewClient(&mcp.Implementation{Name: "cook", Version: "1.0.0"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			progress <- req.Params.Progress
		},
	})
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: url}, nil)
	if err != nil {
		t.Fatalf("initialize: %v", err)
	}
	defer session.Close()
	if got := session.InitializeResult().ServerInfo.Name; got != "onions" {
		t.Errorf("the server is %q, want onions", got)
	}

	tools, err := session.ListTools(ctx, nil)
	if err != nil || len(tools.Tools) != 1 || tools.Tools[0].Name != "peel" {
		t.Fatalf("tools %v, %v; want peel", tools, err)
	}

	params := &mcp.CallToolParams{Name: "peel", Arguments: map[string]any{"cook": "Zoë", "layers": 3}}
	params.SetProgressToken("p")
	result, err := session.CallTool(ctx, params)
	if err != nil || result.IsError {
		t.Fatalf("the call: %v, %v", result, err)
	}
	want := "Grüße, Zoë 🧅"
	if got, ok := result.StructuredContent.(map[string]any); !ok || got["greeting"] != want {
		t.Errorf("the call answers %v, want the greeting %q", result.StructuredContent, want)
	}
	var got []float64
	for range 3 {
		select {
		case p := <-progress:
			got = append(got, p)
		case <-ctx.Done():
			t.Fatalf("progress %v, want three notices", got)
		}
	}
	if !slices.Equal(got, []float64{1, 2, 3}) {
		t.Errorf("progress %v, want [1 2 3]", got)
	}

	resource, err := session.ReadResource(ctx, &mcp.ReadResourceParams{URI: "onion://layers"})
	if err != nil || len(resource.Contents) != 1 || resource.Contents[0].Text != "skin, flesh, heart" {
		t.Errorf("the resource %v, %v; want the three layers", resource, err)
	}
}
