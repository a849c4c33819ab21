package x402

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"strings"
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

// identify is what makes a payment the same one. Of the scheme exact that is what its
// payer signs and cannot use twice: on EVM chains, from and nonce of the authorization
// (EIP-3009), as numbers; on Solana, the message of the transaction. All else a client
// may vary at will, and a facilitator settles it all the same. Of another payment it is
// the authorization, without the signature, of which there may be several; or else its
// payload; or else all of it.
func identify(object map[string]any) [32]byte {
	payload, ok := object["payload"].(map[string]any)
	if !ok || len(payload) == 0 {
		return sha256.Sum256(text(object))
	}
	if a, ok := payload["authorization"].(map[string]any); ok && len(a) > 0 {
		from, nonce := number16(a["from"]), number16(a["nonce"])
		if from != "" && nonce != "" {
			return sha256.Sum256([]byte(from + " " + nonce))
		}
		return sha256.Sum256(text(a))
	}
	if message := solanaMessage(payload["transaction"]); message != nil {
		return sha256.Sum256(message)
	}
	return sha256.Sum256(text(payload))
}

// number16 is a hexadecimal number in its one spelling, or "".
func number16(v any) string {
	s, _ := v.(string)
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.TrimPrefix(s, "0x")
	if s == "" || strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return cmp.Or(strings.TrimLeft(s, "0"), "0")
}

// solanaMessage is the part of a transaction that its signatures are over, or nil. Before
// it stand their number and the signatures, 64 bytes each, of which the facilitator's is
// still missing: https://solana.com/docs/core/transactions.
func solanaMessage(v any) []byte {
	s, _ := v.(string)
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(s), "="))
	if err != nil || len(b) == 0 || b[0] > 127 || len(b) <= 1+64*int(b[0]) {
		return nil
	}
	return b[1+64*int(b[0]):]
}
