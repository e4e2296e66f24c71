import { Type } from 'typebox'

/** The API's data as JSON: snake_case, hashes and keys in lowercase hex, times in Unix ms unless the name says otherwise. */

const Nullable = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Union([schema, Type.Null()])

export const Hex = Type.String({ pattern: '^[0-9a-f]*$' })
export const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' })
export const Height = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

const WarpJson = Type.Object({
  phase: Type.String({ description: 'searching, downloading, importing or ended' }),
  height: Nullable(Type.Integer({ description: 'of the snapshot' })),
  chunks: Nullable(Type.Integer()),
  chunks_done: Nullable(Type.Integer({ description: 'checked and on disk, or imported' }))
})

const BackfillJson = Type.Object({
  status: Type.String(),
  earliest_height: Type.Integer({ description: 'from here up blocks are served' }),
  base_height: Nullable(Type.Integer({ description: 'blocks below it are history; null: it is complete' })),
  missing: Type.Integer({ description: 'blocks that are not held' }),
  uncertified: Type.Integer({ description: 'blocks that are held, their certificates not verified yet' }),
  blocks_per_second: Type.Number(),
  bytes_per_second: Type.Number(),
  eta_seconds: Nullable(Type.Number()),
  fault: Nullable(Type.Object({ code: Type.String(), message: Type.String() }))
})

export const SyncJson = Type.Object({
  strategy: Type.String(),
  height: Type.Integer(),
  target_height: Type.Integer(),
  blocks_per_second: Type.Number(),
  bytes_per_second: Type.Number(),
  eta_seconds: Nullable(Type.Number()),
  peers: Type.Integer(),
  stalled: Nullable(Type.Object({ since: Type.Integer(), code: Type.String(), message: Type.String() })),
  last_run: Nullable(
    Type.Object(
      { from_height: Type.Integer(), to_height: Type.Integer(), seconds: Type.Number(), peers_used: Type.Integer() },
      { description: 'the last range sync that ended: blocks from_height + 1 … to_height' }
    )
  ),
  warp: Type.Union([WarpJson, Type.Null()], { description: 'a snapshot on its way; null: none' }),
  backfill: Type.Union([BackfillJson, Type.Null()], {
    description: 'history below a snapshot; null: none is filled in'
  })
})

export const SyncDetailJson = Type.Object({
  ...SyncJson.properties,
  held_bytes: Type.Integer({ description: 'downloaded and not yet stored' }),
  max_held_bytes: Type.Integer(),
  range_count: Type.Integer(),
  ranges: Type.Array(
    Type.Object({
      start: Type.Integer(),
      count: Type.Integer(),
      status: Type.String(),
      seconds: Type.Number({ description: 'in this status' }),
      attempts: Type.Integer({ description: 'requests made for it' }),
      peers: Type.Array(
        Type.Object({
          peer_id: Type.String(),
          seconds: Nullable(Type.Number({ description: 'since it was asked; null once it has answered' })),
          bytes: Type.Integer({ description: 'that it has sent' })
        })
      )
    })
  )
})
export type SyncDetailJson = Type.Static<typeof SyncDetailJson>

const LightJson = Type.Object({
  checkpoint: Type.Union(
    [Type.Object({ height: Type.Integer(), hash: Type.String(), age_seconds: Type.Integer() }), Type.Null()],
    { description: 'null: no peer has shown it yet' }
  ),
  cross_check: Type.Union([
    Type.Object(
      { height: Type.Integer(), asked: Type.Integer(), peers: Type.Array(Type.String()), at: Type.Integer() },
      { description: 'the last comparison with peers: how many were asked, and those that showed the same header' }
    ),
    Type.Null()
  ])
})

const WaitingJson = Type.Object({
  code: Type.String({ description: 'GENESIS_TIME, SYNC, TURN, VALIDATORS, PROPOSAL, BLOCK, OLD_PREVOTES, VOTES, …' }),
  message: Type.String(),
  since: Type.Integer({ description: 'since then the same is waited for' }),
  standing_seconds: Nullable(
    Type.Integer({ description: 'how long there was no block, if the chain stands; null: nothing is late' })
  )
})

const ClockJson = Type.Object({
  ahead_ms: Nullable(
    Type.Integer({ description: "of this node's clock, before the validators' by median; null: too few are known" })
  ),
  faults: Type.Array(Type.String(), { description: 'clocks that are off, a line each' })
})

export const StatusJson = Type.Object({
  version: Type.String(),
  chain_id: Type.String(),
  genesis_hash: Hash,
  peer_id: Type.String(),
  chain_key: Hash,
  addresses: Type.Array(Type.String()),
  mode: Type.String(),
  role: Type.String(),
  abstains: Type.Union([Type.String(), Type.Null()], { description: 'why this validator signs nothing now' }),
  peer_key_in_use: Type.Union([Type.Object({ since: Type.Integer(), message: Type.String() }), Type.Null()], {
    description: 'what shows that another running node uses this node’s peer key'
  }),
  state: Type.String(),
  waiting: Type.Union([WaitingJson, Type.Null()], {
    description: 'what the chain waits for at this node; null: it has no chain yet'
  }),
  clock: Type.Union([ClockJson, Type.Null()]),
  sync: SyncJson,
  finalized: Type.Object({ height: Type.Integer(), hash: Hash, timestamp: Type.Integer() }),
  pending: Nullable(
    Type.Object({
      height: Type.Integer(),
      hash: Hash,
      round: Type.Integer(),
      signatures: Type.Integer(),
      needed: Type.Integer()
    })
  ),
  earliest_height: Type.Integer(),
  mmr_root: Hash,
  state_root: Hash,
  light: Type.Union([LightJson, Type.Null()], { description: 'what the trust of a light node rests on' }),
  event_total: Type.Union([Type.Integer(), Type.Null()], { description: 'null: a light node does not see events' }),
  peers: Type.Object({ connected: Type.Integer(), sessions: Type.Record(Type.String(), Type.Integer()) }),
  mempool: Type.Object({ events: Type.Integer(), bytes: Type.Integer() }),
  log: Type.Object({
    lost_lines: Type.Integer({ description: 'that the log, on stderr, did not take; the node goes on' }),
    fault: Type.Union([Type.String(), Type.Null()], {
      description: "why it takes none now: a system error's code, or NOT_READ; null: it does"
    })
  }),
  uptime_seconds: Type.Integer()
})
export type StatusJson = Type.Static<typeof StatusJson>

export const PeerJson = Type.Object({
  peer_id: Type.String(),
  address: Type.String(),
  direction: Type.String(),
  state: Type.String(),
  height: Type.Integer(),
  claimed_height: Type.Integer(),
  earliest_height: Type.Integer(),
  mode: Nullable(Type.String()),
  chain_key: Nullable(Hex),
  validator: Nullable(Type.String()),
  user_agent: Nullable(Type.String()),
  score: Type.Number({ description: "gossipsub's" }),
  gossip: Type.Object(
    {
      accepted: Type.Integer(),
      useless: Type.Integer({ description: 'ignored or rejected' }),
      dropped: Type.Integer({ description: 'not looked at, as too many were useless' })
    },
    { description: 'the messages that it was the first to bring, since it came' }
  ),
  penalty_points: Type.Number({ description: 'for its faults; half of them are forgotten in five minutes' }),
  last_fault: Nullable(Type.Object({ code: Type.String(), message: Type.String(), at: Type.Integer() })),
  connected_at: Type.Integer()
})
export type PeerJson = Type.Static<typeof PeerJson>

export const HeldPeerJson = Type.Object({
  peer_id: Type.String(),
  verdict: Type.Union([Type.Literal('disconnect'), Type.Literal('ban')]),
  code: Type.String({ description: 'of its fault; OPERATOR = banned by hand' }),
  message: Type.String(),
  since: Type.Integer(),
  until: Type.Integer()
})
export type HeldPeerJson = Type.Static<typeof HeldPeerJson>

export const PeersJson = Type.Object({
  peers: Type.Array(PeerJson),
  held: Type.Array(HeldPeerJson, { description: 'neither dialled nor let in' }),
  known: Type.Integer({ description: 'peers in the address book' }),
  next_cursor: Nullable(Type.String())
})
export type PeersJson = Type.Static<typeof PeersJson>

export const PeerIdJson = Type.Object({ peer_id: Type.String() })

export const TopicsJson = Type.Object({
  topics: Type.Array(
    Type.Object({
      topic: Type.String(),
      id: Type.String({ description: 'its name on the wire' }),
      mesh: Type.Array(Type.String(), { description: 'ids of peers that full messages are exchanged with' }),
      subscribers: Type.Array(Type.String(), { description: 'ids of peers that follow it, some if they are many' }),
      subscriber_count: Type.Integer()
    })
  )
})

const Count = Type.Integer({ minimum: 0 })
export const GossipStatsJson = Type.Object({
  topics: Type.Record(
    Type.String(),
    Type.Object({
      mesh: Count,
      published: Count,
      received: Count,
      duplicates: Count,
      accepted: Count,
      ignored: Count,
      rejected: Count,
      dropped: Count
    }),
    {
      description:
        'since the node started; accepted, ignored and rejected are of first copies; dropped were not looked at, as their senders had sent too much that was of no use'
    }
  )
})

export const ValidatorsJson = Type.Object({
  quorum: Type.Integer(),
  validators: Type.Array(
    Type.Object({
      name: Type.String(),
      public_key: Hash,
      connected: Type.Boolean({ description: 'this node itself, or proven by a peer that is connected' })
    })
  )
})

export const MempoolJson = Type.Object({ events: Type.Integer(), bytes: Type.Integer() })

export const HeaderJson = Type.Object({
  version: Type.Integer(),
  height: Type.Integer(),
  parent_hash: Hex,
  events_root: Hex,
  event_count: Type.Integer(),
  mmr_root: Hex,
  state_root: Hex,
  validators_hash: Hex,
  next_validators_hash: Hex,
  timestamp: Type.Integer(),
  proposer: Hex
})
export type HeaderJson = Type.Static<typeof HeaderJson>

export const CommitJson = Type.Object({
  height: Type.Integer(),
  round: Type.Integer(),
  block_hash: Hex,
  signatures: Type.Array(Type.Object({ validator: Hex, signature: Hex }))
})
export type CommitJson = Type.Static<typeof CommitJson>

export const EventJson = Type.Object({
  event_id: Hash,
  status: Type.Literal('finalized'),
  height: Type.Integer(),
  index: Type.Integer(),
  actor: Hex,
  signature: Hex,
  body: Type.String({ description: 'base64 of the EventBody as it was signed' }),
  timestamp: Type.Integer(),
  occurred_at: Type.Optional(Type.Integer()),
  action: Type.String(),
  resource: Type.Object({ kind: Type.String(), id: Type.String() }),
  outcome: Type.String(),
  actor_name: Type.Optional(Type.String()),
  metadata: Type.Array(Type.Object({ key: Type.String(), value: Type.String() }), {
    description: 'in the order of the body; an object would not keep the order of keys such as "10"'
  })
})
export type EventJson = Type.Static<typeof EventJson>

/** Block 0 has neither seal nor commit. */
export const SealedHeaderJson = Type.Object({
  height: Type.Integer(),
  hash: Hash,
  header: HeaderJson,
  seal: Nullable(Hex),
  commit: Nullable(CommitJson)
})
export type SealedHeaderJson = Type.Static<typeof SealedHeaderJson>

export const BlockJson = Type.Object({
  ...SealedHeaderJson.properties,
  events: Type.Array(EventJson),
  next_cursor: Type.Optional(Type.String({ description: 'there are more events: ?cursor= of the same block' }))
})
export type BlockJson = Type.Static<typeof BlockJson>

export const EventPageJson = Type.Object({
  events: Type.Array(EventJson),
  next_cursor: Nullable(Type.String()),
  height: Type.Integer({
    description: 'all events of blocks up to this height were looked at: the index is never behind'
  })
})
export type EventPageJson = Type.Static<typeof EventPageJson>

export const PendingEventJson = Type.Object({ event_id: Hash, status: Type.Literal('pending') })

export const EvidenceJson = Type.Object({
  evidence: Type.Array(
    Type.Object({
      kind: Type.String(),
      height: Type.Integer(),
      seen_at: Type.Integer(),
      validators: Type.Array(Type.Object({ name: Nullable(Type.String()), public_key: Hex })),
      description: Type.String()
    })
  ),
  next_cursor: Nullable(Type.String())
})

export const SubmittedJson = Type.Object({
  event_id: Hash,
  status: Type.Union([Type.Literal('pending'), Type.Literal('finalized')]),
  height: Type.Optional(Type.Integer({ description: 'of its block, once finalized' }))
})
export type SubmittedJson = Type.Static<typeof SubmittedJson>

export const SubmitResultJson = Type.Union([
  SubmittedJson,
  Type.Object({
    event_id: Type.Optional(Type.String({ description: 'hex; of what is an event at all' })),
    code: Type.String(),
    message: Type.String()
  })
])
export type SubmitResultJson = Type.Static<typeof SubmitResultJson>
export const SubmittedBatchJson = Type.Object({ results: Type.Array(SubmitResultJson) })
