import { builtinModules } from 'node:module'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const ENTRY = fileURLToPath(new URL('entry.js', import.meta.url))

export interface Bundle {
  /** A script that sets `moloch` to what the library exports. */
  readonly code: string
  /** Every module in it, relative to the checkout. */
  readonly modules: readonly string[]
  /** Names of Node's own modules that something in it asks for. */
  readonly builtins: readonly string[]
}

/** `moloch-node/light` out of dist/, as somebody's bundler takes it: nothing but the defaults for a browser. */
export async function bundleForBrowser(): Promise<Bundle> {
  const builtins = new Set<string>()
  const bundle = await rolldown({
    input: ENTRY,
    cwd: ROOT,
    platform: 'browser',
    plugins: [
      {
        name: 'virtual-entry-and-builtins',
        resolveId: (id) => {
          if (id.startsWith('node:') || builtinModules.includes(id)) builtins.add(id)
          return id === ENTRY ? id : null
        },
        load: (id) => (id === ENTRY ? "export * from 'moloch-node/light'" : null)
      }
    ]
  })
  const { output } = await bundle.generate({ format: 'iife', name: 'moloch', minify: true })
  await bundle.close()
  const [chunk, ...more] = output
  if (more.length > 0) throw new Error('the bundle is more than one file')
  const modules = chunk.moduleIds.map((id) => id.replace(ROOT, ''))
  return { code: chunk.code, modules, builtins: [...builtins] }
}
