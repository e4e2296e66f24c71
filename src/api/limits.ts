/** Bounds of the HTTP API that are not settings; each names the attack or fault it is there for. */

/** Bytes of one POST of events: a flood of large bodies would fill memory before any event is looked at. */
export const MAX_BODY_BYTES = 4 * 2 ** 20
/** Events of one POST: each costs a signature check on the main loop. */
export const MAX_BATCH_EVENTS = 1000
/** Events of a POST that are checked before others get their turn: some milliseconds of the main loop. */
export const EVENTS_A_TURN = 50
/** Events a page of a listing unless asked for otherwise; the ledger has the most. */
export const DEFAULT_PAGE_EVENTS = 100
/** Bytes of a page, but for an item that is larger alone: one of 1000 large events is as much as a node has memory for. */
export const MAX_PAGE_BYTES = 2 ** 20
/** Answers up to this size are given without asking whether there is room: a socket has one at a time. */
export const SMALL_ANSWER_BYTES = 64 << 10
/** Memory for larger answers, until they have left: readers that take nothing, or little at a time. */
export const ANSWER_BYTES = 32 << 20
/** An answer that is on its way for so long gives way if others need its room. */
export const SLOW_ANSWER_MS = 5000
/** Memory for bodies of requests that are read or answered now. */
export const BODY_BYTES = 64 << 20
/** Answers that are made of blocks at once: a block is larger than what is shown of it. */
export const BLOCK_READS = 4
/** The same of a light node, which has no blocks and waits for its peers instead. */
export const PEER_READS = 64
/** Items of a page that are written before others get their turn: some milliseconds of the main loop. */
export const ITEMS_A_TURN = 100
/** Bytes of the body of what an operator asks for. */
export const SMALL_BODY_BYTES = 8 << 10
/** Items of lists that have no pages: more say nothing to whoever looks at them. */
export const MAX_LISTED = 1000
/** Characters of texts that peers choose. */
export const MAX_PEER_TEXT = 200
/** Characters of a cursor: it is ours, so a longer one is not. */
export const MAX_CURSOR_LENGTH = 256
/** Sockets at once: idle connections cost descriptors that the peers need too. */
export const MAX_SOCKETS = 1024
/** Of one address: nobody takes more than half of anything. A proxy on this machine is one address too. */
export const MAX_SOCKETS_AN_ADDRESS = MAX_SOCKETS / 2
/** Sockets beside all these on which only /health is answered, while there is no other place. */
export const RESERVED_SOCKETS = 64
/** Time for such a socket to ask and to take its answer. */
export const RESERVED_MS = 5000
/** Time to send the head of a request, from the connection's first moment: silent and slow senders (slowloris) hold sockets. */
export const HEADERS_TIMEOUT_MS = 10_000
/** Time to send one whole request. */
export const REQUEST_TIMEOUT_MS = 30_000
/** How often it is looked whether these are over. */
export const TIMEOUTS_LOOKED_AT_MS = 1000
/** Time an idle connection is kept after an answer. */
export const KEEP_ALIVE_TIMEOUT_MS = 30_000
/** Time in which at least something of an answer has to be taken: who never reads would hold it in memory. */
export const STALL_TIMEOUT_MS = 10_000
/** Time that running requests get when the node stops; a reader that takes its answer slowly must not hold it up. */
export const CLOSE_GRACE_MS = 3000
/** Characters of a path segment: the longest is a hash. */
export const MAX_PARAM_LENGTH = 128
/** What a refused caller is told to wait when the mempool is full: about two blocks. */
export const RETRY_AFTER_SECONDS = 2
