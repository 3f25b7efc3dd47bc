import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { ConfigurationError } from '../../shared/errors.ts'
import { parseAgain, replayMessages } from '../../shared/operations/replay.ts'
import { tallySchema } from '../../shared/operations/replay-progress.ts'
import { type ChoiceOptions, readChoice } from './choice.ts'
import { countOf, countText, printable } from './output.ts'
import { withCatalogue } from './query-ports.ts'
import { readResumeFile, removeResumeFile, saveResumeFile } from './resume-file.ts'
import type { Run } from './run.ts'
import { chosenMailboxes } from './settings.ts'

export interface ReplayCommandOptions extends ChoiceOptions {
  readonly all?: boolean
  readonly queue?: string
  readonly rate?: number
  readonly dryRun?: boolean
  readonly diff?: boolean
  /** File that the place it has come to is kept in, to go on from. */
  readonly resume?: string
}

/** Announces archived messages again, or with --diff tells what is read out of them in another way today. */
export async function replayCommand(run: Run, options: ReplayCommandOptions): Promise<void> {
  const { output, settings, signal } = run
  const query = await readChoice(options, run)
  if (Object.keys(query).length === 0 && !options.all)
    throw new ConfigurationError('replay', [
      'no query: expected options that choose messages, or --all for every one',
    ])
  if (options.queue !== undefined && !Object.hasOwn(settings.config.queues, options.queue))
    throw new ConfigurationError('--queue', [
      `${options.queue} is not configured; there are ${Object.keys(settings.config.queues).join(', ')}`,
    ])
  if (options.diff) return differ(run, query)
  const { routes } = settings.config
  const mailboxes = chosenMailboxes(settings.config, options.mailbox ?? [])
  const { dryRun = false, queue, rate, resume } = options
  // Its digest: a case may have many thousand ids, and the file is written for each message.
  const asked = createHash('sha256').update(JSON.stringify({ query, queue })).digest('hex')
  const earlier = resume === undefined ? undefined : earlierReplay(resume, asked)
  const { replay, tally: from } = earlier ?? { replay: `replay-${randomUUID()}`, tally: undefined }
  if (from) output.note(`mailsluice: going on with ${replay} after ${countOf(from.messages, 'message')}`)
  await withCatalogue(run, async ({ ports }) => {
    const { queues, derived } = run.stores
    const { last, ...report } = await replayMessages(
      query,
      { mailboxes, routes },
      { ...ports, queues, derived },
      {
        replay,
        queue,
        rate,
        dryRun,
        from,
        reached: (tally) => {
          if (resume !== undefined) saveResumeFile(resume, { v: 1, asked, replay, tally })
        },
        keepGoing: () => !signal.aborted,
        progress: (messages) => output.progress([countOf(messages, 'message')]),
        wait: (ms) => sleep(ms, undefined, { signal }).catch(() => undefined),
      },
    )
    const resumed = from?.messages ?? 0
    output.result({ replay, ...report, resumed, ...(dryRun ? { dryRun } : {}) }, () => {
      const each = Object.entries(report.sent).map(
        ([name, events]) => `${countOf(events, 'event')} to ${name}`,
      )
      const verb = dryRun ? 'would be announced again' : `announced again as ${replay}`
      const before = resumed > 0 ? `, ${countText(resumed)} of them by an earlier run` : ''
      return `${countOf(report.messages, 'message')} ${verb}${before}${each.length > 0 ? `: ${each.join(', ')}` : ''}`
    })
    for (const { mailbox, sha256, reason } of report.failures)
      output.problem(`${mailbox}/${sha256}`, new Error(reason))
    if (report.failed > report.failures.length)
      output.problem('replay', new Error(`${countOf(report.failed, 'message')} failed in all`))
    if (signal.aborted)
      output.problem(
        'replay',
        new Error(
          resume === undefined
            ? 'not finished; what was announced may be announced again'
            : `not finished; run it again with --resume ${resume}`,
        ),
      )
    else if (resume !== undefined) removeResumeFile(resume)
  })
}

const earlierSchema = z.object({ v: z.literal(1), asked: z.string(), replay: z.string(), tally: tallySchema })

/** Undefined when there is none yet. */
function earlierReplay(file: string, asked: string): z.infer<typeof earlierSchema> | undefined {
  const earlier = readResumeFile(file, 'replay', (text) => {
    try {
      return earlierSchema.parse(JSON.parse(text))
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined
      throw error
    }
  })
  if (earlier && earlier.asked !== asked)
    throw new ConfigurationError('--resume', [
      `${file} is of a replay of another query or to another queue; give the same, or remove the file`,
    ])
  return earlier
}

async function differ(run: Run, query: Parameters<typeof parseAgain>[0]): Promise<void> {
  const { output, signal } = run
  await withCatalogue(run, async ({ ports, mailboxes }) => {
    let parsed = 0
    let changed = 0
    for await (const { message, changes } of parseAgain(query, mailboxes, ports)) {
      if (signal.aborted) break
      parsed++
      output.progress([countOf(parsed, 'message')])
      if (!changes) continue
      changed++
      const { mailbox, entry } = message
      output.result({ mailbox, sha256: entry.sha256, changes }, () =>
        [
          `${mailbox}/${entry.sha256}`,
          ...Object.entries(changes).map(
            ([field, { recorded, now }]) =>
              `  ${field}: ${printable(JSON.stringify(recorded) ?? 'nothing')} is now ${printable(JSON.stringify(now) ?? 'nothing')}`,
          ),
        ].join('\n'),
      )
    }
    output.note(`${countOf(parsed, 'message')} parsed again, ${changed} of them are read in another way now.`)
  })
}
