import { resourceKey } from '../../chain/event.ts'
import { ACTION_INDEX, ACTOR_INDEX, RESOURCE_INDEX, type StateIndex } from '../../chain/state.ts'
import { toHex, utf8 } from '../../codec/bytes.ts'

/** A key of one of the three indexes: whose events are asked for. */
export interface HistoryKey {
  readonly index: StateIndex
  /** Public key; kind ‖ 0x00 ‖ id; or action. */
  readonly key: Uint8Array
}

/** The same by name. */
export type NamedKey =
  | { readonly actor: Uint8Array }
  | { readonly resource: { readonly kind: string; readonly id: string } }
  | { readonly action: string }

/** A key as JSON: the actor's is hex. */
export type HistoryKeyJson = { actor: string } | { resource: { kind: string; id: string } } | { action: string }

export function historyKey(named: NamedKey): HistoryKey {
  if ('actor' in named) return { index: ACTOR_INDEX, key: named.actor }
  if ('action' in named) return { index: ACTION_INDEX, key: utf8(named.action) }
  return { index: RESOURCE_INDEX, key: resourceKey(named.resource.kind, named.resource.id) }
}

/** @param key one that `historyKey` made */
export function keyToJson({ index, key }: HistoryKey): HistoryKeyJson {
  if (index === ACTOR_INDEX) return { actor: toHex(key) }
  if (index === ACTION_INDEX) return { action: textOf(key) }
  const end = Math.max(0, key.indexOf(0))
  return { resource: { kind: textOf(key.subarray(0, end)), id: textOf(key.subarray(end + 1)) } }
}

/** For one line of text. */
export function keyText(key: HistoryKey): string {
  const json = keyToJson(key)
  if ('actor' in json) return `actor ${json.actor}`
  return 'action' in json ? `action ${json.action}` : `resource ${json.resource.kind}:${json.resource.id}`
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
