package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// Block is what a replica keeps of a block that it verified.
type Block struct {
	hash   []byte
	header Msg
	seal   []byte
	events [][]byte // ids in order
	keys   [][3][]byte
}

// Replica is the whole chain as this client verified it, and the state at each height that carries one.
type Replica struct {
	chain  *Chain
	schema *Schema
	blocks []*Block // by height; 0 is block 0
	mmr    *Range   // over the hashes of all blocks
	// mmrAt[h] is the range over blocks 0 … h-1.
	mmrAt []*Range
	state *State
	seen  map[string]uint64 // event id → timestamp of its block
}

func NewReplica(chain *Chain, schema *Schema) *Replica {
	r := &Replica{chain: chain, schema: schema, mmr: &Range{}, state: NewState(), seen: map[string]uint64{}}
	zero := schema.New("Header").Set("timestamp", chain.time).
		Set("state_root", stateRoot(0, chain.valHash, [3][]byte{zeros, zeros, zeros}))
	r.push(&Block{hash: chain.blockZero, header: zero})
	return r
}

func (r *Replica) push(block *Block) {
	r.mmrAt = append(r.mmrAt, r.mmr.Clone())
	r.blocks = append(r.blocks, block)
	r.mmr.Append(leafHash(block.hash))
}

func (r *Replica) Tip() uint64 { return uint64(len(r.blocks) - 1) }

// Apply verifies a FinalizedBlock as the next one: all of protocol §6, and §3 of its events.
func (r *Replica) Apply(raw []byte) error {
	c := r.chain
	finalized, err := r.schema.DecodeCanonical("FinalizedBlock", raw)
	if err != nil {
		return err
	}
	block := finalized.Sub("block")
	header, signed := block.Sub("header"), block.List("events")
	if size := len(block.Encode()); uint64(size) > c.params.MaxBlockBytes || uint64(len(signed)) > c.params.MaxBlockEvents {
		return fmt.Errorf("TOO_LARGE")
	}
	tip := r.blocks[r.Tip()]
	timestamp := header.Uint("timestamp")
	events := make([]*Event, len(signed))
	leaves := make([][]byte, len(signed))
	for i, event := range signed {
		if events[i], err = c.checkEvent(r.schema, event); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
		leaves[i] = events[i].id
	}
	snapshot := header.Uint("height")%c.params.SnapshotInterval == 0
	expectedState := tip.header.Bytes("state_root")
	if snapshot {
		expectedState = r.state.Root(c.valHash)
	}
	switch {
	case header.Uint("version") != 1:
		return fmt.Errorf("BAD_VERSION")
	case header.Uint("height") != r.Tip()+1:
		return fmt.Errorf("BAD_HEIGHT: %d after %d", header.Uint("height"), r.Tip())
	case !bytes.Equal(header.Bytes("parent_hash"), tip.hash):
		return fmt.Errorf("BAD_PARENT")
	case !bytes.Equal(header.Bytes("validators_hash"), c.valHash) || !bytes.Equal(header.Bytes("next_validators_hash"), c.valHash):
		return fmt.Errorf("BAD_VALIDATORS_HASH")
	case header.Uint("event_count") != uint64(len(signed)):
		return fmt.Errorf("BAD_EVENT_COUNT")
	case !bytes.Equal(header.Bytes("events_root"), root(leaves)):
		return fmt.Errorf("BAD_EVENTS_ROOT")
	case !bytes.Equal(header.Bytes("mmr_root"), r.mmr.Root()):
		return fmt.Errorf("BAD_MMR_ROOT")
	case !bytes.Equal(header.Bytes("state_root"), expectedState):
		return fmt.Errorf("BAD_STATE_ROOT")
	case timestamp <= tip.header.Uint("timestamp"):
		return fmt.Errorf("BAD_TIMESTAMP")
	}
	blockHash := c.BlockHash(header)
	if err := c.checkSeal(header, blockHash, block.Bytes("seal")); err != nil {
		return err
	}
	if err := c.checkCommit(finalized.Sub("commit"), header.Uint("height"), blockHash); err != nil {
		return err
	}
	kept := &Block{hash: blockHash, header: header, seal: block.Bytes("seal")}
	for i, event := range events {
		if distance(timestamp, event.timestamp) > c.params.Window {
			return fmt.Errorf("event %d: EVENT_OUTSIDE_WINDOW", i)
		}
		if at, again := r.seen[string(event.id)]; again && at+c.params.Window >= event.timestamp {
			return fmt.Errorf("event %d: EVENT_REPEATED", i)
		}
		r.seen[string(event.id)] = timestamp
		kept.events = append(kept.events, event.id)
		kept.keys = append(kept.keys, event.keys)
		r.state.Add(event.id, event.keys)
	}
	r.push(kept)
	return nil
}

func distance(a, b uint64) uint64 {
	if a > b {
		return a - b
	}
	return b - a
}

// checkTrusted verifies a TrustedHeader by itself: seal, commit and the hash; the root is compared by the caller.
func (r *Replica) checkTrusted(trusted Msg) ([]byte, error) {
	header := trusted.Sub("header")
	blockHash := r.chain.BlockHash(header)
	if err := r.chain.checkSeal(header, blockHash, trusted.Bytes("seal")); err != nil {
		return nil, err
	}
	return blockHash, r.chain.checkCommit(trusted.Sub("commit"), header.Uint("height"), blockHash)
}

func (r *Replica) rootAfter(height uint64) []byte {
	if height == r.Tip() {
		return r.mmr.Root()
	}
	return r.mmrAt[height+1].Root()
}

// find gives the height and place of an event.
func (r *Replica) find(id []byte) (uint64, int, bool) {
	for height, block := range r.blocks {
		for i, known := range block.events {
			if bytes.Equal(known, id) {
				return uint64(height), i, true
			}
		}
	}
	return 0, 0, false
}

// stateBefore folds blocks 1 … height-1 again.
func (r *Replica) stateBefore(height uint64) *State {
	state := NewState()
	for _, block := range r.blocks[1:height] {
		for i, id := range block.events {
			state.Add(id, block.keys[i])
		}
	}
	return state
}

func short(b []byte) string { return hex.EncodeToString(b[:min(8, len(b))]) }
