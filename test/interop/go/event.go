package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"regexp"
)

var (
	actionForm = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)
	kindForm   = regexp.MustCompile(`^[a-z0-9._-]{1,32}$`)
)

// Event is a SignedEvent that passed protocol §3, less what depends on its block.
type Event struct {
	id        []byte
	timestamp uint64
	keys      [3][]byte
}

func (c *Chain) checkEvent(schema *Schema, signed Msg) (*Event, error) {
	if size := len(signed.Encode()); uint64(size) > c.params.MaxEventBytes {
		return nil, fmt.Errorf("EVENT_TOO_LARGE: %d bytes", size)
	}
	raw, actor, signature := signed.Bytes("body"), signed.Bytes("actor"), signed.Bytes("signature")
	body, err := schema.DecodeCanonical("EventBody", raw)
	if err != nil || len(actor) != 32 || len(signature) != 64 || !body.Has("resource") {
		return nil, fmt.Errorf("EVENT_MALFORMED: %v", err)
	}
	resource := body.Sub("resource")
	kind, id, action := resource.String("kind"), resource.String("id"), body.String("action")
	outcome := body.Uint("outcome")
	inBounds := body.Uint("timestamp") < 1<<53 && body.Uint("occurred_at") < 1<<53 && actionForm.MatchString(action) &&
		kindForm.MatchString(kind) && len(id) >= 1 && len(id) <= 512 && outcome >= 1 && outcome <= 4 && len(body.String("actor_name")) <= 64
	last := ""
	for i, item := range body.List("metadata") {
		inBounds = inBounds && (i == 0 || item.String("key") > last)
		last = item.String("key")
	}
	if !inBounds {
		return nil, fmt.Errorf("EVENT_BOUNDS")
	}
	if c.actors != nil && !c.actors[hex.EncodeToString(actor)] {
		return nil, fmt.Errorf("EVENT_ACTOR_UNKNOWN")
	}
	if !verify(actor, c.layout("moloch/event/v1", raw), signature) {
		return nil, fmt.Errorf("EVENT_BAD_SIGNATURE")
	}
	return &Event{hash([]byte{0}, actor, signature, raw), body.Uint("timestamp"), keysOf(actor, kind, id, action)}, nil
}

// signEvent makes an event of this client's own.
func (c *Chain) signEvent(schema *Schema, key ed25519.PrivateKey, timestamp uint64, kind, id, action string) (Msg, []byte) {
	body := schema.New("EventBody").Set("timestamp", timestamp).Set("action", action).
		Set("resource", schema.New("Resource").Set("kind", kind).Set("id", id)).Set("outcome", uint64(1)).
		Set("metadata", []Msg{schema.New("Metadata").Set("key", "client").Set("value", "go")}).Encode()
	actor := []byte(key.Public().(ed25519.PublicKey))
	signature := ed25519.Sign(key, c.layout("moloch/event/v1", body))
	signed := schema.New("SignedEvent").Set("body", body).Set("actor", actor).Set("signature", signature)
	return signed, hash([]byte{0}, actor, signature, bytes.Clone(body))
}
