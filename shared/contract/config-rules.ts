import { RELAY_SIZES } from './deployment.ts'
import { matchesAnyGlob } from './glob.ts'
import { oauth2Mistakes } from './oauth2.ts'
import { presetMistakes, withPreset } from './presets.ts'
import { parseSqsAddress } from './queue-address.ts'
import { isGroup, LOOPBACK, type Mistake, type Written } from './written.ts'

// Rules between the settings of mailsluice.yaml: what the shape of one setting cannot say. They look at what was written and not at what the
// schema made of it, so that they speak also beside other mistakes, and every mistake is reported at once.

/** What is wrong with a configuration besides what its schema says. */
export function configMistakes(written: unknown): readonly Mistake[] {
  if (!isGroup(written)) return []
  const { queues, routes, mailboxes, authentication, aws } = written
  return [
    ...queueMistakes(queues),
    ...routeMistakes(routes, queues),
    ...untrustedMistakes(routes, mailboxes),
    ...(isGroup(authentication)
      ? routeQueueMistakes(authentication.queue, queues, ['authentication', 'queue'])
      : unverifiedMistakes(mailboxes)),
    ...mailboxesMistakes(mailboxes),
    ...(isGroup(aws) && isGroup(aws.relay) ? relayMistakes(aws.relay) : []),
  ]
}

function queueMistakes(queues: unknown): Mistake[] {
  if (!isGroup(queues)) return []
  const mistakes: Mistake[] = Object.entries(queues).flatMap(([name, address]) =>
    typeof address === 'string' && !parseSqsAddress(address)
      ? [{ path: ['queues', name], message: 'expected the name, URL or ARN of a queue' }]
      : [],
  )
  if (!Object.hasOwn(queues, 'default'))
    mistakes.push({ path: ['queues'], message: 'expected a queue named default' })
  return mistakes
}

function routeMistakes(routes: unknown, queues: unknown): Mistake[] {
  if (!Array.isArray(routes)) return []
  const mistakes: Mistake[] = []
  let always: number | undefined
  for (const [index, route] of routes.entries()) {
    if (!isGroup(route)) continue
    mistakes.push(...routeQueueMistakes(route.queue, queues, ['routes', index, 'queue']))
    if (always !== undefined)
      mistakes.push({
        path: ['routes', index],
        message: `no message comes here, for routes[${always}] takes all; expected before it`,
      })
    else if (isGroup(route.when) && Object.keys(route.when).length === 0 && route.continue !== true)
      always = index
  }
  return mistakes
}

/** A condition on what no server is trusted with would never hold, and nobody would know. */
function untrustedMistakes(routes: unknown, mailboxes: unknown): Mistake[] {
  if (!Array.isArray(routes) || !Array.isArray(mailboxes)) return []
  if (mailboxes.some((mailbox) => isGroup(mailbox) && mailbox.authservId !== undefined)) return []
  return routes.flatMap((route, index) =>
    isGroup(route) && asksForAuthentication(route.when)
      ? [
          {
            path: ['routes', index, 'when'],
            message:
              'authentication holds for no message; expected authservId in a mailbox, whose server is trusted then',
          },
        ]
      : [],
  )
}

function unverifiedMistakes(mailboxes: unknown): Mistake[] {
  if (!Array.isArray(mailboxes)) return []
  return mailboxes.flatMap((mailbox, index) =>
    isGroup(mailbox) && mailbox.receivedBy !== undefined
      ? [
          {
            path: ['mailboxes', index, 'receivedBy'],
            message: 'nothing is verified; expected it beside authentication',
          },
        ]
      : [],
  )
}

function asksForAuthentication(when: unknown): boolean {
  if (Array.isArray(when)) return when.some(asksForAuthentication)
  if (!isGroup(when)) return false
  const { authentication, all, any, not } = when
  return authentication !== undefined || [all, any, not].some(asksForAuthentication)
}

function routeQueueMistakes(queue: unknown, queues: unknown, path: Mistake['path']): Mistake[] {
  const names = Array.isArray(queue) ? queue : [queue]
  return names.flatMap((name, index) => {
    if (typeof name !== 'string') return []
    const here = Array.isArray(queue) ? [...path, index] : path
    if (names.indexOf(name) < index) return [{ path: here, message: `${name} is named twice; remove it` }]
    if (!isGroup(queues) || Object.hasOwn(queues, name)) return []
    return [
      {
        path: here,
        message: `${name} is not under queues; expected ${Object.keys(queues).join(', ') || 'one that is'}`,
      },
    ]
  })
}

function mailboxesMistakes(mailboxes: unknown): Mistake[] {
  if (!Array.isArray(mailboxes)) return []
  const first = new Map<unknown, number>()
  return mailboxes.flatMap((mailbox, index) => {
    if (!isGroup(mailbox)) return []
    const mistakes = mailboxMistakes(withPreset(mailbox))
    const earlier = first.get(mailbox.id)
    if (earlier === undefined) first.set(mailbox.id, index)
    else if (mailbox.id !== undefined)
      mistakes.push({
        path: ['id'],
        message: `${String(mailbox.id)} is already mailboxes[${earlier}]; expected another`,
      })
    return mistakes.map(({ path, message }) => ({ path: ['mailboxes', index, ...path], message }))
  })
}

function mailboxMistakes(mailbox: Written): Mistake[] {
  const { tls, host, protocol, search } = mailbox
  const mistakes: Mistake[] = [...presetMistakes(mailbox), ...oauth2Mistakes(mailbox)]
  if (tls === 'none' && typeof host === 'string' && !LOOPBACK.test(host))
    mistakes.push({
      path: ['tls'],
      message: `none would send the password in clear to ${host}; allowed only for a loopback host: use implicit or starttls`,
    })
  if (isGroup(search) && isDay(search.since) && isDay(search.before) && search.since >= search.before)
    mistakes.push({
      path: ['search', 'before'],
      message: `nothing is before ${search.before} and since ${search.since}; expected a later date`,
    })
  if (isGroup(mailbox.canary)) mistakes.push(...canaryMistakes(mailbox, mailbox.canary))
  return protocol === 'pop3' ? [...mistakes, ...pop3Mistakes(mailbox)] : mistakes
}

/** A canary that nobody notices or that no drain takes would sing of a fault that is not there. */
function canaryMistakes({ protocol, idle, folders, search }: Written, { folder }: Written): Mistake[] {
  const mistakes: Mistake[] = []
  const problem = (name: string, message: string): void => {
    mistakes.push({ path: ['canary', ...(name === '' ? [] : [name])], message })
  }
  if (protocol === 'imap' && idle !== true)
    problem('', 'nobody watches the mailbox; expected it beside idle: true')
  const globs = Array.isArray(folders) ? folders.filter((glob) => typeof glob === 'string') : ['INBOX']
  if (typeof folder === 'string' && !matchesAnyGlob(globs, [folder]))
    problem('folder', `${folder} is not among folders; expected one that is`)
  if (isGroup(search) && (search.from ?? search.subject ?? search.before) !== undefined)
    problem('', 'search would leave it out; expected one of them')
  return mistakes
}

function pop3Mistakes({ search, folders, skipFolders, afterArchive, idle, canary }: Written): Mistake[] {
  const mistakes: Mistake[] = []
  if (search !== undefined)
    mistakes.push({ path: ['search'], message: 'POP3 has no search; remove it or use imap' })
  if (Array.isArray(folders) && (folders.length !== 1 || folders[0] !== 'INBOX'))
    mistakes.push({ path: ['folders'], message: 'POP3 has one folder, INBOX; remove it or use imap' })
  if (skipFolders !== undefined)
    mistakes.push({ path: ['skipFolders'], message: 'POP3 has one folder, INBOX; remove it or use imap' })
  if (
    afterArchive === 'seen' ||
    (isGroup(afterArchive) && ('flag' in afterArchive || 'move' in afterArchive))
  )
    mistakes.push({
      path: ['afterArchive'],
      message: 'POP3 has neither flags nor folders; expected keep, delete or { deleteAfterDays: N }',
    })
  if (idle === true) mistakes.push({ path: ['idle'], message: 'POP3 has no IDLE; expected false' })
  if (canary !== undefined)
    mistakes.push({ path: ['canary'], message: 'POP3 has no folder for it; remove it or use imap' })
  return mistakes
}

function relayMistakes({ cpu = 256, memoryMib = 512 }: Written): Mistake[] {
  const sizes = typeof cpu === 'number' ? RELAY_SIZES[cpu] : undefined
  if (!sizes || typeof memoryMib !== 'number' || sizes.includes(memoryMib)) return []
  return [
    {
      path: ['aws', 'relay', 'memoryMib'],
      message: `Fargate has no ${memoryMib} MiB with ${cpu} CPU units; expected ${sizes.join(', ')}`,
    },
  ]
}

function isDay(value: unknown): value is string {
  return typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value)
}
