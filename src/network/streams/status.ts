import { shapeOf } from '../../codec/field-count.ts'
import { Status } from '../../codec/generated/sync.ts'
import { COMMIT, HEADER } from '../../codec/rules.ts'
import { networkError } from '../errors.ts'
import type { Head } from '../types.ts'
import { assertBytes, assertHeight, decoded, type Wire } from './messages.ts'
import { REFUSABLE, throwIfRefused } from './refusal.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** A commit of 128 signatures, three fields each, a header, and the few around them. */
const MAX_STATUS_FIELDS = 512

export const STATUS: Wire<Status> = {
  name: 'status',
  codec: Status,
  shape: {
    1: 'u64',
    2: 'bytes',
    3: 'bytes',
    4: 'u32',
    5: 'u32',
    6: 'u64',
    7: shapeOf(HEADER),
    8: shapeOf(COMMIT),
    9: 'u64',
    ...REFUSABLE
  }
}

/**
 * Request and answer are the same message.
 * @param time own clock, Unix ms
 */
export function makeStatus(head: Head, peerCount: number, time: number): Uint8Array {
  return Status.encode({
    height: head.height,
    headHash: head.hash as Bytes,
    mmrRoot: head.mmrRoot as Bytes,
    peerCount,
    syncing: head.syncing,
    earliestHeight: head.earliestHeight,
    head: head.header,
    time: Math.max(0, Math.floor(time)),
    ...(head.commit === undefined ? {} : { commit: head.commit })
  })
}

/**
 * @returns the fields as said; nothing of it is checked but the form
 * @throws MolochError BAD_FRAME, or the refusal's code
 */
export function readStatus(frame: Uint8Array, peer: string): Status {
  const status = decoded(STATUS, frame, MAX_STATUS_FIELDS)
  throwIfRefused(status.refusal, 'status', peer)
  assertHeight('status height', status.height)
  assertHeight('status earliest_height', status.earliestHeight)
  assertHeight('status time', status.time)
  assertBytes('status head_hash', status.headHash)
  assertBytes('status mmr_root', status.mmrRoot)
  // Block 0 follows from the genesis: who holds no other has no header to show.
  const shown = status.head?.height ?? 0
  if (shown !== status.height) throw networkError('BAD_FRAME', 'status without the header of its head')
  return status
}
