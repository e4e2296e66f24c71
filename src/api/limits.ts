/** Bounds of the HTTP API that are not settings; each names the attack or fault it is there for. */

/** Bytes of one POST body: a flood of large bodies would fill memory before any event is looked at. */
export const MAX_BODY_BYTES = 4 * 2 ** 20
/** Events of one POST: each costs a signature check on the main loop. */
export const MAX_BATCH_EVENTS = 1000
/** Events of a POST that are checked before others get their turn: some milliseconds of the main loop. */
export const EVENTS_A_TURN = 50
/** Events a page of a listing unless asked for otherwise; the ledger has the most. */
export const DEFAULT_PAGE_EVENTS = 100
/** Characters of a cursor: it is ours, so a longer one is not. */
export const MAX_CURSOR_LENGTH = 256
/** Sockets at once: idle connections cost descriptors that the peers need too. */
export const MAX_CONNECTIONS = 1024
/** Time to send one whole request: slow senders (slowloris) hold sockets. */
export const REQUEST_TIMEOUT_MS = 30_000
/** Time an idle connection is kept. */
export const KEEP_ALIVE_TIMEOUT_MS = 30_000
/** Time that running requests get when the node stops; a reader that takes its answer slowly must not hold it up. */
export const CLOSE_GRACE_MS = 3000
/** Characters of a path segment: the longest is a hash. */
export const MAX_PARAM_LENGTH = 128
/** What a refused caller is told to wait when the mempool is full: about two blocks. */
export const RETRY_AFTER_SECONDS = 2
