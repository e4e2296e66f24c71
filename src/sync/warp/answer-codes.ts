// What the code with which a question ended says of the peer that was asked.

/** Honest peers say these, */
export const LACKING: ReadonlySet<string> = new Set(['UNAVAILABLE', 'NOT_READY', 'RATE_LIMITED', 'PEER_UNSUPPORTED'])
/** and these may happen to them. */
export const ON_BAD_LINKS: ReadonlySet<string> = new Set(['PEER_TIMEOUT', 'PEER_CLOSED', 'PEER_UNKNOWN', 'ABORTED'])
/** May be the other way round in a moment. */
export const BUSY: ReadonlySet<string> = new Set([...ON_BAD_LINKS, 'UNANSWERED', 'RATE_LIMITED', 'NOT_READY'])
