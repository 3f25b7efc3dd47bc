import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ALARM_KINDS, type AlarmKind } from '../../shared/contract/alarms.ts'
import { FUNCTIONS } from '../../shared/contract/functions.ts'
import { LOOKED_AT, METRIC_NAMESPACE, METRICS } from '../../shared/contract/metrics.ts'
import { ERROR_CODES } from '../../shared/errors.ts'
import { ALARMS_STANDING } from '../../shared/operations/cost.ts'
import { isAllowed } from '../support/iam.ts'
import { templates, yaml } from '../support/stacks.ts'
import { ACCOUNT, type Policy, type Templates } from '../support/templates.ts'

const world = templates(
  yaml({ aws: 'alarms: { email: [ops@example.com] }', more: 'authentication: { queue: default }' }),
)
const RUNBOOK = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'runbook.md'), 'utf8')
const ARTICLES = RUNBOOK.split(/^## /m).slice(1)

type Properties = Readonly<Record<string, unknown>>

function alarmsOf(from: Templates): readonly Properties[] {
  return from.ofType('AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties)
}

function alarm(name: string, from: Templates = world): Properties {
  const found = alarmsOf(from).find(({ AlarmName }) => AlarmName === `mailsluice-${name}`)
  assert.ok(found, `no alarm ${name}`)
  return found
}

/** By the link to its article. */
function kindOf({ AlarmDescription }: Properties): AlarmKind {
  const [, kind] = /Runbook: docs\/runbook\.md#([a-z-]+)$/.exec(AlarmDescription as string) ?? []
  assert.ok(kind !== undefined && (ALARM_KINDS as readonly string[]).includes(kind), String(AlarmDescription))
  return kind as AlarmKind
}

interface MetricJson {
  readonly Namespace: string
  readonly MetricName: string
  readonly Dimensions?: readonly { readonly Name: string; readonly Value: string }[]
}

function metricsOf(properties: Properties): MetricJson[] {
  const parts = (properties.Metrics ?? []) as { MetricStat?: { Metric: MetricJson } }[]
  const single = properties.MetricName === undefined ? [] : [properties as unknown as MetricJson]
  return [...single, ...parts.flatMap(({ MetricStat }) => (MetricStat ? [MetricStat.Metric] : []))]
}

function expressionOf(properties: Properties): string {
  const [first] = properties.Metrics as { Expression: string }[]
  return first?.Expression ?? ''
}

describe('the runbook', () => {
  test('has one article for each kind of alarm, with its name as the heading', () => {
    assert.deepEqual(
      ARTICLES.map((article) => article.slice(0, article.indexOf('\n'))),
      ALARM_KINDS,
    )
  })

  test('says in each what it is, how to find the cause, what to do and what not to do', () => {
    for (const article of ARTICLES)
      for (const part of ['Description', 'Investigation', 'Resolution', 'When not to'])
        assert.match(article, new RegExp(`^\\*\\*${part}\\.\\*\\*`, 'm'), article.slice(0, 40))
  })

  test('names no error code that does not exist', () => {
    for (const [, code] of RUNBOOK.matchAll(/`([A-Z]+_[A-Z_]+)`/g))
      if (code !== 'ERROR_CODE') assert.ok(code !== undefined && code in ERROR_CODES, code)
  })
})

const OF_THE_RELAY: readonly string[] = ['relay-down', 'relay-unwatched', 'canary-lost']

test('every kind of alarm is raised by the stack, but the relay’s, which there is not by default', () => {
  const kinds = new Set(alarmsOf(world).map(kindOf))
  assert.deepEqual([...kinds].sort(), ALARM_KINDS.filter((kind) => !OF_THE_RELAY.includes(kind)).sort())
})

test('an alarm is named after its deployment and kind, and its description leads to its article', () => {
  for (const properties of alarmsOf(world))
    assert.ok((properties.AlarmName as string).startsWith(`mailsluice-${kindOf(properties)}`))
})

test('every alarm tells the topic, when it is raised and when it is over', () => {
  const [topic] = world.one('AWS::SNS::Topic', '')
  for (const { AlarmName, AlarmActions, OKActions, ActionsEnabled } of alarmsOf(world)) {
    assert.deepEqual([AlarmName, AlarmActions], [AlarmName, [world.arnOf(topic)]])
    assert.deepEqual([AlarmName, OKActions], [AlarmName, [world.arnOf(topic)]])
    assert.notEqual(ActionsEnabled, false)
  }
})

test('alarms are sent by mail to those who are named', () => {
  const subscriptions = world.ofType('AWS::SNS::Subscription').map(([, { Properties }]) => Properties)
  assert.deepEqual(
    subscriptions.map(({ Protocol, Endpoint }) => [Protocol, Endpoint]),
    [['email', 'ops@example.com']],
  )
})

test('CloudWatch of this account may publish to the topic, and nobody else; it may use the topic’s key', async () => {
  const [topic, { Properties }] = world.one('AWS::SNS::Topic', '')
  const [key, operations] = world.one('AWS::KMS::Key', 'MailIngestOperationsKey')
  assert.equal(Properties.KmsMasterKeyId, world.arnOf(key))
  const [, topicPolicy] = world.one('AWS::SNS::TopicPolicy', '')
  const statements = (topicPolicy.Properties.PolicyDocument as Policy).Statement
  const publish = statements.find(({ Sid }) => Sid === 'AlarmsOfThisAccount')
  assert.deepEqual(
    [publish?.Principal, publish?.Condition],
    [{ Service: 'cloudwatch.amazonaws.com' }, { StringEquals: { 'aws:SourceAccount': ACCOUNT } }],
  )
  const keyStatements = (operations.Properties.KeyPolicy as Policy).Statement
  const encrypt = keyStatements.find(({ Sid }) => Sid === 'EncryptAlarms')
  assert.deepEqual(
    [encrypt?.Principal, encrypt?.Action],
    [{ Service: 'cloudwatch.amazonaws.com' }, ['kms:Decrypt', 'kms:GenerateDataKey']],
  )
  const somebody = { role: `arn:aws:iam::${ACCOUNT}:role/Somebody`, policies: [], account: ACCOUNT }
  const call = { action: 'sns:Publish', resource: world.arnOf(topic) }
  assert.equal(await isAllowed(somebody, call, topicPolicy.Properties.PolicyDocument as Policy), false)
})

test('an alarm on a metric of ours is on one that the functions write, with its dimensions', () => {
  const ours = alarmsOf(world)
    .flatMap(metricsOf)
    .filter(({ Namespace }) => Namespace === METRIC_NAMESPACE)
  assert.ok(ours.length >= 5)
  for (const { MetricName, Dimensions = [] } of ours) {
    assert.ok((Object.values(METRICS) as string[]).includes(MetricName), MetricName)
    const values = Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value]))
    assert.equal(values.service, 'mailsluice')
    assert.ok(values.function !== undefined && values.function in FUNCTIONS, JSON.stringify(values))
    if (values.code !== undefined) assert.ok(values.code in ERROR_CODES, values.code)
  }
})

test('what the alarms cost is reckoned by about as many as there are', () => {
  const fixed = alarmsOf(world).filter(
    (properties) => !['mailbox-failing', 'events-dead'].includes(kindOf(properties)),
  )
  assert.ok(Math.abs(fixed.length - ALARMS_STANDING) <= 5, `${fixed.length} alarms`)
})

test('every dead-letter queue has an alarm at its first message', () => {
  const watched = alarmsOf(world)
    .flatMap(metricsOf)
    .filter(({ MetricName }) => MetricName === 'ApproximateNumberOfMessagesVisible')
    .flatMap(({ Dimensions = [] }) => Dimensions.map(({ Value }) => Value))
  const dead = world
    .ofType('AWS::SQS::Queue')
    .filter(([, { Properties }]) => !Properties.RedrivePolicy)
    .map(([id]) => world.arnOf(id).split(':').at(-1))
  assert.deepEqual(watched.sort(), dead.sort())
  for (const name of [
    'events-dead-default',
    'events-dead-tickets',
    'requests-dead-drain',
    'requests-dead-probe',
  ])
    assert.equal(alarm(name).Threshold, 1)
})

test('requests that wait raise an alarm after half an hour', () => {
  for (const name of ['requests-old-drain', 'requests-old-probe']) {
    assert.equal(alarm(name).MetricName, 'ApproximateAgeOfOldestMessage')
    assert.equal(alarm(name).Threshold, 1800)
  }
})

test('no tick is an alarm: silence is breaching there, and there alone', () => {
  assert.equal(alarm('schedule-silent').TreatMissingData, 'breaching')
  assert.equal(alarm('schedule-silent').ComparisonOperator, 'LessThanThreshold')
  for (const properties of alarmsOf(world))
    if (kindOf(properties) !== 'schedule-silent')
      assert.equal(properties.TreatMissingData, 'notBreaching', String(properties.AlarmName))
})

test('a credential that runs out raises an alarm 30, 7 and 1 day ahead, which names its mailbox', () => {
  for (const days of [30, 7, 1]) {
    const properties = alarm(`credential-expiring-${days}d`)
    assert.deepEqual([properties.ComparisonOperator, properties.Threshold], ['LessThanThreshold', days])
    const [query] = properties.Metrics as { Expression: string; Period: number }[]
    assert.match(query?.Expression ?? '', /^SELECT MIN\(CredentialDaysLeft\) FROM SCHEMA\("Mailsluice", /)
    assert.match(query?.Expression ?? '', /"service" = 'mailsluice' GROUP BY mailbox ORDER BY MIN\(\) ASC$/)
    // A mailbox may be looked at once a day.
    assert.equal(query?.Period, 86_400)
  }
})

describe('a mailbox that fails', () => {
  test('raises an alarm with its name when it failed in each of three of its own intervals', () => {
    const periods = { invoices: 300, support: 3600 }
    for (const [mailbox, seconds] of Object.entries(periods)) {
      const properties = alarm(`mailbox-failing-${mailbox}`)
      const [query] = properties.Metrics as { Expression: string; Period: number }[]
      assert.match(
        query?.Expression ?? '',
        new RegExp(`WHERE "service" = 'mailsluice' AND mailbox = '${mailbox}'`),
      )
      assert.equal(query?.Period, seconds)
      assert.equal(properties.EvaluationPeriods, 3)
      assert.equal(properties.DatapointsToAlarm, 3)
    }
  })

  test('is named by one alarm for all when there are more than fifty', () => {
    const mailboxes = Array.from(
      { length: 60 },
      (_, index) =>
        `- { id: m${index}, protocol: imap, host: h.example, user: u, credential: "ssm:/mailsluice/m", every: 10m }`,
    ).join('\n')
    const many = templates(yaml({ mailboxes }))
    const failing = alarmsOf(many).filter((properties) => kindOf(properties) === 'mailbox-failing')
    assert.deepEqual(
      failing.map(({ AlarmName }) => AlarmName),
      ['mailsluice-mailbox-failing'],
    )
    // Without both clauses CloudWatch takes no query that returns several series.
    assert.match(expressionOf(alarm('mailbox-failing', many)), /GROUP BY mailbox ORDER BY SUM\(\) DESC$/)
  })

  test('is looked back for no longer than CloudWatch can', () => {
    const long = templates(yaml({ aws: 'alarms: { missedIntervals: 50 }' }).replace('every: 1h', 'every: 1d'))
    for (const name of ['mailbox-failing-invoices', 'mailbox-failing-support']) {
      const properties = alarm(name, long)
      const [query] = properties.Metrics as { Period: number }[]
      const seconds = (query?.Period ?? 0) * (properties.EvaluationPeriods as number)
      assert.ok(seconds <= ((query?.Period ?? 0) >= 3600 ? 7 : 1) * 86_400, `${name}: ${seconds}`)
    }
  })
})

test('a mailbox that is not signed in to any more raises an alarm that names it, while it is visited in vain', () => {
  const { Metrics, Threshold, EvaluationPeriods } = alarm('mailbox-suspended')
  const [query] = Metrics as { Expression: string; Period: number }[]
  assert.match(
    query?.Expression ?? '',
    /^SELECT SUM\(MailboxSuspensions\) FROM SCHEMA\("Mailsluice", "service", "function", "mailbox"\)/,
  )
  assert.match(query?.Expression ?? '', /GROUP BY mailbox ORDER BY SUM\(\) DESC$/)
  // The other mailbox is due every hour.
  assert.deepEqual([Threshold, EvaluationPeriods, query?.Period], [1, 1, 3600])
})

test('fewer mailboxes applied than the stack was deployed for raise an alarm: nobody would visit the others', () => {
  const { MetricName, Statistic, Threshold, ComparisonOperator } = alarm('mailboxes-unvisited')
  assert.deepEqual(
    [MetricName, Statistic, Threshold, ComparisonOperator],
    [METRICS.mailboxesConfigured, 'Maximum', 2, 'LessThanThreshold'],
  )
})

interface Widget {
  readonly properties: { readonly title: string; readonly query?: string; readonly metrics?: unknown }
}

function widgetsOf(from: Templates): readonly Widget[] {
  const [, { Properties }] = from.one('AWS::CloudWatch::Dashboard', '')
  return (JSON.parse(Properties.DashboardBody as string) as { widgets: Widget[] }).widgets
}

test('the dashboard finds in the log of the probes who was looked at longest ago', () => {
  const lag = widgetsOf(world).find(({ properties }) => properties.title.startsWith('Lag by mailbox'))
  const [log] = world.one('AWS::Logs::LogGroup', 'MailIngestprobemailboxes')
  assert.equal(
    lag?.properties.query?.replaceAll('\n', ' '),
    [
      `SOURCE '${log}'`,
      'filter message = "probed"',
      'fields jsonParse(@message) as line',
      `unnest line.${LOOKED_AT} into mailbox`,
      'stats max(@timestamp) as lookedAt by mailbox',
      'sort lookedAt asc',
      'limit 25',
    ].join(' | '),
  )
})

test('the dashboard shows the connections of the relay where there is one', () => {
  const shown = (from: Templates): boolean =>
    widgetsOf(from).some(
      ({ properties }) =>
        properties.title.startsWith('Relay') &&
        JSON.stringify(properties.metrics).includes(METRICS.relayWatched),
    )
  assert.equal(shown(world), false)
  assert.equal(shown(templates(yaml(), { relay: {} })), true)
})

test('the dashboard shows mail, failing mailboxes, lag, dead letters and an estimate of the cost', () => {
  const [, { Properties }] = world.one('AWS::CloudWatch::Dashboard', '')
  assert.equal(Properties.DashboardName, 'mailsluice')
  const titles = widgetsOf(world)
    .map(({ properties }) => properties.title)
    .join('\n')
  for (const part of [
    'Alarms',
    'Messages',
    'Octets',
    'Failing mailboxes',
    'Lag',
    'Dead letters',
    'Cost a day in USD',
  ])
    assert.match(titles, new RegExp(part))
})
