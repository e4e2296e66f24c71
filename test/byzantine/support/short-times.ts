import type { NetworkSettings } from '../../../src/network/settings.ts'
import { slowness } from '../../support/patience.ts'

/** What a peer has for each step of an answer where lateness is tried: a second of an idle machine. */
export const STEP_MS = 1000 * Math.ceil(slowness())

/** Bounds that a hostile peer misses soon, and that no honest one misses because this machine is busy. */
export const SHORT_TIMES: Partial<NetworkSettings> = { firstByteMs: STEP_MS, frameMs: STEP_MS, answerMs: 2 * STEP_MS }
