/**
 * The strangers' process: they are on another machine, as far as one machine can show that. It has a low priority, so what
 * they do themselves (encoding, encrypting) takes a core where nobody else wants it, and the loop that times the load is
 * not theirs.
 */
import { setPriority } from 'node:os'
import { parseGenesis } from '../../../src/chain/genesis.ts'
import * as attacks from './stranger-attacks.ts'
import type { Order, Told } from './strangers.ts'

/** A tenth of what a process of the victims gets where both want a core: enough to come to something on a busy machine. */
const NICE = 10

const tell = (told: Told): void => void process.send?.(told)
const prunes = attacks.thirdParties()
const { twistedVotes, windowEdge, emptyBeforeHello, emptyAfterHello, ofNoUse, idleSessions, validFlood } = attacks
const ATTACKS: Readonly<Record<string, attacks.Attack>> = {
  twistedVotes,
  windowEdge,
  emptyBeforeHello,
  emptyAfterHello,
  thirdParties: prunes.attack,
  ofNoUse,
  idleSessions,
  validFlood
}

type Scene = Pick<attacks.Scene, 'genesis' | 'victims' | 'arms'>
/** For each time that they are called in. */
let scenes: Scene[] = []
let over = new AbortController()
let all: Promise<unknown>[] = []

async function obey(order: Order): Promise<void> {
  switch (order.do) {
    case 'arm': {
      const genesis = parseGenesis(order.genesis)
      const { victims, floods, times } = order
      scenes = Array.from({ length: times }, () => ({ genesis, victims, arms: attacks.armed(genesis, floods) }))
      setPriority(NICE)
      return tell({ done: 'arm', connects: 0 })
    }
    case 'strike': {
      over = new AbortController()
      const scene = scenes.shift() as Scene
      all = (order.attacks ?? Object.keys(ATTACKS)).map(async (name) => {
        const attack = ATTACKS[name] as attacks.Attack
        const strike = (): void => tell({ struck: name })
        await attack({ ...scene, over: over.signal, strike })
      })
      for (const one of all) one.catch((error: unknown) => tell({ failed: String(error) }))
      return tell({ done: 'strike', connects: 0 })
    }
    case 'stop':
      over.abort()
      await Promise.allSettled(all)
      return tell({ done: 'stop', connects: prunes.connects() })
  }
}

process.on('message', (order: Order) => void obey(order))
// Whoever started it is gone.
process.on('disconnect', () => process.exit())
