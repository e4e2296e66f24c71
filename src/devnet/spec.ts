/** What a devnet is made of: its nodes, their roles and their keys, all a function of the seed. */
import type { Params } from '../chain/params.ts'
import { utf8 } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'

export interface DevnetSpec {
  readonly validators: number
  /** Full nodes that are there from the start. */
  readonly nodes: number
  /** Light nodes: they follow headers, from block 0 on. */
  readonly light: number
  /** A full node that has a home but is not started with the others. */
  readonly late: boolean
  /** A number for a devnet that is the same each time; hex of 32 random bytes for keys that nobody else is to have. */
  readonly seed: number | string
  readonly chainId: string
  readonly params: Partial<Params>
  /** Folder in which all nodes write gossip traces, each under its name; absent: they write none. */
  readonly trace?: string | undefined
}

export type DevnetRole = 'validator' | 'full' | 'light' | 'late'

export interface Member {
  readonly name: string
  readonly role: DevnetRole
}

export const DEFAULT_SPEC: DevnetSpec = {
  validators: 4,
  nodes: 1,
  light: 0,
  late: true,
  seed: 1,
  chainId: 'devnet',
  // Snapshot heights come by within seconds, so that every run computes state roots.
  params: { snapshotInterval: 10 }
}

/** The name of the node that joins late. */
export const LATE = 'late'

/** Validators first, in genesis order. */
export function members(spec: Pick<DevnetSpec, 'validators' | 'nodes' | 'light' | 'late'>): Member[] {
  const named = (count: number, role: DevnetRole, prefix: string): Member[] =>
    Array.from({ length: count }, (_, i) => ({ name: `${prefix}-${i + 1}`, role }))
  return [
    ...named(spec.validators, 'validator', 'validator'),
    ...named(spec.nodes, 'full', 'node'),
    ...named(spec.light, 'light', 'light'),
    ...(spec.late ? [{ name: LATE, role: 'late' } as const] : [])
  ]
}

/** Whether a directory of this name is a member's home. */
export function isMemberName(name: string): boolean {
  return name === LATE || /^(validator|node|light)-[1-9]\d*$/.test(name)
}

/** The 32-byte seed of a devnet's key: known to everybody who knows the devnet's seed, so good for a devnet only. */
export function keySeed(seed: number | string, purpose: 'peer' | 'chain' | 'actor', name: string): Uint8Array {
  return sha256(utf8(`moloch/devnet/v1\n${seed}\n${purpose}\n${name}`))
}
