package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"filippo.io/edwards25519"
	"github.com/gowebpki/jcs"
)

// Chain is what follows from a genesis: protocol §1.
type Chain struct {
	id        string
	genesis   []byte // G
	scope     string
	time      uint64
	keys      [][]byte // of validators, in genesis order
	actors    map[string]bool
	params    Params
	valHash   []byte
	quorum    int
	maxFrame  int
	blockZero []byte
}

type Params struct {
	MaxBlockBytes    uint64 `json:"max_block_bytes"`
	MaxBlockEvents   uint64 `json:"max_block_events"`
	MaxEventBytes    uint64 `json:"max_event_bytes"`
	Window           uint64 `json:"event_window_ms"`
	SnapshotInterval uint64 `json:"snapshot_interval"`
}

func LoadChain(path string, schema *Schema) (*Chain, error) {
	document, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var genesis struct {
		ChainID    string `json:"chain_id"`
		Timestamp  uint64 `json:"timestamp"`
		Validators []struct {
			PublicKey string `json:"public_key"`
		} `json:"validators"`
		Actors []string `json:"actors"`
		Params Params   `json:"params"`
	}
	genesis.Params = Params{1 << 20, 10_000, 16_384, 600_000, 100}
	if err := json.Unmarshal(document, &genesis); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	canonical, err := jcs.Transform(document)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	chain := &Chain{id: genesis.ChainID, time: genesis.Timestamp, params: genesis.Params}
	chain.genesis = hash([]byte("moloch/genesis/v1"), canonical)
	chain.scope = chain.id + "-" + hex.EncodeToString(chain.genesis[:4])
	for _, validator := range genesis.Validators {
		key, err := hex.DecodeString(validator.PublicKey)
		if err != nil || len(key) != 32 {
			return nil, fmt.Errorf("genesis: public_key %q", validator.PublicKey)
		}
		chain.keys = append(chain.keys, key)
	}
	if genesis.Actors != nil {
		chain.actors = map[string]bool{}
		for _, actor := range genesis.Actors {
			chain.actors[actor] = true
		}
	}
	chain.valHash = hash(append([][]byte{[]byte("moloch/validators/v1")}, chain.keys...)...)
	chain.quorum = 2*len(chain.keys)/3 + 1
	chain.maxFrame = max(1<<20, int(chain.params.MaxBlockBytes)+64<<10)
	header := schema.New("Header").
		Set("version", uint64(1)).Set("parent_hash", chain.genesis).
		Set("events_root", hash()).Set("mmr_root", hash()).
		Set("state_root", stateRoot(0, chain.valHash, [3][]byte{zeros, zeros, zeros})).
		Set("validators_hash", chain.valHash).Set("next_validators_hash", chain.valHash).
		Set("timestamp", chain.time).Set("proposer", zeros)
	chain.blockZero = chain.BlockHash(header)
	return chain, nil
}

func (c *Chain) BlockHash(h Msg) []byte {
	return hash([]byte("moloch/header/v1"), c.genesis, u32(h.Uint("version")), u64(h.Uint("height")), h.Bytes("parent_hash"),
		h.Bytes("events_root"), u32(h.Uint("event_count")), h.Bytes("mmr_root"), h.Bytes("state_root"),
		h.Bytes("validators_hash"), h.Bytes("next_validators_hash"), u64(h.Uint("timestamp")), h.Bytes("proposer"))
}

func (c *Chain) layout(domain string, parts ...[]byte) []byte {
	return bytes.Join(append([][]byte{[]byte(domain), c.genesis}, parts...), nil)
}

// voteMessage is what a validator signs (protocol §4): nothing in the place of the hash is a vote for nil.
func (c *Chain) voteMessage(kind, height, round uint64, blockHash []byte) []byte {
	return c.layout("moloch/vote/v1", []byte{byte(kind)}, u64(height), u32(round), blockHash)
}

// proposalMessage has the valid round plus one; 0 for none.
func (c *Chain) proposalMessage(height, round uint64, validRound *uint64, blockHash []byte) []byte {
	valid := uint64(0)
	if validRound != nil {
		valid = *validRound + 1
	}
	return c.layout("moloch/proposal/v1", u64(height), u32(round), u32(valid), blockHash)
}

func (c *Chain) isValidator(key []byte) bool { return c.indexOf(key) >= 0 }

func (c *Chain) indexOf(key []byte) int {
	for i, known := range c.keys {
		if bytes.Equal(known, key) {
			return i
		}
	}
	return -1
}

func (c *Chain) proposer(height, round uint64) []byte {
	return c.keys[(height+round)%uint64(len(c.keys))]
}

// verify reads signatures as libsodium does: Go's own check, with keys and R canonical and not of small order.
func verify(key, message, signature []byte) bool {
	if len(key) != 32 || len(signature) != 64 || !strictPoint(key) || !strictPoint(signature[:32]) {
		return false
	}
	return ed25519.Verify(key, message, signature)
}

func strictPoint(encoded []byte) bool {
	point, err := new(edwards25519.Point).SetBytes(encoded)
	if err != nil || !bytes.Equal(point.Bytes(), encoded) {
		return false
	}
	return new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 0
}

// checkCommit is the end of the table of protocol §6.
func (c *Chain) checkCommit(commit Msg, height uint64, blockHash []byte) error {
	if commit.Uint("height") != height || !bytes.Equal(commit.Bytes("block_hash"), blockHash) {
		return fmt.Errorf("COMMIT_WRONG_BLOCK")
	}
	message := c.voteMessage(2, height, commit.Uint("round"), blockHash)
	last := -1
	signatures := commit.List("signatures")
	for _, signature := range signatures {
		index := c.indexOf(signature.Bytes("validator"))
		switch {
		case index < 0:
			return fmt.Errorf("COMMIT_UNKNOWN_SIGNER")
		case index == last:
			return fmt.Errorf("COMMIT_REPEATED_SIGNER")
		case index < last:
			return fmt.Errorf("COMMIT_WRONG_ORDER")
		}
		last = index
	}
	if len(signatures) < c.quorum {
		return fmt.Errorf("COMMIT_TOO_FEW: %d of %d", len(signatures), c.quorum)
	}
	for _, signature := range signatures {
		if !verify(signature.Bytes("validator"), message, signature.Bytes("signature")) {
			return fmt.Errorf("COMMIT_BAD_SIGNATURE")
		}
	}
	return nil
}

func (c *Chain) checkSeal(header Msg, blockHash, seal []byte) error {
	proposer := header.Bytes("proposer")
	if !c.isValidator(proposer) {
		return fmt.Errorf("BAD_PROPOSER")
	}
	if !verify(proposer, c.layout("moloch/seal/v1", blockHash), seal) {
		return fmt.Errorf("BAD_SEAL")
	}
	return nil
}
