package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	noise "github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-varint"
)

// protocolVersion is major · 1000 + minor.
const protocolVersion = 2001

const modeLight = 2

// Node is this client on the network: a light peer with a chain key of its own.
type Node struct {
	host   host.Host
	pubsub *pubsub.PubSub
	chain  *Chain
	schema *Schema
	key    ed25519.PrivateKey
	// Of this run: another one under this peer id is taken for a copy of the peer key.
	instance []byte
	peer     peer.AddrInfo
	greeted  chan error    // what the peer's Hello to us came to
	open     chan struct{} // closed once Hellos are answered
}

func NewNode(ctx context.Context, chain *Chain, schema *Schema, target peer.AddrInfo) (*Node, error) {
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New), libp2p.Muxer(yamux.ID, yamux.DefaultTransport), libp2p.DisableRelay())
	if err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	n := &Node{host: h, chain: chain, schema: schema, key: key, instance: hash([]byte(h.ID()), key)[:16], peer: target, greeted: make(chan error, 16), open: make(chan struct{})}
	h.SetStreamHandler("/moloch/hello/1", n.serveHello)
	h.SetStreamHandler(n.protocol("status"), n.serveStatus)
	// §9: no author, no signature, the id over topic and payload, RPCs of up to 4 MiB, and published to all peers.
	n.pubsub, err = pubsub.NewGossipSub(ctx, h, pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor(),
		pubsub.WithFloodPublish(true), pubsub.WithMaxMessageSize(4<<20), pubsub.WithPeerExchange(false),
		pubsub.WithMessageIdFn(func(m *pubsubMessage) string { return string(hash([]byte(m.GetTopic()), m.GetData())) }))
	return n, err
}

func (n *Node) protocol(name string) protocol.ID {
	return protocol.ID("/moloch/" + n.chain.scope + "/" + name + "/1")
}

func (n *Node) topic(name string) string { return "/moloch/" + n.chain.scope + "/" + name + "/1" }

// Ask opens a stream, sends one request, closes the write side and reads frames to the end.
func (n *Node) Ask(ctx context.Context, name protocol.ID, request []byte) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stream, err := n.host.NewStream(ctx, n.peer.ID, name)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	if _, err := stream.Write(append(varint.ToUvarint(uint64(len(request))), request...)); err != nil {
		return nil, err
	}
	if err := stream.CloseWrite(); err != nil {
		return nil, err
	}
	return readFrames(stream, n.chain.maxFrame)
}

func readFrames(stream io.Reader, limit int) ([][]byte, error) {
	reader := bufio.NewReader(stream)
	var frames [][]byte
	for {
		length, err := varint.ReadUvarint(reader)
		if err == io.EOF {
			return frames, nil
		}
		if err != nil {
			return nil, err
		}
		if length > uint64(limit) {
			return nil, fmt.Errorf("a frame of %d bytes; accepted: at most %d", length, limit)
		}
		frame := make([]byte, length)
		if _, err := io.ReadFull(reader, frame); err != nil {
			return nil, err
		}
		frames = append(frames, frame)
	}
}

// Refusal is an answer that says why there is none.
type Refusal struct {
	code uint64
	text string
}

func (r Refusal) Error() string { return fmt.Sprintf("refused with code %d: %s", r.code, r.text) }

const (
	unavailable  = 2
	badRequest   = 3
	notReady     = 4
	unknownEvent = 9
	anchorTooOld = 10
)

// refused gives the refusal in an answer, which is field 15 of each of them.
func refused(answer Msg) error {
	if !answer.Has("refusal") {
		return nil
	}
	refusal := answer.Sub("refusal")
	return Refusal{refusal.Uint("code"), refusal.String("message")}
}

func expectRefusal(err error, code uint64) error {
	if refusal, ok := err.(Refusal); ok && refusal.code == code {
		return nil
	}
	return fmt.Errorf("expected a refusal with code %d: %v", code, err)
}

func (n *Node) helloMessage(role byte, initiatorNonce, responderNonce []byte, initiator, responder peer.ID) []byte {
	return n.chain.layout("moloch/hello/v1", []byte{role}, initiatorNonce, responderNonce,
		hash([]byte(initiator)), hash([]byte(responder)))
}

// fill writes what Hello and HelloAck have in common.
func (n *Node) fill(message Msg) Msg {
	return message.Set("version", uint64(protocolVersion)).Set("chain_id", n.chain.id).Set("genesis_hash", n.chain.genesis).
		Set("head_hash", n.chain.blockZero).Set("mode", uint64(modeLight)).
		Set("public_key", []byte(n.key.Public().(ed25519.PublicKey))).Set("instance", n.instance)
}

func (n *Node) Hello(ctx context.Context) (Msg, error) {
	nonce := make([]byte, 32)
	rand.Read(nonce)
	signature := ed25519.Sign(n.key, n.helloMessage(1, nonce, zeros, n.host.ID(), n.peer.ID))
	hello := n.fill(n.schema.New("Hello")).Set("nonce", nonce).Set("signature", signature)
	frames, err := n.Ask(ctx, "/moloch/hello/1", hello.Encode())
	if err != nil {
		return Msg{}, err
	}
	if len(frames) != 1 {
		return Msg{}, fmt.Errorf("%d frames in answer to a Hello", len(frames))
	}
	ack, err := n.schema.Decode("HelloAck", frames[0])
	if err != nil {
		return Msg{}, err
	}
	if err := refused(ack); err != nil {
		return Msg{}, err
	}
	if err := n.checkGreeting(ack); err != nil {
		return Msg{}, err
	}
	message := n.helloMessage(2, nonce, ack.Bytes("nonce"), n.host.ID(), n.peer.ID)
	if !bytes.Equal(ack.Bytes("request_nonce"), nonce) || !verify(ack.Bytes("public_key"), message, ack.Bytes("signature")) {
		return Msg{}, fmt.Errorf("BAD_SIGNATURE: the ack does not verify for this nonce")
	}
	return ack, nil
}

func (n *Node) checkGreeting(message Msg) error {
	switch {
	case message.Uint("version")/1000 != protocolVersion/1000:
		return fmt.Errorf("WRONG_VERSION")
	case message.String("chain_id") != n.chain.id:
		return fmt.Errorf("WRONG_CHAIN")
	case !bytes.Equal(message.Bytes("genesis_hash"), n.chain.genesis):
		return fmt.Errorf("WRONG_GENESIS")
	case len(message.Bytes("instance")) != 16:
		return fmt.Errorf("an instance of %d bytes", len(message.Bytes("instance")))
	}
	return nil
}

func (n *Node) serveHello(stream network.Stream) {
	<-n.open
	n.greeted <- n.answerHello(stream)
}

func (n *Node) answerHello(stream network.Stream) error {
	defer stream.Close()
	remote := stream.Conn().RemotePeer()
	frames, err := readFrames(stream, n.chain.maxFrame)
	if err != nil || len(frames) != 1 {
		return fmt.Errorf("%d frames in a Hello: %v", len(frames), err)
	}
	hello, err := n.schema.Decode("Hello", frames[0])
	if err != nil {
		return err
	}
	if err := n.checkGreeting(hello); err != nil {
		return err
	}
	if !verify(hello.Bytes("public_key"), n.helloMessage(1, hello.Bytes("nonce"), zeros, remote, n.host.ID()), hello.Bytes("signature")) {
		return fmt.Errorf("BAD_SIGNATURE: the peer's hello")
	}
	nonce := make([]byte, 32)
	rand.Read(nonce)
	signature := ed25519.Sign(n.key, n.helloMessage(2, hello.Bytes("nonce"), nonce, remote, n.host.ID()))
	ack := n.fill(n.schema.New("HelloAck")).Set("nonce", nonce).Set("signature", signature).Set("request_nonce", hello.Bytes("nonce"))
	return writeFrame(stream, ack)
}

func writeFrame(stream io.Writer, message Msg) error {
	raw := message.Encode()
	_, err := stream.Write(append(varint.ToUvarint(uint64(len(raw))), raw...))
	return err
}

// status of this client: it claims no block, and so shows no head.
func (n *Node) status() Msg {
	empty := &Range{}
	empty.Append(leafHash(n.chain.blockZero))
	return n.schema.New("Status").Set("head_hash", n.chain.blockZero).Set("mmr_root", empty.Root())
}

func (n *Node) serveStatus(stream network.Stream) {
	defer stream.Close()
	if _, err := readFrames(stream, n.chain.maxFrame); err == nil {
		_ = writeFrame(stream, n.status())
	}
}
