import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Builds dist/ if any of these folders of src/ (none: all of it) changed since; a type error is only warned of here. */
export function build(...folders: string[]): void {
  const script = fileURLToPath(new URL('../../scripts/lib/build.mjs', import.meta.url))
  const { status } = spawnSync(process.execPath, [script, '--lenient', ...folders], { stdio: 'inherit' })
  if (status !== 0) console.warn('the build has errors: tests that run dist/ may run an old one')
}
