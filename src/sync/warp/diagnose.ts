import type { PieceScheduler } from '../pieces/scheduler.ts'
import type { Diagnosis } from '../watchdog.ts'

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
