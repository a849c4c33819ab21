package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/gomiddy/middy/examples/internal/sandbox"
)

// What the comment of this command tells the reader to do, done.
func TestRestRunsAsItsCommentSays(t *testing.T) {
	url := sandbox.Start(t, sandbox.Config{Seed: "seed.yaml"})
	client := sandbox.Client(t)
	token := func(name string) string {
		out, err := exec.Command("go", "run", "./token", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + strings.TrimSpace(string(out))
	}
	ada, bob := token("ada"), token("bob")
	ask := func(method, path, auth, body string, header ...string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if auth != "" {
			req.Header.Set("Authorization", auth)
		}
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(b)
	}
	const planning = `{"title":"Planning","from":"2026-12-01T09:00:00Z","to":"2026-12-01T10:00:00Z","seats":4}`
	const path = "/rooms/blue/bookings"

	if resp, _ := ask("POST", path, "", planning); resp.StatusCode != 401 || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("without a token: %d %v", resp.StatusCode, resp.Header)
	}
	resp, body := ask("POST", path, ada, planning)
	var made struct{ ID, By, Kind string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || resp.StatusCode != 201 || resp.Header.Get("Location") != "/bookings/"+made.ID || made.By != "ada" || made.Kind != "meeting" {
		t.Fatalf("a booking: %d %s %v", resp.StatusCode, body, err)
	}
	if resp, body := ask("POST", path, bob, strings.Replace(planning, "T10:", "T11:", 1)); resp.StatusCode != 409 || !strings.Contains(body, "blue is taken from 2026-12-01T09:00:00Z") {
		t.Errorf("a room that is taken: %d %s", resp.StatusCode, body)
	}
	if resp, body := ask("POST", "/rooms/B!/bookings", ada, `{"from":"now","to":"2026-12-01T10:00:00Z","seats":0,"guests":["x"],"colour":1}`); resp.StatusCode != 422 ||
		!all(body, `"parameter":"room"`, `"pointer":"#/from"`, `"pointer":"#/seats"`, `"pointer":"#/guests/0"`, `"pointer":"#/colour"`, `"pointer":"#/title"`) {
		t.Errorf("six mistakes: %d %s", resp.StatusCode, body)
	}
	if resp, body := ask("POST", path, ada, strings.Replace(planning, "T10:", "T08:", 1)); resp.StatusCode != 422 || !strings.Contains(body, "must be after from") {
		t.Errorf("the wrong way around: %d %s", resp.StatusCode, body)
	}
	if resp, body := ask("GET", path+"?limit=1", bob, ""); resp.StatusCode != 200 || !strings.Contains(body, made.ID) {
		t.Errorf("the list: %d %s", resp.StatusCode, body)
	}
	if resp, body := ask("GET", path+"?limit=1000", bob, ""); resp.StatusCode != 422 || !strings.Contains(body, "must be at most 100") {
		t.Errorf("a limit beyond the limit: %d %s", resp.StatusCode, body)
	}
	for _, c := range []struct {
		auth   string
		status int
	}{{bob, 403}, {ada, 204}, {ada, 404}} {
		if resp, body := ask("DELETE", "/bookings/"+made.ID, c.auth, ""); resp.StatusCode != c.status {
			t.Errorf("cancelling: %d %s, want %d", resp.StatusCode, body, c.status)
		}
	}
	resp, body = ask("OPTIONS", path, "", "", "Origin", "https://rooms.example.com", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	if resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Origin") != "https://rooms.example.com" {
		t.Errorf("a preflight: %d %v %s", resp.StatusCode, resp.Header, body)
	}
	if resp, body := ask("GET", "/openapi.json", "", ""); resp.StatusCode != 200 || !json.Valid([]byte(body)) || !all(body, `"openapi": "3.1.1"`, `"/rooms/{room}/bookings"`, `"maximum": 50`) {
		t.Errorf("the document: %d %s", resp.StatusCode, body)
	}
}

func all(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
