import { configSchema, type SettingOptions } from './schema.ts'

/** What one setting accepts, read off the schema. */
export type SettingKind =
  | { readonly kind: 'text' }
  | { readonly kind: 'list' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'integer'; readonly min: number; readonly max: number; readonly orZero: boolean }
  | { readonly kind: 'choice'; readonly values: readonly string[] }

export type SettingValue = string | number | boolean | readonly string[]

export interface Setting {
  /** `p2p.max_peers` */
  readonly key: string
  /** `MOLOCH_P2P_MAX_PEERS` */
  readonly env: string
  /** `--p2p-max-peers` */
  readonly flag: string
  readonly type: SettingKind
  readonly initial: SettingValue
  readonly description: string
  readonly check: SettingOptions['check']
  readonly secret: boolean
}

interface Leaf extends SettingOptions {
  type?: string
  enum?: readonly string[]
  minimum?: number
  maximum?: number
  properties?: Record<string, Leaf>
}

/** Every setting, in the schema's order. */
export const SETTINGS: readonly Setting[] = collect('', configSchema as unknown as Leaf)

export const SETTING_BY_KEY: ReadonlyMap<string, Setting> = new Map(SETTINGS.map((setting) => [setting.key, setting]))

/** `p2p` → what the section is about. */
export const SECTIONS: ReadonlyMap<string, string> = new Map(
  Object.entries((configSchema as unknown as Leaf).properties ?? {}).flatMap(([name, node]) =>
    node.properties === undefined ? [] : [[name, node.description ?? ''] as const]
  )
)

function collect(prefix: string, node: Leaf): Setting[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
    child.properties === undefined ? [setting(prefix + name, child)] : collect(`${prefix}${name}.`, child)
  )
}

function setting(key: string, leaf: Leaf): Setting {
  const words = key.replaceAll('.', '_')
  return {
    key,
    env: `MOLOCH_${words.toUpperCase()}`,
    flag: `--${words.replaceAll('_', '-')}`,
    type: kindOf(leaf),
    initial: leaf.default as SettingValue,
    description: leaf.description ?? '',
    check: leaf.check,
    secret: leaf.secret ?? false
  }
}

function kindOf(leaf: Leaf): SettingKind {
  if (leaf.enum !== undefined) return { kind: 'choice', values: leaf.enum }
  if (leaf.type === 'array') return { kind: 'list' }
  if (leaf.type === 'boolean') return { kind: 'boolean' }
  if (leaf.type === 'integer') {
    const { least, minimum = 0, maximum = 2 ** 53 - 1 } = leaf
    return { kind: 'integer', min: least ?? minimum, max: maximum, orZero: least !== undefined }
  }
  return { kind: 'text' }
}
