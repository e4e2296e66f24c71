package main

import (
	"bytes"
	"context"
	"fmt"
)

// syncBlocks fully verifies blocks up to what the peer's Status proves, and on until `until`.
func (n *Node) syncBlocks(ctx context.Context, r *Replica, until uint64) error {
	for r.Tip() < until {
		request := n.schema.New("GetBlocks").Set("start", r.Tip()+1).Set("count", min(until-r.Tip(), 512))
		frames, err := n.Ask(ctx, n.protocol("blocks"), request.Encode())
		if err != nil {
			return err
		}
		before := r.Tip()
		for _, frame := range frames {
			answer, err := n.schema.Decode("RawBlocks", frame)
			if err != nil {
				return err
			}
			if err := refused(answer); err != nil {
				return err
			}
			for _, raw := range answer.BytesList("blocks") {
				if err := r.Apply(raw); err != nil {
					return fmt.Errorf("block %d: %w", r.Tip()+1, err)
				}
			}
		}
		if r.Tip() == before {
			return fmt.Errorf("an answer without block %d", before+1)
		}
	}
	return nil
}

// Status tells and asks; the head that is shown must be certified.
func (n *Node) Status(ctx context.Context, r *Replica) (Msg, error) {
	frames, err := n.Ask(ctx, n.protocol("status"), n.status().Encode())
	if err != nil {
		return Msg{}, err
	}
	if len(frames) != 1 {
		return Msg{}, fmt.Errorf("%d frames in answer to a Status", len(frames))
	}
	status, err := n.schema.Decode("Status", frames[0])
	if err != nil {
		return Msg{}, err
	}
	if err := refused(status); err != nil {
		return Msg{}, err
	}
	height := status.Uint("height")
	if height == 0 {
		return status, nil
	}
	blockHash := n.chain.BlockHash(status.Sub("head"))
	if status.Sub("head").Uint("height") != height || !bytes.Equal(blockHash, status.Bytes("head_hash")) {
		return Msg{}, fmt.Errorf("status: no header of height %d with the head's hash", height)
	}
	return status, n.chain.checkCommit(status.Sub("commit"), height, blockHash)
}

// syncHeaders verifies all headers up to the replica's tip as a light client does, and compares them with its blocks.
func (n *Node) syncHeaders(ctx context.Context, r *Replica) (uint64, error) {
	next := uint64(1)
	tree := &Range{}
	parent := n.chain.blockZero
	for next <= r.Tip() {
		request := n.schema.New("GetHeaders").Set("start", next).Set("count", min(r.Tip()-next+1, 1024))
		frames, err := n.Ask(ctx, n.protocol("headers"), request.Encode())
		if err != nil {
			return 0, err
		}
		for i, frame := range frames {
			answer, err := n.schema.Decode("RawHeaders", frame)
			if err != nil {
				return 0, err
			}
			if err := refused(answer); err != nil {
				return 0, err
			}
			peaks, headers := answer.BytesList("peaks"), answer.BytesList("headers")
			if (i == 0) != (len(peaks) > 0) || len(headers) == 0 {
				return 0, fmt.Errorf("frame %d: %d peaks, %d headers", i, len(peaks), len(headers))
			}
			if i == 0 {
				tree = &Range{next, peaks}
				if !bytes.Equal(tree.Root(), r.mmrAt[next].Root()) {
					return 0, fmt.Errorf("peaks before header %d do not bag to the range", next)
				}
			}
			for _, raw := range headers {
				if parent, err = n.checkNextHeader(r, tree, parent, next, raw); err != nil {
					return 0, fmt.Errorf("header %d: %w", next, err)
				}
				next++
			}
		}
		if len(frames) == 0 {
			return 0, fmt.Errorf("an answer without header %d", next)
		}
	}
	return next - 1, nil
}

func (n *Node) checkNextHeader(r *Replica, tree *Range, parent []byte, height uint64, raw []byte) ([]byte, error) {
	trusted, err := n.schema.DecodeCanonical("TrustedHeader", raw)
	if err != nil {
		return nil, err
	}
	blockHash, err := r.checkTrusted(trusted)
	if err != nil {
		return nil, err
	}
	header := trusted.Sub("header")
	switch {
	case header.Uint("height") != height:
		return nil, fmt.Errorf("BAD_HEIGHT: %d", header.Uint("height"))
	case !bytes.Equal(header.Bytes("parent_hash"), parent):
		return nil, fmt.Errorf("BAD_PARENT")
	case !bytes.Equal(header.Bytes("mmr_root"), tree.Root()):
		return nil, fmt.Errorf("BAD_MMR_ROOT")
	case !bytes.Equal(blockHash, r.blocks[height].hash):
		return nil, fmt.Errorf("another block than the full one")
	}
	tree.Append(leafHash(blockHash))
	if !bytes.Equal(trusted.Bytes("mmr_root"), tree.Root()) {
		return nil, fmt.Errorf("the root after it is not mmr_root")
	}
	return blockHash, nil
}
