import { spawn } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const project = fileURLToPath(new URL('../..', import.meta.url))
/** Somebody who owns nothing here, if this process may become somebody else. */
const NOBODY = 65_534
const isRoot = process.getuid?.() === 0

/**
 * Set-up and launchers as they are, over a checkout that is built and in which every program only says how it was called. What
 * is called is what comes first: `scripts/test` runs its checks and stops counting nowhere, so its programs fail.
 */
const LAUNCHERS = [
  { path: 'scripts/moloch', args: ['version'], runs: 'dist/cli/main.js version' },
  { path: 'scripts/devnet', args: ['--for', '1s'], runs: 'dist/cli/main.js devnet --for 1s' },
  { path: 'scripts/bench', args: ['--runs', '1'], runs: '.cache/benchmarks/scripts/benchmarks/main.js --runs 1' },
  { path: 'scripts/mutants', args: ['--check'], runs: 'scripts/lib/mutants/main.mjs --check' },
  { path: 'scripts/test', args: ['--quick'], runs: 'node_modules/.bin/biome check --error-on-warnings .' },
  { path: '.ci/run', args: ['--quick'], runs: 'node_modules/.bin/biome check --error-on-warnings .' }
] as const

let place: string
/** With a space in its path, and a quote. */
let root: string

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'moloch-launchers-'))
  await chmod(place, 0o755)
  root = join(place, "a 'checkout'")
  for (const part of ['scripts', '.ci', 'package.json', 'package-lock.json']) {
    await cp(join(project, part), join(root, part), { recursive: true })
  }
  const says = (file: string): string =>
    `console.log(${JSON.stringify(`${file} `)} + process.argv.slice(2).join(' '))\n`
  const program = (file: string): Promise<void> => write(file, `#!/usr/bin/env node\n${says(file)}`, 0o755)
  for (const name of ['biome', 'tsc', 'knip']) await program(`node_modules/.bin/${name}`)
  for (const file of ['typescript/bin/tsc', 'vitest/vitest.mjs']) await write(`node_modules/${file}`, '')
  await write('scripts/lib/check-layers.mjs', '')
  await write('src/main.ts', '')
  await write('src/codec/generated/chain.ts', '')
  await write('tsconfig.json', '{}')
  for (const { runs } of LAUNCHERS) {
    const [file = ''] = runs.split(' ')
    if (/\.m?js$/.test(file)) await write(file, says(file))
  }
  await write('dist/package.json', '{ "type": "commonjs" }')
  await write('.cache/package.json', '{ "type": "commonjs" }')
  const stamp =
    'echo "$(node -p \'process.platform + process.arch + process.versions.modules\') $(cksum <package-lock.json)"'
  await write('node_modules/.moloch-lock', (await run('bash', ['-c', stamp], { cwd: root })).stdout)
  await write('dist/.built', 'good')
})
afterAll(() => rm(place, { recursive: true, force: true }))

describe.each(LAUNCHERS)('$path', ({ path, args, runs }) => {
  const launcher = (): string => join(root, path)

  test('from anywhere', async () => {
    expect((await run(launcher(), args, { cwd: '/' })).stdout).toContain(`${runs}\n`)
  })

  test('through links: to it, to its folder and to the checkout', async () => {
    const links = await mkdtemp(join(place, 'links '))
    await symlink(launcher(), join(links, 'one'))
    await symlink('one', join(links, 'to one'))
    await symlink(root, join(links, 'checkout'))
    const ways = await Promise.all(
      ['to one', `checkout/${path}`].map((way) => run(join(links, way), args, { cwd: '/' }))
    )
    for (const { stdout } of ways) expect(stdout).toContain(`${runs}\n`)
    // As somebody would who has the folder in PATH.
    const env = { ...process.env, PATH: `${links}:${process.env.PATH}` }
    expect((await run('one', args, { cwd: '/', env })).stdout).toContain(`${runs}\n`)
  })

  test('with CDPATH set, by a path that it could lead elsewhere', async () => {
    const elsewhere = await mkdtemp(join(place, 'elsewhere '))
    for (const folder of ['scripts', 'scripts/lib', '.ci']) await mkdir(join(elsewhere, folder), { recursive: true })
    const env = { ...process.env, CDPATH: `${elsewhere}:${root}:.` }
    const { stdout } = await run('bash', [path, ...args], { cwd: root, env })
    expect(stdout).toContain(`${runs}\n`)
    expect(stdout).not.toContain(`${place}/elsewhere`)
  })

  test.skipIf(!isRoot)('as a second user, who may read the checkout and not write to it', async () => {
    const { stdout, stderr, code } = await run(launcher(), args, { cwd: '/', uid: NOBODY, gid: NOBODY })
    if (['scripts/moloch', 'scripts/devnet', 'scripts/mutants'].includes(path)) {
      expect(stdout).toContain(`${runs}\n`)
      expect(code).toBe(0)
      return
    }
    // Tests and benchmarks write to the checkout: that is said before anything is done.
    expect(stderr).toMatch(
      /^the (tests write to|benchmarks are compiled into) the checkout, and \w+ may not write to .*: /
    )
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stdout).toBe('')
    expect(code).toBe(1)
  })
})

describe.skipIf(!isRoot)('a second user whose checkout needs to be set up', () => {
  const asNobody = () => run(join(root, 'scripts/moloch'), ['version'], { cwd: '/', uid: NOBODY, gid: NOBODY })

  test('is told so, and who may do it, in one line', async () => {
    const later = new Date(Date.now() + 60_000)
    await utimes(join(root, 'src/main.ts'), later, later)
    const { stdout, stderr, code } = await asNobody()
    expect(stderr).toBe(
      `${root} has to be set up: its sources are newer than its build, and nobody may not write to ${root}: ` +
        `run ${root}/scripts/moloch version once as root, or use a checkout of your own\n`
    )
    expect([stdout, code]).toEqual(['', 1])
    await write('dist/.built', 'good')
    await utimes(join(root, 'dist/.built'), later, later)
    expect((await asNobody()).code).toBe(0)
  })

  test('also when the packages are of another Node.js or lockfile', async () => {
    await write('package-lock.json', '{}')
    const { stderr, code } = await asNobody()
    expect(stderr).toMatch(
      /has to be set up: its packages are not installed for this Node\.js and lockfile, and nobody /
    )
    expect(code).toBe(1)
    await cp(join(project, 'package-lock.json'), join(root, 'package-lock.json'))
    expect((await asNobody()).code).toBe(0)
  })
})

async function write(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), text, { mode })
}

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(command: string, args: readonly string[], options: object): Promise<Ran> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((done, failed) => {
    child.once('error', failed)
    child.once('close', (code) => done({ code, stdout, stderr }))
  })
}
