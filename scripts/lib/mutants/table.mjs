// The table of mutants: test/mutants/*.json, and what can be wrong with it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER = 'test/mutants'
const FIELDS = ['id', 'point', 'what', 'file', 'text', 'to', 'test', 'named']

/**
 * @typedef {object} Mutant
 * @property {string} id of its own
 * @property {string} point of the code, or of what was asked for, that it takes back
 * @property {string} what is done to the code, for people
 * @property {string} file
 * @property {string} text there exactly once
 * @property {string} to what it becomes
 * @property {string} test the file that must go red
 * @property {string} [named] the test in it; undefined: any of it
 */

/** @returns {Mutant[]} @throws Error if a file of it is no table */
export function readTable(root) {
  return readdirSync(join(root, FOLDER))
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => {
      const path = `${FOLDER}/${name}`
      let rows
      try {
        rows = JSON.parse(readFileSync(join(root, path), 'utf8'))
      } catch (error) {
        throw new Error(`${path} is no JSON: ${error.message}`)
      }
      if (!Array.isArray(rows)) throw new Error(`${path} is no list of mutants`)
      return rows
    })
}

/** What keeps a mutant from being tried: a line for each fault. */
export function faultsOf(root, mutants) {
  const texts = new Map()
  const read = (path) => {
    if (!texts.has(path))
      texts.set(path, existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined)
    return texts.get(path)
  }
  const ids = new Set()
  return mutants.flatMap((mutant) => {
    const faults = faultsOfOne(mutant, read)
    if (ids.has(mutant.id)) faults.push('its id is there twice')
    ids.add(mutant.id)
    return faults.map((fault) => `${mutant.id}: ${fault}`)
  })
}

function faultsOfOne(mutant, read) {
  const odd = FIELDS.filter((name) => typeof mutant[name] !== 'string' && !(name === 'named' && !(name in mutant)))
  const unknown = Object.keys(mutant).filter((name) => !FIELDS.includes(name))
  if (odd.length + unknown.length > 0) return [`wrong or missing: ${[...odd, ...unknown].join(', ')}`]
  const { file, text, to, test, named } = mutant
  const faults = []
  const source = read(file)
  const found = source?.split(text).length ?? 0
  if (source === undefined) faults.push(`there is no ${file}`)
  else if (found !== 2) faults.push(`${JSON.stringify(text)} is ${found - 1} times in ${file}, not once`)
  if (text === to) faults.push('it changes nothing')
  const tests = read(test)
  if (tests === undefined) faults.push(`there is no ${test}`)
  else if (named !== undefined && !tests.includes(named)) faults.push(`${test} has no test '${named}'`)
  return faults
}
