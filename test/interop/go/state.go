package main

import (
	"bytes"
	"sort"
)

// Entry is what one key of an index has (protocol §5).
type Entry struct {
	key, keyHash []byte
	count        uint64
	head         []byte
}

// State is the three indexes: actors, resources, actions.
type State struct {
	total   uint64
	indexes [3]map[string]*Entry
}

func NewState() *State {
	s := &State{}
	for i := range s.indexes {
		s.indexes[i] = map[string]*Entry{}
	}
	return s
}

// keysOf an event in the three indexes.
func keysOf(actor []byte, kind, id, action string) [3][]byte {
	return [3][]byte{actor, []byte(kind + "\x00" + id), []byte(action)}
}

func (s *State) Add(eventID []byte, keys [3][]byte) {
	s.total++
	for i, key := range keys {
		entry := s.indexes[i][string(key)]
		if entry == nil {
			entry = &Entry{key: key, keyHash: hash(key), head: zeros}
			s.indexes[i][string(key)] = entry
		}
		entry.count++
		entry.head = hash([]byte{2}, entry.head, eventID)
	}
}

// Sorted has the entries of an index in the order of their key hashes.
func (s *State) Sorted(index int) []*Entry {
	entries := make([]*Entry, 0, len(s.indexes[index]))
	for _, entry := range s.indexes[index] {
		entries = append(entries, entry)
	}
	sort.Slice(entries, func(i, j int) bool { return bytes.Compare(entries[i].keyHash, entries[j].keyHash) < 0 })
	return entries
}

func trieLeaf(keyHash []byte, count uint64, head []byte) []byte {
	return hash([]byte{0}, keyHash, u64(count), head)
}

// trieRoot of sorted entries that share their first depth bits.
func trieRoot(entries []*Entry, depth int) []byte {
	switch len(entries) {
	case 0:
		return zeros
	case 1:
		return trieLeaf(entries[0].keyHash, entries[0].count, entries[0].head)
	}
	left, right := halves(entries, depth)
	return nodeHash(trieRoot(left, depth+1), trieRoot(right, depth+1))
}

func halves(entries []*Entry, depth int) ([]*Entry, []*Entry) {
	split := sort.Search(len(entries), func(i int) bool { return bit(entries[i].keyHash, depth) == 1 })
	return entries[:split], entries[split:]
}

func bit(keyHash []byte, depth int) byte { return keyHash[depth/8] >> (7 - depth%8) & 1 }

func stateRoot(total uint64, validatorsHash []byte, roots [3][]byte) []byte {
	return hash([]byte("moloch/state/v1"), u64(total), validatorsHash, roots[0], roots[1], roots[2])
}

func (s *State) Root(validatorsHash []byte) []byte {
	var roots [3][]byte
	for i := range roots {
		roots[i] = trieRoot(s.Sorted(i), 0)
	}
	return stateRoot(s.total, validatorsHash, roots)
}

// foldKey gives the root that a key proof leads to: leaf (nil for none) up along the hashes beside the way.
func foldKey(keyHash []byte, leaf []byte, siblings [][]byte) []byte {
	node := leaf
	if node == nil {
		node = zeros
	}
	for depth := len(siblings) - 1; depth >= 0; depth-- {
		if bit(keyHash, depth) == 0 {
			node = nodeHash(node, siblings[depth])
		} else {
			node = nodeHash(siblings[depth], node)
		}
	}
	return node
}
