/** Reads the parts that the JSON form of a history proof has for itself. */
import { MAX_ACTION_BYTES, MAX_KEY_BYTES } from '../../chain/event-bounds.ts'
import { MAX_PAGE_IDS } from '../../chain/history.ts'
import type { Json } from '../../chain/json-document.ts'
import type { HistoryPage, HistoryProof, KeyProof } from '../../codec/generated/proof.ts'
import { MAX_TRIE_PATH } from './form.ts'
import { type HistoryKey, historyKey, keyToJson } from './history-key.ts'
import { hex, path, proof, string, U64_MAX } from './read-json.ts'

/** @throws MolochError PROOF_MALFORMED */
export function readHistory(
  { key, state, pages }: Json,
  anchorHeight: number
): { readonly key: HistoryKey; readonly proof: HistoryProof } {
  if (!Array.isArray(pages)) throw proof.wrong('pages', pages, 'a list of pages')
  const read = { anchorHeight, state: readState(state), pages: pages.map((page, at) => readPage(page, at)) }
  return { key: readKey(key), proof: read }
}

/** One of the three, in the one form that its bytes have. */
function readKey(value: unknown): HistoryKey {
  const { actor, resource, action } = proof.object(value, 'key', ['actor', 'resource', 'action'])
  const given = [actor, resource, action].filter((one) => one !== undefined)
  if (given.length !== 1) throw proof.wrong('key', value, 'one of actor, resource and action')
  if (actor !== undefined) return historyKey({ actor: hex(actor, 'key.actor') })
  const key = action !== undefined ? historyKey({ action: string(action, 'key.action') }) : readResource(resource)
  const max = action !== undefined ? MAX_ACTION_BYTES : MAX_KEY_BYTES
  const isOne =
    JSON.stringify(keyToJson(key)) === JSON.stringify(action !== undefined ? { action } : { resource: named(resource) })
  if (key.key.byteLength <= max && isOne) return key
  throw proof.wrong('key', value, `a key of at most ${max} bytes of UTF-8`)
}

function readResource(value: unknown): HistoryKey {
  return historyKey({ resource: named(value) })
}

function named(value: unknown): { kind: string; id: string } {
  const { kind, id } = proof.object(value, 'key.resource', ['kind', 'id'])
  return { kind: string(kind, 'key.resource.kind'), id: string(id, 'key.resource.id') }
}

function readState(value: unknown): KeyProof {
  const keys = ['event_total', 'other_roots', 'siblings', 'leaf']
  const { event_total: total, other_roots: roots, siblings, leaf } = proof.object(value, 'state', keys)
  const state = {
    eventTotal: proof.integer(total, 'state.event_total', 0, U64_MAX),
    otherRoots: path(roots, 'state.other_roots', 2),
    siblings: path(siblings, 'state.siblings', MAX_TRIE_PATH)
  }
  if (state.otherRoots.length !== 2) throw proof.wrong('state.other_roots', roots, 'a list of 2 hashes')
  return leaf === null ? state : { ...state, leaf: readLeaf(leaf) }
}

function readLeaf(value: unknown): NonNullable<KeyProof['leaf']> {
  const { key_hash: keyHash, count, head } = proof.object(value, 'state.leaf', ['key_hash', 'count', 'head'])
  return {
    keyHash: hex(keyHash, 'state.leaf.key_hash'),
    count: proof.integer(count, 'state.leaf.count', 1, U64_MAX),
    head: hex(head, 'state.leaf.head')
  }
}

function readPage(value: unknown, at: number): HistoryPage {
  const name = `pages[${at}]`
  const { prev_head: prevHead, ids } = proof.object(value, name, ['prev_head', 'ids'])
  return { prevHead: hex(prevHead, `${name}.prev_head`), ids: path(ids, `${name}.ids`, MAX_PAGE_IDS) }
}
