/** What a devnet asks of its nodes over HTTP. */
import { MolochError, messageOf } from '../error.ts'

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
  }
  readonly finalized: { readonly height: number; readonly hash: string; readonly timestamp: number }
  readonly pending: {
    readonly height: number
    readonly round: number
    readonly signatures: number
    readonly needed: number
  } | null
  readonly event_total: number
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
      const response = await this.#fetch('/health/ready', {})
      await response.body?.cancel()
      return response.status === 200
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
    const response = await this.#fetch(`/v1/blocks/${height}`, {})
    const body = (await response.json()) as { hash?: unknown }
    return response.ok && typeof body.hash === 'string' ? body.hash : undefined
  }

  /** @throws MolochError API_UNREACHABLE | API_REFUSED */
  async get(path: string): Promise<unknown> {
    return this.#json(await this.#fetch(path, {}))
  }

  /** @throws MolochError API_UNREACHABLE | API_REFUSED */
  async post(path: string, body: unknown, timeoutMs = TIMEOUT_MS): Promise<unknown> {
    const response = await this.#fetch(
      path,
      { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
      timeoutMs
    )
    return this.#json(response)
  }

  async #fetch(path: string, options: RequestInit, timeoutMs = TIMEOUT_MS): Promise<Response> {
    try {
      return await fetch(this.url + path, { ...options, signal: AbortSignal.timeout(timeoutMs) })
    } catch (error) {
      const reason = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error)
      throw new MolochError('API_UNREACHABLE', `${this.url}${path}: ${reason}`)
    }
  }

  async #json(response: Response): Promise<unknown> {
    const body: unknown = await response.json().catch(() => undefined)
    if (response.ok) return body
    const { code, detail } = (body ?? {}) as { code?: unknown; detail?: unknown }
    throw new MolochError(
      'API_REFUSED',
      `${response.url} answered ${response.status}: ${String(detail ?? code ?? '')}`,
      {
        status: response.status,
        code
      }
    )
  }
}
