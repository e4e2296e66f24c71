import type { Command } from 'commander'
import { fromHex } from '../codec/bytes.ts'
import { type HistoryKey, historyKey } from '../light/verify/history-key.ts'
import { usageError } from './cli.ts'
import { hexKey, resourceName } from './parsers.ts'

/** Whose history is meant; exactly one is given. */
export interface KeyOptions {
  readonly actor?: string
  readonly resource?: { readonly kind: string; readonly id?: string }
  readonly action?: string
}

export function keyOptions(command: Command): Command {
  return command
    .option('--actor <key>', "the actor's public key, 64 hex digits", hexKey)
    .option('--resource <kind:id>', 'what it was done to', resourceName)
    .option('--action <action>', 'what was done')
}

/** @throws MolochError USAGE unless exactly one is given, whole */
export function askedKey({ actor, resource, action }: KeyOptions): HistoryKey {
  const given = [actor, resource, action].filter((one) => one !== undefined).length
  if (given !== 1) throw usageError('one of --actor, --resource and --action is accepted')
  if (actor !== undefined) return historyKey({ actor: fromHex(actor, 32) as Uint8Array })
  if (action !== undefined) return historyKey({ action })
  const { kind, id } = resource as { readonly kind: string; readonly id?: string }
  if (id === undefined) throw usageError(`--resource ${kind} names no resource; KIND:ID is accepted`)
  return historyKey({ resource: { kind, id } })
}

/** The same as the API takes it. */
export function keyQuery({ actor, resource, action }: KeyOptions): URLSearchParams {
  const query = new URLSearchParams()
  const given = { actor, resource_kind: resource?.kind, resource_id: resource?.id, action }
  for (const [name, value] of Object.entries(given)) if (value !== undefined) query.set(name, value)
  return query
}
