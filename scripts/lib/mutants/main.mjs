// Tries the mutants of test/mutants/: scripts/mutants --help
import { execFileSync } from 'node:child_process'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { faultsOf, readTable } from './table.mjs'

const HELP = `Whether the tests see it when the code is changed in ways that matter: scripts/mutants [--only WORD,…] [--json]

Each mutant of test/mutants/*.json is one change of the code that a test has to fail on. They are made one at a time, in a
copy of this checkout as it stands (what is not committed too), and the test named with it is run: KILLED if it went red.
All tests named are run before, without any mutant: what is red by itself sees nothing.

  --only WORD,…   those whose id or file has one of these words in it, or whose point is one of them
  --json          the result as JSON on stdout; progress goes to stderr
  --list          which there are; nothing is run
  --check         only looks whether each text to be replaced is in its file once, and each test is there (takes no time)
  --no-baseline   leaves out the run without a mutant
  --root DIR      another checkout

Exit code 0: all were killed. 1: one survived, or could not be tried. 64: the command line is wrong.

A mutant takes some seconds, so all of them are no part of scripts/test, which has the --check.

Examples: scripts/mutants
          scripts/mutants --only B6
          scripts/mutants --only signer,votes-exchange --json > mutants.json`

function options() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        'no-baseline': { type: 'boolean', default: false },
        root: { type: 'string', default: join(dirname(fileURLToPath(import.meta.url)), '../../..') },
        help: { type: 'boolean', short: 'h', default: false }
      }
    })
    return { ...values, root: resolve(values.root), only: values.only.flatMap((words) => words.split(',')) }
  } catch (error) {
    return usage(error.message)
  }
}

function usage(message) {
  console.error(`scripts/mutants: ${message}; scripts/mutants --help`)
  process.exit(64)
}

const isMeant = (word, { id, file, point }) => point === word || id.includes(word) || file.includes(word)

function chosen(all, only) {
  const idle = only.find((word) => !all.some((mutant) => isMeant(word, mutant)))
  if (idle !== undefined) usage(`there is no mutant '${idle}'; --list shows which there are`)
  return only.length === 0 ? all : all.filter((mutant) => only.some((word) => isMeant(word, mutant)))
}

async function main() {
  const { root, only, json, list, check, help, ...more } = options()
  if (help) {
    console.log(HELP)
    return 0
  }
  const all = readTable(root)
  const mutants = chosen(all, only)
  if (list) {
    for (const { id, point, what } of mutants) console.log(`${point.padEnd(4)} ${id.padEnd(34)} ${what}`)
    return 0
  }
  const faults = faultsOf(root, mutants)
  for (const fault of faults) console.error(fault)
  if (check) console.log(`mutants: ${mutants.length}, ${faults.length} faults in the table`)
  if (check || faults.length > 0) return faults.length > 0 ? 1 : 0
  const result = await tryAll(root, mutants, { baseline: !more['no-baseline'] })
  if (json) console.log(JSON.stringify(result, undefined, 2))
  const { killed, survived, broken, commit, changed } = result
  console.error(
    `${killed} killed, ${survived} survived, ${broken} not tried, of ${mutants.length} at ${commit}${changed ? ' with changes' : ''}`
  )
  return killed < mutants.length ? 1 : 0
}

async function tryAll(root, mutants, { baseline }) {
  const { Scratch } = await import('./scratch.mjs')
  const { endChildren, Trial } = await import('./trial.mjs')
  const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  const of = { commit: git('rev-parse', '--short', 'HEAD'), changed: git('status', '--porcelain') !== '' }
  const scratch = new Scratch(root)
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143 })) {
    process.once(signal, () => {
      endChildren()
      scratch.remove()
      process.exit(code)
    })
  }
  try {
    scratch.build()
    const trial = new Trial(scratch)
    if (baseline) await runBaseline(trial, mutants)
    const tried = []
    for (const mutant of mutants) {
      const undo = scratch.apply(mutant)
      trial.changed(mutant.file)
      tried.push(await tryOne(trial, mutant, `${tried.length + 1}/${mutants.length}`))
      undo()
      trial.changed(mutant.file)
    }
    await trial.close()
    const count = (verdict) => tried.filter((one) => one.verdict === verdict).length
    return { ...of, killed: count('killed'), survived: count('survived'), broken: count('broken'), mutants: tried }
  } finally {
    process.chdir(root)
    scratch.remove()
  }
}

async function runBaseline(trial, mutants) {
  for (const file of new Set(mutants.map(({ test }) => test))) {
    const { red, ran, said, ms } = await trial.run(file)
    if (red.length > 0 || ran === 0) throw new Error(`${file} is red without a mutant: ${red[0] ?? said.join('\n')}`)
    console.error(`green without a mutant: ${file}, ${ran} tests, ${seconds(ms)}`)
  }
}

async function tryOne(trial, { id, point, file, what, test, named }, progress) {
  const { red, hung, ran, said, ms } = await trial.run(test, { named, bail: true })
  // An error outside of any test makes a run red as well; if no test was run, it does not compile, say.
  const verdict = hung || red.length > 0 || (ran > 0 && said.length > 0) ? 'killed' : ran > 0 ? 'survived' : 'broken'
  const by = red[0] ?? (hung ? 'it does not end' : undefined) ?? said[0]?.split('\n')[0]
  console.error(
    `${progress} ${verdict.toUpperCase().padEnd(8)} ${point} ${id} (${seconds(ms)})${by === undefined ? '' : `: ${by}`}`
  )
  if (verdict === 'survived') console.error(`    ${what} (${file}), and ${test} is green`)
  if (verdict === 'broken') console.error(`    ${test} did not get as far as a test: ${said.join('\n')}`)
  return { id, point, file, what, test, verdict, by, ms }
}

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`

main()
  .catch((error) => {
    console.error(error instanceof Error ? error.message : error)
    return 1
  })
  // Vitest leaves timers and workers of its own, and an exit code of its own for a run that is red.
  .then((code) => process.exit(code))
