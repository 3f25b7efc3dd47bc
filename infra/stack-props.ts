import type { Config } from '../shared/contract/config.ts'
import { deploymentOf, ownRetentions } from '../shared/contract/deployment.ts'
import type { MailArchiveProps } from './constructs/mail-archive.ts'
import type { MailIngestProps } from './constructs/mail-ingest.ts'

// From mailsluice.yaml to the props of the constructs.

/** `config` has passed deploymentProblems. */
export function archiveProps(config: Config): MailArchiveProps {
  const aws = deploymentOf(config)
  const { retention, bucket } = config.archive
  if (!retention) throw new TypeError('archive.retention is missing')
  return {
    retention,
    bucketName: bucket,
    stateBucketName: config.state?.bucket,
    derivedBucketName: config.derived?.bucket,
    encryption: aws.encryption,
    eventHold: aws.eventHold,
    deployers: aws.deployers,
    retentionChange: aws.retentionChange,
    coldStorage: aws.coldStorage === false ? undefined : aws.coldStorage,
    ownRetentions: ownRetentions(config),
    replication: aws.replication,
    derivedDays: aws.derivedDays,
    accessLogDays: aws.accessLogDays,
  }
}

export function ingestProps(config: Config): Omit<MailIngestProps, 'archive' | 'code'> {
  const aws = deploymentOf(config)
  return {
    deployment: aws.stack,
    mailboxes: config.mailboxes,
    queues: config.queues,
    authentication: config.authentication,
    parameterPrefix: aws.parameterPrefix,
    keys: aws.keys,
    drainsAtOnce: aws.drains.atOnce,
    reservedConcurrency: aws.drains.reserved,
    drainMemoryMib: aws.drains.memoryMib,
    probesAtOnce: aws.probesAtOnce,
    staticAddress: aws.network.staticAddress,
    logDays: aws.logDays,
    alarmEmail: aws.alarms.email,
    missedIntervals: aws.alarms.missedIntervals,
    queueAgeMinutes: aws.alarms.queueAgeMinutes,
  }
}
