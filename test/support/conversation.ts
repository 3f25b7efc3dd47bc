/**
 * `waits`: how often a command was sent when all before it were answered, which is what distance costs. What is sent at last and not answered was not
 * waited for.
 */
export function conversation(lines: readonly string[]): { commands: number; waits: number } {
  let commands = 0
  let answers = 0
  let waits = 0
  for (const line of lines)
    if (line.startsWith('C:')) {
      if (commands === answers) waits++
      commands++
    } else if (/^S: (\+|-ERR|\w+ (OK|NO|BAD))/.test(line) && commands > answers) answers++
  return { commands, waits: commands > answers ? waits - 1 : waits }
}
