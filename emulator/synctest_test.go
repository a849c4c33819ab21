package emulator_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
)

// TestHoursPassInABubble: in a synctest bubble the emulator's clock is the
// bubble's, so that a request sits in a socket for hours and the test is over at once.
func TestHoursPassInABubble(t *testing.T) {
	for name, tls := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := emulatortest.Start(t, emulatortest.Config{InMemory: true, TLS: tls, SessionTTL: 12 * time.Hour, Seed: map[string]string{"prod/db": "x"}})
				c := client(e)
				if err := get(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				if p := e.Requests()[0].Proto; p != name {
					t.Errorf("protocol %s", p)
				}
				e.Chaos().Add(emulator.Rule{Effect: emulator.Latency, Delay: 2 * time.Hour, Times: 1})
				began := time.Now()
				err := get(t.Context(), c)
				if codeOf(err) != "InvalidSignatureException" || !strings.Contains(err.Error(), "Signature expired: 20000101T000000Z is now earlier than 20000101T015500Z (20000101T020000Z - 5 min.)") {
					t.Errorf("got %v", err)
				}
				if time.Since(began) != 2*time.Hour || e.Requests()[1].Age != 2*time.Hour {
					t.Errorf("took %s, age %s", time.Since(began), e.Requests()[1].Age)
				}
				<-time.After(10 * time.Hour) // of the bubble
				if err := get(t.Context(), c); codeOf(err) != "ExpiredTokenException" {
					t.Errorf("after the session's end: %v", err)
				}
			})
		})
	}
}

func TestFrozenResponseInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := emulatortest.Start(t, emulatortest.Config{InMemory: true, Seed: map[string]string{"prod/db": "x"}})
		e.Chaos().Add(emulator.Rule{Effect: emulator.FrozenResponse, Delay: 3 * time.Hour, Times: 1})
		resp, err := e.HTTPClient().Do(signedGet(t, e))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if date := resp.Header.Get("Date"); date != "Sat, 01 Jan 2000 00:00:00 GMT" || time.Now().Hour() != 3 {
			t.Errorf("Date %s at %s", date, time.Now().UTC())
		}
	})
}

// TestCloseLetsGo: Close ends what chaos holds, so that nobody waits for it.
func TestCloseLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := emulatortest.Open(emulatortest.Config{InMemory: true, Seed: map[string]string{"prod/db": "x"}})
		if err != nil {
			t.Fatal(err)
		}
		e.Chaos().Add(emulator.Rule{Effect: emulator.BlackHole})
		done := make(chan error, 1)
		go func() { done <- get(t.Context(), client(e)) }()
		synctest.Wait()
		if n := e.InFlight(); n != 1 {
			t.Errorf("%d in flight", n)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err == nil {
			t.Error("a swallowed request was answered")
		}
		if err := get(t.Context(), client(e)); err == nil || errors.Is(err, t.Context().Err()) {
			t.Errorf("after Close: %v", err)
		}
	})
}
