package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Trees of RFC 9162 §2.1 and the mountain range that protocol §4 keeps them as.

func hash(parts ...[]byte) []byte {
	h := sha256.New()
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}

func u32(n uint64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

var zeros = make([]byte, 32)

func leafHash(data []byte) []byte        { return hash([]byte{0}, data) }
func nodeHash(left, right []byte) []byte { return hash([]byte{1}, left, right) }

// root of leaf hashes.
func root(leaves [][]byte) []byte {
	switch len(leaves) {
	case 0:
		return hash()
	case 1:
		return leaves[0]
	}
	split := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	return nodeHash(root(leaves[:split]), root(leaves[split:]))
}

// Range is a mountain range: perfect subtrees from left to right, one for each binary one of size.
type Range struct {
	size  uint64
	peaks [][]byte
}

func (r *Range) Append(leaf []byte) {
	node := leaf
	for n := r.size; n&1 == 1; n >>= 1 {
		last := len(r.peaks) - 1
		node = nodeHash(r.peaks[last], node)
		r.peaks = r.peaks[:last]
	}
	r.peaks = append(r.peaks, node)
	r.size++
}

// AppendSubtree appends the root of a perfect subtree of 2^level leaves; size must be a multiple of that.
func (r *Range) AppendSubtree(node []byte, level uint) {
	for n := r.size >> level; n&1 == 1; n >>= 1 {
		last := len(r.peaks) - 1
		node = nodeHash(r.peaks[last], node)
		r.peaks = r.peaks[:last]
	}
	r.peaks = append(r.peaks, node)
	r.size += 1 << level
}

func (r *Range) Root() []byte {
	if len(r.peaks) == 0 {
		return hash()
	}
	bag := r.peaks[len(r.peaks)-1]
	for i := len(r.peaks) - 2; i >= 0; i-- {
		bag = nodeHash(r.peaks[i], bag)
	}
	return bag
}

func (r *Range) Clone() *Range {
	return &Range{r.size, append([][]byte(nil), r.peaks...)}
}

// verifyInclusion is RFC 9162 §2.1.3.2.
func verifyInclusion(leaf []byte, index, size uint64, path [][]byte, root []byte) bool {
	if index >= size {
		return false
	}
	fn, sn, r := index, size-1, leaf
	for _, p := range path {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			r = nodeHash(p, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = nodeHash(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && bytes.Equal(r, root)
}

// verifyConsistency is RFC 9162 §2.1.4.2.
func verifyConsistency(first, second uint64, firstRoot, secondRoot []byte, path [][]byte) bool {
	if first == second {
		return len(path) == 0 && bytes.Equal(firstRoot, secondRoot)
	}
	if first == 0 || first > second || len(path) == 0 {
		return false
	}
	if first&(first-1) == 0 {
		path = append([][]byte{firstRoot}, path...)
	}
	fn, sn := first-1, second-1
	for fn&1 == 1 {
		fn, sn = fn>>1, sn>>1
	}
	fr, sr := path[0], path[0]
	for _, c := range path[1:] {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			fr, sr = nodeHash(c, fr), nodeHash(c, sr)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			sr = nodeHash(sr, c)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && bytes.Equal(fr, firstRoot) && bytes.Equal(sr, secondRoot)
}
