import { Type } from 'typebox'
import type { App } from '../app.ts'
import { apiError } from '../problem.ts'
import { HeldPeerJson, PeerIdJson, PeersJson } from '../schemas.ts'
import type { ApiSource } from '../source.ts'
import { heldPeerJson, peersJson } from '../views.ts'

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

/** Who is connected, who is held out and why, and what an operator may do about either. */
export function peerRoutes(app: App, source: ApiSource): void {
  const { peerBook } = source

  app.get('/v1/peers', { schema: { response: { 200: PeersJson } } }, () => ({
    peers: peersJson(source),
    held: peerBook.held().map(heldPeerJson),
    known: peerBook.knownPeers
  }))

  app.post('/v1/peers', { schema: { body: Address, response: { 200: PeerIdJson } } }, async (request) => ({
    peer_id: await peerBook.dial(request.body.address)
  }))

  app.post(
    '/v1/peers/:peer_id/ban',
    { schema: { params: PeerId, body: Ban, response: { 200: HeldPeerJson } } },
    async (request) => {
      const { seconds, reason } = request.body
      return heldPeerJson(peerBook.ban(request.params.peer_id, seconds * 1000, reason))
    }
  )

  app.delete('/v1/peers/:peer_id/ban', { schema: { params: PeerId, response: { 200: PeerIdJson } } }, (request) => {
    const { peer_id } = request.params
    if (peerBook.unban(peer_id)) return { peer_id }
    throw apiError('NOT_BANNED', `${peer_id} is not held out; \`moloch peers\` lists those that are`)
  })
}
