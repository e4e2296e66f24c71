package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
)

type pubsubMessage = pb.Message

var topicNames = []string{"events", "block", "vote", "finalized", "header"}

// Gossip checks each message of each topic that comes, and counts them.
type Gossip struct {
	node   *Node
	joined map[string]*pubsub.Topic
	seen   chan Heard
}

// Heard is one message that was checked.
type Heard struct {
	topic string
	err   error
	// Of events: their ids.
	ids [][]byte
}

func (n *Node) Join(ctx context.Context) (*Gossip, error) {
	g := &Gossip{n, map[string]*pubsub.Topic{}, make(chan Heard, 4096)}
	for _, name := range topicNames {
		topic, err := n.pubsub.Join(n.topic(name))
		if err != nil {
			return nil, err
		}
		g.joined[name] = topic
		subscription, err := topic.Subscribe()
		if err != nil {
			return nil, err
		}
		go func() {
			for {
				message, err := subscription.Next(ctx)
				if err != nil {
					return
				}
				if message.ReceivedFrom == n.host.ID() {
					continue
				}
				ids, err := n.checkMessage(name, message.Data)
				g.seen <- Heard{name, err, ids}
			}
		}()
	}
	return g, nil
}

func (n *Node) checkMessage(topic string, raw []byte) ([][]byte, error) {
	c := n.chain
	switch topic {
	case "events":
		message, err := n.schema.DecodeCanonical("Events", raw)
		if err != nil {
			return nil, err
		}
		signed := message.List("events")
		if len(signed) < 1 || len(signed) > 2048 {
			return nil, fmt.Errorf("%d events", len(signed))
		}
		if message.Has("voucher") {
			voucher := message.Sub("voucher")
			validator := voucher.Bytes("validator")
			without := hash(n.schema.New("Events").Set("events", signed).Encode())
			if !c.isValidator(validator) || !verify(validator, c.layout("moloch/voucher/v1", without), voucher.Bytes("signature")) {
				return nil, fmt.Errorf("a false voucher by %s", short(validator))
			}
		}
		var ids [][]byte
		for _, each := range signed {
			event, err := c.checkEvent(n.schema, each)
			if err != nil {
				return nil, err
			}
			ids = append(ids, event.id)
		}
		return ids, nil
	case "block":
		return nil, n.checkProposal(raw)
	case "vote":
		vote, err := n.schema.DecodeCanonical("Vote", raw)
		if err != nil {
			return nil, err
		}
		blockHash := vote.Bytes("block_hash")
		if bytes.Equal(blockHash, zeros) || !c.isValidator(vote.Bytes("validator")) {
			return nil, fmt.Errorf("a vote for %x by %s", blockHash, short(vote.Bytes("validator")))
		}
		message := c.voteMessage(vote.Uint("type"), vote.Uint("height"), vote.Uint("round"), blockHash)
		if !verify(vote.Bytes("validator"), message, vote.Bytes("signature")) {
			return nil, fmt.Errorf("a vote's signature does not verify")
		}
		return nil, nil
	case "finalized":
		message, err := n.schema.DecodeCanonical("FinalizedBlock", raw)
		if err != nil {
			return nil, err
		}
		return nil, n.checkCertified(message.Sub("block").Sub("header"), message.Sub("block").Bytes("seal"), message.Sub("commit"))
	default:
		message, err := n.schema.DecodeCanonical("TrustedHeader", raw)
		if err != nil {
			return nil, err
		}
		return nil, n.checkCertified(message.Sub("header"), message.Bytes("seal"), message.Sub("commit"))
	}
}

func (n *Node) checkCertified(header Msg, seal []byte, commit Msg) error {
	blockHash := n.chain.BlockHash(header)
	if err := n.chain.checkSeal(header, blockHash, seal); err != nil {
		return err
	}
	return n.chain.checkCommit(commit, header.Uint("height"), blockHash)
}

func (n *Node) checkProposal(raw []byte) error {
	message, err := n.schema.DecodeCanonical("NewBlock", raw)
	if err != nil {
		return err
	}
	block := message.Sub("block")
	header := block.Sub("header")
	blockHash := n.chain.BlockHash(header)
	if err := n.chain.checkSeal(header, blockHash, block.Bytes("seal")); err != nil {
		return err
	}
	round, height := message.Uint("round"), header.Uint("height")
	var valid *uint64
	if message.Has("valid_round") {
		v := message.Uint("valid_round")
		if valid = &v; v >= round {
			return fmt.Errorf("BAD_PROPOSAL: valid round %d in round %d", v, round)
		}
	}
	if !verify(n.chain.proposer(height, round), n.chain.proposalMessage(height, round, valid, blockHash), message.Bytes("signature")) {
		return fmt.Errorf("a proposal's signature does not verify")
	}
	return nil
}

// hearAll waits until a checked message came on each of the topics.
func (g *Gossip) hearAll(ctx context.Context) (string, error) {
	counts := map[string]int{}
	for len(counts) < len(topicNames) {
		select {
		case heard := <-g.seen:
			if heard.err != nil {
				return "", fmt.Errorf("%s: %w", heard.topic, heard.err)
			}
			counts[heard.topic]++
		case <-ctx.Done():
			return "", fmt.Errorf("nothing on some topics; heard: %v", counts)
		}
	}
	return fmt.Sprint(counts), nil
}

// publishEvent publishes an event of this client's own, and waits until a block has it.
func (g *Gossip) publishEvent(ctx context.Context, r *Replica) (string, error) {
	n := g.node
	for len(g.joined["events"].ListPeers()) == 0 {
		time.Sleep(50 * time.Millisecond)
	}
	signed, id := n.chain.signEvent(n.schema, n.key, uint64(time.Now().UnixMilli()), "client", "go", "interop.publish")
	message := n.schema.New("Events").Set("events", []Msg{signed}).Encode()
	if err := g.joined["events"].Publish(ctx, message); err != nil {
		return "", err
	}
	for {
		status, err := n.Status(ctx, r)
		if err != nil {
			return "", err
		}
		if err := n.syncBlocks(ctx, r, status.Uint("height")); err != nil {
			return "", err
		}
		if height, _, found := r.find(id); found {
			return fmt.Sprintf("event %s is final in block %d", short(id), height), nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("event %s is in no block up to %d", short(id), r.Tip())
		case <-time.After(500 * time.Millisecond):
		}
	}
}
