/** Octets of a key (Amazon S3, "Naming Amazon S3 objects"). */
const KEY_OCTETS = 1024

/** Octets of one part of it: a file name's 255, less what a neighbour's name needs to differ by. */
const SEGMENT_OCTETS = 240

/** S3's "safe characters". Without a leading dot, so that `..` and folders of our own (`.incoming`) cannot be meant. */
const SEGMENT = /^[A-Za-z0-9!_*'()-][A-Za-z0-9!_.*'()-]*$/

/** Whether a name may be a part of a key, between two slashes: the same for every adapter, so that an archive can move. */
export function isLegalSegment(name: string): boolean {
  return name.length <= SEGMENT_OCTETS && SEGMENT.test(name)
}

/** Throws a TypeError for a key that not every adapter could hold: keys are made by us, so it is a defect. */
export function assertLegalKey(key: string): void {
  if (key.length > KEY_OCTETS || !key.split('/').every(isLegalSegment))
    throw new TypeError(`not a key of the archive: ${JSON.stringify(key)}`)
}
