import { LineCounter, parseDocument } from 'yaml'
import { type ConfigResult, validateConfig } from './config.ts'

// Apart from config.ts, for whoever is given a configuration that was read before: the functions have no YAML.

/** Reads mailsluice.yaml. Never throws: every mistake is a line `path: what is wrong; expected what`. */
export function parseConfig(text: string): ConfigResult {
  const lines = new LineCounter()
  const document = parseDocument(text, { schema: 'core', prettyErrors: false, lineCounter: lines })
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0)
    return {
      problems: faults.map(({ message, pos: [at] }) => {
        const { line, col } = lines.linePos(at)
        // What it quotes may be a secret.
        const said = message.replace(/(?<=\w): .*|\\.*/s, '').trimEnd()
        return `line ${line}, column ${col}: not valid YAML: ${said}`
      }),
    }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    return {
      problems: [
        '(top level): not valid YAML: an alias (*name) without its anchor (&name), or too many of them',
      ],
    }
  }
  return validateConfig(value)
}
