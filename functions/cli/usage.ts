import { InvalidArgumentError } from 'commander'

// What the commands' usage is made of.

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  npx mailsluice ${line}`).join('\n')}`
}

export function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Expected a whole number above 0.')
  return Number(text)
}
