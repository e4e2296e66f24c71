// The floors of src/, the ground floor first: a folder imports only from the floors before it (docs/architecture.md).
const floors = [
  'codec',
  'crypto',
  'trace',
  'chain',
  'verify',
  'store',
  'ledger',
  'network',
  'consensus',
  'sync',
  'light',
  'observer',
  'api',
  'dashboard',
  'node',
  'devnet',
  'cli'
]

const upward = floors.slice(0, -1).map((floor, i) => ({
  name: `${floor}-imports-only-downwards`,
  severity: 'error',
  from: { path: `^src/${floor}/` },
  to: { path: `^src/(${floors.slice(i + 1).join('|')})/` }
}))

module.exports = {
  forbidden: [
    ...upward,
    {
      name: 'below-all-floors',
      comment: 'src/error.ts, src/log.ts and their like stand under every floor',
      severity: 'error',
      from: { path: '^src/[^/]+$' },
      to: { path: '^src/[^/]+/' }
    },
    {
      name: 'a-floor-of-the-house',
      comment: 'a new folder in src/ gets its place in the list above first',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${floors.join('|')})/` },
      to: {}
    },
    { name: 'src-stands-alone', severity: 'error', from: { path: '^src/' }, to: { path: '^(test|scripts)/' } },
    {
      name: 'no-dev-dependency-in-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] }
    },
    {
      name: 'no-cycle',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/codec/generated/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } }
    },
    { name: 'resolvable', severity: 'error', from: { path: '^src/' }, to: { couldNotResolve: true } }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|\\.cache)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] }
  }
}
