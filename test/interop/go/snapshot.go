package main

import (
	"bytes"
	"context"
	"fmt"
)

const (
	hashesAChunk  = 4096
	maxEntryBytes = 256 << 10
)

const (
	topEmpty = 1
	topLeaf  = 2
	topNode  = 3
	topChunk = 4
)

// expectedSnapshot is the snapshot at a height as the replica's own blocks give it (protocol §11): the manifest without
// what servers may differ in, and each chunk but the last, which is block H with whichever commit a server has.
type expectedSnapshot struct {
	body   Msg
	chunks [][]byte
}

func (n *Node) expectSnapshot(r *Replica, height uint64) expectedSnapshot {
	var chunks [][]byte
	var roots, tail []byte
	for at := uint64(0); at < height; at += hashesAChunk {
		part := &Range{}
		var data []byte
		for _, block := range r.blocks[at:min(at+hashesAChunk, height)] {
			part.Append(leafHash(block.hash))
			data = append(data, block.hash...)
		}
		chunks = append(chunks, data)
		if part.size == hashesAChunk {
			roots = append(roots, part.peaks[0]...)
		} else {
			tail = bytes.Join(part.peaks, nil)
		}
	}
	state := r.stateBefore(height)
	body := n.schema.New("Manifest").Set("event_total", state.total).Set("mmr_subtree_roots", roots).Set("mmr_tail_peaks", tail)
	for i, name := range []string{"actors", "resources", "actions"} {
		items, entries := n.cut(state.Sorted(i), 0)
		body.Set(name, n.schema.New("IndexTop").Set("items", items))
		chunks = append(chunks, entries...)
	}
	return expectedSnapshot{body, chunks}
}

// cut gives the top of a subtree in pre-order, and its chunks.
func (n *Node) cut(entries []*Entry, depth int) ([]Msg, [][]byte) {
	item := n.schema.New("TopItem")
	switch len(entries) {
	case 0:
		return []Msg{item.Set("kind", uint64(topEmpty))}, nil
	case 1:
		return []Msg{item.Set("kind", uint64(topLeaf)).Set("key", entries[0].key).Set("count", entries[0].count).Set("head", entries[0].head)}, nil
	}
	list := make([]Msg, len(entries))
	for i, entry := range entries {
		list[i] = n.schema.New("IndexEntry").Set("key", entry.key).Set("count", entry.count).Set("head", entry.head)
	}
	if chunk := n.schema.New("IndexChunk").Set("entries", list).Encode(); len(chunk) <= maxEntryBytes {
		return []Msg{item.Set("kind", uint64(topChunk)).Set("hash", trieRoot(entries, depth))}, [][]byte{chunk}
	}
	left, right := halves(entries, depth)
	items, chunks := n.cut(left, depth+1)
	more, rest := n.cut(right, depth+1)
	return append(append([]Msg{item.Set("kind", uint64(topNode))}, items...), more...), append(chunks, rest...)
}

func (n *Node) askSnapshot(ctx context.Context, request Msg) ([]Msg, error) {
	frames, err := n.Ask(ctx, n.protocol("snapshot"), request.Encode())
	if err != nil {
		return nil, err
	}
	answers := make([]Msg, len(frames))
	for i, frame := range frames {
		if answers[i], err = n.schema.Decode("RawSnapshot", frame); err != nil {
			return nil, err
		}
		if err := refused(answers[i]); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// checkSnapshot fetches the newest snapshot under a checkpoint below it and compares every byte with the replica.
func (n *Node) checkSnapshot(ctx context.Context, r *Replica, checkpoint uint64) (string, error) {
	answers, err := n.askSnapshot(ctx, n.schema.New("GetSnapshot").Set("checkpoint_height", checkpoint))
	if err != nil {
		return "", err
	}
	if len(answers) != 1 || !answers[0].Has("manifest") {
		return "", fmt.Errorf("%d frames, asked for a manifest", len(answers))
	}
	manifest, err := n.schema.DecodeCanonical("Manifest", answers[0].Bytes("manifest"))
	if err != nil {
		return "", err
	}
	height, err := n.checkManifest(r, manifest, checkpoint)
	if err != nil {
		return "", err
	}
	expected := n.expectSnapshot(r, height)
	body := proper(n.schema, manifest).Encode()
	if !bytes.Equal(body, expected.body.Encode()) {
		return "", fmt.Errorf("the manifest of block %d is not what its blocks give", height)
	}
	id := hash([]byte("moloch/manifest/v1"), n.chain.genesis, r.blocks[height].hash, body)
	total := uint64(len(expected.chunks) + 1)
	if answers[0].Uint("chunks") != total {
		return "", fmt.Errorf("%d chunks; expected %d", answers[0].Uint("chunks"), total)
	}
	request := n.schema.New("GetSnapshot").Set("height", height).Set("checkpoint_height", checkpoint).Set("manifest_id", id).Set("count", total)
	if answers, err = n.askSnapshot(ctx, request); err != nil {
		return "", err
	}
	// All chunks were asked for: the manifest comes again after them.
	if uint64(len(answers)) != total+1 || !answers[total].Has("manifest") {
		return "", fmt.Errorf("%d frames for %d chunks", len(answers), total)
	}
	for i, data := range expected.chunks {
		if answers[i].Uint("chunk") != uint64(i) || answers[i].Uint("chunks") != total || !bytes.Equal(answers[i].Bytes("data"), data) {
			return "", fmt.Errorf("chunk %d is not what the blocks give", i)
		}
	}
	finalized, err := n.schema.DecodeCanonical("FinalizedBlock", answers[total-1].Bytes("data"))
	if err != nil {
		return "", err
	}
	block := finalized.Sub("block")
	if !bytes.Equal(n.chain.BlockHash(block.Sub("header")), r.blocks[height].hash) {
		return "", fmt.Errorf("the last chunk is not block %d", height)
	}
	if err := n.chain.checkSeal(block.Sub("header"), r.blocks[height].hash, block.Bytes("seal")); err != nil {
		return "", err
	}
	if err := n.chain.checkCommit(finalized.Sub("commit"), height, r.blocks[height].hash); err != nil {
		return "", err
	}
	return fmt.Sprintf("block %d, %d chunks, id %s", height, total, short(id)), nil
}

// proper is the manifest without trusted and checkpoint_path.
func proper(schema *Schema, manifest Msg) Msg {
	body := schema.New("Manifest").Set("event_total", manifest.Uint("event_total")).
		Set("mmr_subtree_roots", manifest.Bytes("mmr_subtree_roots")).Set("mmr_tail_peaks", manifest.Bytes("mmr_tail_peaks"))
	for _, name := range []string{"actors", "resources", "actions"} {
		body.Set(name, manifest.Sub(name))
	}
	return body
}

func (n *Node) checkManifest(r *Replica, manifest Msg, checkpoint uint64) (uint64, error) {
	trusted := manifest.Sub("trusted")
	blockHash, err := r.checkTrusted(trusted)
	if err != nil {
		return 0, err
	}
	height := trusted.Sub("header").Uint("height")
	if height%n.chain.params.SnapshotInterval != 0 || height > r.Tip() || !bytes.Equal(blockHash, r.blocks[height].hash) {
		return 0, fmt.Errorf("a snapshot at block %d, which is not of this chain", height)
	}
	if !bytes.Equal(trusted.Bytes("mmr_root"), r.rootAfter(height)) {
		return 0, fmt.Errorf("the root after block %d is not trusted.mmr_root", height)
	}
	raw := manifest.Bytes("checkpoint_path")
	var path [][]byte
	for at := 0; at < len(raw); at += 32 {
		path = append(path, raw[at:at+32])
	}
	if height > checkpoint {
		if !verifyInclusion(leafHash(r.blocks[checkpoint].hash), checkpoint, height, path, trusted.Sub("header").Bytes("mmr_root")) {
			return 0, fmt.Errorf("checkpoint_path does not prove block %d", checkpoint)
		}
	} else if height < checkpoint || len(raw) > 0 {
		return 0, fmt.Errorf("a snapshot at block %d for checkpoint %d", height, checkpoint)
	}
	return height, nil
}
