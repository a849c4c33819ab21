package x402

import (
	"crypto/sha256"
	"sync"
	"time"
)

type entry int

const (
	free  entry = iota
	busy        // another request holds the payment
	spent       // it was settled
)

// maxSpent bounds how many settled payments are remembered; the facilitator
// knows of all.
const maxSpent = 10_000

// guard lets one request at a time have a payment, in this process. Between
// verify and settle the facilitator would find the same payment good any number
// of times.
type guard struct {
	mu    sync.Mutex
	held  map[[32]byte]bool
	spent map[[32]byte]time.Time // until when
}

func (g *guard) enter(id [32]byte, now time.Time) entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held[id] {
		return busy
	}
	if until, ok := g.spent[id]; ok && now.Before(until) {
		return spent
	}
	if g.held == nil {
		g.held = map[[32]byte]bool{}
	}
	g.held[id] = true
	return free
}

func (g *guard) leave(id [32]byte, settled bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.held, id)
	if !settled {
		return
	}
	if g.spent == nil {
		g.spent = map[[32]byte]time.Time{}
	}
	if len(g.spent) >= maxSpent {
		g.forget(now)
	}
	g.spent[id] = now.Round(0).Add(maxTimeoutSeconds * time.Second)
}

// forget drops what is over, and, if that is nothing, all.
func (g *guard) forget(now time.Time) {
	for id, until := range g.spent {
		if !now.Before(until) {
			delete(g.spent, id)
		}
	}
	if len(g.spent) >= maxSpent {
		clear(g.spent)
	}
}

// identify is what makes a payment the same one: the authorization, which has a
// nonce, without the signature, of which there may be several; or else its
// payload; or else all of it.
func identify(object map[string]any) [32]byte {
	var same any = object
	if payload, ok := object["payload"].(map[string]any); ok && len(payload) > 0 {
		same = payload
		if a, ok := payload["authorization"].(map[string]any); ok && len(a) > 0 {
			same = a
		}
	}
	return sha256.Sum256(text(same))
}
