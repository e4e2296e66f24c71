// Runs test files of a scratch checkout and says which tests went red. Vitest stays: of its start, which takes longer than most of
// these tests, nothing has to be done again for the next mutant but what that one changed.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createVitest } from 'vitest/node'

/** Beyond this a test hangs, which is red too. They wait for conditions for 10 to 20 s, and longer on a busy machine. */
const TEST_MS = 120_000
const HOOK_MS = 30_000
/** A loop without end is stopped by nothing but the end of its process. */
const FILE_MS = 240_000

export class Trial {
  #scratch
  /** By project. */
  #runners = new Map()

  constructor(scratch) {
    this.#scratch = scratch
    process.chdir(scratch.path)
    process.env.TMPDIR = scratch.temp
    // The same seed each time: what a property test finds by luck is not seen.
    process.env.MOLOCH_SEED ??= '1'
  }

  /** A source that vitest may have read is another now. */
  changed(file) {
    for (const vitest of this.#runners.values()) vitest.invalidateFile(join(this.#scratch.path, file))
  }

  /**
   * @param {string} file
   * @param {{ named?: string | undefined, bail?: boolean }} how
   * @returns {Promise<{ red: string[], hung: boolean, ran: number, said: string[], ms: number }>} `red`: full names; `said`: other errors
   */
  async run(file, { named, bail = false } = {}) {
    const vitest = await this.#runner(projectOf(file))
    vitest.config.bail = bail ? 1 : 0
    for (const project of vitest.projects) {
      project.config.bail = vitest.config.bail
      project.config.testTimeout = TEST_MS
      project.config.hookTimeout = HOOK_MS
    }
    if (named === undefined) vitest.resetGlobalTestNamePattern()
    else vitest.setGlobalTestNamePattern(escaped(named))
    // What it holds of other files would count as of this run.
    vitest.state.filesMap.clear()
    vitest.state.idMap.clear()
    const began = performance.now()
    const specifications = await vitest.globTestSpecifications([file])
    let hung = false
    const timer = setTimeout(() => {
      hung = true
      endChildren()
    }, FILE_MS)
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications)
    clearTimeout(timer)
    const tests = testModules.flatMap((module) => [...module.children.allTests()])
    const names = (state) => tests.filter((test) => test.result().state === state).map(({ fullName }) => fullName)
    const errors = [...testModules.flatMap((module) => module.errors()), ...unhandledErrors]
    const red = names('failed')
    return {
      red,
      hung,
      ran: red.length + names('passed').length,
      said: errors.map((error) => String(error?.stack ?? error?.message ?? error)),
      ms: Math.round(performance.now() - began)
    }
  }

  async close() {
    for (const vitest of this.#runners.values()) await vitest.close()
    endChildren()
  }

  async #runner(project) {
    const known = this.#runners.get(project)
    if (known !== undefined) return known
    const silent = { onInit() {} }
    const vitest = await createVitest('test', {
      root: this.#scratch.path,
      project: [project],
      reporters: [silent],
      watch: false,
      silent: true
    })
    this.#runners.set(project, vitest)
    return vitest
  }
}

function projectOf(file) {
  return /^test\/(e2e|byzantine|browser|interop)\//.exec(file)?.[1] ?? 'unit'
}

const escaped = (name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Of this process alone. */
export function endChildren() {
  const list = `/proc/self/task/${process.pid}/children`
  if (!existsSync(list)) return
  for (const pid of readFileSync(list, 'utf8').trim().split(' ').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It has ended.
    }
  }
}
