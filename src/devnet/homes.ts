/** A devnet's directory: one home a node, and devnet.json, which says that the directory is a devnet's. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { createGenesis } from '../chain/genesis.ts'
import { keyPairFromSeed } from '../crypto/ed25519.ts'
import { MolochError } from '../error.ts'
import { createHome } from '../node/create-home.ts'
import { HomeLock } from '../node/home-lock.ts'
import { type DevnetRole, type DevnetSpec, isMemberName, keySeed, members } from './spec.ts'
import { assertNoTraces, removeTraces, TRACES } from './traces.ts'

/** Where a node is: what the others dial and what its API answers on. */
export interface Place {
  readonly name: string
  readonly role: DevnetRole
  readonly home: string
  readonly peerId: string
  /** Without the peer id. */
  readonly listen: string
  readonly address: string
  readonly apiHost: string
  readonly apiPort: number
}

/** How addresses are given out: free ports of this machine, or one host name a node in a network of containers. */
export type Addressing = (name: string) => Pick<Place, 'listen' | 'address' | 'apiHost' | 'apiPort'>

/** Every node on a host of its own that has the node's name, with the usual ports: a network of containers. */
export const byHostName: Addressing = (name) => ({
  listen: '/ip4/0.0.0.0/tcp/9645',
  address: `/dns4/${name}/tcp/9645`,
  apiHost: '0.0.0.0',
  apiPort: 8645
})

const MARKER = 'devnet.json'

/**
 * Makes the directory and all homes in it; what an earlier devnet left there is removed.
 * @throws MolochError NOT_A_DEVNET if the directory holds anything else, DEVNET_RUNNING if a devnet or one of its nodes runs in it
 */
export async function createHomes(directory: string, spec: DevnetSpec, addressing: Addressing): Promise<Place[]> {
  const dir = resolve(directory)
  const names = members(spec).map(({ name }) => name)
  if (spec.trace !== undefined && spec.trace !== join(dir, TRACES)) assertNoTraces(spec.trace, names)
  await clear(dir)
  const places = await Promise.all(
    members(spec).map(async ({ name, role }): Promise<Place> => {
      const key = await generateKeyPairFromSeed('Ed25519', keySeed(spec.seed, 'peer', name))
      const peerId = peerIdFromPrivateKey(key).toString()
      return { name, role, home: join(dir, name), peerId, ...addressing(name) }
    })
  )
  const genesis = createGenesis({
    chainId: spec.chainId,
    timestamp: Date.now(),
    validators: places
      .filter((place) => place.role === 'validator')
      .map(({ name }) => ({ name, publicKey: keyPairFromSeed(keySeed(spec.seed, 'chain', name)).publicKey })),
    params: spec.params
  })
  for (const place of places) {
    const chain = keySeed(spec.seed, 'chain', place.name)
    await createHome({
      home: place.home,
      genesis,
      settings: { ...settings(place, places), ...(spec.trace && { 'trace.file': join(spec.trace, place.name) }) },
      seeds: {
        peer: keySeed(spec.seed, 'peer', place.name),
        ...(place.role === 'validator' ? { validator: chain } : { chain }),
        actor: keySeed(spec.seed, 'actor', place.name)
      },
      // A seed may come again, a genesis does not: its time is now.
      isNewKey: true
    })
  }
  return places
}

function settings(place: Place, all: readonly Place[]) {
  // A light node has nothing to give.
  const others = all.filter((other) => other !== place && (other.role === 'validator' || other.role === 'full'))
  return {
    ...(place.role === 'light' && { mode: 'light' }),
    'p2p.listen': [place.listen],
    'p2p.bootstrap': others.map((other) => `${other.address}/p2p/${other.peerId}`),
    // All nodes share one address or a few, and all of them dial at once: of each pair both do.
    'p2p.max_peers': 1000,
    'p2p.max_peers_per_ip': 1000,
    'p2p.inbound_per_second': 1000,
    'p2p.max_pending_inbound': 1000,
    'api.host': place.apiHost,
    'api.port': place.apiPort,
    'api.public': place.apiHost === '0.0.0.0',
    // The feed waits for the finality of each event.
    'api.max_waiters': 100_000,
    'log.format': 'json'
  }
}

/** The names of the homes that a devnet has in the directory, whole or not; none if it is no devnet's. */
export function membersIn(dir: string): string[] {
  return existsSync(join(dir, MARKER)) ? readdirSync(dir).filter(isMemberName) : []
}

/** Leaves a directory without homes that is marked as this process's devnet. What is not a devnet's stays. */
async function clear(dir: string): Promise<void> {
  const status = statSync(dir, { throwIfNoEntry: false })
  if (status !== undefined) {
    const refuse = (why: string) =>
      new MolochError('NOT_A_DEVNET', `${dir} ${why}; --dir takes a new, empty or earlier devnet's directory`)
    if (!status.isDirectory()) throw refuse('is not a directory')
    if (readdirSync(dir).length > 0 && !existsSync(join(dir, MARKER))) throw refuse(`is not empty and has no ${MARKER}`)
    const owner = ownerOf(dir)
    if (owner !== undefined) throw running(dir, `a devnet runs in ${dir} (process ${owner})`)
    for (const name of membersIn(dir)) {
      if (await HomeLock.isHeld(join(dir, name))) throw running(dir, `${name} of ${dir} runs`)
    }
  }
  mkdirSync(dir, { recursive: true })
  removeMembers(dir)
  removeTraces(join(dir, TRACES))
  writeFileSync(join(dir, MARKER), `${JSON.stringify({ pid: process.pid })}\n`)
}

function running(dir: string, what: string): MolochError {
  return new MolochError('DEVNET_RUNNING', `${what}; stop it or give another --dir`, { dir })
}

function removeMembers(dir: string): void {
  for (const name of membersIn(dir)) rmSync(join(dir, name), { recursive: true, force: true })
}

/** The homes are somebody's to keep: no devnet takes their directory for its own. */
export function keepHomes(dir: string): void {
  rmSync(join(dir, MARKER), { force: true })
}

/** Removes the devnet, and its directory if nothing else is in it. Traces stay, in what the next devnet may take for its own. */
export function removeHomes(dir: string): void {
  removeMembers(dir)
  if (existsSync(join(dir, TRACES))) {
    releaseHomes(dir)
    return
  }
  rmSync(join(dir, MARKER), { force: true })
  if (existsSync(dir) && readdirSync(dir).length === 0) rmdirSync(dir)
}

/** The process of the devnet that runs in the directory, if one does. */
function ownerOf(dir: string): number | undefined {
  let pid: unknown
  try {
    pid = (JSON.parse(readFileSync(join(dir, MARKER), 'utf8')) as { pid?: unknown }).pid
  } catch {
    return undefined
  }
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return undefined
  try {
    process.kill(pid, 0)
    // The id may be another program's by now: a devnet's command line says so, where the system shows it.
    const commandLine = join('/proc', String(pid), 'cmdline')
    return !existsSync(commandLine) || readFileSync(commandLine, 'utf8').includes('devnet') ? pid : undefined
  } catch {
    return undefined
  }
}

/** The devnet has stopped: its homes may be used, or removed by the next one. */
export function releaseHomes(dir: string): void {
  if (existsSync(join(dir, MARKER))) writeFileSync(join(dir, MARKER), '{}\n')
}
