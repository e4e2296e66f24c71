import type { PieceScheduler } from '../pieces/scheduler.ts'
import type { Diagnosis } from '../watchdog.ts'
import type { SearchedPeer } from './choice.ts'

/** Why no snapshot is found yet, and what would help. */
export function diagnoseSearch(peers: readonly SearchedPeer[], lastWords: string): Diagnosis {
  if (peers.length === 0) {
    const message = 'no snapshot was found: nobody is connected; check the network, the firewall and p2p.bootstrap'
    return { code: 'NO_PEERS', message }
  }
  const said = lastWords === '' ? '' : ` (${lastWords})`
  const message = `no snapshot was found: ${peers.length} connected, none has one for us${said}; another peer would help`
  return { code: peers.some(({ lack }) => lack === 'busy') ? 'PEERS_FAILING' : 'NO_SOURCE', message }
}

/** Why no chunk comes, and what would help. */
export function diagnoseDownload({ peers, left, front, out }: PieceScheduler, at: number): Diagnosis {
  const missing = `${left} chunks of the snapshot (the first is ${front})`
  const able = [...peers].filter((peer) => !peer.barred(at))
  if (able.length === 0) {
    const bad = [...peers].map((peer) => peer.lastFailure).join(', ')
    const why = peers.size === 0 ? 'no peer serves it any more' : `all who serve it sent bad chunks (${bad})`
    return { code: 'NO_SOURCE', message: `${missing} are missing and ${why}; another peer with snapshots would help` }
  }
  const waiting = able.filter((peer) => at < peer.notBefore)
  if (waiting.length === able.length) {
    const reasons = [...new Set(waiting.map((peer) => peer.lastFailure ?? 'busy'))].join(', ')
    const code = waiting.every((peer) => peer.lastFailure === 'RATE_LIMITED') ? 'RATE_LIMITED' : 'PEERS_FAILING'
    return {
      code,
      message: `${missing} are missing and ${able.length} peers make us wait (${reasons}); more would help`
    }
  }
  const message = `${missing} are missing, ${out.length} are on their way from ${able.length} peers; faster ones would help`
  return { code: 'NO_PROGRESS', message }
}
