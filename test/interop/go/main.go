// A client of a Moloch chain that was written from docs/protocol.md and protos/ alone. It says hello, syncs and verifies
// every block, header, proof and snapshot of one peer, listens to its gossip, and publishes an event that becomes final.
//
//	go run . --peer /ip4/127.0.0.1/tcp/9645/p2p/12D3… --genesis genesis.json --protos ../../../protos
//
// It prints a JSON line for each check: {"check", "ok", "detail"}; the exit code is 0 if all passed.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

func main() {
	address := flag.String("peer", "", "multiaddr of a full node, with /p2p/ID")
	genesis := flag.String("genesis", "genesis.json", "the chain's genesis")
	protos := flag.String("protos", "protos", "folder with the .proto files")
	limit := flag.Duration("limit", 3*time.Minute, "how long all of it may take")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	if err := run(ctx, *address, *genesis, *protos); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

// check runs one and prints what it came to.
func check(name string, run func() (string, error)) error {
	detail, err := run()
	line := map[string]any{"check": name, "ok": err == nil, "detail": detail}
	if err != nil {
		line["detail"] = err.Error()
	}
	out, _ := json.Marshal(line)
	fmt.Println(string(out))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func run(ctx context.Context, address, genesis, protos string) error {
	schema, err := LoadSchema(protos)
	if err != nil {
		return err
	}
	chain, err := LoadChain(genesis, schema)
	if err != nil {
		return err
	}
	target, err := peer.AddrInfoFromString(address)
	if err != nil {
		return err
	}
	node, err := NewNode(ctx, chain, schema, *target)
	if err != nil {
		return err
	}
	defer node.host.Close()
	return runChecks(ctx, node, NewReplica(chain, schema))
}

func runChecks(ctx context.Context, n *Node, r *Replica) error {
	var gossip *Gossip
	// Any event of the chain, and one of the blocks' keys, once there are blocks.
	var id []byte
	var keys [3][]byte
	var snapshotHeight uint64
	steps := []struct {
		name string
		run  func() (string, error)
	}{
		{"nothing before hello", func() (string, error) {
			if err := n.host.Connect(ctx, n.peer); err != nil {
				return "", err
			}
			_, err := n.Status(ctx, r)
			close(n.open)
			return "refused", expectRefusal(err, notReady)
		}},
		{"hello, both ways", func() (string, error) {
			ack, err := n.Hello(ctx)
			if err != nil {
				return "", err
			}
			select {
			case err = <-n.greeted:
			case <-ctx.Done():
				err = ctx.Err()
			}
			return fmt.Sprintf("peer at height %d, mode %d", ack.Uint("head_height"), ack.Uint("mode")), err
		}},
		{"gossip: every topic", func() (text string, err error) {
			if gossip, err = n.Join(ctx); err != nil {
				return "", err
			}
			return gossip.hearAll(ctx)
		}},
		{"status", func() (string, error) {
			status, err := n.Status(ctx, r)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("height %d", status.Uint("height")), nil
		}},
		{"blocks, fully verified", func() (string, error) { return n.syncPastSnapshot(ctx, r, &snapshotHeight) }},
		{"gossip: an event of its own", func() (string, error) { return gossip.publishEvent(ctx, r) }},
		{"headers", func() (string, error) {
			count, err := n.syncHeaders(ctx, r)
			return fmt.Sprintf("%d headers", count), err
		}},
		{"proof of an event", func() (string, error) {
			for _, block := range r.blocks {
				if len(block.events) > 0 {
					id, keys = block.events[len(block.events)/2], block.keys[len(block.events)/2]
					break
				}
			}
			for _, anchor := range []uint64{0, r.Tip()} {
				if err := n.checkEventProof(ctx, r, id, anchor); err != nil {
					return "", fmt.Errorf("anchor %d: %w", anchor, err)
				}
			}
			return "event " + short(id), nil
		}},
		{"proof of a header", func() (string, error) { return "block 1", n.checkHeaderProof(ctx, r, 1, r.Tip()) }},
		{"proof of consistency", func() (string, error) { return "from block 2", n.checkConsistency(ctx, r, 2, r.Tip()) }},
		{"proof of histories", func() (string, error) {
			text := ""
			for index, key := range keys {
				count, err := n.checkHistory(ctx, r, index, key, snapshotHeight)
				if err != nil {
					return "", fmt.Errorf("index %d: %w", index, err)
				}
				text += fmt.Sprintf("%d events of index %d; ", count, index)
			}
			_, err := n.checkHistory(ctx, r, 2, []byte("no.such.action"), snapshotHeight)
			return text + "none of an action that nobody took", err
		}},
		{"snapshot", func() (string, error) { return n.checkSnapshot(ctx, r, 1) }},
		{"refusals", func() (string, error) { return "as the document has them", n.checkRefusals(ctx, r) }},
		{"goodbye", func() (string, error) {
			message := n.schema.New("Goodbye").Set("reason", uint64(1)).Set("message", "done")
			frames, err := n.Ask(ctx, "/moloch/goodbye/1", message.Encode())
			return fmt.Sprintf("%d frames", len(frames)), err
		}},
	}
	for _, step := range steps {
		if err := check(step.name, step.run); err != nil {
			return err
		}
	}
	return nil
}

// syncPastSnapshot follows the chain until the peer has a snapshot within what was verified, whose height it notes.
func (n *Node) syncPastSnapshot(ctx context.Context, r *Replica, height *uint64) (string, error) {
	for {
		status, err := n.Status(ctx, r)
		if err != nil {
			return "", err
		}
		if err := n.syncBlocks(ctx, r, status.Uint("height")); err != nil {
			return "", err
		}
		answers, err := n.askSnapshot(ctx, n.schema.New("GetSnapshot").Set("checkpoint_height", uint64(1)))
		if err == nil {
			manifest, err := n.schema.Decode("Manifest", answers[0].Bytes("manifest"))
			if err != nil {
				return "", err
			}
			if *height = manifest.Sub("trusted").Sub("header").Uint("height"); *height <= r.Tip() {
				return fmt.Sprintf("%d blocks, %d events, tip %s", r.Tip(), r.state.total, short(r.blocks[r.Tip()].hash)), nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the peer offers no snapshot: %v", err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
