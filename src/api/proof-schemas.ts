import { Type } from 'typebox'
import { PROOF_FORMAT } from '../light/verify/proof-json.ts'
import { Hash, HeaderJson, Height } from './schemas.ts'

/** Proof files: docs/protocol.md has what each shows. */

const Path = Type.Array(Hash, { description: 'lowest hash first' })
const Chain = { format: Type.Literal(PROOF_FORMAT), chain_id: Type.String(), genesis_hash: Hash }

const Anchor = Type.Object(
  {
    height: Height,
    hash: Hash,
    header: Type.Optional(HeaderJson)
  },
  { description: 'what has to be trusted; without a header it is the one that is proven' }
)

export const EventProofJson = Type.Object({
  ...Chain,
  kind: Type.Literal('event'),
  anchor: Anchor,
  event: Type.Object({
    id: Hash,
    bytes: Type.String({ description: 'base64 of the SignedEvent' }),
    index: Type.Integer(),
    count: Type.Integer(),
    path: Path
  }),
  header: HeaderJson,
  mmr_path: Path
})
export type EventProofJson = Type.Static<typeof EventProofJson>

export const HeaderProofJson = Type.Object({
  ...Chain,
  kind: Type.Literal('header'),
  anchor: Anchor,
  header: HeaderJson,
  mmr_path: Path
})
export type HeaderProofJson = Type.Static<typeof HeaderProofJson>

const Side = Type.Object({ height: Height, header: HeaderJson })

export const ConsistencyProofJson = Type.Object({
  ...Chain,
  kind: Type.Literal('consistency'),
  from: Side,
  to: Side,
  path: Path
})
export type ConsistencyProofJson = Type.Static<typeof ConsistencyProofJson>

export const ProofJson = Type.Union([EventProofJson, HeaderProofJson, ConsistencyProofJson])
export type ProofJson = Type.Static<typeof ProofJson>

const HistoryKeyJson = Type.Union([
  Type.Object({ actor: Hash }),
  Type.Object({ resource: Type.Object({ kind: Type.String(), id: Type.String() }) }),
  Type.Object({ action: Type.String() })
])

const page = {
  prev_head: Hash,
  ids: Type.Array(Hash, { description: 'in the order of the chain' })
}

export const HistoryProofJson = Type.Object({
  ...Chain,
  kind: Type.Literal('history'),
  anchor: Anchor,
  key: HistoryKeyJson,
  state: Type.Object({
    event_total: Type.Integer(),
    other_roots: Type.Array(Hash),
    siblings: Type.Array(Hash, { description: 'from the root down' }),
    leaf: Type.Union([Type.Object({ key_hash: Hash, count: Type.Integer(), head: Hash }), Type.Null()])
  }),
  pages: Type.Array(Type.Object(page), { description: 'the newest; more are asked for with `before`' })
})
export type HistoryProofJson = Type.Static<typeof HistoryProofJson>

export const HistoryPageAnswer = Type.Object({
  key: HistoryKeyJson,
  anchor_height: Height,
  before: Type.String(),
  ...page
})
export type HistoryPageAnswer = Type.Static<typeof HistoryPageAnswer>

export const CheckpointJson = Type.Object({
  height: Height,
  hash: Hash,
  chain_id: Type.String(),
  genesis_hash: Hash,
  timestamp: Type.Integer(),
  checkpoint: Type.String({ description: 'HEIGHT:HASH, what a light node is started with' }),
  snapshot: Type.Union([Type.String(), Type.Null()], {
    description: 'HEIGHT:HASH of the newest snapshot here, what a node that warps is started with; null: there is none'
  })
})
export type CheckpointJson = Type.Static<typeof CheckpointJson>
