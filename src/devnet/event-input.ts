/** What a devnet feeds: events before they get a timestamp, a key and a signature. */
import { type EventBody, Outcome } from '../chain/event.ts'
import { boundsFault, MAX_ACTOR_NAME_BYTES } from '../chain/event-bounds.ts'
import { duplicateKey } from '../chain/json-keys.ts'
import { DEFAULT_PARAMS } from '../chain/params.ts'
import { EventBody as EventBodyCodec } from '../codec/generated/event.ts'
import { MolochError } from '../error.ts'

export interface EventInput {
  /** Who did it: one key per distinct name. What fits of it travels as the event's `actor_name`. */
  readonly actor: string
  readonly fields: Omit<EventBody, 'timestamp'>
}

/** The actor of a line that names none. */
const ANONYMOUS = 'anonymous'
/** What a SignedEvent adds to its body: key, signature, tags. */
const SIGNED_OVERHEAD = 110

const EXPECTED =
  'a line needs "action" and "resource": {"kind", "id"}, or is a commit record {"repo", "commit", "actor", "time", "action"}'
const OUTCOMES = ['SUCCESS', 'FAILURE', 'DENIED', 'PENDING'] as const

/**
 * One line of an events file: an event, or a commit record (repo → resource.kind, commit → resource.id, time →
 * occurred_at). All other fields become metadata.
 * @param maxEventBytes of the chain that the event is for
 * @throws MolochError BAD_EVENTS_LINE; the caller knows which line of what it is
 */
export function parseEventLine(line: string, maxEventBytes = DEFAULT_PARAMS.maxEventBytes): EventInput {
  const record = objectOf(line)
  const event = 'resource' in record ? fromEvent(record) : fromCommit(record)
  const whole = { ...event.fields, timestamp: 0 }
  const fault = boundsFault(whole)
  if (fault !== undefined) throw bad(fault)
  const size = EventBodyCodec.encode(whole).byteLength + SIGNED_OVERHEAD
  if (size > maxEventBytes) throw bad(`the event has ${size} bytes; at most ${maxEventBytes} are accepted`)
  return event
}

/** The fields of an event by this actor, with metadata in the order that the chain wants. */
export function eventInput(
  actor: string,
  fields: { action: string; kind: string; id: string; occurredAt?: number; outcome?: Outcome },
  metadata: Readonly<Record<string, unknown>>
): EventInput {
  return {
    actor,
    fields: {
      action: fields.action,
      resource: { kind: fields.kind, id: fields.id },
      occurredAt: fields.occurredAt,
      outcome: fields.outcome ?? Outcome.SUCCESS,
      actorName: clipped(actor),
      metadata: metadataOf(metadata)
    }
  }
}

function fromEvent(record: Record<string, unknown>): EventInput {
  const { action, resource, actor, outcome, occurred_at, metadata, ...rest } = record
  if (!isObject(resource)) throw bad(`resource is ${shown(resource)}; {"kind", "id"} is accepted`)
  if (metadata !== undefined && !isObject(metadata)) throw bad(`metadata is ${shown(metadata)}; an object is accepted`)
  const { kind, id, ...unknown } = resource
  const [more] = Object.keys(unknown)
  if (more !== undefined) throw bad(`resource has the key ${shown(more)}; {"kind", "id"} is accepted`)
  const twice = Object.keys(metadata ?? {}).find((key) => Object.hasOwn(rest, key))
  if (twice !== undefined) throw bad(`${shown(twice)} is given twice, in metadata and beside it; once is accepted`)
  return eventInput(
    actorOf(actor),
    {
      action: text('action', action),
      kind: text('resource.kind', kind),
      id: text('resource.id', id),
      ...times('occurred_at', occurred_at),
      ...outcomes(outcome)
    },
    { ...metadata, ...rest }
  )
}

function fromCommit(record: Record<string, unknown>): EventInput {
  const { action, repo, commit, actor, time, outcome, ...rest } = record
  if (repo === undefined || commit === undefined) throw bad(EXPECTED)
  return eventInput(
    actorOf(actor),
    {
      action: text('action', action),
      kind: text('repo', repo),
      id: text('commit', commit),
      ...times('time', time),
      ...outcomes(outcome)
    },
    rest
  )
}

function objectOf(line: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw bad(`not JSON; ${EXPECTED}`)
  }
  if (!isObject(value)) throw bad(`not an object; ${EXPECTED}`)
  const twice = duplicateKey(line)
  if (twice !== undefined) throw bad(`the key ${shown(twice)} is given twice; once is accepted`)
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function bad(message: string): MolochError {
  return new MolochError('BAD_EVENTS_LINE', message)
}

function shown(value: unknown): string {
  return value === undefined ? 'missing' : (JSON.stringify(value) ?? String(value)).slice(0, 60)
}

function text(field: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw bad(`${field} is ${shown(value)}; ${EXPECTED}`)
}

function actorOf(value: unknown): string {
  return value === undefined || value === null ? ANONYMOUS : text('actor', value)
}

function times(field: string, value: unknown): { occurredAt?: number } {
  if (value === undefined || value === null) return {}
  if (typeof value === 'number') return { occurredAt: value }
  throw bad(`${field} is ${shown(value)}; Unix milliseconds are accepted`)
}

function outcomes(value: unknown): { outcome?: Outcome } {
  if (value === undefined || value === null) return {}
  const outcome = OUTCOMES.find((known) => known === value)
  if (outcome === undefined) throw bad(`outcome is ${shown(value)}; one of ${OUTCOMES.join(', ')} is accepted`)
  return { outcome: Outcome[outcome] }
}

/** Values that are no text become JSON; null says nothing and is left out. */
function metadataOf(values: Readonly<Record<string, unknown>>): EventBody['metadata'] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => ({ key, value: typeof value === 'string' ? value : JSON.stringify(value) }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
}

/** The longest start of the name that fits, cut between characters. */
function clipped(name: string): string {
  let out = ''
  for (const character of name) {
    if (Buffer.byteLength(out) + Buffer.byteLength(character) > MAX_ACTOR_NAME_BYTES) break
    out += character
  }
  return out
}
