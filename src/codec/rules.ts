/**
 * The canonical form of each message that is hashed, signed, stored or forwarded as bytes (protocol §5), as tables for
 * the walker in canonical.ts. They repeat protos/*.proto with what a proto file cannot say: lengths, ranges, presence.
 */

export type FieldRule =
  /** Minimal varint in 1 … max (0 is the default: absent). With `optional` 0 may be written. */
  | { readonly kind: 'varint'; readonly name: string; readonly max: number; readonly optional?: boolean }
  /** Byte string whose length is one of `lengths`; a length 0 in the list means that it may be absent. */
  | { readonly kind: 'bytes'; readonly name: string; readonly lengths: readonly number[] }
  /** Any number of hashes, 32 bytes each. */
  | { readonly kind: 'hashes'; readonly name: string }
  /** Byte string of any length but 0. */
  | { readonly kind: 'blob'; readonly name: string; readonly required?: boolean }
  /** Strictly valid UTF-8. With `optional` the empty string may be written. */
  | { readonly kind: 'string'; readonly name: string; readonly optional?: boolean }
  | {
      readonly kind: 'message'
      readonly name: string
      readonly rule: MessageRule
      readonly required?: boolean
      readonly repeated?: boolean
    }

export interface MessageRule {
  readonly name: string
  /** By field number; index 0 is never used. */
  readonly fields: readonly (FieldRule | undefined)[]
  /** Bit n is set if field n has to be there. */
  readonly required: number
}

/** Fields take numbers 1, 2, … in order: no message of the chain has gaps. */
function message(name: string, ...fields: readonly FieldRule[]): MessageRule {
  let required = 0
  fields.forEach((field, index) => {
    if (isRequired(field)) required |= 1 << (index + 1)
  })
  return { name, fields: [undefined, ...fields], required }
}

function isRequired(field: FieldRule): boolean {
  switch (field.kind) {
    case 'bytes':
      return !field.lengths.includes(0)
    case 'blob':
    case 'message':
      return field.required === true
    default:
      return false
  }
}

const U32_MAX = 0xffff_ffff
/** Every u64 of the protocol is at most 2⁵³−1, so that it is exact as a JavaScript and JSON number. */
const U64_MAX = Number.MAX_SAFE_INTEGER

const u32 = (name: string): FieldRule => ({ kind: 'varint', name, max: U32_MAX })
const u64 = (name: string): FieldRule => ({ kind: 'varint', name, max: U64_MAX })
const enumeration = (name: string, max: number): FieldRule => ({ kind: 'varint', name, max })
const fixed = (name: string, ...lengths: readonly number[]): FieldRule => ({ kind: 'bytes', name, lengths })
const text = (name: string): FieldRule => ({ kind: 'string', name })
const optional = (field: FieldRule): FieldRule => ({ ...field, optional: true }) as FieldRule
const one = (name: string, rule: MessageRule): FieldRule => ({ kind: 'message', name, rule, required: true })
const many = (name: string, rule: MessageRule): FieldRule => ({ kind: 'message', name, rule, repeated: true })
const maybe = (name: string, rule: MessageRule): FieldRule => ({ kind: 'message', name, rule })
const hashes = (name: string): FieldRule => ({ kind: 'hashes', name })

const RESOURCE = message('Resource', text('kind'), text('id'))
const METADATA = message('Metadata', text('key'), text('value'))

export const EVENT_BODY = message(
  'EventBody',
  u64('timestamp'),
  optional(u64('occurred_at')),
  text('action'),
  one('resource', RESOURCE),
  enumeration('outcome', 4),
  optional(text('actor_name')),
  many('metadata', METADATA)
)

/** `body` is bytes here, as it is in the proto: EVENT_BODY is a walk of its own. */
export const SIGNED_EVENT = message(
  'SignedEvent',
  { kind: 'blob', name: 'body', required: true },
  fixed('actor', 32),
  fixed('signature', 64)
)

export const HEADER = message(
  'Header',
  u32('version'),
  u64('height'),
  fixed('parent_hash', 32),
  fixed('events_root', 32),
  u32('event_count'),
  fixed('mmr_root', 32),
  fixed('state_root', 32),
  fixed('validators_hash', 32),
  fixed('next_validators_hash', 32),
  u64('timestamp'),
  fixed('proposer', 32)
)

export const BLOCK = message('Block', one('header', HEADER), fixed('seal', 64), many('events', SIGNED_EVENT))

const COMMIT_SIGNATURE = message('CommitSignature', fixed('validator', 32), fixed('signature', 64))

export const COMMIT = message(
  'Commit',
  u64('height'),
  u32('round'),
  fixed('block_hash', 32),
  many('signatures', COMMIT_SIGNATURE)
)

export const VOTE = message(
  'Vote',
  enumeration('type', 2),
  u64('height'),
  u32('round'),
  fixed('block_hash', 0, 32),
  fixed('validator', 32),
  fixed('signature', 64)
)

export const FINALIZED_BLOCK = message('FinalizedBlock', one('block', BLOCK), one('commit', COMMIT))

export const PROPOSAL = message(
  'Proposal',
  u64('height'),
  u32('round'),
  optional(u32('valid_round')),
  fixed('block_hash', 32),
  fixed('signature', 64)
)

const VOUCHER = message('Voucher', fixed('validator', 32), fixed('signature', 64))

export const EVENTS = message('Events', many('events', SIGNED_EVENT), maybe('voucher', VOUCHER))

export const NEW_BLOCK = message(
  'NewBlock',
  u32('round'),
  optional(u32('valid_round')),
  one('block', BLOCK),
  fixed('signature', 64)
)

export const TRUSTED_HEADER = message(
  'TrustedHeader',
  one('header', HEADER),
  fixed('seal', 64),
  one('commit', COMMIT),
  fixed('mmr_root', 32)
)

const COMPACT_PROOF = message(
  'CompactProof',
  one('event', SIGNED_EVENT),
  u32('event_index'),
  u32('event_count'),
  hashes('event_path'),
  one('header', HEADER),
  hashes('mmr_path'),
  u64('anchor_height')
)

const HEADER_PROOF = message('HeaderProof', one('header', HEADER), hashes('mmr_path'), u64('anchor_height'))

const CONSISTENCY_PROOF = message('ConsistencyProof', u64('from'), u64('to'), hashes('path'))

const KEY_LEAF = message('KeyLeaf', fixed('key_hash', 32), u64('count'), fixed('head', 32))

const KEY_PROOF = message(
  'KeyProof',
  u64('event_total'),
  hashes('other_roots'),
  hashes('siblings'),
  maybe('leaf', KEY_LEAF)
)

const HISTORY_PAGE = message('HistoryPage', fixed('prev_head', 32), hashes('ids'))

const HISTORY_PROOF = message(
  'HistoryProof',
  u64('anchor_height'),
  maybe('state', KEY_PROOF),
  many('pages', HISTORY_PAGE)
)

/** An answer that is no refusal; which of the four it has to be depends on what was asked. */
export const PROOF = message(
  'Proof',
  maybe('event', COMPACT_PROOF),
  maybe('header', HEADER_PROOF),
  maybe('consistency', CONSISTENCY_PROOF),
  maybe('history', HISTORY_PROOF)
)

const blob = (name: string): FieldRule => ({ kind: 'blob', name })

const TOP_ITEM = message(
  'TopItem',
  enumeration('kind', 4),
  blob('key'),
  u64('count'),
  fixed('head', 0, 32),
  fixed('hash', 0, 32)
)

const INDEX_TOP = message('IndexTop', many('items', TOP_ITEM))

export const MANIFEST = message(
  'Manifest',
  one('trusted', TRUSTED_HEADER),
  u64('event_total'),
  blob('mmr_subtree_roots'),
  blob('mmr_tail_peaks'),
  one('actors', INDEX_TOP),
  one('resources', INDEX_TOP),
  one('actions', INDEX_TOP),
  blob('checkpoint_path')
)

const INDEX_ENTRY = message(
  'IndexEntry',
  { kind: 'blob', name: 'key', required: true },
  u64('count'),
  fixed('head', 32)
)

export const INDEX_CHUNK = message('IndexChunk', many('entries', INDEX_ENTRY))
