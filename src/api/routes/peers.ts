import { Type } from 'typebox'
import type { App } from '../app.ts'
import { pageBound, SMALL } from '../bounds.ts'
import { JsonPage, writtenJson } from '../json-page.ts'
import { MAX_PAGE_BYTES, SMALL_ANSWER_BYTES, SMALL_BODY_BYTES } from '../limits.ts'
import { apiError } from '../problem.ts'
import { HeldPeerJson, PeerIdJson, PeersJson } from '../schemas.ts'
import type { ApiSource } from '../source.ts'
import { heldPeerJson, peerJson } from '../views.ts'

const DAY_SECONDS = 24 * 3600
/** Ten years: as good as for ever, and a date that can be shown. */
const MAX_BAN_SECONDS = 3650 * DAY_SECONDS
const MAX_TEXT = 500

const Address = Type.Object({ address: Type.String({ maxLength: MAX_TEXT }) }, { additionalProperties: false })
const Ban = Type.Object(
  {
    seconds: Type.Integer({ minimum: 1, maximum: MAX_BAN_SECONDS, default: DAY_SECONDS }),
    reason: Type.String({ maxLength: MAX_TEXT, default: 'no reason given' })
  },
  { additionalProperties: false }
)
const PeerId = Type.Object({ peer_id: Type.String({ maxLength: MAX_TEXT }) })

const PeersQuery = Type.Object(
  { cursor: Type.Optional(Type.String({ pattern: '^(peer|held)-[0-9A-Za-z]{1,100}$' })) },
  { additionalProperties: false }
)

/** Who is connected, who is held out and why, and what an operator may do about either. */
export function peerRoutes(app: App, source: ApiSource): void {
  const { peerBook } = source
  const small = { config: { bound: SMALL }, bodyLimit: SMALL_BODY_BYTES }

  const list = {
    schema: { querystring: PeersQuery, response: { 200: PeersJson } },
    config: { bound: pageBound(SMALL_ANSWER_BYTES) }
  }
  app.get('/v1/peers', list, ({ query: { cursor } }, reply) => {
    const page = peersPage(source, cursor)
    return writtenJson(reply, page.lists, { known: peerBook.knownPeers, next_cursor: page.nextCursor })
  })

  app.post('/v1/peers', { schema: { body: Address, response: { 200: PeerIdJson } }, ...small }, async (request) => ({
    peer_id: await peerBook.dial(request.body.address)
  }))

  app.post(
    '/v1/peers/:peer_id/ban',
    { schema: { params: PeerId, body: Ban, response: { 200: HeldPeerJson } }, ...small },
    async (request) => {
      const { seconds, reason } = request.body
      return heldPeerJson(peerBook.ban(request.params.peer_id, seconds * 1000, reason))
    }
  )

  app.delete(
    '/v1/peers/:peer_id/ban',
    { schema: { params: PeerId, response: { 200: PeerIdJson } }, ...small },
    (request) => {
      const { peer_id } = request.params
      if (peerBook.unban(peer_id)) return { peer_id }
      throw apiError('NOT_BANNED', `${peer_id} is not held out; \`moloch peers\` lists those that are`)
    }
  )
}

/** The peers, then those that are held out, both by id: from the one behind the cursor on, as many as there is room for. */
function peersPage(source: ApiSource, cursor = '') {
  const [from, after = ''] = cursor.split('-')
  const lists = { peers: new JsonPage(), held: new JsonPage() }
  const connected = from === 'held' ? [] : [...source.peers()].sort(byId)
  let last = cursor
  for (const peer of connected) {
    if (peer.peerId <= after) continue
    if (!lists.peers.add(peerJson(source, peer))) return { lists, nextCursor: last }
    last = `peer-${peer.peerId}`
  }
  lists.held = new JsonPage(MAX_PAGE_BYTES - lists.peers.bytes)
  for (const held of [...source.peerBook.held()].sort(byId)) {
    if (from === 'held' && held.peerId <= after) continue
    if (!lists.held.add(heldPeerJson(held))) return { lists, nextCursor: last }
    last = `held-${held.peerId}`
  }
  return { lists, nextCursor: null }
}

function byId(one: { readonly peerId: string }, other: { readonly peerId: string }): number {
  return one.peerId < other.peerId ? -1 : 1
}
