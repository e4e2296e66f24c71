import { expect, test } from 'vitest'
import { SECTIONS, SETTINGS, type Setting } from '../../src/node/config/settings.ts'
import { accepted } from '../../src/node/config/values.ts'

/** docs/configuration.md says what the schema says; `npx vitest run test/node/reference -u` writes it. */
test('the reference has a line for every setting', async () => {
  const sections = [
    ['', 'General'] as const,
    ...[...SECTIONS].map(([name, about]) => [name, `${name}: ${about}`] as const)
  ]
  const text = sections.map(([name, title]) => `## ${title}\n\n${HEAD}\n${rows(name)}\n`).join('\n')
  await expect(`${INTRODUCTION}\n${text}`).toMatchFileSnapshot('../../docs/configuration.md')
})

const INTRODUCTION = `# Settings

A setting comes from its flag of \`moloch start\`, else from the environment, else from \`HOME/config.toml\`, else it has
its default. \`moloch config show --origin\` says which. The home itself is \`--home\`, else \`MOLOCH_HOME\`, else
\`~/.moloch\`. An unknown key or a value that is not accepted is an error. Lists are separated by commas in the
environment, and flags for them may be given several times.
`

const HEAD = '| Key | Default | Environment and flag | What it is for |\n| --- | --- | --- | --- |'

function rows(section: string): string {
  const own = SETTINGS.filter(({ key }) => (key.includes('.') ? key.split('.')[0] : '') === section)
  return own.map(row).join('\n')
}

function row(setting: Setting): string {
  const { key, initial, env, flag, description, type } = setting
  const names = `\`${env}\` \`${flag}\``
  const takes = type.kind === 'integer' || type.kind === 'choice' ? `; ${accepted(setting)}` : ''
  const shown = Array.isArray(initial)
    ? JSON.stringify(initial)
    : typeof initial === 'string'
      ? `"${initial}"`
      : initial
  return `| \`${key}\` | \`${String(shown)}\` | ${names} | ${description}${takes} |`
}
