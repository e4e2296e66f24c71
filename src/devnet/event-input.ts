/** What a devnet feeds: events before they get a timestamp, a key and a signature. */
import { type EventBody, Outcome } from '../chain/event.ts'
import { boundsFault } from '../chain/event-bounds.ts'
import { ISO_ACCEPTED, isoTime } from '../chain/iso-time.ts'
import { duplicateKey, membersOf } from '../chain/json-text.ts'
import { DEFAULT_PARAMS } from '../chain/params.ts'
import { EventBody as EventBodyCodec } from '../codec/generated/event.ts'
import { MolochError } from '../error.ts'

export interface EventInput {
  /** Who did it: one key per distinct name, and one for all that name nobody. */
  readonly actor: string
  readonly fields: Omit<EventBody, 'timestamp'>
}

/** A line's members by their keys, each as it is written. */
type Members = ReadonlyMap<string, string>
type Pair = readonly [key: string, value: string]

/** The actor of a line that names none. */
const ANONYMOUS = 'anonymous'
/** What a SignedEvent adds to its body: key, signature, tags. */
const SIGNED_OVERHEAD = 110

const EXPECTED =
  'a line needs "action" and "resource": {"kind", "id"}, or is a commit record {"repo", "commit", "actor", "time", "action"}'
const OUTCOMES = ['SUCCESS', 'FAILURE', 'DENIED', 'PENDING'] as const

/**
 * One line of an events file: an event, or a commit record (repo → resource.kind, commit → resource.id, time →
 * occurred_at). All other members become metadata: texts as what they say, all else as it is written, but for null, which
 * says nothing.
 * @param maxEventBytes of the chain that the event is for
 * @throws MolochError BAD_EVENTS_LINE; the caller knows which line of what it is
 */
export function parseEventLine(line: string, maxEventBytes = DEFAULT_PARAMS.maxEventBytes): EventInput {
  const members = membersOfLine(line)
  const event = members.has('resource') ? fromEvent(members) : fromCommit(members)
  const whole = { ...event.fields, timestamp: 0 }
  const fault = boundsFault(whole)
  if (fault !== undefined) throw bad(fault)
  const size = EventBodyCodec.encode(whole).byteLength + SIGNED_OVERHEAD
  if (size > maxEventBytes) throw bad(`the event has ${size} bytes; at most ${maxEventBytes} are accepted`)
  return event
}

/** The fields of an event by this actor, with metadata in the order that the chain wants. */
export function eventInput(
  actor: string | undefined,
  fields: { action: string; kind: string; id: string; occurredAt?: number; outcome?: Outcome },
  metadata: readonly Pair[]
): EventInput {
  return {
    actor: actor ?? ANONYMOUS,
    fields: {
      action: fields.action,
      resource: { kind: fields.kind, id: fields.id },
      occurredAt: fields.occurredAt,
      outcome: fields.outcome ?? Outcome.SUCCESS,
      actorName: actor,
      metadata: metadata
        .map(([key, value]) => ({ key, value }))
        .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
    }
  }
}

const EVENT_KEYS = ['action', 'resource', 'actor', 'outcome', 'occurred_at', 'metadata']
const COMMIT_KEYS = ['action', 'repo', 'commit', 'actor', 'time', 'outcome']

function fromEvent(members: Members): EventInput {
  const resource = inner('resource', members.get('resource'), '{"kind", "id"} is accepted')
  const more = [...resource.keys()].find((key) => key !== 'kind' && key !== 'id')
  if (more !== undefined) throw bad(`resource has the key ${quoted(more)}; {"kind", "id"} is accepted`)
  const given = members.get('metadata')
  const metadata: Members = given === undefined ? new Map() : inner('metadata', given, 'an object is accepted')
  const rest = without(members, EVENT_KEYS)
  const twice = [...metadata.keys()].find((key) => rest.has(key))
  if (twice !== undefined) throw bad(`${quoted(twice)} is given twice, in metadata and beside it; once is accepted`)
  return eventInput(
    actorOf(members.get('actor')),
    {
      action: text('action', members.get('action')),
      kind: text('resource.kind', resource.get('kind')),
      id: text('resource.id', resource.get('id')),
      ...times('occurred_at', members.get('occurred_at')),
      ...outcomes(members.get('outcome'))
    },
    [...pairs(metadata), ...pairs(rest)]
  )
}

function fromCommit(members: Members): EventInput {
  const [repo, commit] = [members.get('repo'), members.get('commit')]
  if (repo === undefined || commit === undefined) throw bad(EXPECTED)
  return eventInput(
    actorOf(members.get('actor')),
    {
      action: text('action', members.get('action')),
      kind: text('repo', repo),
      id: text('commit', commit),
      ...times('time', members.get('time')),
      ...outcomes(members.get('outcome'))
    },
    pairs(without(members, COMMIT_KEYS))
  )
}

function membersOfLine(line: string): Members {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw bad(`not JSON; ${EXPECTED}`)
  }
  if (!isObject(value)) throw bad(`not an object; ${EXPECTED}`)
  const twice = duplicateKey(line)
  if (twice !== undefined) throw bad(`the key ${quoted(twice)} is given twice; once is accepted`)
  return membersOf(line)
}

function inner(field: string, written: string | undefined, accepted: string): Members {
  if (written === undefined || !isObject(JSON.parse(written))) throw bad(`${field} is ${shown(written)}; ${accepted}`)
  return membersOf(written)
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function without(members: Members, keys: readonly string[]): Members {
  return new Map([...members].filter(([key]) => !keys.includes(key)))
}

function bad(message: string): MolochError {
  return new MolochError('BAD_EVENTS_LINE', message)
}

function shown(written: string | undefined): string {
  return written === undefined ? 'missing' : written.slice(0, 60)
}

function quoted(key: string): string {
  return JSON.stringify(key).slice(0, 60)
}

function text(field: string, written: string | undefined): string {
  if (written?.startsWith('"')) return JSON.parse(written) as string
  throw bad(`${field} is ${shown(written)}; ${EXPECTED}`)
}

function isGiven(written: string | undefined): written is string {
  return written !== undefined && written !== 'null'
}

function actorOf(written: string | undefined): string | undefined {
  return isGiven(written) ? text('actor', written) : undefined
}

/** A number only in digits: of what a double has no room for, or rounds, another one would be signed. */
function times(field: string, written: string | undefined): { occurredAt?: number } {
  if (!isGiven(written)) return {}
  const time = written.startsWith('"') ? isoTime(JSON.parse(written)) : milliseconds(written)
  if (time !== undefined) return { occurredAt: time }
  throw bad(`${field} is ${shown(written)}; Unix milliseconds in digits, 0 … 2^53-1, or ${ISO_ACCEPTED} are accepted`)
}

function milliseconds(written: string): number | undefined {
  const time = /^(0|[1-9]\d{0,15})$/.test(written) ? Number(written) : Number.NaN
  return Number.isSafeInteger(time) ? time : undefined
}

function outcomes(written: string | undefined): { outcome?: Outcome } {
  if (!isGiven(written)) return {}
  const given: unknown = JSON.parse(written)
  const outcome = OUTCOMES.find((known) => known === given)
  if (outcome === undefined) throw bad(`outcome is ${shown(written)}; one of ${OUTCOMES.join(', ')} is accepted`)
  return { outcome: Outcome[outcome] }
}

function pairs(members: Members): Pair[] {
  return [...members]
    .filter(([, written]) => isGiven(written))
    .map(([key, written]) => [key, written.startsWith('"') ? (JSON.parse(written) as string) : written])
}
