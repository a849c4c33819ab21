package x402

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
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

// signed are the members of a payload by which facilitators know what was signed: on EVM
// chains EIP-3009's or Permit2's authorization, on Solana the transaction.
var signed = []string{"authorization", "permit2Authorization", "transaction"}

// identify is what makes a payment the same one. Of the scheme exact that is what its
// payer signs and cannot use twice: on EVM chains, from and nonce of the authorization
// (EIP-3009, Permit2), as numbers; on Solana, the message of the transaction. All else a
// client may vary at will, and a facilitator settles it all the same. Of another payment
// it is the authorization, without the signature, of which there may be several; or else
// its payload; or else all of it.
//
// It is false for a payload with two of them, or with a name in another case, as
// encoding/json would take it: which of them is settled would be the facilitator's choice.
func identify(object map[string]any) (id [32]byte, ok bool) {
	payload, ok := object["payload"].(map[string]any)
	if !ok || len(payload) == 0 {
		return sha256.Sum256(text(object)), true
	}
	name, ok := one(payload, signed...)
	if !ok {
		return id, false
	}
	if a, is := payload[name].(map[string]any); is && len(a) > 0 {
		for _, member := range []string{"from", "nonce"} {
			if _, ok := one(a, member); !ok {
				return id, false
			}
		}
		from, nonce := number16(a["from"]), number16(a["nonce"])
		if name == "permit2Authorization" {
			nonce = wholeNumber(a["nonce"])
		}
		if from != "" && nonce != "" {
			return sha256.Sum256([]byte(name + " " + from + " " + nonce)), true
		}
		return sha256.Sum256(text(a)), true
	}
	if message := solanaMessage(payload["transaction"]); message != nil {
		return sha256.Sum256(message), true
	}
	return sha256.Sum256(text(payload)), true
}

// one is the only one of names that object has, or "". It is false when there are several,
// or one in another case.
func one(object map[string]any, names ...string) (found string, ok bool) {
	for have := range object {
		for _, name := range names {
			if !strings.EqualFold(have, name) {
				continue
			}
			if have != name || found != "" {
				return "", false
			}
			found = name
		}
	}
	return found, true
}

// wholeNumber is a number in text, decimal or with 0x, in its one spelling, or "".
func wholeNumber(v any) string {
	s, _ := v.(string)
	s = strings.TrimSpace(s)
	if len(s) > 100 { // a nonce has 78 digits
		return ""
	}
	n, ok := new(big.Int), false
	if strings.HasPrefix(strings.ToLower(s), "0x") {
		n, ok = n.SetString(s[2:], 16)
	} else {
		n, ok = n.SetString(s, 10)
	}
	if !ok || n.Sign() < 0 {
		return ""
	}
	return n.Text(16)
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
	if err != nil {
		return nil
	}
	count, size := 0, 0 // compact-u16, of which some readers take zeros at the end
	for more := true; more; size++ {
		if size == 3 || size == len(b) {
			return nil
		}
		count |= int(b[size]&0x7f) << (7 * size)
		more = b[size] >= 0x80
	}
	if len(b) <= size+64*count {
		return nil
	}
	return b[size+64*count:]
}
