// A copy of a checkout in which one mutant is at a time: the checkout itself is only read.
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import ts from 'typescript'

/** What is made at build and not in git. */
const BUILT = ['dist', 'src/codec/generated']

export class Scratch {
  constructor(root) {
    this.path = mkdtempSync(join(tmpdir(), 'moloch-mutants-'))
    /** Of what tests leave behind when they are ended. */
    this.temp = join(this.path, '.tmp')
    mkdirSync(this.temp)
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1 << 28
    })
    for (const file of [...listed.split('\0').filter((name) => name !== ''), ...BUILT]) {
      const from = join(root, file)
      // Deleted and not committed.
      if (!existsSync(from)) continue
      mkdirSync(dirname(join(this.path, file)), { recursive: true })
      cpSync(from, join(this.path, file), { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
    }
    symlinkSync(join(root, 'node_modules'), join(this.path, 'node_modules'))
  }

  /** Compiles what threads and processes of tests run. */
  build() {
    execFileSync(process.execPath, [join(this.path, 'scripts/lib/build.mjs')], { stdio: ['ignore', 2, 2] })
    this.#isBuilt()
  }

  /** @returns what takes the mutant out again */
  apply({ file, text, to }) {
    const before = readFileSync(join(this.path, file), 'utf8')
    this.#write(
      file,
      before.replace(text, () => to)
    )
    return () => this.#write(file, before)
  }

  remove() {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 })
  }

  #write(file, text) {
    writeFileSync(join(this.path, file), text)
    const compiled = join(this.path, file.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js'))
    if (file === compiled || !existsSync(compiled)) return
    // One file, without a look at types: the whole build would take longer than most tests.
    const { outputText } = ts.transpileModule(text, {
      fileName: file,
      compilerOptions: {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true
      }
    })
    writeFileSync(compiled, outputText)
    this.#isBuilt()
  }

  /** Tests build what is older than its sources. */
  #isBuilt() {
    const later = new Date(Date.now() + 86_400_000)
    writeFileSync(join(this.path, 'dist/.built'), 'good')
    utimesSync(join(this.path, 'dist/.built'), later, later)
  }
}
