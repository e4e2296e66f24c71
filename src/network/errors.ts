import { MolochError, messageOf } from '../error.ts'
import type { NetworkErrorCode } from './types.ts'

export type NetworkError = MolochError<NetworkErrorCode>

export function networkError(
  code: NetworkErrorCode,
  message: string,
  details: Record<string, unknown> = {},
  cause?: unknown
): NetworkError {
  return new MolochError(code, message, details, cause === undefined ? undefined : { cause })
}

/** libp2p and it-length-prefixed tell their errors apart by name. */
const CODES: Readonly<Record<string, NetworkErrorCode>> = {
  UnsupportedProtocolError: 'PEER_UNSUPPORTED',
  InvalidDataLengthError: 'FRAME_TOO_LARGE',
  InvalidDataLengthLengthError: 'BAD_FRAME',
  InvalidMessageLengthError: 'BAD_FRAME',
  UnexpectedEOFError: 'PEER_CLOSED',
  TimeoutError: 'PEER_TIMEOUT',
  AbortError: 'ABORTED'
}

/** Anything thrown while talking to a peer, as an error with a code. What is not known is a connection that broke. */
export function toNetworkError(thrown: unknown, what: string, details: Record<string, unknown> = {}): NetworkError {
  if (thrown instanceof MolochError) return thrown as NetworkError
  // A stream that closes may reject with its close Event, whose `error` says why.
  const error = thrown instanceof Event ? (thrown as Event & { error?: unknown }).error : thrown
  if (error instanceof MolochError) return error as NetworkError
  const name = error instanceof Error ? error.name : ''
  const message = error === undefined ? 'the stream closed' : messageOf(error)
  return networkError(CODES[name] ?? 'PEER_CLOSED', `${what}: ${message}`, details, error)
}
