package main

import (
	"context"
	"fmt"
)

// checkRefusals asks for what no node has, or nobody may ask.
func (n *Node) checkRefusals(ctx context.Context, r *Replica) error {
	tip := r.Tip()
	ask := func(protocol, answer string, request Msg) error {
		frames, err := n.Ask(ctx, n.protocol(protocol), request.Encode())
		if err != nil {
			return err
		}
		if len(frames) != 1 {
			return fmt.Errorf("%d frames", len(frames))
		}
		message, err := n.schema.Decode(answer, frames[0])
		if err != nil {
			return err
		}
		return refused(message)
	}
	eventProof := func(id []byte, anchor uint64) Msg {
		return n.schema.New("GetProof").Set("event", n.schema.New("GetEventProof").Set("event_id", id).Set("anchor_height", anchor))
	}
	snapshot := func() Msg { return n.schema.New("GetSnapshot") }
	cases := []struct {
		protocol, answer string
		request          Msg
		code             uint64
	}{
		{"blocks", "RawBlocks", n.schema.New("GetBlocks").Set("count", uint64(1)), badRequest},
		{"blocks", "RawBlocks", n.schema.New("GetBlocks").Set("start", uint64(1)).Set("count", uint64(513)), badRequest},
		{"blocks", "RawBlocks", n.schema.New("GetBlocks").Set("start", tip+1_000_000).Set("count", uint64(1)), unavailable},
		{"headers", "RawHeaders", n.schema.New("GetHeaders").Set("start", uint64(1)).Set("count", uint64(1025)), badRequest},
		{"headers", "RawHeaders", n.schema.New("GetHeaders").Set("start", tip+1_000_000).Set("count", uint64(1)), unavailable},
		{"proof", "Proof", n.schema.New("GetProof"), badRequest},
		{"proof", "Proof", eventProof(zeros, 0), unknownEvent},
		{"proof", "Proof", eventProof(r.blocks[tip].hash[:31], 0), badRequest},
		{"snapshot", "RawSnapshot", snapshot().Set("height", tip+1_000_000), unavailable},
		{"snapshot", "RawSnapshot", snapshot().Set("checkpoint_height", tip+1_000_000), unavailable},
		{"snapshot", "RawSnapshot", snapshot().Set("manifest_id", zeros[:31]), badRequest},
		{"snapshot", "RawSnapshot", snapshot().Set("manifest_id", zeros).Set("count", uint64(1)), unavailable},
	}
	for height, block := range r.blocks {
		if len(block.events) > 0 {
			// An anchor must be above the block that it is to cover.
			cases = append(cases, struct {
				protocol, answer string
				request          Msg
				code             uint64
			}{"proof", "Proof", eventProof(block.events[0], uint64(height)), anchorTooOld})
			break
		}
	}
	for i, each := range cases {
		if err := expectRefusal(ask(each.protocol, each.answer, each.request), each.code); err != nil {
			return fmt.Errorf("case %d of %s: %w", i, each.protocol, err)
		}
	}
	return nil
}
