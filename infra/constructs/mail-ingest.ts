import { Duration } from 'aws-cdk-lib'
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type * as kms from 'aws-cdk-lib/aws-kms'
import type * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { type Config, type MailboxConfig, portOf } from '../../shared/contract/config.ts'
import type {
  DrainMailboxEnvironment,
  HoldNewMailEnvironment,
  ProbeMailboxesEnvironment,
  ScheduleDrainsEnvironment,
  SealLedgersEnvironment,
  VerifyAuthenticationEnvironment,
} from '../../shared/contract/environment.ts'
import { FUNCTIONS, type FunctionName, type OfFunctions } from '../../shared/contract/functions.ts'
import { TICK_INPUT } from '../../shared/contract/messages.ts'
import { parseSqsAddress } from '../../shared/contract/queue-address.ts'
import { AlarmTopic } from './alarm-topic.ts'
import { DEAD_LETTERS_KEPT, QUEUE_PROPS } from './dead-letters.ts'
import { EventQueue } from './event-queue.ts'
import {
  drainRights,
  find,
  holdRights,
  postpone,
  probeRights,
  readMailboxes,
  relayRights,
  sealRights,
  send,
  verifyRights,
} from './function-rights.ts'
import { FunctionSchedule } from './function-schedule.ts'
import { IdleRelay, type RelayOptions } from './idle-relay.ts'
import { IngestAlarms } from './ingest-alarms.ts'
import { IngestDashboard } from './ingest-dashboard.ts'
import { IngestFunction } from './ingest-function.ts'
import type { IMailArchive } from './mail-archive.ts'
import { NewSegments } from './new-segments.ts'
import { OperationsKey } from './operations-key.ts'
import { RequestQueue } from './request-queue.ts'
import { StaticNetwork } from './static-network.ts'

/** What the stack has to know of a mailbox; everything else is in the list that `mailsluice apply` stores. */
export type IngestedMailbox = Pick<
  MailboxConfig,
  'id' | 'every' | 'credential' | 'oauth2' | 'protocol' | 'port' | 'tls' | 'canary'
>

export interface MailIngestProps {
  /** Tells this ingest from others of the account: in metrics, alarms and the dashboard. Lower-case letters, digits and hyphens. */
  readonly deployment: string
  readonly archive: IMailArchive
  /** The bundle of each function: `functions/bundle.ts` makes it, `lambda.Code.fromAsset(join('dist', name))` takes it. */
  readonly code: (name: FunctionName) => lambda.Code
  readonly mailboxes: readonly IngestedMailbox[]
  /** Name, URL or ARN by the name that routes use; queues given by name are made. Needs `default`. */
  readonly queues: Readonly<Record<string, string>>
  /** DKIM, SPF, DMARC and ARC of new mail are verified. @default nothing is */
  readonly authentication?: Config['authentication']
  /** The functions may read every parameter under it, so that a new mailbox needs no deployment. @default those that mailboxes name */
  readonly parameterPrefix?: string | undefined
  /** ARNs of keys that encrypt parameters, secrets or queues that exist. @default those that AWS owns or manages */
  readonly keys?: readonly string[] | undefined
  /** Mailboxes drained at the same time, at most. @default 20 */
  readonly drainsAtOnce?: number | undefined
  /** Takes them from the account's concurrency for good. @default false */
  readonly reservedConcurrency?: boolean | undefined
  /** Memory of a drain, and with it its processor: 1,769 MiB are one. @default 1024 */
  readonly drainMemoryMib?: number | undefined
  /** Groups of mailboxes probed at the same time. @default 10 */
  readonly probesAtOnce?: number | undefined
  /** Everything leaves by one IPv4 address: a network with a NAT gateway. @default false: functions have no network of ours */
  readonly staticAddress?: boolean | undefined
  /** Watches mailboxes by IDLE. @default nobody does: they are drained when they are due */
  readonly relay?: RelayOptions | undefined
  /** @default 90 days */
  readonly logDays?: logs.RetentionDays | undefined
  /** Encrypts logs and alarms by a key of your own. @default true when the archive has a key */
  readonly operationsKey?: boolean | undefined
  /** @default nobody is told; the topic is there to be subscribed to */
  readonly alarmEmail?: readonly string[] | undefined
  /** Failing intervals in a row after which a mailbox raises its alarm. @default 3 */
  readonly missedIntervals?: number | undefined
  /** Age of a request at which its alarm is raised. @default 30 */
  readonly queueAgeMinutes?: number | undefined
}

/** Invocations of hold-new-mail at the same time; each writes to the same cases. */
const HOLDS_AT_ONCE = 5

/** Invocations of verify-authentication at the same time. Nobody waits for it, and it asks the name servers of others. */
const VERIFICATIONS_AT_ONCE = 5

/** Scheduler counts in minutes, and mailboxes may be due every minute. */
const TICK = Duration.minutes(1)

/**
 * The pipeline of Mailsluice: a schedule that asks which mailboxes are due, probes that look, drains that fetch, archive and announce, the
 * queues between them and to the consumers, alarms and a dashboard. It holds nothing that cannot be made again.
 */
export class MailIngest extends Construct {
  readonly functions: OfFunctions<IngestFunction>
  readonly drainRequests: RequestQueue
  readonly probeRequests: RequestQueue
  /** What S3 tells of new segments of ledgers. */
  readonly newSegments: NewSegments
  /** The same once more, for who verifies; undefined without `authentication`. */
  readonly segmentsToVerify: NewSegments | undefined
  /** By the names that routes use. Two names may lead to one queue. */
  readonly eventQueues: Readonly<Record<string, EventQueue>>
  readonly alarmTopic: AlarmTopic
  readonly alarms: IngestAlarms
  readonly dashboard: cloudwatch.Dashboard
  /** Undefined without `staticAddress`. */
  readonly network: StaticNetwork | undefined
  /** Undefined without `relay`. */
  readonly relay: IdleRelay | undefined
  private readonly props: MailIngestProps
  private readonly logDays: logs.RetentionDays
  private readonly key: kms.IKey | undefined

  constructor(scope: Construct, id: string, props: MailIngestProps) {
    super(scope, id)
    this.props = props
    this.logDays = props.logDays ?? logs.RetentionDays.THREE_MONTHS
    const ownKey = props.operationsKey ?? props.archive.encryptionKey !== undefined
    this.key = ownKey ? new OperationsKey(this, 'OperationsKey') : undefined
    this.network = props.staticAddress
      ? new StaticNetwork(this, 'Network', {
          mailPorts: props.mailboxes.map(portOf),
          logDays: this.logDays,
          logKey: this.key,
        })
      : undefined

    this.probeRequests = new RequestQueue(this, 'ProbeRequests', {
      name: `${props.deployment}-probe-requests`,
      functionTimeout: timeoutOf('probe-mailboxes'),
      worthFor: Duration.hours(1),
    })
    this.drainRequests = new RequestQueue(this, 'DrainRequests', {
      name: `${props.deployment}-drain-requests`,
      functionTimeout: timeoutOf('drain-mailbox'),
      fifo: true,
      worthFor: Duration.days(1),
    })
    this.newSegments = new NewSegments(this, 'NewSegments', {
      name: `${props.deployment}-new-segments`,
      archiveBucket: props.archive.archiveBucket,
      functionTimeout: timeoutOf('hold-new-mail'),
    })
    this.segmentsToVerify =
      props.authentication &&
      new NewSegments(this, 'SegmentsToVerify', {
        name: `${props.deployment}-segments-to-verify`,
        archiveBucket: props.archive.archiveBucket,
        functionTimeout: timeoutOf('verify-authentication'),
      })
    this.eventQueues = this.makeEventQueues()
    const scheduleDeadLetters = new sqs.Queue(this, 'ScheduleDeadLetters', {
      ...QUEUE_PROPS,
      retentionPeriod: DEAD_LETTERS_KEPT,
    })

    this.functions = {
      'schedule-drains': this.scheduleDrains(scheduleDeadLetters),
      'probe-mailboxes': this.probeMailboxes(),
      'drain-mailbox': this.drainMailbox(),
      'hold-new-mail': this.holdNewMail(),
      'seal-ledgers': this.sealLedgers(scheduleDeadLetters),
      ...(this.segmentsToVerify
        ? { 'verify-authentication': this.verifyAuthentication(this.segmentsToVerify) }
        : {}),
    }
    new FunctionSchedule(this, 'Schedule', {
      description: 'Mailsluice: asks which mailboxes are due',
      target: this.functions['schedule-drains'].function,
      deadLetters: scheduleDeadLetters,
      rate: TICK,
      // It carries the time that it is meant for.
      window: Duration.minutes(1),
      input: TICK_INPUT,
      // Five minutes later the next ticks have done its work.
      worthFor: Duration.minutes(5),
    })

    new FunctionSchedule(this, 'SealSchedule', {
      description: 'Mailsluice: seals what the ledgers gained',
      target: this.functions['seal-ledgers'].function,
      deadLetters: scheduleDeadLetters,
      rate: Duration.days(1),
      window: Duration.hours(1),
      input: {},
      worthFor: Duration.hours(12),
    })

    this.relay = props.relay && this.makeRelay(props.relay)

    this.alarmTopic = new AlarmTopic(this, 'AlarmTopic', { email: props.alarmEmail ?? [], key: this.key })
    const shown = {
      deployment: props.deployment,
      functions: this.functions,
      requests: { probe: this.probeRequests, drain: this.drainRequests },
      events: this.eventQueues,
    }
    this.alarms = new IngestAlarms(this, 'Alarms', {
      ...shown,
      topic: this.alarmTopic,
      mailboxes: props.mailboxes,
      missedIntervals: props.missedIntervals ?? 3,
      queueAgeMinutes: props.queueAgeMinutes ?? 30,
      scheduleDeadLetters,
      newSegments: this.newSegments,
      segmentsToVerify: this.segmentsToVerify,
      relays: this.relay?.services ?? [],
    })
    this.dashboard = new IngestDashboard(this, 'Dashboard', {
      ...shown,
      alarms: this.alarms.alarms,
      relay: this.relay !== undefined,
    })
  }

  /** One construct for each queue, also where two names lead to it. */
  private makeEventQueues(): Record<string, EventQueue> {
    const byAddress = new Map<string, EventQueue>()
    const byName: Record<string, EventQueue> = {}
    for (const [name, text] of Object.entries(this.props.queues)) {
      const address = parseSqsAddress(text)
      if (!address) throw new TypeError(`MailIngest: queues.${name}: ${text} is no queue name, URL or ARN`)
      byName[name] = byAddress.get(text) ?? new EventQueue(this, `Events-${name}`, { address })
      byAddress.set(text, byName[name])
    }
    return byName
  }

  private scheduleDrains(deadLetters: sqs.IQueue): IngestFunction {
    const { archive } = this.props
    return this.makeFunction('schedule-drains', {
      environment: {
        DEPLOYMENT: this.props.deployment,
        STATE_BUCKET: archive.stateBucket.bucketName,
        PROBE_QUEUE_URL: this.probeRequests.queue.queueUrl,
        TICK_SECONDS: String(TICK.toSeconds()),
      } satisfies ScheduleDrainsEnvironment,
      statements: [
        ...readMailboxes(this, archive),
        send('AskForProbes', [this.probeRequests.queue.queueArn]),
      ],
      deadLetters,
    })
  }

  private probeMailboxes(): IngestFunction {
    // Told about a mailbox that is suspended.
    const defaultArns = [this.defaultQueue.queueArn]
    const probe = this.makeFunction('probe-mailboxes', {
      environment: this.mailboxEnvironment satisfies ProbeMailboxesEnvironment,
      statements: [
        ...probeRights(this, this.props.archive, this.secrets),
        send('AskForDrains', [...defaultArns, this.drainRequests.queue.queueArn]),
        find('FindEventQueues', defaultArns),
      ],
      reservedConcurrency: this.reserved(this.probesAtOnce),
    })
    probe.takesFrom(this.probeRequests.queue, FUNCTIONS['probe-mailboxes'].batchSize, this.probesAtOnce)
    return probe
  }

  private drainMailbox(): IngestFunction {
    const eventArns = [...new Set(Object.values(this.eventQueues).map(({ queueArn }) => queueArn))]
    const drain = this.makeFunction('drain-mailbox', {
      environment: {
        ...this.mailboxEnvironment,
        DERIVED_BUCKET: this.props.archive.derivedBucket.bucketName,
      } satisfies DrainMailboxEnvironment,
      statements: [
        ...drainRights(this, this.props.archive, this.secrets),
        send('AnnounceAndContinue', [...eventArns, this.drainRequests.queue.queueArn]),
        find('FindEventQueues', eventArns),
        postpone([this.drainRequests.queue.queueArn]),
      ],
      memoryMib: this.props.drainMemoryMib,
      // Large messages wait here, up to 150 MiB each; beyond 512 MiB this costs a thousandth of the memory's price.
      spoolMib: 4096,
      reservedConcurrency: this.reserved(this.drainsAtOnce),
    })
    drain.takesFrom(this.drainRequests.queue, FUNCTIONS['drain-mailbox'].batchSize, this.drainsAtOnce)
    return drain
  }

  private holdNewMail(): IngestFunction {
    const { deployment, archive } = this.props
    const hold = this.makeFunction('hold-new-mail', {
      environment: {
        DEPLOYMENT: deployment,
        ARCHIVE_BUCKET: archive.archiveBucket.bucketName,
        STATE_BUCKET: archive.stateBucket.bucketName,
      } satisfies HoldNewMailEnvironment,
      statements: holdRights(this, archive),
    })
    hold.takesFrom(this.newSegments.queue, FUNCTIONS['hold-new-mail'].batchSize, HOLDS_AT_ONCE)
    return hold
  }

  private verifyAuthentication(segments: NewSegments): IngestFunction {
    const { deployment, archive, authentication } = this.props
    const told = [authentication?.queue ?? []]
      .flat()
      .flatMap((name) => this.eventQueues[name]?.queueArn ?? [])
    const verify = this.makeFunction('verify-authentication', {
      environment: {
        DEPLOYMENT: deployment,
        ARCHIVE_BUCKET: archive.archiveBucket.bucketName,
        STATE_BUCKET: archive.stateBucket.bucketName,
      } satisfies VerifyAuthenticationEnvironment,
      statements: [
        ...verifyRights(this, archive),
        ...(told.length > 0 ? [send('Announce', told), find('FindEventQueues', told)] : []),
      ],
    })
    verify.takesFrom(segments.queue, FUNCTIONS['verify-authentication'].batchSize, VERIFICATIONS_AT_ONCE)
    return verify
  }

  private sealLedgers(deadLetters: sqs.IQueue): IngestFunction {
    const { deployment, archive } = this.props
    return this.makeFunction('seal-ledgers', {
      environment: {
        DEPLOYMENT: deployment,
        ARCHIVE_BUCKET: archive.archiveBucket.bucketName,
        STATE_BUCKET: archive.stateBucket.bucketName,
        SEAL_KEY: archive.sealKey.keyArn,
      } satisfies SealLedgersEnvironment,
      statements: sealRights(this, archive),
      deadLetters,
    })
  }

  private makeRelay(options: RelayOptions): IdleRelay {
    const { deployment, archive, mailboxes } = this.props
    const defaultArns = [this.defaultQueue.queueArn]
    return new IdleRelay(this, 'Relay', {
      ...options,
      environment: {
        DEPLOYMENT: deployment,
        STATE_BUCKET: archive.stateBucket.bucketName,
        ARCHIVE_BUCKET: archive.archiveBucket.bucketName,
        DRAIN_QUEUE_URL: this.drainRequests.queue.queueUrl,
      },
      statements: [
        ...relayRights(this, archive, this.secrets, mailboxes),
        send('AskForDrains', [...defaultArns, this.drainRequests.queue.queueArn]),
        find('FindEventQueues', defaultArns),
      ],
      mailPorts: mailboxes.map(portOf),
      vpc: this.network?.vpc,
      logDays: this.logDays,
      logKey: this.key,
    })
  }

  private makeFunction(
    name: FunctionName,
    props: Pick<
      ConstructorParameters<typeof IngestFunction>[2],
      'environment' | 'statements' | 'deadLetters' | 'memoryMib' | 'spoolMib' | 'reservedConcurrency'
    >,
  ): IngestFunction {
    return new IngestFunction(this, name, {
      ...props,
      name,
      code: this.props.code(name),
      logDays: this.logDays,
      logKey: this.key,
      vpc: this.network,
    })
  }

  private get defaultQueue(): EventQueue {
    const { default: queue } = this.eventQueues
    if (!queue)
      throw new TypeError(
        'MailIngest: queues has no default; expected the queue of events that no route takes',
      )
    return queue
  }

  private get mailboxEnvironment() {
    const { deployment, archive } = this.props
    return {
      DEPLOYMENT: deployment,
      ARCHIVE_BUCKET: archive.archiveBucket.bucketName,
      STATE_BUCKET: archive.stateBucket.bucketName,
      DRAIN_QUEUE_URL: this.drainRequests.queue.queueUrl,
    }
  }

  private get secrets() {
    return {
      credentials: this.props.mailboxes.map(({ credential }) => credential),
      replaced: this.props.mailboxes
        .filter(({ oauth2 }) => oauth2?.grant === 'refresh-token')
        .map(({ credential }) => credential),
      parameterPrefix: this.props.parameterPrefix,
      keys: this.props.keys ?? [],
    }
  }

  private get drainsAtOnce(): number {
    return this.props.drainsAtOnce ?? 20
  }

  private get probesAtOnce(): number {
    return this.props.probesAtOnce ?? 10
  }

  private reserved(atOnce: number): number | undefined {
    return this.props.reservedConcurrency ? atOnce : undefined
  }
}

function timeoutOf(name: FunctionName): Duration {
  return Duration.seconds(FUNCTIONS[name].timeoutSeconds)
}
