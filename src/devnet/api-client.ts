/** What a devnet asks of its nodes over HTTP. */
import { hasCode, MolochError, messageOf } from '../error.ts'

/** `GET /v1/status`, the parts that are used here. */
export interface NodeStatus {
  readonly chain_id: string
  readonly genesis_hash: string
  readonly peer_id: string
  readonly role: string
  readonly state: string
  readonly sync: {
    readonly strategy: string
    readonly height: number
    readonly target_height: number
    readonly blocks_per_second: number
    readonly peers: number
    readonly stalled: { readonly code: string; readonly message: string } | null
    readonly last_run: {
      readonly from_height: number
      readonly to_height: number
      readonly seconds: number
      readonly peers_used: number
    } | null
  }
  readonly finalized: { readonly height: number; readonly hash: string; readonly timestamp: number }
  readonly pending: {
    readonly height: number
    readonly round: number
    readonly signatures: number
    readonly needed: number
  } | null
  /** Null at a light node, which does not see events. */
  readonly event_total: number | null
  readonly peers: { readonly connected: number }
  readonly mempool: { readonly events: number }
}

/** A node on this machine answers within milliseconds, but two cores may be busy with all of them. */
const TIMEOUT_MS = 10_000

export class ApiClient {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /** Whether `/health/ready` says 200; false also when nobody answers. */
  async ready(): Promise<boolean> {
    try {
      return (await this.#fetch('/health/ready', {})).status === 200
    } catch {
      return false
    }
  }

  /** @throws MolochError API_UNREACHABLE | API_REFUSED */
  async status(): Promise<NodeStatus> {
    return (await this.get('/v1/status')) as NodeStatus
  }

  /** The hash of a finalized block, hex; undefined if the node has none at that height. */
  async blockHash(height: number): Promise<string | undefined> {
    try {
      const { hash } = (await this.get(`/v1/headers/${height}`)) as { hash?: unknown }
      return typeof hash === 'string' ? hash : undefined
    } catch (error) {
      if (hasCode(error, 'API_REFUSED')) return undefined
      throw error
    }
  }

  /** @throws MolochError API_UNREACHABLE | API_REFUSED */
  async get(path: string): Promise<unknown> {
    return this.#json(await this.#fetch(path, {}))
  }

  /** @throws MolochError API_UNREACHABLE, API_REFUSED with the problem's members as details */
  async post(
    path: string,
    body: unknown,
    options: { timeoutMs?: number; signal?: AbortSignal } = {}
  ): Promise<unknown> {
    const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    return this.#json(await this.#fetch(path, request, options.timeoutMs, options.signal))
  }

  async #fetch(path: string, request: RequestInit, timeoutMs = TIMEOUT_MS, signal?: AbortSignal): Promise<Response> {
    const ends = new AbortController()
    const abort = () => ends.abort()
    const timer = setTimeout(abort, timeoutMs)
    signal?.addEventListener('abort', abort)
    if (signal?.aborted) abort()
    try {
      const response = await fetch(this.url + path, { ...request, signal: ends.signal })
      // Read to its end here, so that the time limit holds for the body too.
      return new Response(await response.text(), response)
    } catch (error) {
      const reason = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error)
      throw new MolochError('API_UNREACHABLE', `${this.url}${path}: ${reason}`)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  }

  async #json(response: Response): Promise<unknown> {
    const body: unknown = await response.json().catch(() => undefined)
    if (response.ok) return body
    const problem = (body ?? {}) as Record<string, unknown>
    const why = String(problem.detail ?? problem.code ?? 'no reason')
    throw new MolochError('API_REFUSED', `${this.url} answered ${response.status}: ${why}`, problem)
  }
}
