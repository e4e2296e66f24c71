/** Messages that are canonical when encoded; and what each rule belongs to. */
import fc from 'fast-check'
import * as chain from '../../src/codec/generated/chain.ts'
import * as event from '../../src/codec/generated/event.ts'
import * as gossip from '../../src/codec/generated/gossip.ts'
import * as sync from '../../src/codec/generated/sync.ts'
import * as rules from '../../src/codec/rules.ts'

const u32 = fc.oneof(fc.constantFrom(0, 1, 127, 128, 0xffff_ffff), fc.nat(0xffff_ffff))
const u64 = fc.oneof(
  fc.constantFrom(0, 1, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
)
const fixed = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => new Uint8Array(bytes))
const text = fc.string({ unit: 'binary', maxLength: 20 })
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 4 })
/** An optional field is left out, not set to undefined. */
const partly = <T extends object, U extends object>(required: fc.Arbitrary<T>, optional: fc.Arbitrary<U>) =>
  fc.tuple(required, optional).map(([a, b]) => ({ ...a, ...b }))

const maybe = <T>(name: string, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof(
    fc.constant({}),
    arbitrary.map((value) => ({ [name]: value }))
  )

const { UNSPECIFIED, SUCCESS, FAILURE, DENIED, PENDING } = event.Outcome
const outcomes = [UNSPECIFIED, SUCCESS, FAILURE, DENIED, PENDING]
const { VOTE_UNSPECIFIED, PREVOTE, PRECOMMIT } = chain.VoteType
const voteTypes = [VOTE_UNSPECIFIED, PREVOTE, PRECOMMIT]

const metadata = fc.record({ key: text, value: text })

export const eventBody: fc.Arbitrary<event.EventBody> = partly(
  fc.record({
    timestamp: u64,
    action: text,
    resource: fc.record({ kind: text, id: text }),
    outcome: fc.constantFrom(...outcomes),
    metadata: some(metadata)
  }),
  partly(maybe('occurredAt', u64), maybe('actorName', text))
)

const nonEmpty = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  bytes.byteLength === 0 ? Uint8Array.of(1) : bytes

export const signedEvent = fc.record({
  body: eventBody.map((body) => nonEmpty(event.EventBody.encode(body))),
  actor: fixed(32),
  signature: fixed(64)
})

const voucher = fc.record({ validator: fixed(32), signature: fixed(64) })

export const header: fc.Arbitrary<chain.Header> = fc.record({
  version: u32,
  height: u64,
  parentHash: fixed(32),
  eventsRoot: fixed(32),
  eventCount: u32,
  mmrRoot: fixed(32),
  stateRoot: fixed(32),
  validatorsHash: fixed(32),
  nextValidatorsHash: fixed(32),
  timestamp: u64,
  proposer: fixed(32)
})

export const block: fc.Arbitrary<chain.Block> = fc.record({ header, seal: fixed(64), events: some(signedEvent) })

export const commit: fc.Arbitrary<chain.Commit> = fc.record({
  height: u64,
  round: u32,
  blockHash: fixed(32),
  signatures: some(fc.record({ validator: fixed(32), signature: fixed(64) }))
})

export const vote: fc.Arbitrary<chain.Vote> = fc.record({
  type: fc.constantFrom(...voteTypes),
  height: u64,
  round: u32,
  blockHash: fc.oneof(fixed(0), fixed(32)),
  validator: fixed(32),
  signature: fixed(64)
})

const proposal: fc.Arbitrary<chain.Proposal> = partly(
  fc.record({ height: u64, round: u32, blockHash: fixed(32), signature: fixed(64) }),
  maybe('validRound', u32)
)

const newBlock: fc.Arbitrary<gossip.NewBlock> = partly(
  fc.record({ round: u32, block, signature: fixed(64) }),
  maybe('validRound', u32)
) as unknown as fc.Arbitrary<gossip.NewBlock>

const path = some(fixed(32))

/** None of its kinds, one, or more: the rule takes what is asked for to be known elsewhere. */
const proof = partly(
  maybe(
    'event',
    fc.record({
      event: signedEvent,
      eventIndex: u32,
      eventCount: u32,
      eventPath: path,
      header,
      mmrPath: path,
      anchorHeight: u64
    })
  ),
  partly(
    maybe('header', fc.record({ header, mmrPath: path, anchorHeight: u64 })),
    maybe('consistency', fc.record({ from: u64, to: u64, path }))
  )
) as fc.Arbitrary<sync.Proof>

export interface Subject {
  readonly name: string
  readonly rule: rules.MessageRule
  /** Canonical encodings. */
  readonly bytes: fc.Arbitrary<Uint8Array<ArrayBuffer>>
  /** Decodes and encodes again. */
  readonly again: (bytes: Uint8Array) => Uint8Array<ArrayBuffer>
}

function subject<T>(
  name: string,
  rule: rules.MessageRule,
  codec: { encode(value: T): Uint8Array<ArrayBuffer>; decode(bytes: Uint8Array): T },
  values: fc.Arbitrary<T>
): Subject {
  return { name, rule, bytes: values.map((value) => codec.encode(value)), again: (b) => codec.encode(codec.decode(b)) }
}

export const subjects: readonly Subject[] = [
  subject('EVENT_BODY', rules.EVENT_BODY, event.EventBody, eventBody),
  subject('SIGNED_EVENT', rules.SIGNED_EVENT, event.SignedEvent, signedEvent),
  subject('HEADER', rules.HEADER, chain.Header, header),
  subject('BLOCK', rules.BLOCK, chain.Block, block),
  subject('COMMIT', rules.COMMIT, chain.Commit, commit),
  subject('VOTE', rules.VOTE, chain.Vote, vote),
  subject('FINALIZED_BLOCK', rules.FINALIZED_BLOCK, chain.FinalizedBlock, fc.record({ block, commit })),
  subject('PROPOSAL', rules.PROPOSAL, chain.Proposal, proposal),
  subject(
    'EVENTS',
    rules.EVENTS,
    gossip.Events,
    partly(fc.record({ events: some(signedEvent) }), maybe('voucher', voucher))
  ),
  subject('NEW_BLOCK', rules.NEW_BLOCK, gossip.NewBlock, newBlock),
  subject(
    'TRUSTED_HEADER',
    rules.TRUSTED_HEADER,
    chain.TrustedHeader,
    fc.record({ header, seal: fixed(64), commit, mmrRoot: fixed(32) })
  ),
  subject('PROOF', rules.PROOF, sync.Proof, proof)
]
