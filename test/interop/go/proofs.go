package main

import (
	"bytes"
	"context"
	"fmt"
)

const pageSize = 4096

func (n *Node) askProof(ctx context.Context, field string, request Msg) (Msg, error) {
	frames, err := n.Ask(ctx, n.protocol("proof"), n.schema.New("GetProof").Set(field, request).Encode())
	if err != nil {
		return Msg{}, err
	}
	if len(frames) != 1 {
		return Msg{}, fmt.Errorf("%d frames in answer to GetProof", len(frames))
	}
	answer, err := n.schema.Decode("Proof", frames[0])
	if err != nil {
		return Msg{}, err
	}
	if err := refused(answer); err != nil {
		return Msg{}, err
	}
	if _, err := n.schema.DecodeCanonical("Proof", frames[0]); err != nil {
		return Msg{}, err
	}
	if !answer.Has(field) {
		return Msg{}, fmt.Errorf("the answer has no field %s", field)
	}
	return answer.Sub(field), nil
}

// checkEventProof proves one event under the header of the anchor; 0: under its own block's.
func (n *Node) checkEventProof(ctx context.Context, r *Replica, id []byte, anchor uint64) error {
	proof, err := n.askProof(ctx, "event", n.schema.New("GetEventProof").Set("event_id", id).Set("anchor_height", anchor))
	if err != nil {
		return err
	}
	event := proof.Sub("event")
	header := proof.Sub("header")
	height := header.Uint("height")
	if !bytes.Equal(hash([]byte{0}, event.Bytes("actor"), event.Bytes("signature"), event.Bytes("body")), id) {
		return fmt.Errorf("the proof is of another event")
	}
	count := header.Uint("event_count")
	if proof.Uint("event_count") != count || proof.Uint("anchor_height") != anchor ||
		!verifyInclusion(id, proof.Uint("event_index"), count, proof.BytesList("event_path"), header.Bytes("events_root")) {
		return fmt.Errorf("event_path does not lead to events_root")
	}
	return n.checkUnder(r, n.chain.BlockHash(header), height, anchor, proof.BytesList("mmr_path"))
}

func (n *Node) checkUnder(r *Replica, blockHash []byte, height, anchor uint64, path [][]byte) error {
	if anchor == 0 {
		if len(path) != 0 || !bytes.Equal(blockHash, r.blocks[height].hash) {
			return fmt.Errorf("not the trusted header of block %d", height)
		}
		return nil
	}
	if !verifyInclusion(leafHash(blockHash), height, anchor, path, r.blocks[anchor].header.Bytes("mmr_root")) {
		return fmt.Errorf("mmr_path does not lead to the mmr_root of block %d", anchor)
	}
	return nil
}

func (n *Node) checkHeaderProof(ctx context.Context, r *Replica, height, anchor uint64) error {
	proof, err := n.askProof(ctx, "header", n.schema.New("GetHeaderProof").Set("height", height).Set("anchor_height", anchor))
	if err != nil {
		return err
	}
	header := proof.Sub("header")
	if header.Uint("height") != height || proof.Uint("anchor_height") != anchor {
		return fmt.Errorf("the proof is of block %d", header.Uint("height"))
	}
	return n.checkUnder(r, n.chain.BlockHash(header), height, anchor, proof.BytesList("mmr_path"))
}

func (n *Node) checkConsistency(ctx context.Context, r *Replica, from, to uint64) error {
	proof, err := n.askProof(ctx, "consistency", n.schema.New("GetConsistencyProof").Set("from", from).Set("to", to))
	if err != nil {
		return err
	}
	if proof.Uint("from") != from || proof.Uint("to") != to || !verifyConsistency(from, to,
		r.blocks[from].header.Bytes("mmr_root"), r.blocks[to].header.Bytes("mmr_root"), proof.BytesList("path")) {
		return fmt.Errorf("block %d's tree is not shown to be a prefix of block %d's", from, to)
	}
	return nil
}

// checkHistory proves all events of a key in the blocks before the anchor and compares them with the replica's.
func (n *Node) checkHistory(ctx context.Context, r *Replica, index int, key []byte, anchor uint64) (int, error) {
	request := func() Msg {
		return n.schema.New("GetHistoryProof").Set("index", uint64(index)).Set("key", key).Set("anchor_height", anchor)
	}
	first, err := n.askProof(ctx, "history", request())
	if err != nil {
		return 0, err
	}
	count, head, err := n.checkKey(r, first, index, key, anchor)
	if err != nil {
		return 0, err
	}
	var ids [][]byte
	page := first
	for count > 0 {
		pages := page.List("pages")
		if len(pages) != 1 {
			return 0, fmt.Errorf("%d pages in an answer", len(pages))
		}
		part := pages[0].BytesList("ids")
		if len(part) == 0 || uint64(len(part)) != count-(count-1)/pageSize*pageSize {
			return 0, fmt.Errorf("a page of %d ids up to event %d", len(part), count)
		}
		fold := pages[0].Bytes("prev_head")
		for _, id := range part {
			fold = hash([]byte{2}, fold, id)
		}
		if !bytes.Equal(fold, head) {
			return 0, fmt.Errorf("a page does not fold to the head")
		}
		ids = append(append([][]byte{}, part...), ids...)
		count, head = count-uint64(len(part)), pages[0].Bytes("prev_head")
		if count > 0 {
			if page, err = n.askProof(ctx, "history", request().Set("before_count", count).Set("before_head", head)); err != nil {
				return 0, err
			}
		}
	}
	if len(ids) > 0 && !bytes.Equal(head, zeros) {
		return 0, fmt.Errorf("the first event has a head before it")
	}
	return len(ids), n.compareHistory(r, ids, index, key, anchor)
}

func (n *Node) compareHistory(r *Replica, ids [][]byte, index int, key []byte, anchor uint64) error {
	at := 0
	for _, block := range r.blocks[1:anchor] {
		for i, id := range block.events {
			if !bytes.Equal(block.keys[i][index], key) {
				continue
			}
			if at >= len(ids) || !bytes.Equal(ids[at], id) {
				return fmt.Errorf("event %d of the key is another", at)
			}
			at++
		}
	}
	if at != len(ids) {
		return fmt.Errorf("%d events proven, the chain has %d", len(ids), at)
	}
	return nil
}

// checkKey checks what the anchor's state_root says of the key: its count and head; 0 if it has no events.
func (n *Node) checkKey(r *Replica, proof Msg, index int, key []byte, anchor uint64) (uint64, []byte, error) {
	if proof.Uint("anchor_height") != anchor || !proof.Has("state") {
		return 0, nil, fmt.Errorf("no key proof at block %d", anchor)
	}
	state := proof.Sub("state")
	keyHash := hash(key)
	var leaf, head []byte
	count := uint64(0)
	if state.Has("leaf") {
		end := state.Sub("leaf")
		leaf = trieLeaf(end.Bytes("key_hash"), end.Uint("count"), end.Bytes("head"))
		if bytes.Equal(end.Bytes("key_hash"), keyHash) {
			count, head = end.Uint("count"), end.Bytes("head")
		} else if !sharesBits(end.Bytes("key_hash"), keyHash, len(state.BytesList("siblings"))) {
			return 0, nil, fmt.Errorf("the way of the key does not end at this leaf")
		}
	}
	var roots [3][]byte
	others := state.BytesList("other_roots")
	if len(others) != 2 {
		return 0, nil, fmt.Errorf("%d other roots", len(others))
	}
	for i, other := 0, 0; i < 3; i++ {
		if i == index {
			roots[i] = foldKey(keyHash, leaf, state.BytesList("siblings"))
		} else {
			roots[i], other = others[other], other+1
		}
	}
	if !bytes.Equal(stateRoot(state.Uint("event_total"), n.chain.valHash, roots), r.blocks[anchor].header.Bytes("state_root")) {
		return 0, nil, fmt.Errorf("the key proof does not lead to the state_root of block %d", anchor)
	}
	return count, head, nil
}

func sharesBits(a, b []byte, bits int) bool {
	for i := 0; i < bits; i++ {
		if bit(a, i) != bit(b, i) {
			return false
		}
	}
	return true
}
