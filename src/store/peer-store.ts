import { mkdir, rename } from 'node:fs/promises'
import { ClassicLevel } from 'classic-level'
import { hasCode, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { readError, storeError } from './errors.ts'

/** Why a peer is neither dialled nor let in, and until when. Times in Unix ms: they outlive the process. */
export interface Hold {
  readonly verdict: 'disconnect' | 'ban'
  readonly code: string
  /** One line. */
  readonly message: string
  readonly since: number
  readonly until: number
}

export interface PeerRecord {
  readonly peerId: string
  /** Multiaddrs where it answered or may answer, the newest first. */
  readonly addresses: readonly string[]
  /** When a session with it was last open; 0: never. */
  readonly seenAt: number
  /** We reached it at an address ourselves: it is no mere id that came by. */
  readonly reached?: boolean
  readonly hold?: Hold | undefined
}

type Level = ClassicLevel<string, unknown>

/**
 * The address book on disk, a LevelDB of its own: nothing of the chain hangs on it, so its writes are not fsynced and
 * nobody waits for them. A row that is no record (of another version, say) is dropped.
 */
export class PeerStore {
  /** What was there when it was opened. */
  readonly loaded: readonly PeerRecord[]
  readonly #level: Level
  readonly #log: Log
  #lastWrite: Promise<void> = Promise.resolve()

  private constructor(level: Level, loaded: readonly PeerRecord[], log: Log) {
    this.#level = level
    this.loaded = loaded
    this.#log = log
  }

  /** A damaged one is moved aside. @throws MolochError STORE_LOCKED | STORE_FAILED */
  static async open(path: string, log: Log): Promise<PeerStore> {
    await mkdir(path, { recursive: true, mode: 0o700 })
    const level: Level = new ClassicLevel(path, { keyEncoding: 'utf8', valueEncoding: 'utf8' })
    try {
      await level.open()
      const rows = await level.iterator().all()
      return new PeerStore(
        level,
        rows.flatMap(([peerId, value]) => parse(peerId, String(value)) ?? []),
        log
      )
    } catch (error) {
      await level.close()
      if (!hasCode(readError(path, causeOf(error)), 'STORE_CORRUPT')) throw openFailure(path, error)
      // Nothing of the chain hangs on it: no reason for a node not to start.
      const aside = `${path}.damaged-${Date.now()}`
      log.error({ path, aside }, 'the peer store is damaged and moved aside: known addresses and bans are lost')
      await rename(path, aside)
      return PeerStore.open(path, log)
    }
  }

  save(record: PeerRecord): void {
    this.#write(() => this.#level.put(record.peerId, JSON.stringify(record)))
  }

  remove(peerId: string): void {
    this.#write(() => this.#level.del(peerId))
  }

  /** Closes after the writes so far. */
  async close(): Promise<void> {
    await this.#lastWrite
    await this.#level.close()
  }

  #write(write: () => Promise<void>): void {
    this.#lastWrite = this.#lastWrite.then(write).catch((error: unknown) => {
      this.#log.warn(
        { err: messageOf(error) },
        'the peer store could not be written: a restart will forget peers or bans'
      )
    })
  }
}

function parse(peerId: string, text: string): PeerRecord | undefined {
  try {
    const record = JSON.parse(text) as PeerRecord
    const { addresses, seenAt, hold } = record
    const held = hold === undefined || (typeof hold.until === 'number' && typeof hold.since === 'number')
    const whole = Array.isArray(addresses) && addresses.every((one) => typeof one === 'string')
    return record.peerId === peerId && whole && typeof seenAt === 'number' && held ? record : undefined
  } catch {
    return undefined
  }
}

function causeOf(error: unknown): { readonly code?: unknown } {
  return (error instanceof Error && error.cause !== undefined ? error.cause : error) as { code?: unknown }
}

function openFailure(path: string, error: unknown): Error {
  const cause = causeOf(error)
  if (cause.code === 'LEVEL_LOCKED') {
    return storeError('STORE_LOCKED', `the peer store in ${path} is in use by another process: stop that one`, { path })
  }
  const message = `can't open the peer store in ${path} (${messageOf(cause)}): see to the disk`
  return storeError('STORE_FAILED', message, { path }, cause)
}
