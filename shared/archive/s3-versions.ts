import type { ListObjectVersionsCommandOutput as Page } from '@aws-sdk/client-s3'
import type { ObjectKey } from '../contract/ids.ts'
import type { ListedVersion } from './audit.ts'

// A page of ListObjectVersions.

/** In the order in which S3 had them, which the SDK loses by keeping versions and delete markers apart. */
export function versionsIn(page: Page): ListedVersion[] {
  const rows = [
    ...(page.Versions ?? []).map((row) => ({ ...row, deleteMarker: false })),
    ...(page.DeleteMarkers ?? []).map((row) => ({ ...row, Size: 0, deleteMarker: true })),
  ]
  return rows
    .map(
      ({ Key = '', VersionId, Size = 0, LastModified, IsLatest, deleteMarker }): ListedVersion => ({
        key: decoded(Key, page) as ObjectKey,
        versionId: VersionId,
        octets: Size,
        storedAt: (LastModified ?? new Date(0)).toISOString(),
        latest: IsLatest ?? false,
        deleteMarker,
      }),
    )
    .sort(
      (a, b) =>
        Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) ||
        Number(b.latest) - Number(a.latest) ||
        b.storedAt.localeCompare(a.storedAt),
    )
}

/** Where the next page begins; undefined when it is not said. */
export function nextKey(page: Page): string | undefined {
  return page.NextKeyMarker === undefined ? undefined : decoded(page.NextKeyMarker, page)
}

/** A page says itself whether its keys are encoded: in octets, a space as `+`. */
function decoded(key: string, page: Page): string {
  return page.EncodingType === 'url' ? decodeURIComponent(key.replaceAll('+', ' ')) : key
}
